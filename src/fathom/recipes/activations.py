"""Why a network needs activations: their slopes, exclusive or, the perceptron (book 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fathom.core.arguments import NonNegative
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.models.halfplanes import separable
from fathom.models.mlp import mlp
from fathom.models.perceptron import bound, perceptron
from fathom.objectives import cross_entropy
from fathom.plots.boundaries import decision_boundaries, square
from fathom.plots.scalars import lines, panels
from fathom.recipes.training import trained
from fathom.scratch.nn import functional as F

CORNERS = [(0, 0), (1, 1), (0, 1), (1, 0)]
XOR = [-1, -1, 1, 1]
SHOWN_AFTER = (0, 5, 10, 20, 60)  # epochs
MARGINS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4]
REACH = 2.2


@recipe(
    section="4.1",
    title="Multilayer perceptrons",
    zh="多层感知机",
    minutes=0.1,
    book="plots of ReLU, sigmoid and tanh with their slopes; the rest is prose",
    ours="exclusive or: 4 of 4 corners with a hidden layer; the perceptron keeps within its bound",
)
def activations(*, slope: NonNegative = 0.25) -> Findings:
    """What activations are for, and how steep they are.

    Four activations with their slopes. Exclusive or, which no line separates: that is decided
    exactly; two units made by hand compute it, and a small network learns it while its boundary
    is watched. The perceptron, where a plane does separate: its mistakes stay below (R/γ)².

    Args:
        slope: of pReLU below zero
    """
    x = torch.linspace(-6, 6, 241, dtype=torch.float64)
    kinds = _activations(slope)
    values = {name: kind.value(x) for name, kind in kinds.items()}
    slopes = {name: kind.slope(x) for name, kind in kinds.items()}

    points_N2, labels_N = synthetic.exclusive_or(200, 0.25, seed=current_seed())
    deep, fields = _learnt([8], points_N2, labels_N)
    flat, (*_, field) = _learnt([], points_N2, labels_N)
    at = dict(zip(SHOWN_AFTER, fields, strict=True))
    shown = {f"hidden layer, epoch {epoch}": field for epoch, field in at.items()}
    shown |= {f"linear layer, epoch {SHOWN_AFTER[-1]}": field}

    runs = [_perceptron(margin) for margin in MARGINS]
    hardest = torch.eye(30, dtype=torch.float64)  # the bound is reached: nothing can be reused
    ones = torch.ones(30, dtype=torch.float64)
    return Findings(
        tables={
            "Exclusive or": Table(
                ["", "corners right", "points right"],
                [["a linear layer", *flat], ["with 8 hidden units", *deep]],
            ),
            "Perceptron": Table(
                ["margin", "mistakes", "at most, (R/γ)²"],
                [[m, r[0], r[1]] for m, r in zip(MARGINS, runs, strict=True)],
            ),
        },
        figures={
            "activations": panels(
                {
                    "activations": (x.tolist(), {n: y.tolist() for n, y in values.items()}),
                    "their slopes": (x.tolist(), {n: y.tolist() for n, y in slopes.items()}),
                },
                xlabel="x",
                columns=2,
                same_y=False,
            ),
            "boundaries": decision_boundaries(shown, points_N2, labels_N, REACH),
            "perceptron": lines(
                MARGINS,
                {"mistakes": [r[0] for r in runs], "at most": [r[1] for r in runs]},
                xlabel="margin",
                ylabel="mistakes",
                log_x=True,
                log_y=True,
            ),
        },
        claims={
            "the slopes are autograd's": all(
                torch.allclose(slopes[name], _by_autograd(kind.value, x), rtol=1e-12, atol=1e-15)
                for name, kind in kinds.items()
            ),
            "tanh(x) is 2 sigmoid(2x) - 1": torch.allclose(
                values["tanh"], 2 * F.sigmoid(2 * x) - 1, atol=1e-12
            ),
            "a sigmoid's slope is a quarter at most": bool(slopes["sigmoid"].max() <= 0.25),
            "two layers with nothing between are one": _two_linear_layers_are_one(),
            "no line separates exclusive or": not separable(CORNERS, XOR),
            "two hidden units made by hand compute it": _by_hand(CORNERS) == [0, 0, 1, 1],
            "a hidden layer learns it": deep[0] == 4,
            "the perceptron errs no more often than it may": all(m <= most for m, most in runs),
            "orthogonal examples make it err as often as it may": (
                perceptron(hardest, ones).mistakes == round(bound(hardest, ones, ones)) == 30
            ),
        },
    )


class _Kind(NamedTuple):
    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def _activations(slope: float) -> dict[str, _Kind]:
    """Each with its derivative, written out; at zero that of the left side, as torch has it."""
    weight = torch.tensor([slope], dtype=torch.float64)
    return {
        "ReLU": _Kind(F.relu, lambda x: (x > 0).to(x.dtype)),
        "pReLU": _Kind(lambda x: F.prelu(x, weight), lambda x: torch.where(x > 0, 1.0, weight)),
        "sigmoid": _Kind(F.sigmoid, lambda x: F.sigmoid(x) * (1 - F.sigmoid(x))),
        "tanh": _Kind(F.tanh, lambda x: 1 - F.tanh(x).square()),
    }


def _by_autograd(value: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(value(x).sum(), x)[0]


def _two_linear_layers_are_one() -> bool:
    x_NK, first, second = torch.randn(5, 7), torch.nn.Linear(7, 4), torch.nn.Linear(4, 3)
    weight = second.weight @ first.weight
    one = x_NK @ weight.T + second.weight @ first.bias + second.bias
    return torch.allclose(second(first(x_NK)), one, atol=1e-5)


def _by_hand(corners: list[tuple[int, int]]) -> list[int]:
    """relu(x + y) counts the ones; twice relu(x + y - 1) takes the two away again."""
    x_N2 = torch.tensor(corners)
    return (torch.relu(x_N2.sum(1)) - 2 * torch.relu(x_N2.sum(1) - 1)).tolist()


def _learnt(
    hidden: list[int], points_N2: Tensor, labels_N: Tensor
) -> tuple[tuple[int, float], list[Tensor]]:
    """Train on exclusive or: corners and share of points that are right; the field now and then."""
    model = mlp(2, hidden, 2, activation="tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    batches = TensorBatches(points_N2, labels_N, batch_size=20)
    seed, fields = derive(current_seed()), []
    epochs = SHOWN_AFTER[-1]
    for epoch in trained(model, batches, cross_entropy, optimizer, epochs=epochs, seed=seed):
        if epoch in SHOWN_AFTER:
            fields.append(torch.softmax(model(square(REACH)), 1)[:, 1].detach())
    corners_42 = torch.tensor(CORNERS).float() * 2 - 1
    right = int((model(corners_42).argmax(1) == (torch.tensor(XOR) > 0)).sum())
    return (right, float((model(points_N2).argmax(1) == labels_N).float().mean())), fields


def _perceptron(margin: float) -> tuple[int, float]:
    """Mistakes on 200 examples of ten features that a plane separates by that much; the bound."""
    x_NK, signs_N, normal_K = synthetic.separable(200, 10, margin, seed=current_seed())
    return perceptron(x_NK, signs_N).mistakes, bound(x_NK, signs_N, normal_K)
