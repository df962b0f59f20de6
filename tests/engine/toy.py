"""A small experiment with everything that a checkpoint must hold, for the engine's tests.

Dropout and batch norm (chance and buffers), AdamW (state), a cosine schedule by step.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from matplotlib.figure import Figure
from rich.console import Console
from torch import nn

from fathom.core.experiment import Experiment
from fathom.core.order import permutation
from fathom.core.recipe import Recipe, recipe
from fathom.engine.prepare import Surroundings


@dataclass(frozen=True)
class ToyBatches:
    """The batches protocol in twenty lines, without the data floor."""

    inputs: torch.Tensor
    targets: torch.Tensor
    batch_size: int
    shuffle: bool = True
    batches: int | None = None

    @property
    def examples(self) -> int:
        return min(len(self) * self.batch_size, len(self.targets))

    def __len__(self) -> int:
        whole = -(-len(self.targets) // self.batch_size)
        return min(whole, self.batches or whole)

    def epoch(self, seed, epoch, first=0):
        count = len(self.targets)
        order = permutation(count, seed, epoch) if self.shuffle else torch.arange(count)
        for number in range(first, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self.inputs[chosen], self.targets[chosen]

    def to(self, device, *, channels_last=False):
        return self

    def limit(self, batches):
        return replace(self, batches=batches)

    def fingerprint(self):
        return hashlib.sha256(self.inputs.numpy().tobytes()).hexdigest()


def toy_data(count: int = 48, seed: int = 7, words: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, words, generator=generator)
    return inputs, (inputs.sum(1) > 0).long()


def accuracy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(1) == targets).float().mean()


@recipe(section="0.0", title="Toy", zh="玩具")
def toy(
    *,
    width: int = 8,
    lr: float = 0.01,
    epochs: int = 3,
    batch_size: int = 6,
    data_seed: int = 7,
    words: int = 6,
    optimizer: Literal["adamw", "sgd"] = "adamw",
) -> Experiment:
    """Tell whether six numbers have a positive sum."""
    model = nn.Sequential(
        nn.Linear(words, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(width, 2),
    )
    inputs, targets = toy_data(seed=data_seed, words=words)
    steps: torch.optim.Optimizer
    if optimizer == "adamw":
        steps = torch.optim.AdamW(model.parameters(), lr=lr)
    else:
        steps = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return Experiment(
        model,
        ToyBatches(inputs, targets, batch_size),
        nn.functional.cross_entropy,
        steps,
        epochs,
        valid=ToyBatches(*toy_data(20, seed=8, words=words), 10, shuffle=False),
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(steps, 24),
        metrics={"accuracy": accuracy},
    )


TOY: Recipe = toy.__recipe__


def surroundings(file: Any = None) -> tuple[Surroundings, io.StringIO]:
    """A console on `file`, or one whose words can be read back, and hands that draw nothing."""
    said = io.StringIO()
    around = Surroundings(
        Console(file=file or said, width=1000),
        lambda history, title: Figure(),
        lambda figure, stem: [Path(stem)],
    )
    return around, said
