"""Checkpoints: all that decides the next step, saved so that any instant may be the last.

    checkpoints/step-00000120/   model.safetensors  trainer.pt  manifest.json

A checkpoint is a new folder each time, never written over; the newest that verifies is the one
to go on from, and one that does not is kept as `*.bad`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fathom.core.errors import CheckpointError, ResourceError
from fathom.core.seeds import random_states, restore_random_states
from fathom.engine.loop import Clock
from fathom.engine.manifest import committed_folder, verify
from fathom.engine.weights import load_plain, load_safetensors, restore, to_safetensors

_NAME = re.compile(r"step-(\d{8,})$")
KEEP = 3
MOST_FAILURES_IN_A_ROW = 3

Say = Callable[[str], None]


@dataclass
class Training:
    """Everything that a step reads and changes."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    clock: Clock
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    scaler: torch.amp.GradScaler | None = None

    def state_dict(self) -> dict[str, Any]:
        """All but the weights, as plain Python and tensors."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "clock": self.clock.state_dict(),
            "random": random_states(),
        }

    def load_state_dict(self, state: dict[str, Any], thing: str) -> None:
        """Raises CheckpointError where the state is of another optimiser or model."""
        try:
            self._check_optimizer(state["optimizer"], thing)
            self.optimizer.load_state_dict(state["optimizer"])
            if self.schedule is not None:
                self.schedule.load_state_dict(state["schedule"])
            if self.scaler is not None and state["scaler"]:
                self.scaler.load_state_dict(state["scaler"])
            self.clock.load_state_dict(state["clock"])
            restore_random_states(state["random"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            wrong = f"does not fit this run ({str(error).splitlines()[0][:120]})"
            remedy = "use the arguments that it was trained with"
            raise CheckpointError(thing, wrong, remedy) from error

    def _check_optimizer(self, state: dict[str, Any], thing: str) -> None:
        """torch loads an optimiser's state of other shapes in silence and fails in the step."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, values in state["state"].items():
            for name, value in values.items():
                if not isinstance(value, torch.Tensor) or value.dim() == 0:
                    continue
                if index >= len(parameters) or value.shape != parameters[index].shape:
                    wrong = f"its optimiser's {name} number {index} is {tuple(value.shape)}"
                    remedy = "use the arguments that it was trained with"
                    raise CheckpointError(thing, wrong, remedy)


class Checkpoints:
    """The `checkpoints` folder of a run.

    `facts` go into each manifest (recipe, versions, threads). A save that fails leaves the last
    good one in place and training goes on; the third failure in a row raises ResourceError.
    """

    def __init__(
        self, folder: Path, facts: dict[str, Any], *, say: Say, keep: int = KEEP, sums: bool = True
    ) -> None:
        self.folder, self.facts, self.say = folder, facts, say
        self.keep, self.sums = keep, sums
        self.failures = 0

    def steps(self) -> dict[int, Path]:
        """Committed checkpoints by step, oldest first."""
        if not self.folder.is_dir():
            return {}
        named = [(_NAME.match(path.name), path) for path in self.folder.iterdir()]
        return dict(sorted((int(match.group(1)), path) for match, path in named if match))

    def save(self, training: Training) -> Path | None:
        """Commit a checkpoint and prune old ones. None where the disk would not take it."""
        step = training.clock.step
        folder = self.folder / f"step-{step:08d}"
        if folder.exists():
            return folder
        try:
            with committed_folder(folder, {**self.facts, "step": step}) as writer:
                with writer.file("model.safetensors") as file:
                    file.write(to_safetensors(training.model))
                with writer.file("trainer.pt") as file:
                    torch.save(training.state_dict(), file)
        except OSError as error:
            self._failed(training, error)
            return None
        self.failures = 0
        self._prune(training.clock)
        return folder

    def _failed(self, training: Training, error: OSError) -> None:
        self.failures += 1
        steps = list(self.steps())
        good = f"step {steps[-1]} as last good" if steps else "no checkpoint yet"
        needs = len(to_safetensors(training.model)) / 1e6
        free = shutil.disk_usage(self.folder.parent).free / 1e6
        thing = f"checkpoint step {training.clock.step}"
        wrong = f"{error.strerror or error} (needs at least {needs:.1f} MB, {free:.1f} MB free)"
        if self.failures >= MOST_FAILURES_IN_A_ROW:
            remedy = f"stopped with {good}; free the disk and resume"
            raise ResourceError(thing, wrong, remedy) from error
        self.say(f"error: {thing}: {wrong}; training goes on with {good}")

    def _prune(self, clock: Clock) -> None:
        """Keep the newest ones and the best one; what a killed save left goes too."""
        steps = self.steps()
        best = best_step(clock.history, list(steps))
        for step in list(steps)[: -self.keep]:
            if step != best:
                shutil.rmtree(steps[step], ignore_errors=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what saves that were killed have left."""
        if self.folder.is_dir():
            for path in self.folder.glob("*.tmp-*"):
                shutil.rmtree(path, ignore_errors=True)

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that verifies, and its facts; None where there never was one.

        A damaged one is named, set aside as `*.bad`, and the one before it taken. Raises
        CheckpointError where all are damaged.
        """
        steps = self.steps()
        newest = max(steps, default=0)
        told = ""
        for step, path in reversed(steps.items()):
            try:
                facts = verify(path, sums=self.sums)
            except CheckpointError as error:
                self.set_aside(path)
                told = told or str(error)
                self.say(f"error: {error.thing}: {error.wrong}; set aside as {path.name}.bad")
                continue
            if step != newest:
                self.say(f"going on from step {step}: {newest - step} steps are lost")
            return path, facts
        if told:
            raise CheckpointError(
                str(self.folder), f"no checkpoint is usable: {told}", "start the run anew"
            )
        return None

    def set_aside(self, path: Path) -> None:
        """Keep a bad checkpoint under a name that is never taken for a good one."""
        bad = path.with_name(path.name + ".bad")
        if bad.exists():
            shutil.rmtree(bad, ignore_errors=True)
        path.rename(bad)

    def load(self, path: Path, training: Training) -> None:
        """Put a verified checkpoint back. Raises CheckpointError where it does not fit."""
        restore(training.model, load_safetensors(path / "model.safetensors"), str(path))
        state = load_plain(path / "trainer.pt")
        if not isinstance(state, dict):
            raise CheckpointError(str(path / "trainer.pt"), "holds no state", "use another one")
        training.load_state_dict(state, str(path))


def best_step(history: list[dict[str, Any]], among: list[int]) -> int | None:
    """The step of `among` with the lowest loss on `valid` (or `train` where there is no other)."""
    for split in ("valid", "train"):
        rows = [r for r in history if r["split"] == split and r["step"] in among and "loss" in r]
        if rows:
            return int(min(rows, key=lambda row: (row["loss"], row["step"]))["step"])
    return None
