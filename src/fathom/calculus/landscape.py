"""Where a function of a few variables is level, and what it looks like there.

Source   Book 11.1.2; Dauphin et al. 2014, arXiv:1406.2572 (saddles outnumber minima where there
         are many variables).
Shapes   N variables; the box is searched from a grid of starts, so a function that turns more
         often than the grid has points keeps some of its places to itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fathom.calculus.descent import Function, gradient, hessian

STARTS = {1: 121, 2: 17}  # along each variable
ROUNDS = 60
LEVEL = 1e-7  # a slope, or curvature, that is none


@dataclass(frozen=True)
class Stationary:
    """A point (N,) where f has no slope, its value, and its curvatures, the least first."""

    point: list[float]
    value: float
    curvatures: list[float]

    @property
    def kind(self) -> str:
        """Minimum, maximum or saddle, by the signs of the curvatures; else flat."""
        low, high = self.curvatures[0], self.curvatures[-1]
        if low > LEVEL:
            return "minimum"
        if high < -LEVEL:
            return "maximum"
        return "saddle" if low < -LEVEL and high > LEVEL else "flat"


def grid(low: float, high: float, count: int, dimension: int) -> Tensor:
    """Points (count ** dimension, dimension) of a box."""
    axis = torch.linspace(low, high, count, dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * dimension).reshape(-1, dimension)


def stationary_points(f: Function, low: float, high: float, dimension: int) -> list[Stationary]:
    """Where the slope of f is zero in the box, the lowest value first: Newton from many starts."""
    x = grid(low, high, STARTS[dimension], dimension)
    longest = (high - low) / STARTS[dimension]
    for _ in range(ROUNDS):
        g, h = gradient(f, x), hessian(f, x)
        fine = torch.isfinite(g).all(-1) & torch.isfinite(h).flatten(1).all(-1)
        x, g, h = x[fine], g[fine], h[fine]
        move = (torch.linalg.pinv(h, hermitian=True) @ g[..., None])[..., 0]
        x = x - move * (longest / move.norm(dim=-1, keepdim=True).clamp(min=longest))
    slopes = gradient(f, x).norm(dim=-1)
    x = x[slopes.argsort(stable=True)]  # of two that are one place, the nearer to it comes first
    level = gradient(f, x).norm(dim=-1) < LEVEL
    found: list[Tensor] = []
    for point in x[level & ((x >= low) & (x <= high)).all(-1)]:
        if all((point - other).norm() > 1e-3 * (high - low) for other in found):
            found.append(point)
    places = [
        Stationary(p.tolist(), float(f(p)), torch.linalg.eigvalsh(hessian(f, p)).tolist())
        for p in found
    ]
    return sorted(places, key=lambda place: (place.value, place.point))


def share_all_positive(size: int, draws: int, generator: torch.Generator) -> float:
    """How often all curvatures of a random symmetric matrix are positive: a minimum by chance.

    The matrices are of the Gaussian orthogonal ensemble, which prefers no direction.
    """
    a = torch.randn(draws, size, size, generator=generator, dtype=torch.float64)
    least = torch.linalg.eigvalsh(a + a.mT)[:, 0]
    return float((least > 0).double().mean())
