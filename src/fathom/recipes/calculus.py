"""Derivatives: as limits, and computed by programs on programs (book chapter 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.core.stopwatch import median_seconds
from fathom.plots.planes import slopes
from fathom.plots.scalars import Chart, lines, panels
from fathom.recipes.graphs import drawn
from fathom.scratch import autograd as ag

BOOK_LIMITS = ["2.30000", "2.03000", "2.00300", "2.00030", "2.00003"]
SIZES = [1, 2, 4, 8, 16, 32, 64, 128]
HIDDEN = 64


@recipe(
    section="2.4",
    title="Calculus",
    zh="微积分",
    minutes=0.1,
    book="limits 2.30000, 2.03000, 2.00300, 2.00030, 2.00003",
    ours="the same, to all digits",
)
def calculus() -> Findings:
    """A derivative as the limit of a ratio, as a tangent's slope, and as a direction.

    The ratio (f(x + h) - f(x)) / h comes nearer to the derivative as h gets smaller, until what
    a float cannot hold is larger than what is measured: the best h is about 1e-8, and 1e-5 for
    the ratio on both sides. Of a function of several variables the gradient points where it rises
    most, at right angles to the lines of equal height.
    """
    hs = [10.0**-k for k in range(1, 6)]
    limits = [(_f(1 + h) - _f(1)) / h for h in hs]
    steps, one_sided, two_sided = _errors_of_differences()
    x = [i / 50 for i in range(151)]
    tangent = [2 * v - 3 for v in x]
    return Findings(
        tables={
            "f(x) = 3 x² - 4 x at x = 1": Table(
                ["h", "(f(1 + h) - f(1)) / h"],
                [[f"{h:.5f}", f"{limit:.5f}"] for h, limit in zip(hs, limits, strict=True)],
            )
        },
        figures={
            "tangent": lines(
                x, {"f(x)": [_f(v) for v in x], "tangent at 1": tangent}, xlabel="x", ylabel="f(x)"
            ),
            "error-of-differences": lines(
                steps,
                {"(f(x+h) - f(x)) / h": one_sided, "(f(x+h) - f(x-h)) / 2h": two_sided},
                title="a smaller h is not always better: sin at x = 1",
                xlabel="h",
                ylabel="error",
                log_x=True,
                log_y=True,
            ),
            "gradients": _gradient_picture(),
        },
        claims={
            "the ratios are the book's, to five digits": [f"{v:.5f}" for v in limits]
            == BOOK_LIMITS,
            "the tangent touches f at 1 and lies below it elsewhere": all(
                (_f(v) > t) != (v == 1) for v, t in zip(x, tangent, strict=True)
            ),
            "one-sided, the best h is between 1e-10 and 1e-6": 1e-10
            <= steps[int(np.argmin(one_sided))]
            <= 1e-6,
            "two-sided, it is larger, and a hundred times more is right": 100 * min(two_sided)
            < min(one_sided)
            and steps[int(np.argmin(two_sided))] > steps[int(np.argmin(one_sided))],
        }
        | _gradient_claims(),
    )


def _f(x: float) -> float:
    return 3 * x * x - 4 * x


def _errors_of_differences() -> tuple[list[float], list[float], list[float]]:
    """For h from 1e-15 up: how far both ratios are from the slope of sin at 1."""
    steps = [10 ** (k / 4) for k in range(-60, 0)]
    one_sided = [abs((math.sin(1 + h) - math.sin(1)) / h - math.cos(1)) for h in steps]
    two_sided = [abs((math.sin(1 + h) - math.sin(1 - h)) / (2 * h) - math.cos(1)) for h in steps]
    return steps, one_sided, two_sided


def _valley(x: np.ndarray) -> np.ndarray:
    """A function of two variables, (..., 2) to (...)."""
    return x[..., 0] ** 2 / 2 + x[..., 0] * x[..., 1] + 2 * x[..., 1] ** 2


def _valley_gradient(x: np.ndarray) -> np.ndarray:
    return np.stack([x[..., 0] + x[..., 1], x[..., 0] + 4 * x[..., 1]], axis=-1)


def _partials(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Two-sided ratios, one variable at a time: what the others do not change."""
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


def _gradient_claims() -> dict[str, bool]:
    """Rules of the calculus of several variables, each against ratios at a random point."""
    random = np.random.default_rng(current_seed())
    A, x = random.normal(size=(4, 4)), random.normal(size=4)
    point = random.normal(size=2)
    gradient = _valley_gradient(point)
    angles = np.linspace(0, 2 * math.pi, 3601)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    rises = (_valley(point + 1e-5 * ways) - _valley(point - 1e-5 * ways)) / 2e-5
    steepest = ways[rises.argmax()]
    inner = lambda v: np.stack([v[..., 0] * v[..., 1], np.sin(v[..., 0])], axis=-1)  # noqa: E731
    u = inner(point)
    du_dx = np.array([[point[1], point[0]], [math.cos(point[0]), 0]])
    return {
        "the gradient of |x|² is 2 x": np.allclose(_partials(lambda v: v @ v, x), 2 * x),
        "of A x it is A; of x·A x it is (A + A transposed) x": np.allclose(
            _partials(lambda v: A @ v, x), A
        )
        and np.allclose(_partials(lambda v: v @ A @ v, x), (A + A.T) @ x),
        "chain rule: by all ways from y to x, the products of slopes add up": np.allclose(
            _partials(lambda v: _valley(inner(v)), point), _valley_gradient(u) @ du_dx, atol=1e-8
        ),
        "of 3,600 directions the gradient's rises most, by its length": bool(
            steepest @ gradient > 0.99999 * np.linalg.norm(gradient)
            and math.isclose(rises.max(), np.linalg.norm(gradient), rel_tol=1e-5)
        ),
    }


def _gradient_picture() -> Figure:
    grid = np.linspace(-2, 2, 81)
    at = np.stack(np.meshgrid(grid, grid), axis=-1)
    spots = np.stack(np.meshgrid(*[np.linspace(-1.4, 1.4, 5)] * 2), axis=-1).reshape(-1, 2)
    arrows = [(*spot, *(0.1 * _valley_gradient(spot))) for spot in spots if spot.any()]
    return slopes(
        grid,
        grid,
        _valley(at),
        arrows,
        title="x1²/2 + x1 x2 + 2 x2², and its gradients",
        xlabel="x1",
        ylabel="x2",
    )


@recipe(
    section="2.5",
    title="Automatic differentiation",
    zh="自动微分",
    minutes=0.1,
    book="the gradient of 2 x·x is 4 x; after a control flow, d.grad = d / a",
    ours="the same, to all digits",
)
def autograd() -> Findings:
    """Derivatives of programs: every operation is recorded, and the record is walked.

    Back from the result it gives the gradient by all inputs in one walk; forward from one input,
    that of all outputs. So a network with a million weights and one loss is trained in reverse,
    and a curve through space is followed forward. Here `fathom.scratch.autograd` does both, on
    NumPy arrays, and is held against torch. The figures: a computation with the values and
    gradients that were found, and what the two modes cost as inputs and outputs grow.
    """
    x = np.arange(4.0)
    found = {
        "2 x·x at [0, 1, 2, 3]": _both(lambda x: 2 * (x @ x), x),
        "sum of x": _both(lambda x: x.sum(), x),
        "x·u, where u = x * x is detached": _both(lambda x: x @ (x * x).detach(), x),
        "a, doubled until it reaches 1,000, at 0.3": _both(_doubled, np.array(0.3)),
        "the same at -0.3": _both(_doubled, np.array(-0.3)),
    }
    rows = [[name, str(ours.tolist())] for name, (ours, _) in found.items()]
    z = _textbook_example()
    many_in, many_out = [_cost(n, 1) for n in SIZES], [_cost(1, n) for n in SIZES]
    gain_back = many_in[-1].forward / many_in[-1].reverse
    gain_forward = many_out[-1].reverse / many_out[-1].forward
    return Findings(
        numbers={
            "128 inputs, 1 output: reverse is faster": Number(gain_back, "times"),
            "1 input, 128 outputs: forward is faster": Number(gain_forward, "times"),
            "gradient by 128 inputs, over its function": Number(
                many_in[-1].reverse / many_in[-1].function, "times"
            ),
        },
        tables={"Gradients": Table(["function", "gradient"], rows)},
        figures={
            "graph": drawn(z, title="z = log x1 + x1 x2 - sin x2 at (2, 5)"),
            "cost": _cost_picture(many_in, many_out),
        },
        claims={
            "all gradients are torch's, to the last bit": all(
                np.array_equal(*pair) for pair in found.values()
            ),
            **_record_claims(x, found),
            "128 inputs, 1 output: reverse mode is at least 4 times faster": gain_back > 4,
            "1 input, 128 outputs: forward mode is": gain_forward > 4,
        },
    )


def _both(f: Callable[[Any], Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of f at x, by our engine and by torch's; f takes either's tensors."""
    ours, theirs = ag.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    f(ours).backward()
    f(theirs).backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    return ours.grad.data, theirs.grad.numpy()


def _doubled(a: Any) -> Any:
    """How often it is doubled depends on a, and so does its sign: only what was run is recorded."""
    b = a * 2
    while abs(b) < 1000:
        b = b * 2
    return b if b > 0 else 100 * b


def _textbook_example() -> ag.Tensor:
    """The example of Griewank and Walther 2008: 11.652, with gradients 5.5 and 1.716."""
    x1, x2 = (ag.Tensor(v, requires_grad=True, name=n) for n, v in {"x1": 2.0, "x2": 5.0}.items())
    z = ag.log(x1) + x1 * x2 - ag.sin(x2)
    z.name = "z"
    return z


def _record_claims(
    x: np.ndarray, found: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, bool]:
    gradients = [ours for ours, _ in found.values()]
    twice = ag.Tensor(x, requires_grad=True)
    for _ in range(2):
        (2 * (twice @ twice)).backward()
    network, torchs, point = _network(5, 3)
    back, forth = (ag.jacobian(network, point, forward=way) for way in (False, True))
    theirs = torch.autograd.functional.jacobian(torchs, torch.from_numpy(point))
    return {
        "2 x·x has gradient 4 x; what is detached is a constant": gradients[0].tolist()
        == (4 * x).tolist()
        and gradients[2].tolist() == (x * x).tolist(),
        "through a loop and an if: the gradient is f(a) / a": all(
            math.isclose(g, _doubled(a) / a)
            for g, a in zip(gradients[3:], (0.3, -0.3), strict=True)
        ),
        "backward adds to .grad: twice gives 8 x": twice.grad is not None
        and twice.grad.data.tolist() == (8 * x).tolist(),
        "2 x·x has second derivatives 4 on the diagonal": np.array_equal(
            ag.hessian(lambda v: 2 * (v @ v), x), 4 * np.eye(4)
        ),
        "both modes give a network's Jacobian as torch does": np.allclose(back, forth, rtol=1e-12)
        and np.allclose(back, theirs.numpy(), rtol=1e-12),
    }


def _network(inputs: int, outputs: int) -> tuple[Callable, Callable, np.ndarray]:
    """A layer of HIDDEN and one of `outputs`, for our engine and for torch's, and an input."""
    random = np.random.default_rng(derive(current_seed(), inputs, outputs))
    A = random.normal(size=(HIDDEN, inputs)) / inputs**0.5
    B = random.normal(size=(outputs, HIDDEN)) / HIDDEN**0.5
    a, b = torch.from_numpy(A), torch.from_numpy(B)
    x = random.normal(size=inputs)
    return lambda x: ag.tanh(B @ ag.tanh(A @ x)), lambda x: (b @ (a @ x).tanh()).tanh(), x


class _Cost(NamedTuple):
    """Seconds: of the function alone, and of all its derivatives by either mode."""

    function: float
    forward: float
    reverse: float


def _cost(inputs: int, outputs: int) -> _Cost:
    f, _, x = _network(inputs, outputs)
    constant = ag.Tensor(x)
    return _Cost(
        median_seconds(lambda: f(constant)),
        median_seconds(lambda: ag.jacobian(f, x, forward=True)),
        median_seconds(lambda: ag.jacobian(f, x)),
    )


def _cost_picture(many_in: Sequence[_Cost], many_out: Sequence[_Cost]) -> Figure:
    def chart(costs: Sequence[_Cost]) -> Chart:
        return SIZES, {mode: [1e3 * getattr(c, mode) for c in costs] for mode in _Cost._fields}

    return panels(
        {"many inputs, one output": chart(many_in), "one input, many outputs": chart(many_out)},
        title="what all derivatives of a network cost",
        xlabel="how many",
        ylabel="ms",
        columns=2,
        log_x=True,
        log_y=True,
    )
