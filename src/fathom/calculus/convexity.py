"""Convexity, tested and used: chords, curvatures, segments of sets, projections, penalties.

Source   Boyd and Vandenberghe, "Convex optimization", 2004, chapters 2, 3 and 5; Duchi et al. 2008
         (projection onto the simplex); book 11.2.
Shapes   N variables; functions take (..., N) to (...), a set takes (..., N) to true or false, a
         projection (..., N) to (..., N).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fathom.calculus.descent import Function, Point, as_point, follow, gradient, hessian

WEIGHTS = [k / 10 for k in range(1, 10)]  # where a chord or segment is looked at

Members = Callable[[Tensor], Tensor]
Projection = Callable[[Tensor], Tensor]


class Chord(NamedTuple):
    """Two points (N,) and how far f rises above the straight line between its values there."""

    a: Tensor
    b: Tensor
    above: float


def worst_chord(f: Function, points_PN: Tensor) -> Chord:
    """The chord, of all pairs of the points, that f rises above most; none if f is convex."""
    p = points_PN
    a, b = p.repeat_interleave(len(p), dim=0), p.repeat(len(p), 1)
    chord = Chord(p[0], p[0], -torch.inf)
    for weight in WEIGHTS:
        above = f(weight * a + (1 - weight) * b) - (weight * f(a) + (1 - weight) * f(b))
        above = torch.where((a != b).any(-1) & torch.isfinite(above), above, -torch.inf)
        worst = int(above.argmax())
        if above[worst] > chord.above:
            chord = Chord(a[worst], b[worst], float(above[worst]))
    return chord


def least_curvature(f: Function, points_PN: Tensor) -> float:
    """The least second derivative in any direction at any of the points where there are any."""
    h = hessian(f, points_PN)
    h = h[torch.isfinite(h).flatten(1).all(1)]
    return float(torch.linalg.eigvalsh(h).min()) if len(h) else torch.nan


def segments_inside(members: Members, points_PN: Tensor) -> float:
    """Of the segments between members, the share that never leaves the set: 1 if it is convex."""
    inside = points_PN[members(points_PN)]
    a, b = inside[:, None], inside[None, :]
    # a + w (b - a), which along an edge of the set does not leave it by rounding
    stays = torch.stack([members(a + w * (b - a)) for w in WEIGHTS]).all(0)
    return float(stays.double().mean())


def onto_ball(x: Tensor, radius: float) -> Tensor:
    """The nearest point of a ball about the origin: what clipping does to a gradient."""
    return x * (radius / x.norm(dim=-1, keepdim=True).clamp(min=radius))


def onto_box(x: Tensor, low: float, high: float) -> Tensor:
    """The nearest point whose coordinates are all between two numbers."""
    return x.clamp(low, high)


def onto_halfspace(x: Tensor, normal_N: Tensor, offset: float) -> Tensor:
    """The nearest point with normal · x <= offset."""
    over = ((x @ normal_N - offset) / (normal_N @ normal_N)).clamp(min=0)
    return x - over[..., None] * normal_N


def onto_simplex(x: Tensor) -> Tensor:
    """The nearest probabilities: all take the same off, and what falls below zero is zero."""
    ordered = x.sort(dim=-1, descending=True).values
    counts = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    takes = (ordered.cumsum(-1) - 1) / counts
    kept = (ordered > takes).sum(-1, keepdim=True)
    return (x - takes.gather(-1, kept - 1)).clamp(min=0)


def projected_descent(
    f: Function, project: Projection, start: Point, lr: float, steps: int
) -> Tensor:
    """The path of a step down, then to the nearest point allowed."""
    return follow(f, lambda x: project(x - lr * gradient(f, x)), project(as_point(start)), steps)


def penalised(f: Function, constraint: Function, strength: float) -> Function:
    """f, and a price for breaking `constraint(x) <= 0` that grows with its square."""
    return lambda x: f(x) + strength / 2 * constraint(x).clamp(min=0) ** 2


def lagrangian_path(
    f: Function, constraint: Function, start: Point, lr: float, steps: int
) -> tuple[Tensor, list[float]]:
    """Down in x and up in the multiplier of f + alpha constraint, alpha >= 0: to its saddle.

    The path, and the multiplier at each of its points.
    """
    multipliers = [0.0]

    def step(x: Tensor) -> Tensor:
        alpha = multipliers[-1]
        following = x - lr * gradient(lambda p: f(p) + alpha * constraint(p), x)
        multipliers.append(max(0.0, alpha + lr * float(constraint(following))))
        return following

    path = follow(f, step, as_point(start), steps)
    return path, multipliers[: len(path)]
