"""Epochs of 60,000 pictures: softmax regression, MLP, LeNet, as the recipes set them.

The book's way is re-enacted as it is described: a data loader that opens one picture after the
other and turns each into a tensor, a loop that asks for loss and accuracy after each step, and a
figure that is drawn anew six times an epoch. It is given no worker processes: they cost more CPU
time, not less. The bare loop slices the same tensors and does nothing but learn.
"""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from fathom.bench.race import Case, Epoch
from fathom.core.devices import autocast_dtype
from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.data.images import Pictures, load_pictures
from fathom.engine import watchers
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.guard import Guard, fuse
from fathom.engine.loop import Clock, train
from fathom.engine.prepare import Prepared, prepare
from fathom.engine.progress import progress
from fathom.engine.remembered import choices_file
from fathom.engine.runs import Run
from fathom.engine.tuning import choose
from fathom.engine.updates import Gradients, descend, gradients_of
from fathom.recipes.cnn import lenet
from fathom.recipes.linear import softmax_regression
from fathom.recipes.perceptrons import mlp

REDRAWS = 6
MOST_EPOCHS = 1_000


def _case(name: str, function: Callable[..., Experiment]) -> Case:
    recipe: Recipe = function.__recipe__  # type: ignore[attr-defined]
    build = {
        "ours": lambda: _ours(recipe),
        "peer": lambda: _book_way(recipe),
        "bare": lambda: _bare(recipe),
    }
    return Case(name, "examples/s", 60_000, build)


def _prepared(recipe: Recipe) -> Prepared:
    """The recipe with the book's settings, its optimiser fused as in every run."""
    prepared = prepare(recipe, recipe.settings({}), seed=0, device="cpu")
    fuse(prepared.experiment.optimizer)
    return prepared


def _ours(recipe: Recipe) -> Epoch:
    """An epoch as a run does it: precision measured, metrics, finite check, every watcher."""
    prepared = _prepared(recipe)
    experiment = prepared.experiment

    def gradients(dtype: torch.dtype | None) -> Gradients:
        return gradients_of(experiment, device=prepared.device, dtype=dtype)

    choice = choose(
        gradients,
        experiment.model,
        next(iter(prepared.train.epoch(0, 0))),
        device=prepared.device,
        threads="1",
        precision="auto",
        memory=choices_file(),
    )
    update = descend(
        gradients(autocast_dtype(choice.precision)),
        experiment.optimizer,
        Guard(experiment.model, experiment.optimizer),
    )
    folder = Path(tempfile.mkdtemp(prefix="fathom-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run, clock = Run(folder, {"recipe": "bench"}), Clock()
    training = Training(experiment.model, experiment.optimizer, clock)
    kept = Checkpoints(run.checkpoints, {}, say=lambda text: None)
    look = {
        "checkpoints": watchers.checkpoints(kept, training),
        "journal": watchers.journal(run, clock, lambda text: None),
        "progress": progress(
            clock,
            epochs=MOST_EPOCHS,
            batches=len(prepared.train),
            examples=prepared.train.examples,
            console=Console(file=io.StringIO(), force_terminal=True),
        ),
    }
    records = watchers.unwrapped(
        watchers.watched(train(update, prepared.train, {}, clock, seed=0, epochs=MOST_EPOCHS), look)
    )

    def epoch() -> None:
        for record in records:
            if record.ends_epoch:
                return

    return epoch


def _bare(recipe: Recipe) -> Epoch:
    """Slice, forward, backward, step; the same layout, optimiser and memory as ours."""
    prepared = _prepared(recipe)
    model, optimizer = prepared.experiment.model, prepared.experiment.optimizer
    images, labels = _pictures()
    if prepared.channels_last:
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
    """Each picture indexed, opened and turned into a tensor, as torchvision's transforms do it."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images[:, 0], labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy(), mode="L")
        label = int(self.labels[index])
        values = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        values = values.view(picture.size[1], picture.size[0], len(picture.getbands()))
        values = values.permute(2, 0, 1).contiguous()
        return values.to(torch.get_default_dtype()).div(255), label


def _book_way(recipe: Recipe) -> Epoch:
    experiment: Experiment = recipe.function()
    model, optimizer = experiment.model, experiment.optimizer
    loader = DataLoader(OneByOne(*_pictures()), batch_size=256, shuffle=True)
    points: list[tuple[float, float, float]] = []

    def epoch() -> None:
        every = max(len(loader) // (REDRAWS - 1), 1)
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
