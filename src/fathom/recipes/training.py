"""Train a small model inside a study or a report: the engine's one loop, looked at now and then."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from fathom.core.experiment import Batches, Metric
from fathom.engine.guard import Guard
from fathom.engine.loop import Clock, train
from fathom.engine.updates import descend, supervised


def trained(
    model: torch.nn.Module,
    batches: Batches,
    objective: Metric,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    seed: int,
) -> Iterator[int]:
    """The number of epochs that `model` has been trained: 0 at first, then after each one more."""
    gradients = supervised(model, objective, {}, device=torch.device("cpu"))
    update = descend(gradients, optimizer, Guard(model, optimizer))
    yield 0
    for record in train(update, batches, {}, Clock(), seed=seed, epochs=epochs):
        if record.ends_epoch:
            yield record.epoch
