"""Labellings that a line can make, against linear programming."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from fathom.models import halfplanes


def feasible(points, signs) -> bool:
    """Whether some w has sign * (w0 + w1 x + w2 y) >= 1 for all points, by SciPy."""
    rows = np.array([[-s, -s * x, -s * y] for (x, y), s in zip(points, signs, strict=True)], float)
    found = linprog(np.zeros(3), rows, -np.ones(len(points)), bounds=[(None, None)] * 3)
    return found.status == 0


def drawn(count: int, seed: int) -> list[tuple[int, int]]:
    chance = random.Random(seed)
    while True:
        points = [(chance.randrange(12), chance.randrange(12)) for _ in range(count)]
        if halfplanes.in_general_position(points):
            return points


@pytest.mark.parametrize("seed", range(4))
def test_every_labelling_of_five_points_is_decided_as_by_linear_programming(seed):
    points = drawn(5, seed)
    for signs in product((-1, 1), repeat=5):
        assert halfplanes.separable(points, signs) == feasible(points, signs), (points, signs)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_they_are_as_many_as_cover_counted(count):
    assert len(halfplanes.labellings(drawn(count, 9))) == halfplanes.cover(count)


def test_covers_numbers_in_other_dimensions():
    assert [halfplanes.cover(n, 1) for n in (1, 2, 3, 4)] == [2, 4, 6, 8]  # thresholds on a line
    assert [halfplanes.cover(n, 3) for n in (1, 2, 3, 4, 5)] == [2, 4, 8, 16, 30]


def test_three_points_are_shattered_and_four_never():
    assert halfplanes.shattered([(0, 0), (5, 1), (2, 9)])
    for seed in range(30):
        assert not halfplanes.shattered(drawn(4, seed))


def test_three_on_a_line_are_in_no_general_position():
    assert not halfplanes.in_general_position([(0, 0), (1, 1), (2, 2)])
    assert halfplanes.in_general_position([(0, 0), (1, 1), (2, 3)])


@pytest.mark.parametrize("seed", range(10))
def test_radons_equation_holds_exactly(seed):
    four = drawn(4, seed)
    a = halfplanes.dependency(four)
    assert any(a)
    for column in zip(*[(1, x, y) for x, y in four], strict=True):
        assert sum(c * value for c, value in zip(a, column, strict=True)) == 0
    assert not feasible(four, [1 if c > 0 else -1 for c in a])
