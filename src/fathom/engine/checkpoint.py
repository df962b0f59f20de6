"""Checkpoints: all that decides the next step, saved so that any instant may be the last.

    checkpoints/step-00000120/   model.safetensors  trainer.pt  manifest.json

A checkpoint is a new folder each time, never written over; the newest that verifies is the one
to go on from, and one that does not is kept as `*.bad`.
"""

from __future__ import annotations

import errno
import math
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fathom.core.errors import CheckpointError, ResourceError
from fathom.core.paths import sync_dir
from fathom.core.seeds import random_states, restore_random_states
from fathom.engine.carried import carried, put_back
from fathom.engine.loop import Clock
from fathom.engine.manifest import committed_folder, verify
from fathom.engine.weights import load_plain, load_safetensors, restore, to_safetensors

_NAME = re.compile(r"step-(\d{8,})$")
_REASONS = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk quota used up",
    errno.EFBIG: "larger than files may be here",
}
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
            "carried": carried(self.model),
            "random": random_states(),
            "fits": self._fits(),
        }

    def _fits(self) -> dict[str, Any]:
        """What the optimiser's state is of: torch looks at the number of parameters only."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        return {
            "kind": type(self.optimizer).__name__,
            "shapes": [list(parameter.shape) for parameter in parameters],
        }

    def size(self) -> int:
        """Bytes of all tensors that a checkpoint holds."""
        states = [v for state in self.optimizer.state.values() for v in state.values()]
        tensors = [*self.model.state_dict().values(), *states]
        return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))

    def load_state_dict(self, state: dict[str, Any], thing: str) -> None:
        """Raises CheckpointError where the state is of another optimiser or model."""
        remedy = "use the arguments that it was trained with"
        try:
            for what, now in self._fits().items():
                if (there := state["fits"][what]) != now:
                    wrong = f"{what} was {str(there)[:60]} and is {str(now)[:60]}"
                    raise CheckpointError(thing, f"its optimiser does not fit: {wrong}", remedy)
            self.optimizer.load_state_dict(state["optimizer"])
            if self.schedule is not None:
                self.schedule.load_state_dict(state["schedule"])
            if self.scaler is not None and state["scaler"]:
                self.scaler.load_state_dict(state["scaler"])
            self.clock.load_state_dict(state["clock"])
            put_back(self.model, state["carried"])
            restore_random_states(state["random"])
        except CheckpointError:
            raise
        except Exception as error:  # a hostile state may raise anything at all
            words = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise CheckpointError(thing, f"does not fit this run ({words})", remedy) from error


class Checkpoints:
    """The `checkpoints` folder of a run.

    `facts` go into each manifest (recipe, arguments, versions, threads). A save that fails leaves
    the last good one in place and training goes on; the third failure in a row raises
    ResourceError. `before` is called before each save, and may raise to prevent it.
    """

    before: Callable[[], None] | None = None

    def __init__(self, folder: Path, facts: dict[str, Any], *, say: Say, keep: int = KEEP) -> None:
        self.folder, self.facts, self.say = folder, facts, say
        self.keep = keep
        self.failures = 0

    def steps(self) -> dict[int, Path]:
        """Committed checkpoints by step, oldest first."""
        if not self.folder.is_dir():
            return {}
        named = [(_NAME.match(path.name), path) for path in self.folder.iterdir()]
        return dict(sorted((int(match.group(1)), path) for match, path in named if match))

    def probe(self) -> None:
        """Raises ResourceError where nothing can be written: at once, not after the first epoch."""
        temporary = self.folder / f"probe.tmp-{secrets.token_hex(4)}"
        try:
            temporary.mkdir(parents=True)
            (temporary / "probe").write_bytes(b"0")
            sync_dir(self.folder.parent)
        except OSError as error:
            wrong = f"may not be written ({error.strerror})"
            remedy = "mend the folder's permissions or choose another --out"
            raise ResourceError(str(self.folder), wrong, remedy) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def save(self, training: Training) -> Path | None:
        """Commit a checkpoint and prune old ones. None where the disk would not take it."""
        step = training.clock.step
        folder = self.folder / f"step-{step:08d}"
        if folder.exists():
            return folder
        if self.before is not None:
            self.before()
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
        thing = f"checkpoint step {training.clock.step}"
        wrong = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        with suppress(OSError):
            free = shutil.disk_usage(self.folder.parent).free / 1e6
            wrong += f" (needs {training.size() / 1e6:.1f} MB, {free:.1f} MB free)"
        if self.failures >= MOST_FAILURES_IN_A_ROW:
            remedy = f"stopped with {good}; free the disk and resume"
            raise ResourceError(thing, wrong, remedy) from error
        self.say(f"error: {thing}: {wrong}; training goes on with {good}")

    def _prune(self, clock: Clock) -> None:
        """Keep the newest ones and the best one."""
        steps = self.steps()
        best = best_step(clock.history, list(steps))
        for step in list(steps)[: -self.keep]:
            if step != best:
                shutil.rmtree(steps[step], ignore_errors=True)

    def newest(self, *, set_aside: bool = True) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that verifies, and its facts; None where there never was one.

        A damaged one is named, set aside as `*.bad` unless that is not this process's to do, and
        the one before it taken. Raises CheckpointError where all are damaged.
        """
        steps = self.steps()
        newest = max(steps, default=0)
        told = next((f"{path} is damaged" for path in self.folder.glob("step-*.bad")), "")
        for step, path in reversed(steps.items()):
            try:
                facts = verify(path)
            except CheckpointError as error:
                told = told or f"{error.thing} {error.wrong}"
                remedy = self._set_aside(path) if set_aside else "not used"
                self.say(f"error: {error.thing}: {error.wrong}; {remedy}")
                continue
            if step != newest:
                self.say(f"going on from step {step}: {newest - step} steps are lost")
            return path, facts
        if told:
            raise CheckpointError(
                str(self.folder), f"no checkpoint is usable ({told})", "start the run anew"
            )
        return None

    def _set_aside(self, path: Path) -> str:
        """Keep a bad checkpoint under a name that is never taken for a good one."""
        bad = path.with_name(path.name + ".bad")
        try:
            shutil.rmtree(bad, ignore_errors=True)
            path.rename(bad)
        except OSError as error:
            return f"it could not be set aside ({error.strerror})"
        return f"set aside as {bad.name}"

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
        rows = [r for r in history if r["split"] == split and r["step"] in among]
        rows = [r for r in rows if math.isfinite(r.get("loss", math.nan))]
        if rows:
            return int(min(rows, key=lambda row: (row["loss"], row["step"]))["step"])
    return None
