"""The contender "ours" of benchmarks of training: epochs as a run does them, with all its cares."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from fathom.bench.race import Epoch
from fathom.core.devices import autocast_dtype
from fathom.core.recipe import Recipe
from fathom.engine import watchers
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.guard import Guard, fuse
from fathom.engine.loop import Clock, train
from fathom.engine.prepare import Prepared, prepare
from fathom.engine.progress import progress
from fathom.engine.remembered import choices_file
from fathom.engine.runs import Run
from fathom.engine.trial import endless
from fathom.engine.tuning import choose
from fathom.engine.updates import Gradients, descend, gradients_of

MOST_EPOCHS = 100_000


def prepared(
    recipe: Recipe, given: dict[str, Any] | None = None, *, batches: int | None = None
) -> Prepared:
    """The recipe with the book's settings but for those given, its optimiser fused as in a run.

    Epochs are of that many `batches`, or whole.
    """
    ready = prepare(recipe, recipe.settings(given or {}), seed=0, device="cpu", limit=batches)
    fuse(ready.experiment.optimizer)
    return ready


def run_epochs(prepared: Prepared, *, precision: str = "auto") -> Epoch:
    """An epoch as a run does it: precision measured, metrics, finite check, every watcher."""
    experiment = prepared.experiment

    def gradients(dtype: torch.dtype | None) -> Gradients:
        return gradients_of(experiment, device=prepared.device, dtype=dtype)

    choice = choose(
        gradients,
        experiment.model,
        experiment.optimizer,
        endless(prepared.train, 0),
        device=prepared.device,
        threads="1",
        precision=precision,
        memory=choices_file(),
    )
    update = descend(
        gradients(autocast_dtype(choice.precision)),
        experiment.optimizer,
        Guard(experiment.model, experiment.optimizer),
        clip=experiment.clip,
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
    records = train(
        update,
        prepared.train,
        {},
        clock,
        seed=0,
        epochs=MOST_EPOCHS,
        counts=experiment.counts,
        derived=experiment.derived,
    )
    watched = watchers.unwrapped(watchers.watched(records, look))

    def epoch() -> None:
        for record in watched:
            if record.ends_epoch:
                return

    return epoch
