"""Ways down a function of a few variables, each as the path that it takes.

Source   Book 11.3 (gradient descent, Newton, line search, preconditioning) and 11.6 to 11.10 (the
         optimisers, which are handed in); Polak and Ribière 1969 (conjugate gradients); Dauphin
         et al. 2014, arXiv:1406.2572 (Newton with the sizes of the curvatures).
Differs  The book's RMSProp keeps eps inside the root: `BookRMSprop`; torch's, and scratch's,
         keep it outside, which shows in the sixth digit of the book's trace.
Shapes   N variables, T steps. A function takes points (..., N) to values (...); a path is
         (T + 1, N) with its start first, and shorter where it leaves the numbers there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
Optimizers = Callable[[list[Tensor]], torch.optim.Optimizer]
Point = Sequence[float] | Tensor

SHORT = 2.0**-20  # of a gradient: the first try of a line search
MOST_LOOKS = 60


def gradient(f: Function, point_N: Tensor) -> Tensor:
    """The slopes (N,) of f at a point; also (..., N) at many points at once."""
    with torch.enable_grad():
        x = point_N.detach().clone().requires_grad_()
        value = f(x).sum()
        if not value.requires_grad:  # a constant
            return torch.zeros_like(point_N)
        return torch.autograd.grad(value, x)[0]


def hessian(f: Function, point_N: Tensor) -> Tensor:
    """The second derivatives (N, N) of f at a point; also (..., N, N) at many points at once."""
    with torch.enable_grad():
        x = point_N.detach().clone().requires_grad_()
        value = f(x).sum()
        slopes = torch.zeros_like(x)
        if value.requires_grad:
            (slopes,) = torch.autograd.grad(value, x, create_graph=True)
        if not slopes.requires_grad:  # a plane
            return x.new_zeros(*x.shape, x.shape[-1])
        each = slopes.unbind(-1)
        rows = [torch.autograd.grad(s.sum(), x, retain_graph=True)[0] for s in each]
    return torch.stack(rows, dim=-2)


def descend(f: Function, start: Point, optimizer: Optimizers, steps: int) -> Tensor:
    """The path of an optimiser of torch or scratch: `lambda p: optim.SGD(p, lr=0.1)`."""
    x = as_point(start).requires_grad_()
    rule = optimizer([x])

    def step(point: Tensor) -> Tensor:
        x.grad = gradient(f, point)
        rule.step()
        return x.detach().clone()

    return follow(f, step, x.detach().clone(), steps)


def gradient_descent(f: Function, start: Point, lr: float, steps: int) -> Tensor:
    """x <- x - lr g."""
    return follow(f, lambda x: x - lr * gradient(f, x), as_point(start), steps)


def newton(
    f: Function, start: Point, steps: int, *, lr: float = 1.0, absolute: bool = False
) -> Tensor:
    """x <- x - lr H⁻¹ g: to where the parabola through here has its stationary point.

    That may be a maximum or a saddle; `absolute` takes the curvatures by their size, and so goes
    down wherever it is. The path ends where the Hessian cannot be inverted.
    """

    def step(x: Tensor) -> Tensor:
        h, g = hessian(f, x), gradient(f, x)
        if not torch.isfinite(h).all():
            return torch.full_like(x, torch.nan)
        if absolute:
            values, vectors = torch.linalg.eigh(h)
            h = vectors * values.abs() @ vectors.T
        solved, singular = torch.linalg.solve_ex(h, g)
        return torch.full_like(x, torch.nan) if singular else x - lr * solved

    return follow(f, step, as_point(start), steps)


def preconditioned(f: Function, start: Point, steps: int, *, lr: float = 1.0) -> Tensor:
    """x <- x - lr g / |diagonal of H|: a rate for each variable, without solving for all at once.

    A variable with no curvature here keeps its gradient as it is.
    """

    def step(x: Tensor) -> Tensor:
        scale = hessian(f, x).diagonal().abs()
        return x - lr * gradient(f, x) / torch.where(scale > 0, scale, torch.ones_like(scale))

    return follow(f, step, as_point(start), steps)


def steepest_descent(f: Function, start: Point, steps: int) -> Tensor:
    """Along the gradient each time, as far as it goes down: no rate to choose."""
    return follow(f, lambda x: _along(f, x, -gradient(f, x)), as_point(start), steps)


def conjugate_gradient(f: Function, start: Point, steps: int) -> Tensor:
    """As far as it goes down, along directions that leave what the last ones gained.

    A quadratic of N variables is done in N steps. The rule is Polak and Ribière's, begun anew
    where it would go up.
    """
    before: dict[str, Tensor] = {}

    def step(x: Tensor) -> Tensor:
        g = gradient(f, x)
        direction = -g
        if before and (old := before["g"]).any():
            direction = direction + max(0.0, float(g @ (g - old) / (old @ old))) * before["d"]
            direction = direction if direction @ g < 0 else -g
        before.update(g=g, d=direction)
        return _along(f, x, direction)

    return follow(f, step, as_point(start), steps)


def noisy_descent(
    f: Function,
    start: Point,
    rate: Callable[[int], float],
    steps: int,
    *,
    noise: float,
    generator: torch.Generator,
) -> Tensor:
    """Gradient descent that sees each slope with N(0, noise²) added, at the rate of each step.

    The start may be one point (N,) or many (..., N), each with noise of its own; then the path is
    (T + 1, ..., N).
    """
    time = itertools.count()

    def step(x: Tensor) -> Tensor:
        seen = noise * torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return x - rate(next(time)) * (gradient(f, x) + seen)

    return follow(f, step, as_point(start), steps)


def nearest_minimum(f: Function, start: Point) -> Tensor | None:
    """The minimum that conjugate gradients and Newton come to from a start; none if they do not.

    It must be lower than what lies about it, which a plain is not.
    """
    x = conjugate_gradient(f, start, 40)[-1]
    x = newton(f, x, 8, absolute=True)[-1]
    level = gradient(f, x).norm() < 1e-6 * (1 + hessian(f, x).norm())
    sides = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * len(x)).reshape(-1, len(x))
    about = f(x + 0.01 * (1 + x.norm()) * sides[sides.any(1)])
    return x if level and bool((about > f(x)).all()) else None


def line_search(f: Function, point_N: Tensor, direction_N: Tensor) -> float:
    """How far along the direction f goes down: where its slope along it is first found to turn.

    A short interval is widened until the slope at its end points up. Then the straight line
    between the slopes at both ends says where to look (false position, with Illinois' rule that
    an end which stays counts for half).
    """

    def slope(t: float) -> float:
        return float(gradient(f, point_N + t * direction_N) @ direction_N)

    low, high = 0.0, SHORT
    down = first = slope(low)
    up = slope(high)
    while up < 0 and high < 1e12:
        low, down, high = high, up, 4 * high
        up = slope(high)
    if not first < 0 or up < 0:  # no way down, or no end to it
        return low
    stayed = 0
    for _ in range(MOST_LOOKS):
        share = down / (down - up) if math.isfinite(up) else 0.5  # what is undefined is too far
        middle = low + share * (high - low)
        here = slope(middle)
        if abs(here) <= 1e-14 * abs(first) or middle in (low, high):
            return middle
        if here < 0:
            low, down, up = middle, here, up / 2 if stayed > 0 else up
            stayed = 1
        else:
            high, up, down = middle, here, down / 2 if stayed < 0 else down
            stayed = -1
    return low


def follow(f: Function, step: Callable[[Tensor], Tensor], start_N: Tensor, steps: int) -> Tensor:
    """The points that a rule goes through, as far as f has values there.

    Not as far as it has slopes: the derivative of log(x) is 1/x, which below zero is a number.
    """
    path = [start_N]
    for _ in range(steps):
        following = step(path[-1])
        if not (torch.isfinite(following).all() and torch.isfinite(f(following)).all()):
            break
        path.append(following)
    return torch.stack(path)


def _along(f: Function, x: Tensor, direction: Tensor) -> Tensor:
    return x + line_search(f, x, direction) * direction if direction.any() else x


def as_point(start: Point) -> Tensor:
    """A place of its own in float64, in which the traces are."""
    return torch.as_tensor(start, dtype=torch.float64).detach().clone()


class BookRMSprop(torch.optim.Optimizer):
    """RMSProp with eps inside the root, as the book writes it (11.8): its traces need it."""

    def __init__(self, params: Any, lr: float, gamma: float = 0.9, eps: float = 1e-6) -> None:
        super().__init__(params, dict(lr=lr, gamma=gamma, eps=eps))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """s <- gamma s + (1 - gamma) g²; p <- p - lr g / sqrt(s + eps)."""
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p].setdefault("square_avg", torch.zeros_like(p))
                s.mul_(group["gamma"]).addcmul_(p.grad, p.grad, value=1 - group["gamma"])
                p.addcdiv_(p.grad, (s + group["eps"]).sqrt(), value=-group["lr"])
