"""Train several experiments one after the other and keep what each had reached, and when.

For a report that compares ways of training: no folder, no checkpoints, nothing on the screen. The
time that counts is that of the updates; measuring does not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch

from fathom.core.experiment import Experiment
from fathom.engine.evaluation import evaluate
from fathom.engine.guard import Guard, NonFiniteError, fuse
from fathom.engine.loop import Clock, Record, train
from fathom.engine.updates import descend, gradients_of


@dataclass(frozen=True)
class Lap:
    """After so many epochs, examples and seconds of training: the scores on `valid`."""

    epochs: float
    examples: int
    seconds: float
    scores: Mapping[str, float]


def race(
    contenders: Mapping[str, Experiment],
    *,
    seed: int,
    every: int | None = None,
    device: torch.device | None = None,
) -> dict[str, list[Lap]]:
    """The laps of each contender: before it begins, then each `every` examples, or each epoch.

    Each sees the data in the order of `seed`. One whose loss is no longer finite stops there, its
    laps up to that point kept.
    """
    return {
        name: laps(experiment, seed=seed, every=every, device=device)
        for name, experiment in contenders.items()
    }


def laps(
    experiment: Experiment,
    *,
    seed: int,
    every: int | None = None,
    device: torch.device | None = None,
) -> list[Lap]:
    """Train one experiment to its end; see `race`. Its model is left as training left it."""
    place = device or torch.device("cpu")
    model = experiment.model.to(place)
    valid = None if experiment.valid is None else experiment.valid.to(place)
    scores = {"loss": experiment.objective, **experiment.metrics}
    clock = Clock()
    records = _training(experiment, clock, place, seed)
    batches = experiment.train

    def lap(examples: int) -> Lap:
        found = (
            {}
            if valid is None
            else evaluate(
                model,
                valid,
                scores,
                device=place,
                counts=experiment.counts,
                derived=experiment.derived,
            )
        )
        return Lap(examples / batches.examples, examples, seconds, found)

    seconds, due = 0.0, every or batches.examples
    kept = [lap(0)]
    with suppress(NonFiniteError):
        while True:
            began = time.perf_counter()
            record = next(records, None)
            seconds += time.perf_counter() - began
            if record is None:
                break
            here = min(clock.batch * batches.batch_size, batches.examples)
            seen = clock.epoch * batches.examples + here
            last = clock.epoch == experiment.epochs
            if seen >= kept[-1].examples + due or (last and seen > kept[-1].examples):
                kept.append(lap(seen))
    return kept


def seconds_of_a_step(experiment: Experiment, *, steps: int) -> float:
    """The median over the first `steps` updates of the time that one takes on the CPU."""
    records = _training(experiment, Clock(), torch.device("cpu"), seed=0)
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        record = next(records, None)
        if record is None:
            break
        if record.split == "step":
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def _training(
    experiment: Experiment, clock: Clock, device: torch.device, seed: int
) -> Iterator[Record]:
    model, batches = experiment.model.to(device), experiment.train.to(device)
    fuse(experiment.optimizer)
    per_step = experiment.schedule_per == "step"
    update = descend(
        gradients_of(experiment, device=device),
        experiment.optimizer,
        Guard(model, experiment.optimizer),
        clip=experiment.clip,
        schedule=experiment.schedule,
        ends_epoch=None if per_step else lambda: clock.batch + 1 == len(batches),
    )
    model.train()
    return train(
        update,
        batches,
        {},
        clock,
        seed=seed,
        epochs=experiment.epochs,
        counts=experiment.counts,
    )
