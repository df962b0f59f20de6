"""Layers of one's own (book 5.4): without parameters, with them, and with them cut off."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.batches import TensorBatches
from fathom.engine.loop import Clock, train
from fathom.plots.scalars import lines

EPOCHS = 30


@recipe(
    section="5.4",
    title="Custom layers",
    zh="自定义层",
    minutes=0.1,
    book="CenteredLayer: a mean of about 1e-9; its MyLinear does not train",
    ours="a mean of -3e-8; MyLinear trains",
)
def custom_layers() -> Findings:
    """Write a layer without parameters and one with: `forward` is all that has to be said.

    Parameters are used as they are. Taken by `.data`, as the book prints it, they are cut off from
    the gradient: the layer computes the same and never learns. Both are trained as the first of
    two layers on what a third network says of 1,024 random inputs.
    """
    centred, layer = CenteredLayer(), MyLinear(5, 3)
    mean = float(centred(torch.rand(4, 8)).mean())
    oracle = torch.nn.Linear(5, 3)
    oracle.load_state_dict({"weight": layer.weight.detach().T, "bias": layer.bias.detach()})
    x = torch.rand(2, 5)
    curves, moved = {}, {}
    for name, kind in {"MyLinear": MyLinear, "with .data": CutOff}.items():
        curves[name], moved[name] = _trained(kind)
    return Findings(
        numbers={"mean after CenteredLayer": mean},
        tables={
            "After training": Table(
                ["first layer", "loss", "its weights moved by"],
                [[name, curves[name][-1], moved[name]] for name in curves],
            )
        },
        figures={
            "training": lines(
                list(range(1, EPOCHS + 1)),
                curves,
                title="two networks that differ by .data",
                xlabel="epoch",
                ylabel="loss",
                log_y=True,
            )
        },
        claims={
            "CenteredLayer's outputs have mean 0": abs(mean) < 1e-6,
            "MyLinear is a Linear with ReLU": torch.allclose(layer(x), oracle(x).relu()),
            "derivatives of both agree with ratios of differences": _slopes_agree(),
            "MyLinear learns, and the loss falls below a tenth": moved["MyLinear"] > 0
            and curves["MyLinear"][-1] < 0.1 * curves["MyLinear"][0],
            "with .data its weights stay where they were": moved["with .data"] == 0,
            "then the network learns less: its loss stays 1.5 times as large or more": curves[
                "with .data"
            ][-1]
            > 1.5 * curves["MyLinear"][-1],
        },
    )


class CenteredLayer(torch.nn.Module):
    """The input less its mean: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean()


class MyLinear(torch.nn.Module):
    """max(0, x W + b): (B, inputs) to (B, units). An attribute that is a Parameter is trained."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(inputs, units))
        self.bias = torch.nn.Parameter(torch.randn(units))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.weight + self.bias)


class CutOff(torch.nn.Module):
    """The same with `.data`: numbers without a history, so that no gradient reaches them."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(inputs, units))
        self.bias = torch.nn.Parameter(torch.randn(units))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.weight.data + self.bias.data)


def _trained(kind: Callable[[int, int], torch.nn.Module]) -> tuple[list[float], float]:
    """The loss of each epoch, and how far the first layer's weights moved at most."""
    torch.manual_seed(current_seed())
    teacher = torch.nn.Sequential(MyLinear(8, 16), torch.nn.Linear(16, 1))
    first = kind(8, 64)
    student = torch.nn.Sequential(first, torch.nn.Linear(64, 1))
    inputs = torch.randn(1_024, 8)
    answers = teacher(inputs).detach()
    began = [p.detach().clone() for p in first.parameters()]
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)

    def update(batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        loss = torch.nn.functional.mse_loss(student(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    clock = Clock()
    batches = TensorBatches(inputs, answers, batch_size=64)
    for _ in train(update, batches, {}, clock, seed=current_seed(), epochs=EPOCHS):
        pass
    moved = max(
        float((p.detach() - q).abs().max()) for p, q in zip(first.parameters(), began, strict=True)
    )
    return [row["loss"] for row in clock.history], moved


def _slopes_agree() -> bool:
    """By each input and each parameter, in double precision."""
    x = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    layer = MyLinear(5, 3).double()

    def of_all(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)

    own = (layer.weight, layer.bias)
    return torch.autograd.gradcheck(CenteredLayer(), x, raise_exception=False) and (
        torch.autograd.gradcheck(of_all, (x, *own), raise_exception=False)
    )
