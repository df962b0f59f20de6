"""What networks are made of (book 5.1, 5.3): blocks in blocks, and layers that wait for shapes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.trees import Branch, trees

GROUPS = ["has parameters of its own", "has a buffer"]


def networks(nn: Any) -> dict[str, Callable[[], Any]]:
    """The section's networks on a library with Module, Sequential, Linear: torch's, or the page."""

    class ReLU(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.clamp(min=0)

    class MLP(nn.Module):
        """Assigning a layer to an attribute is all that it takes to hold it."""

        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(20, 256)
            self.out = nn.Linear(256, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.hidden(x).clamp(min=0))

    class InOrder(nn.Module):
        """What `Sequential` is: modules under the names 0, 1, …, called one after the other."""

        def __init__(self, *modules: Any) -> None:
            super().__init__()
            for number, module in enumerate(modules):
                setattr(self, str(number), module)

        def forward(self, x: Tensor) -> Tensor:
            for module in self.children():
                x = module(x)
            return x

    class FixedHidden(nn.Module):
        """Constant weights, a layer used twice, a loop: `forward` is any Python at all."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("constant", torch.rand(20, 20))
            self.linear = nn.Linear(20, 20)

        def forward(self, x: Tensor) -> Tensor:
            x = self.linear((self.linear(x) @ self.constant + 1).clamp(min=0))
            while x.abs().sum() > 1:
                x = x / 2
            return x.sum()

    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(20, 64), ReLU(), nn.Linear(64, 32), ReLU())
            self.linear = nn.Linear(32, 16)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(self.net(x))

    return {
        "MLP": MLP,
        "Sequential": lambda: nn.Sequential(nn.Linear(20, 256), ReLU(), nn.Linear(256, 10)),
        "InOrder": lambda: InOrder(nn.Linear(20, 256), ReLU(), nn.Linear(256, 10)),
        "FixedHidden": FixedHidden,
        "Nested": Nested,
        "a mixture": lambda: nn.Sequential(Nested(), nn.Linear(16, 20), FixedHidden()),
    }


@recipe(
    section="5.1",
    title="Layers and blocks",
    zh="层和块",
    minutes=0.1,
    book="(2, 20) to (2, 10); to a single number with the fixed hidden layer",
    ours="the same",
)
def blocks() -> Findings:
    """A network is a tree of modules: written as classes, in sequence, with constants, nested.

    Each is built twice: on torch's `Module`, and on the one of `fathom/scratch/nn/module.py`, a
    page that shows how assigning is registering. The constant of the fixed hidden layer is a
    buffer: it is saved and moved with the module, which a plain attribute is not.
    """
    from fathom.scratch.nn import module as page

    x = torch.rand(2, 20)
    theirs = {name: make() for name, make in networks(torch.nn).items()}
    ours = {name: make() for name, make in networks(page).items()}
    for name, network in ours.items():
        network.load_state_dict(theirs[name].state_dict())
    fixed = theirs["FixedHidden"]
    plain = copy.deepcopy(fixed)
    constant = plain._buffers.pop("constant")
    plain.constant = constant
    in_order, sequential = theirs["InOrder"], theirs["Sequential"]
    in_order.load_state_dict(sequential.state_dict())
    shown = ["MLP", "FixedHidden", "a mixture"]
    return Findings(
        tables={
            "Networks": Table(
                ["network", "(2, 20) becomes", "parameters", "of them trained or kept"],
                [
                    [name, str(tuple(network(x).shape)), _numbers(network), _entries(network)]
                    for name, network in theirs.items()
                ],
            )
        },
        figures={
            "trees": trees(
                [(name, tree_of(theirs[name])) for name in shown],
                groups=GROUPS,
                title="networks are trees of modules",
            )
        },
        claims={
            "on our Module and torch's: the same names, and outputs equal": all(
                list(ours[name].state_dict()) == list(network.state_dict())
                and torch.equal(ours[name](x), network(x))
                for name, network in theirs.items()
                if name != "InOrder"
            ),
            "InOrder is Sequential: the same names, the same outputs": torch.equal(
                in_order(x), sequential(x)
            ),
            "a hidden layer of 256 makes 20·256 + 256 + 256·10 + 10 parameters": _numbers(
                theirs["MLP"]
            )
            == 20 * 256 + 256 + 256 * 10 + 10,
            "a layer that is used twice is held once": _numbers(fixed) == 20 * 20 + 20,
            "the loop ends with numbers that add up to 1 at most": bool(fixed(x).abs() <= 1),
            "a buffer is saved, moved, and not trained": "constant" in fixed.state_dict()
            and copy.deepcopy(fixed).double().constant.dtype == torch.double
            and "constant" not in dict(fixed.named_parameters()),
            "a plain attribute is neither saved nor moved": "constant" not in plain.state_dict()
            and plain.double().constant.dtype == torch.float,
        },
    )


def _numbers(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _entries(network: Any) -> str:
    trained = len(list(network.parameters()))
    return f"{trained} trained, {len(network.state_dict())} kept in a file"


def tree_of(network: Any) -> list[Branch]:
    """A line for each module: its name and class, and how many parameters it has of its own."""
    found = []
    for path, module in network.named_modules():
        own = sum(p.numel() for p in module._parameters.values() if p is not None)
        kept = sum(b.numel() for b in module._buffers.values() if b is not None)
        note = " + ".join([f"{own:,}"] * bool(own) + [f"{kept:,} kept"] * bool(kept))
        depth = path.count(".") + 1 if path else 0
        name = path.rpartition(".")[2]
        group = 1 if kept else 0 if own else None
        found.append(Branch(depth, f"{name}: {type(module).__name__}".lstrip(": "), note, group))
    return found


@recipe(
    section="5.3",
    title="Deferred initialisation",
    zh="延后初始化",
    minutes=0.1,
    book="weights have no shape before the first pass, and (256, 20) after it",
    ours="the same",
)
def lazy() -> Findings:
    """Leave the number of inputs open: the first batch tells it.

    So nobody computes by hand how many numbers leave a stack of convolutions. Three libraries do
    it here: torch, `fathom.scratch.nn`, and the page `scratch/nn/module.py`, where a hook before
    the first pass makes the weights and takes itself away.
    """
    from fathom import scratch
    from fathom.scratch.nn import module as page

    x, picture = torch.rand(2, 20), torch.rand(2, 3, 28, 28)
    mlp, cnn = _lazy_mlp(torch.nn), _lazy_cnn(torch.nn)
    before = {"MLP": _shapes(mlp), "CNN": _shapes(cnn)}
    drawn = [("before", _waiting_tree(cnn))]
    mlp(x)
    cnn(picture)
    drawn.append(("after pictures of (2, 3, 28, 28)", _waiting_tree(cnn)))
    after = {"MLP": _shapes(mlp), "CNN": _shapes(cnn)}
    ours, shown = _lazy_cnn(scratch.nn), page.Sequential(page.LazyLinear(256), page.LazyLinear(10))
    ours(picture)
    shown(x)
    torch.manual_seed(current_seed())
    late = _lazy_mlp(torch.nn)
    late(x)
    torch.manual_seed(current_seed())
    known = torch.nn.Sequential(torch.nn.Linear(20, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    rows = [
        [name, path, shape or "unknown", after[name][path]]
        for name, shapes in before.items()
        for path, shape in shapes.items()
    ]
    return Findings(
        tables={"Shapes": Table(["network", "parameter", "before", "after"], rows)},
        figures={
            "before-and-after": trees(
                drawn, groups=["shape unknown", "shape known"], title="one pass later"
            )
        },
        claims={
            "before the first pass no parameter has a shape": not any(
                shape for shapes in before.values() for shape in shapes.values()
            ),
            "a lazy layer has become the layer that it stood for": {
                type(module) for module in [*mlp, *cnn]
            }
            == {getattr(torch.nn, kind) for kind in KINDS},
            "the convolutions hand on 16·6·6 = 576 numbers": after["CNN"]["7.weight"] == "10 × 576",
            "torch's layers and ours come to the same shapes": _shapes(ours) == after["CNN"],
            "on the page: 256 × 20, then 10 × 256": [
                tuple(p.shape) for p in shown.parameters() if p.dim() > 1
            ]
            == [(256, 20), (10, 256)],
            "under one seed the weights are those of a network of known sizes": all(
                torch.equal(p, q)
                for p, q in zip(late.parameters(), known.parameters(), strict=True)
            ),
            "once it is known, another number of inputs is refused": _is_refused(
                lambda: mlp(torch.rand(2, 7))
            ),
        },
    )


KINDS = ["Linear", "ReLU", "Conv2d", "BatchNorm2d", "MaxPool2d", "Flatten"]


def _lazy_mlp(nn: Any) -> Any:
    return nn.Sequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10))


def _lazy_cnn(nn: Any) -> Any:
    return nn.Sequential(
        nn.LazyConv2d(8, 3),
        nn.LazyBatchNorm2d(),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.LazyConv2d(16, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


def _shapes(network: torch.nn.Module) -> dict[str, str]:
    """The shape of each parameter, and nothing where there is none yet."""
    lazy = torch.nn.parameter.UninitializedParameter
    return {
        path: "" if isinstance(p, lazy) else " × ".join(map(str, p.shape))
        for path, p in network.named_parameters()
    }


def _waiting_tree(network: torch.nn.Module) -> list[Branch]:
    shapes = _shapes(network)
    tree = [Branch(0, type(network).__name__)]
    for name, module in network.named_children():
        own = shapes.get(f"{name}.weight")
        group = None if own is None else 1 if own else 0
        note = "?" if group == 0 else own or ""
        tree.append(Branch(1, f"{name}: {type(module).__name__}", note, group))
    return tree


def _is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except RuntimeError:
        return True
    return False
