"""Backpropagation through time (book 8.7)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from fathom.calculus import through_time as bptt_of
from fathom.core.arguments import Bounds, Count, Rate
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.scalars import lines
from fathom.plots.spectra import spectra

Several = Annotated[int, Bounds(at_least=4)]
RADII = (0.8, 1.0, 1.25)
FEW = 10  # steps, of which every way to cut them is looked at


@recipe(
    section="8.7",
    title="Backpropagation through time",
    zh="通过时间反向传播",
    minutes=0.1,
)
def bptt(
    *,
    steps: Annotated[Several, "of the sequence"] = 35,
    hidden: Annotated[Several, "numbers in the state"] = 16,
    radius: Annotated[Rate, "the largest eigenvalue of the recurrent matrix"] = 0.95,
    samples: Annotated[Count, "random truncations of each length"] = 2_000,
) -> Findings:
    """How far back a gradient should reach: all the way, to a fixed step, or to a random one.

    A recurrent network without bends is followed back through time. Its gradient holds powers of
    one matrix, which die away or explode with its largest eigenvalue. Cutting the way back short
    makes the gradient wrong (biased); cutting it at random and making up for it leaves it right on
    average, at the price of a spread that is often worse.
    """
    rnn, x, y = bptt_of.made(steps, hidden, radius, current_seed())
    whole = bptt_of.gradient(rnn, x, y, bptt_of.full_links(steps))[0]
    windows = [w for w in (2, 4, 8, 16, 32) if w < steps]
    fixed = [bptt_of.gradient(rnn, x, y, bptt_of.truncated_links(steps, w)) for w in windows]
    drawn = [
        bptt_of.gradient(rnn, x, y, bptt_of.random_links(steps, w, samples, current_seed()))
        for w in windows
    ]
    errors = {
        "at fixed steps": [_error(g, whole) for g in fixed],
        "at random": [_error(g, whole) for g in drawn],
    }
    reach = {f"radius {r:g}": _norms_of_powers(rnn.w_h * (r / radius), steps) for r in RADII}
    return Findings(
        numbers={"norm of the whole gradient": Number(float(whole.norm()))},
        tables={
            "Truncated gradients, beside the whole one": Table(
                ["", "steps back", "norm", "bias", "spread", "cosine"],
                [["whole", steps, 1.0, 0.0, 0.0, 1.0]]
                + [
                    [name, window, *_compared(gradients, whole)]
                    for name, found in (("fixed", fixed), ("random", drawn))
                    for window, gradients in zip(windows, found, strict=True)
                ],
            )
        },
        figures={
            "reach": lines(
                list(range(steps)),
                reach,
                title="what is left of a gradient",
                xlabel="steps back",
                ylabel="norm of the matrix's power",
                log_y=True,
            ),
            "spectra": spectra(
                {f"radius {r:g}": _eigenvalues(rnn.w_h * (r / radius)) for r in RADII},
                title="eigenvalues of the recurrent matrix",
            ),
            "truncation": lines(
                windows,
                errors,
                title="how far from the whole gradient",
                xlabel="steps back",
                ylabel="error / norm of the whole",
                log_y=True,
            ),
        },
        claims=_claims(rnn, x, y, whole),
    )


def _compared(gradients: Tensor, whole: Tensor) -> list[float]:
    """(S, H, H) beside the whole: norm and bias of the mean, spread, cosine; the whole is 1."""
    mean, norm = gradients.mean(0), whole.norm()
    spread = (gradients - mean).square().sum((1, 2)).mean().sqrt()
    cosine = (mean * whole).sum() / (mean.norm() * norm)
    return [
        float(mean.norm() / norm),
        float((mean - whole).norm() / norm),
        float(spread / norm),
        float(cosine),
    ]


def _error(gradients: Tensor, whole: Tensor) -> float:
    """The root of the mean squared distance from the whole: bias and spread together."""
    distances = (gradients - whole).square().sum((1, 2))
    return float(distances.mean().sqrt() / whole.norm())


def _norms_of_powers(matrix: Tensor, count: int) -> list[float]:
    """The spectral norms of matrix^0, matrix^1, ..."""
    power, norms = torch.eye(len(matrix), dtype=matrix.dtype), []
    for _ in range(count):
        norms.append(float(torch.linalg.matrix_norm(power, 2)))
        power = power @ matrix
    return norms


def _eigenvalues(matrix: Tensor) -> list[complex]:
    return [complex(z) for z in torch.linalg.eigvals(matrix).tolist()]


def _radius(matrix: Tensor) -> float:
    return max(abs(z) for z in _eigenvalues(matrix))


def _far(matrix: Tensor, steps: int = 500) -> float:
    """The norm of a high power."""
    return float(torch.linalg.matrix_power(matrix, steps).norm())


def _claims(rnn: bptt_of.LinearRNN, x: Tensor, y: Tensor, whole: Tensor) -> dict[str, bool]:
    window = min(8, len(x) - 1)
    cut = bptt_of.gradient(rnn, x, y, bptt_of.truncated_links(len(x), window))[0]
    few = min(FEW, len(x))
    links, chances = bptt_of.every_link(few, 3.0)
    expected = torch.einsum("s,shk->hk", chances, bptt_of.gradient(rnn, x[:few], y[:few], links))
    short = bptt_of.gradient(rnn, x[:few], y[:few], bptt_of.full_links(few))[0]
    small, large = (rnn.w_h * (r / _radius(rnn.w_h)) for r in (RADII[0], RADII[-1]))
    return {
        "the recursion gives the closed form": _alike(whole, bptt_of.closed_form(rnn, x, y)),
        "autograd gives the same": _alike(whole, _autograd(rnn, x, y, None)),
        "a state that is detached truncates it": _alike(cut, _autograd(rnn, x, y, window)),
        "over every way to cut at random it is right on average": _alike(expected, short),
        "below radius 1 powers die away, above they explode": _far(small) < 1 < _far(large),
    }


def _autograd(rnn: bptt_of.LinearRNN, x: Tensor, y: Tensor, window: int | None) -> Tensor:
    w_h = rnn.w_h.clone().requires_grad_()
    free = bptt_of.LinearRNN(rnn.w_x, w_h, rnn.w_o)
    return torch.autograd.grad(free.loss(x, y, window=window), w_h)[0]


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    return float((ours - theirs).norm()) <= 1e-9 * float(theirs.norm())
