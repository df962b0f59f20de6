"""The numbers that are learned (book 5.2): found, filled, shared."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.scalars import histograms
from fathom.scratch.nn import init

INPUTS, UNITS = 200, 300


@recipe(
    section="5.2",
    title="Parameter management",
    zh="参数管理",
    minutes=0.1,
    book="tied layers stay equal; of U(-10, 10) what is below 5 becomes 0",
    ours="the same",
)
def parameters() -> Findings:
    """Find parameters by their path, fill them as one likes, and use one in two places.

    A parameter's name is its path in the tree of modules. Where a layer stands in two places
    there is one set of weights, and its gradient is the sum of what both places ask for. The
    figure shows what four ways to fill a layer of 200 by 300 draw.
    """
    net: Any = _nested()
    x = torch.rand(2, 4)
    rows = [
        [path, str(tuple(p.shape)), float(p.detach().mean()), float(p.detach().std(correction=0))]
        for path, p in net.named_parameters()
    ]
    net(x).sum().backward()
    second = net[0][1][0]
    filled = {name: _filled(fill) for name, fill in INITIALISERS.items()}
    return Findings(
        tables={
            "Found by walking the tree": Table(["path", "shape", "mean", "std"], rows),
            "A layer of 200 by 300, filled": Table(
                ["by", "mean", "std", "least", "most", "share of zeros"],
                [[name, *_described(weight)] for name, weight in filled.items()],
            ),
        },
        figures={
            "weights": histograms(
                {name: weight.flatten().tolist() for name, weight in filled.items()},
                title="what four ways to begin draw",
                xlabel="weight",
            )
        },
        claims={
            "net[0][1][0].bias is the parameter '0.1.0.bias'": second.bias
            is dict(net.named_parameters())["0.1.0.bias"],
            "state_dict shares its memory: filling it fills the layer": _shares_memory(second),
            "after backward every parameter has a gradient of its shape": all(
                p.grad is not None and p.grad.shape == p.shape for p in net.parameters()
            ),
            **_claims_of_filling(filled),
            **_claims_of_tying(),
        },
    )


def _nested() -> nn.Sequential:
    """Two blocks of two layers each, in a block, before a last layer: (B, 4) to (B, 1)."""

    def block() -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())

    return nn.Sequential(nn.Sequential(block(), block()), nn.Linear(4, 1))


def _uniform_or_nothing(weight: Tensor) -> None:
    """U(-10, 10), and 0 where that is nearer to 0 than 5: half of them."""
    nn.init.uniform_(weight, -10, 10)
    with torch.no_grad():
        weight.mul_(weight.abs() >= 5)


INITIALISERS: dict[str, Callable[[Tensor], Any]] = {
    "normal, std 0.01": lambda w: nn.init.normal_(w, std=0.01),
    "constant 1": lambda w: nn.init.constant_(w, 1),
    "Xavier, uniform": nn.init.xavier_uniform_,
    "U(-10, 10) or 0": _uniform_or_nothing,
}


def _filled(fill: Callable[[Tensor], Any]) -> Tensor:
    """The weights of a layer (UNITS, INPUTS), filled by `apply` as one does a whole network."""
    layer = nn.Linear(INPUTS, UNITS)

    def visit(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            fill(module.weight)

    nn.Sequential(layer).apply(visit)
    return layer.weight.detach()


def _described(weight: Tensor) -> list[float]:
    numbers = [
        weight.mean(),
        weight.std(),
        weight.min(),
        weight.max(),
        (weight == 0).float().mean(),
    ]
    return [float(number) for number in numbers]


def _shares_memory(layer: nn.Linear) -> bool:
    before = layer.bias.detach().clone()
    layer.state_dict()["bias"].fill_(7)
    shared = bool((layer.bias == 7).all())
    with torch.no_grad():
        layer.bias.copy_(before)
    return shared


def _claims_of_filling(filled: dict[str, Tensor]) -> dict[str, bool]:
    """What chance may miss, it misses by six standard errors at most."""
    normal, constant, xavier, custom = (weight.double() for weight in filled.values())
    count = normal.numel()
    bound = math.sqrt(6 / (INPUTS + UNITS))
    zeros = float((custom == 0).double().mean())
    return {
        "normal: the std is 0.01, within chance": abs(float(normal.std()) / 0.01 - 1)
        < 6 / math.sqrt(2 * count),
        "constant: all are 1": bool((constant == 1).all()),
        "Xavier: within sqrt(6 / (in + out)), the variance 2 / (in + out)": float(
            xavier.abs().max()
        )
        <= bound
        and abs(float(xavier.var()) / (bound**2 / 3) - 1) < 6 * math.sqrt(0.8 / count),
        "our own: 0 or at least 5, half of them 0, within chance": bool(
            ((custom == 0) | (custom.abs() >= 5)).all()
        )
        and abs(zeros - 0.5) < 6 * 0.5 / math.sqrt(count),
        "fathom.scratch.nn.init draws the same numbers under the same seed": all(
            _same_numbers(name) for name in ("normal_", "xavier_uniform_", "uniform_")
        ),
    }


def _same_numbers(name: str) -> bool:
    drawn = []
    for library in (nn.init, init):
        torch.manual_seed(current_seed())
        drawn.append(getattr(library, name)(torch.empty(UNITS, INPUTS)))
    return torch.equal(*drawn)


def _claims_of_tying() -> dict[str, bool]:
    """One layer in two places, against two layers with the same numbers in them."""
    shared = nn.Linear(8, 8)
    tied = nn.Sequential(nn.Linear(4, 8), shared, nn.Tanh(), shared, nn.Linear(8, 1)).double()
    untied = nn.Sequential(*[copy.deepcopy(layer) for layer in tied])
    x = torch.rand(16, 4).double()
    for network in (tied, untied):
        network(x).square().sum().backward()
    first, second = untied[1].weight.grad, untied[3].weight.grad
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert shared.weight.grad is not None
    numbers = [sum(p.numel() for p in network.parameters()) for network in (tied, untied)]
    summed = torch.allclose(shared.weight.grad, first + second, rtol=1e-12)
    torch.optim.SGD(tied.parameters(), lr=0.1).step()
    one, other = shared.weight, tied.get_parameter("3.weight")
    return {
        "tied: the gradient is the sum of those of both places": summed,
        "tied: the weights are counted once": numbers[1] - numbers[0] == 8 * 8 + 8,
        "tied: after a step both places still have the same weights": one is other
        and not torch.equal(one, untied.get_parameter("1.weight")),
    }
