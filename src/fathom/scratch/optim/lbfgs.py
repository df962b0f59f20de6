"""L-BFGS: Newton's method with a Hessian guessed from the last few steps.

Source   Nocedal 1980; Liu & Nocedal 1989; Nocedal & Wright, Numerical Optimization, 2006,
         algorithms 7.4 and 7.5 (directions), 3.5 and 3.6 (line search).
Differs  One call of `step` is up to `max_iter` iterations, so it needs the closure. torch's state
         also holds `al`, room for the loop's intermediate numbers; ours does not, either loads.
         A rate in a tensor is read as a number; torch keeps the tensor as the length of the last
         move, which a schedule then changes after the fact.
Shapes   All parameters are one vector x of D numbers; gradients and directions have shape (D,).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from fathom.scratch.optim.optimizer import as_number, as_real, check_settings, require

Number = Any  # a float, or a tensor of one element: the search stays on the device


class Point(NamedTuple):
    """A place on the line x + t d: the loss there, its gradient, its slope along d."""

    t: Number
    loss: Number
    gradient: Tensor
    slope: Number


def newton_direction(g: Tensor, memory: list[tuple[Any, ...]], scale: Number) -> Tensor:
    """-H g, where the inverse Hessian H is known only by what it did: it took turns y to moves s.

    The memory holds (y, s, 1 / y.s), the oldest first. The two loops of algorithm 7.4: peel the
    pairs off from the newest to the oldest, stand in `scale` for the Hessian that is left, and put
    them back on.
    """
    q, alphas = g.neg(), []
    for y, s, r in reversed(memory):
        alphas.append(s.dot(q) * r)
        q.add_(y, alpha=-alphas[-1])
    q = q * scale
    for (y, s, r), alpha in zip(memory, reversed(alphas), strict=True):
        q.add_(s, alpha=alpha - y.dot(q) * r)
    return q


def cubic_minimum(a: Point, b: Point, low: Number, high: Number) -> Number:
    """Where the cubic through two losses and slopes is least, kept within [low, high] (3.59)."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    left, right = (a, b) if a.t <= b.t else (b, a)
    d2 = square**0.5
    share = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)
    return min(max(right.t - (right.t - left.t) * share, low), high)


def strong_wolfe(
    at: Callable[[Number], Point], start: Point, t: Number, *, length: Number, tolerance: float,
    most: int, c1: float = 1e-4, c2: float = 0.9,
) -> tuple[Point, int]:  # fmt: skip
    """A step that lowers the loss enough (c1) to where the slope is flat enough (c2).

    First go on until a bracket holds such a point (algorithm 3.5), then narrow it (3.6). `length`
    is the largest entry of the direction, `most` the number of evaluations allowed. Returns the
    point, and how often the loss was evaluated.
    """

    def too_high(point: Point) -> bool:
        return bool(point.loss > start.loss + c1 * point.t * start.slope)

    def flat(point: Point) -> bool:
        return bool(abs(point.slope) <= -c2 * start.slope)

    previous, point, tries = start, at(t), 0
    while tries < most:
        if too_high(point) or (tries > 1 and point.loss >= previous.loss):
            break
        if flat(point):
            return point, tries + 1
        if point.slope >= 0:
            break
        nearest, farthest = point.t + 0.01 * (point.t - previous.t), point.t * 10
        t = cubic_minimum(previous, point, nearest, farthest)
        previous, point, tries = point, at(t), tries + 1
    else:
        previous = start
    # The bracket holds a good point between its two: narrow it, keeping the lower one.
    bracket = [previous, point]
    low, stalled = 0 if previous.loss <= point.loss else 1, False
    while tries < most:
        near, far = sorted((bracket[0].t, bracket[1].t))
        if (far - near) * length < tolerance:
            break
        t = cubic_minimum(bracket[0], bracket[1], near, far)
        margin = 0.1 * (far - near)
        at_the_end = min(far - t, t - near) < margin
        if at_the_end and (stalled or t >= far or t <= near):  # once may be chance, twice is not
            t = far - margin if abs(t - far) < abs(t - near) else near + margin
            at_the_end = False
        stalled = at_the_end
        point, tries = at(t), tries + 1
        if too_high(point) or point.loss >= bracket[low].loss:
            bracket[1 - low] = point
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
        elif flat(point):
            return point, tries + 1
        else:
            if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
    return bracket[low], tries + 1


def direction(g: Tensor, state: dict[str, Any], history_size: int) -> Tensor:
    """Where to go from here; learns from the last move, then asks for Newton's direction."""
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return g.neg()
    y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
    memories = state["old_dirs"], state["old_stps"], state["ro"]
    curvature = y.dot(s)
    if curvature > 1e-10:
        for memory, new in zip(memories, (y, s, 1.0 / curvature), strict=True):
            if len(memory) == history_size:
                memory.pop(0)
            memory.append(new)
        state["H_diag"] = curvature / y.dot(y)
    return newton_direction(g, list(zip(*memories, strict=True)), state["H_diag"])


# The parameters as one vector, of real numbers.


def gradient_of(params: list[Tensor]) -> Tensor:
    """All gradients as one vector; zeros where a parameter has none."""
    grads = (torch.zeros_like(p) if p.grad is None else p.grad.to_dense() for p in params)
    return torch.cat([as_real(g).reshape(-1) for g in grads])


def move(params: list[Tensor], direction: Tensor, t: Number) -> None:
    """x <- x + t d."""
    views = [as_real(p) for p in params]
    for p, part in zip(views, direction.split([p.numel() for p in views]), strict=True):
        p.add_(part.view(p.shape), alpha=t)


def look(params: list[Tensor], closure: Callable[[], Any], d: Tensor, t: Number) -> Point:
    """Look at x + t d, and go back to x exactly."""
    saved = [p.clone() for p in params]
    move(params, d, t)
    loss, g = as_number(closure()), gradient_of(params)
    for p, value in zip(params, saved, strict=True):
        p.copy_(value)
    return Point(t, loss, g, g.dot(d))


class LBFGS(torch.optim.Optimizer):
    """L-BFGS on all parameters together; arguments as `torch.optim.LBFGS`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1, max_iter: int = 20,
        max_eval: int | None = None, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
        history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        settings = dict(
            lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
            history_size=history_size, line_search_fn=line_search_fn,
        )  # fmt: skip
        super().__init__(params, settings)
        known, groups = (None, "strong_wolfe"), len(self.param_groups)
        require(line_search_fn in known, f"line_search_fn {line_search_fn!r} is not one of {known}")
        require(groups == 1, f"LBFGS doesn't support per-parameter options, got {groups} groups")
        check_settings(self.param_groups[0], "LBFGS")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate until a limit or a tolerance is reached; `closure` gives loss and gradients.

        Returns the loss before the first iteration, as the closure gave it.
        """
        group, closure = self.param_groups[0], torch.enable_grad()(closure)
        params, state = group["params"], self.state[group["params"][0]]
        tolerance, search = group["tolerance_change"], group["line_search_fn"]
        first = closure()
        loss, g, evaluations = as_number(first), gradient_of(params), 1
        state.setdefault("n_iter", 0)
        for iteration in range(1, group["max_iter"] + 1):
            if g.abs().max() <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            d = direction(g, state, group["history_size"])
            t: Number = float(group["lr"])
            if state["n_iter"] == 1:  # no curvature is known yet: be careful
                t = min(1.0, 1.0 / g.abs().sum()) * t
            state.update(d=d, t=t, prev_flat_grad=g.clone(), prev_loss=loss)
            slope = g.dot(d)
            if slope > -tolerance:
                break
            if search is not None:
                point, tries = strong_wolfe(
                    partial(look, params, closure, d), Point(0, loss, g, slope), t,
                    length=d.abs().max(), tolerance=tolerance, most=group["max_eval"] - evaluations,
                )  # fmt: skip
                t, loss, g, _ = point
                state["t"], evaluations = t, evaluations + tries
            move(params, d, t)
            if search is None and iteration < group["max_iter"]:
                loss, g, evaluations = as_number(closure()), gradient_of(params), evaluations + 1
            still = (d * t).abs().max() <= tolerance or abs(loss - state["prev_loss"]) < tolerance
            if evaluations >= group["max_eval"] or still:
                break
        state["func_evals"] = state.get("func_evals", 0) + evaluations
        return first
