"""What many layers do to numbers, and which first weights keep them in range (book 4.8)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from fathom.core.arguments import Bounds
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.models.mlp import mlp
from fathom.objectives import cross_entropy
from fathom.plots.scalars import lines, panels
from fathom.recipes.training import trained
from fathom.scratch.nn import functional as F
from fathom.scratch.nn import init

FACTORS, SIDE, TRIALS = 100, 4, 40
WIDTH, BATCH = 256, 64
EPOCHS, UNITS = 30, 4

Function = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Function] = {
    "none": lambda x: x,
    "ReLU": F.relu,
    "tanh": F.tanh,
    "sigmoid": F.sigmoid,
}
WEIGHTS: dict[str, Function] = {
    "N(0, 0.01²)": lambda weight: init.normal_(weight, std=0.01),
    "Xavier": init.xavier_normal_,
    "He": lambda weight: init.kaiming_normal_(weight, nonlinearity="relu"),
}
VARIANCES = {"N(0, 0.01²)": 1e-4, "Xavier": 1 / WIDTH, "He": 2 / WIDTH}
PASSED = {"none": 1.0, "ReLU": 0.5}  # the share of the variance: half of all numbers are negative


@recipe(
    section="4.8",
    title="Numerical stability and initialisation",
    zh="数值稳定性和模型初始化",
    minutes=0.1,
    book="the product of 100 matrices of N(0, 1) has entries of about 1e26",
    ours="the largest entry of such products: 1e24 (median of 40); theory says e^0.558 a factor",
)
def initialization(*, depth: Annotated[int, Bounds(at_least=2, at_most=50)] = 20) -> Findings:
    """Why deep networks vanish or explode, and what first weights do about it.

    A product of many random matrices grows or shrinks exponentially, at a rate that is known.
    Layers do the same to what passes forward and to gradients on their way back: their variance
    is followed through a deep network for three kinds of first weights and four activations.
    And units that begin alike stay alike: no gradient tells them apart, but dropout does.

    Args:
        depth: layers of the network
    """
    generator = torch.Generator().manual_seed(current_seed())
    grown = {
        name: _products(std, generator)
        for name, std in {"std 1": 1.0, "std 1/2": 0.5, "std 0.3": 0.3}.items()
    }
    rate = float(grown["std 1"][-1].log().mean()) / FACTORS
    growth = 0.5 * (math.log(2) + float(torch.digamma(torch.tensor(SIDE / 2))))

    moments = {
        (activation, weights): _moments(ACTIVATIONS[activation], WEIGHTS[weights], depth)
        for activation in ACTIVATIONS
        for weights in WEIGHTS
    }
    factors = {key: _factors(both) for key, both in moments.items()}
    expected = {
        key: WIDTH * VARIANCES[key[1]] * PASSED[key[0]] for key in factors if key[0] in PASSED
    }
    units = {"all alike": _units(0.0, False), "alike, dropout 0.5": _units(0.5, False)}
    units["random"] = _units(0.0, True)
    return Findings(
        numbers={
            "largest entry of a product of 100": Number(float(grown["std 1"][-1].median())),
            "growth a factor": Number(math.exp(rate), "times"),
            "in theory": Number(math.exp(growth), "times"),
        },
        tables={
            "A layer multiplies the variance by": Table(
                ["activation", "first weights", "forward", "backward", "in theory"],
                [[*key, *factors[key], expected.get(key)] for key in factors],
            )
        },
        figures={
            "products": lines(
                range(1, FACTORS + 1),
                {name: sizes.median(1).values.tolist() for name, sizes in grown.items()},
                title="largest entry of a product of random 4 x 4 matrices",
                xlabel="factors",
                log_y=True,
            ),
            "variances": panels(
                {
                    f"{way}, {'no activation' if name == 'none' else name}": (
                        range(depth + 1),
                        {weights: moments[name, weights][side].tolist() for weights in WEIGHTS},
                    )
                    for side, way in enumerate(["forward", "back"])
                    for name in ACTIVATIONS
                },
                xlabel="layer",
                ylabel="mean square",
                columns=4,
                log_y=True,
            ),
            "symmetry": panels(
                {
                    name: (
                        range(EPOCHS + 1),
                        {f"unit {n + 1}": path.tolist() for n, path in enumerate(paths.T)},
                    )
                    for name, paths in units.items()
                },
                title="one weight of each hidden unit",
                xlabel="epoch",
                ylabel="weight",
            ),
        },
        claims={
            "products grow at the rate of theory": abs(rate - growth) < 0.05,
            "layers multiply variances as in theory": all(
                abs(math.log(found / expected[key])) < math.log(1.2)
                for key in expected
                for found in factors[key]
            ),
            "Xavier keeps them without activations, He with ReLU": all(
                abs(math.log(found)) < math.log(1.2)
                for key in [("none", "Xavier"), ("ReLU", "He")]
                for found in factors[key]
            ),
            "a sigmoid passes at most a sixteenth of a gradient's variance": (
                factors["sigmoid", "Xavier"][1] < 1.2 / 16
            ),
            "units that begin alike stay alike": _spread(units["all alike"]) < 1e-9,
            "they learn all the same": bool(
                (units["all alike"][-1] - units["all alike"][0]).abs().min() > 0.05
            ),
            "with dropout they part": _spread(units["alike, dropout 0.5"]) > 1e-3,
        },
    )


def _products(std: float, generator: torch.Generator) -> Tensor:
    """The largest entry after each factor of some products of matrices: (factors, trials)."""
    product = torch.eye(SIDE, dtype=torch.float64).expand(TRIALS, SIDE, SIDE)
    sizes = []
    for _ in range(FACTORS):
        matrix = torch.randn(TRIALS, SIDE, SIDE, generator=generator, dtype=torch.float64)
        product = product @ (std * matrix)
        sizes.append(product.abs().amax((1, 2)))
    return torch.stack(sizes)


def _moments(activation: Function, weights: Function, depth: int) -> tuple[Tensor, Tensor]:
    """Mean squares from layer 0 to `depth`, (depth + 1,): of what passes, and of its gradient."""
    passed = [torch.randn(BATCH, WIDTH, dtype=torch.float64, requires_grad=True)]
    for _ in range(depth):
        weight = torch.empty(WIDTH, WIDTH, dtype=torch.float64)
        weights(weight)
        passed.append(activation(passed[-1] @ weight.T))
    gradients = torch.autograd.grad((passed[-1] * torch.randn_like(passed[-1])).sum(), passed)
    forward, backward = (
        torch.stack([numbers.detach().square().mean() for numbers in row])
        for row in (passed, gradients)
    )
    return forward, backward


def _factors(moments: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """What a layer multiplies by, each in the direction of its pass: geometric means."""
    forward, backward = moments
    layers = len(forward) - 1
    return (
        float((forward[-1] / forward[0]) ** (1 / layers)),
        float((backward[0] / backward[-1]) ** (1 / layers)),
    )


def _units(dropout: float, random: bool) -> Tensor:
    """The first weight of each hidden unit, (epochs + 1, units), while a network learns "and"."""
    points_N2, _ = synthetic.exclusive_or(200, 0.3, seed=current_seed())
    labels_N = (points_N2 > 0).all(1).long()
    model = mlp(2, [UNITS], 2, activation="tanh", dropout=dropout).double()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.5) if random else nn.init.constant_(parameter, 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    batches = TensorBatches(points_N2.double(), labels_N, batch_size=20)
    weight = next(model.parameters())
    seed = derive(current_seed())
    return torch.stack(
        [
            weight.detach()[:, 0].clone()
            for _ in trained(model, batches, cross_entropy, optimizer, epochs=EPOCHS, seed=seed)
        ]
    )


def _spread(paths: Tensor) -> float:
    """How far apart the units are in the end."""
    return float(paths[-1].max() - paths[-1].min())
