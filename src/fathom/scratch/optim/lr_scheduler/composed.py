"""Schedules made of schedules: one after another, or all at once.

Source   torch.optim.lr_scheduler.SequentialLR and ChainedScheduler; book 11.11 (a warm-up first).
Differs  None.
Shapes   A sequence of n schedules has n - 1 milestones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import rates_of, set_rate
from fathom.scratch.optim.lr_scheduler.plateau import ReduceLROnPlateau
from fathom.scratch.optim.optimizer import require

Schedulers = Sequence[LRScheduler]
PLATEAUS = ReduceLROnPlateau, torch.optim.lr_scheduler.ReduceLROnPlateau


class _Composed(LRScheduler):
    """A schedule that asks others, all of one optimiser: by default, that of the first."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Schedulers) -> None:
        name = type(self).__name__
        require(schedulers, f"{name} expects at least one scheduler, but got no scheduler")
        self._schedulers, self.optimizer = list(schedulers), optimizer or schedulers[0].optimizer
        for i, scheduler in enumerate(schedulers):
            at = f"{name}, at index {i},"
            plateau = isinstance(scheduler, PLATEAUS)
            require(not plateau, f"{at} does not support `ReduceLROnPlateau`: no metric to give")
            mine = getattr(scheduler, "optimizer", None) is self.optimizer
            require(mine, f"{at} expects all schedulers to belong to the same optimizer")

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for scheduler, one in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(one)
        super().load_state_dict(state_dict | {"_schedulers": self._schedulers})


class ChainedScheduler(_Composed):
    """All schedules at once: each multiplies what the one before it left."""

    def __init__(self, schedulers: Schedulers, optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers)
        self._last_lr = rates_of(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Step them all."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = rates_of(self.optimizer)


class SequentialLR(_Composed):
    """One schedule up to the first milestone, the next from there on, with a time of its own."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Schedulers, milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(optimizer, schedulers)
        n, m = len(schedulers), len(milestones)
        require(n == m + 1, f"SequentialLR: {n} schedulers are not one more than {m} milestones")
        self._milestones, self.last_epoch = list(milestones), last_epoch + 1
        for group in optimizer.param_groups:  # each schedule has set the first rate by now: undo
            set_rate(group, group["initial_lr"])
        _undo(self)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Step the schedule whose turn it is; at its milestone it begins at its own time 0."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(scheduler: LRScheduler) -> None:
    """Take back the step that a schedule makes when it is built, and those inside it."""
    if not hasattr(scheduler, "_schedulers"):
        scheduler.last_epoch -= 1
    for each in getattr(scheduler, "_schedulers", ()):
        _undo(each)
