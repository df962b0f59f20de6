"""Which labellings of points in the plane a line can make, decided exactly.

A line separates two finite sets unless, of some four points, those of one set and those of the
other have a common point between them (Kirchberger). Four points satisfy one equation
Σ aᵢ (1, xᵢ, yᵢ) = 0 (Radon): a line with aᵢ f(xᵢ, yᵢ) > 0 for each of them would make the sum of
these positive, and it is zero. The aᵢ are determinants: with whole numbers nothing is rounded.

Source   Radon 1921; Kirchberger 1903; Cover 1965, who counts; Vapnik and Chervonenkis 1971.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import comb

Point = tuple[int, int]
Signs = tuple[int, ...]


def area(p: Point, q: Point, r: Point) -> int:
    """Twice the area of a triangle, positive if p, q, r go anticlockwise: det of rows (1, x, y)."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def in_general_position(points: Sequence[Point]) -> bool:
    """Whether no three lie on a line."""
    return all(area(*three) != 0 for three in combinations(points, 3))


def dependency(four: Sequence[Point]) -> tuple[int, int, int, int]:
    """The a of Σ aᵢ (1, xᵢ, yᵢ) = 0 for four points: minors, with alternating signs."""
    p, q, r, s = four
    return area(q, r, s), -area(p, r, s), area(p, q, s), -area(p, q, r)


def separable(points: Sequence[Point], signs: Sequence[int]) -> bool:
    """Whether a line has the points of sign +1 on one side and those of -1 on the other.

    The points are in general position.
    """
    for four in combinations(zip(points, signs, strict=True), 4):
        a = dependency([point for point, _ in four])
        sides = {coefficient * sign > 0 for coefficient, (_, sign) in zip(a, four, strict=True)}
        if len(sides) == 1:
            return False
    return True


def labellings(points: Sequence[Point]) -> list[Signs]:
    """All that a line can make."""
    return [signs for signs in product((-1, 1), repeat=len(points)) if separable(points, signs)]


def shattered(points: Sequence[Point]) -> bool:
    """Whether a line can make every labelling."""
    return len(labellings(points)) == 2 ** len(points)


def cover(count: int, dimension: int = 2) -> int:
    """How many labellings of `count` points in general position a hyperplane can make."""
    return 2 * sum(comb(count - 1, k) for k in range(dimension + 1))
