"""What theory says of descent on a quadratic, where nothing is left to chance.

Along each direction in which a quadratic curves, by lambda, a step multiplies the distance to the
minimum by a number of its own: 1 - lr lambda for gradient descent. The largest of these numbers
is how fast the whole comes down; past 1 it goes up.

Source   Polyak 1964 (heavy ball); Nesterov, "Introductory lectures on convex optimization", 2004,
         2.1; Goh 2017, "Why momentum really works"; book 11.3.1 and 11.6.2 to 11.6.4.
Differs  Momentum is torch's: v <- beta v + g, x <- x - lr v.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fathom.calculus.descent import Function


def quadratic(curvatures: Sequence[float], *, angle: float = 0.0) -> Function:
    """Half the sum of lambda x², least at the origin; of two variables also turned by an angle."""
    values = torch.tensor(curvatures, dtype=torch.float64)
    turn = torch.eye(len(values), dtype=torch.float64)
    if angle:
        cos, sin = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return ((x @ turn.T) ** 2 * values).sum(-1) / 2

    return f


def largest_rate(curvatures: Sequence[float], beta: float = 0.0) -> float:
    """The rate beyond which the path goes away: 2 / L, and 2 (1 + beta) / L with momentum."""
    return 2 * (1 + beta) / max(curvatures)


def contraction(lr: float, curvatures: Sequence[float]) -> float:
    """What a step of gradient descent multiplies the distance by, in the long run."""
    return max(abs(1 - lr * curvature) for curvature in curvatures)


def best_rate(curvatures: Sequence[float]) -> float:
    """The rate that comes down fastest: flattest and steepest direction shrink alike."""
    return 2 / (min(curvatures) + max(curvatures))


def momentum_matrix(lr: float, beta: float, curvature: float) -> Tensor:
    """What a step does to (velocity, distance) along one direction."""
    return torch.tensor([[beta, curvature], [-lr * beta, 1 - lr * curvature]], dtype=torch.float64)


def momentum_contraction(lr: float, beta: float, curvatures: Sequence[float]) -> float:
    """What a step with momentum multiplies the distance by, in the long run: a spectral radius."""
    matrices = [momentum_matrix(lr, beta, curvature) for curvature in curvatures]
    return max(float(torch.linalg.eigvals(m).abs().max()) for m in matrices)


def best_momentum(curvatures: Sequence[float]) -> tuple[float, float]:
    """(lr, beta) that come down fastest, by sqrt(beta) a step (Polyak 1964)."""
    small, large = math.sqrt(min(curvatures)), math.sqrt(max(curvatures))
    return 4 / (small + large) ** 2, ((large - small) / (large + small)) ** 2


def noise_floor(lr: float, curvature: float, noise: float) -> float:
    """The mean square distance at which descent with N(0, noise²) on its slopes stays."""
    return lr * noise**2 / (curvature * (2 - lr * curvature))


def expected_squares(
    curvatures: Sequence[float], start: Sequence[float], rates: Sequence[float], noise: float
) -> Tensor:
    """The mean square distance (T + 1,) of such a descent after each step of these rates.

    `start` is where it begins along each direction of curvature, the minimum being at zero.
    """
    squares = torch.tensor(start, dtype=torch.float64) ** 2
    values = torch.tensor(curvatures, dtype=torch.float64)
    found = [squares.sum()]
    for lr in rates:
        squares = (1 - lr * values) ** 2 * squares + (lr * noise) ** 2
        found.append(squares.sum())
    return torch.stack(found)


def measured_contraction(path: Tensor, minimum: Tensor | None = None) -> float:
    """What a step of the later half of a path multiplied the distance by, at the mean.

    `path` is (T + 1, N); without a minimum the origin. The mean is the slope of a straight line
    through the logarithms, so that a distance that swings on its way down is measured too.
    """
    distances = (path if minimum is None else path - minimum).norm(dim=1)
    late = distances[len(distances) // 2 :]
    late = late[: int((late > 0).cumprod(0).sum())]  # what has arrived tells nothing more
    if len(late) < 2:
        return 0.0
    times = torch.arange(len(late), dtype=late.dtype)
    times = times - times.mean()
    return float(torch.exp(times @ late.log() / (times @ times)))
