"""Epochs of 60,000 pictures: softmax regression, MLP, LeNet, as the recipes set them.

The book's way is re-enacted as it is described: a data loader that opens one picture after the
other and turns each into a tensor, a loop that asks for loss and accuracy after each step, and a
figure that is drawn anew six times an epoch. It is given no worker processes: they cost more CPU
time, not less. The bare loop slices the same tensors and does nothing but learn.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from fathom.bench.ours import prepared, run_epochs
from fathom.bench.race import Case, Epoch
from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.data.images import Pictures, load_pictures
from fathom.recipes.cnn import lenet
from fathom.recipes.linear import softmax_regression
from fathom.recipes.perceptrons import mlp

REDRAWS = 6
Change = Callable[[Image.Image], Image.Image]


def _case(name: str, function: Callable[..., Experiment]) -> Case:
    recipe: Recipe = function.__recipe__  # type: ignore[attr-defined]
    build = {
        "ours": lambda: run_epochs(prepared(recipe)),
        "peer": lambda: _book_way(recipe),
        "bare": lambda: _bare(recipe),
    }
    return Case(name, "examples/s", 60_000, build)


def _bare(recipe: Recipe) -> Epoch:
    """Slice, forward, backward, step; the same layout, optimiser and memory as ours."""
    ready = prepared(recipe)
    model, optimizer = ready.experiment.model, ready.experiment.optimizer
    images, labels = _pictures()
    if ready.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)

    def epoch() -> None:
        for chosen in torch.randperm(len(images)).split(256):
            inputs = images[chosen].float().div_(255)
            loss = nn.functional.cross_entropy(model(inputs), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def _pictures() -> tuple[Tensor, Tensor]:
    """Bytes (60000, 1, 28, 28) and labels (60000,)."""
    train = load_pictures("fashion-mnist").train
    assert isinstance(train, Pictures)
    return train.images, train.labels


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Each picture indexed, opened and turned into a tensor, as torchvision's transforms do it.

    Between the two it is changed, where a change is given.
    """

    def __init__(self, images: Tensor, labels: Tensor, change: Change | None = None) -> None:
        self.images = images.permute(0, 2, 3, 1).squeeze(3).contiguous()  # grey ones: (N, H, W)
        self.labels, self.change = labels, change

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        if self.change is not None:
            picture = self.change(picture)
        label = int(self.labels[index])
        values = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        values = values.view(picture.size[1], picture.size[0], len(picture.getbands()))
        values = values.permute(2, 0, 1).contiguous()
        return values.to(torch.get_default_dtype()).div(255), label


def _book_way(recipe: Recipe) -> Epoch:
    experiment: Experiment = recipe.function()
    return book_way(experiment, OneByOne(*_pictures()), batch_size=256)


def book_way(
    experiment: Experiment, data: OneByOne, *, batch_size: int, redraws: int = REDRAWS
) -> Epoch:
    """An epoch of the book's loop over `data`, with a figure drawn anew now and then."""
    model, optimizer = experiment.model, experiment.optimizer
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    points: list[tuple[float, float, float]] = []

    def epoch() -> None:
        every = max(len(loader) // (redraws - 1), 1) if redraws else len(loader) + 1
        points.clear()
        loss_sum = right = seen = 0.0
        for number, (inputs, targets) in enumerate(loader):
            outputs = model(inputs)
            loss = nn.functional.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(targets)
            right += (outputs.argmax(1) == targets).sum().item()
            seen += len(targets)
            if (number + 1) % every == 0:
                points.append(((number + 1) / len(loader), loss_sum / seen, right / seen))
                _draw(points)
        if points:
            _draw(points)  # with the accuracy on the test set, which is not timed

    return epoch


def _draw(points: list[tuple[float, float, float]]) -> None:
    """A figure of all points so far, as a notebook shows it: SVG, cut to what is drawn."""
    figure = Figure(figsize=(3.5, 2.5))
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    x, loss, accuracy = zip(*points, strict=True)
    axes.plot(x, loss, "-", x, accuracy, "m--", x, accuracy, "g-.")
    axes.set(xlabel="epoch", xlim=(0, 1))
    axes.legend(["train loss", "train acc", "test acc"])
    axes.grid()
    figure.savefig(io.StringIO(), format="svg", bbox_inches="tight")


CASES = {
    case.name: case
    for case in (_case("softmax", softmax_regression), _case("mlp", mlp), _case("lenet", lenet))
}
