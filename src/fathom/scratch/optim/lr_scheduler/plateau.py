"""A rate that falls when learning stalls.

Source   torch.optim.lr_scheduler.ReduceLROnPlateau; the rule was folklore before it had a name.
Differs  NaN as a setting is refused; a metric that is NaN counts as no better, as in torch.
Shapes   `min_lr`: one number, or one for each parameter group.
"""

from __future__ import annotations

import math
from typing import Literal, SupportsFloat

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import for_each_group, rates_of, set_rate
from fathom.scratch.optim.optimizer import as_number, require


class ReduceLROnPlateau(LRScheduler):
    """`factor` times the rate, once a metric has not improved for more than `patience` steps.

    After a cut nothing is counted for `cooldown` steps. To improve is to pass the best value so
    far by the part `threshold` of it ("rel"), or by `threshold` itself ("abs").

    Raises:
        ValueError: a setting is unknown or out of range.
    """

    def __init__(
        self, optimizer: Optimizer, mode: Literal["min", "max"] = "min", factor: float = 0.1,
        patience: int = 10, threshold: float = 1e-4, threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0, min_lr: float | list[float] = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        kind = threshold_mode
        require(factor < 1.0, f"Factor should be < 1.0, but is {factor}")
        require(mode in ("min", "max"), f"mode {mode} is unknown! Use 'min' or 'max'.")
        require(kind in ("rel", "abs"), f"threshold mode {kind} is unknown! Use 'rel' or 'abs'.")
        self.min_lrs = for_each_group(optimizer, "min_lr", min_lr)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.optimizer = optimizer
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.mode_worse = self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = rates_of(optimizer)

    def improves(self, metric: float) -> bool:
        """Is `metric` better than the best so far, by more than the threshold?"""
        by = self.threshold if self.mode == "max" else -self.threshold
        goal = self.best * (1 + by) if self.threshold_mode == "rel" else self.best + by
        return metric > goal if self.mode == "max" else metric < goal

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at a metric, such as the validation loss, and lower the rates if it is time."""
        metric = float(as_number(metrics))
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.improves(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = rates_of(self.optimizer)

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(self.min_lrs) != len(groups):  # groups were added since
            lowest = self.min_lrs if self.default_min_lr is None else self.default_min_lr
            self.min_lrs = for_each_group(self.optimizer, "min_lrs", lowest)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            before = float(group["lr"])
            after = max(before * self.factor, lowest)
            if before - after > self.eps:
                set_rate(group, after)
