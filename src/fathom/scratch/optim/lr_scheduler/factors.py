"""Rates that are the base rate times a function of time.

Source   Goyal et al. 2017, arXiv:1706.02677 (linear warm-up); Loshchilov & Hutter 2017,
         arXiv:1608.03983 (cosine); book 11.11.
Differs  None in the rates. ConstantLR with factor 0 ends at the base rate; torch divides by zero.
Shapes   t: the time, counted in calls of `step`; 0 for the first rate.
"""

from __future__ import annotations

import math
import types
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import FractionLR, Rate, for_each_group

TimeToFactor = Callable[[int], float]


class ConstantLR(FractionLR):
    """`factor` times the rate for `total_iters` steps, the rate itself from then on."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not 0 <= factor <= 1:
            raise ValueError(
                f"Constant multiplicative factor expected to be between 0 and 1, not {factor}"
            )
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        return self.factor if t < self.total_iters else 1.0


class LinearLR(FractionLR):
    """From `start_factor` times the rate to `end_factor` times it, on a line: a warm-up."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
        total_iters: int = 5, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not 0 < start_factor <= 1:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                f"to 1, not {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(
                f"Ending multiplicative factor expected to be between 0 and 1, not {end_factor}"
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        done = min(t, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(FractionLR):
    """(1 - t / total_iters)^power times the rate, and zero from then on."""

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        return (1 - min(t, self.total_iters) / self.total_iters) ** self.power


class ExponentialLR(FractionLR):
    """gamma^t times the rate."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        return self.gamma**t


class StepLR(FractionLR):
    """gamma times the rate before, after each `step_size` steps."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        return self.gamma ** (t // self.step_size)


class MultiStepLR(FractionLR):
    """gamma times the rate before, at each of the milestones."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def fraction(self, t: int) -> float:
        return self.gamma ** sum(milestone <= t for milestone in self.milestones.elements())


class CosineAnnealingLR(FractionLR):
    """Half a cosine from the rate down to `eta_min` in `T_max` steps, and up again after them."""

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    @property
    def floor(self) -> float:  # type: ignore[override]
        return self.eta_min

    def fraction(self, t: int) -> float:
        return (1 + math.cos(math.pi * t / self.T_max)) / 2


class _FunctionLR(LRScheduler):
    """A schedule that is a function of the user's, or one for each group.

    A state holds what objects remember; of plain functions it holds nothing.
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: TimeToFactor | Sequence[TimeToFactor],
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.lr_lambdas: list[TimeToFactor] = for_each_group(optimizer, "lr_lambda", lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda should be a function, but got {type(function).__name__}"
                )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        kept = [
            None if isinstance(function, types.FunctionType) else dict(function.__dict__)
            for function in self.lr_lambdas
        ]
        return super().state_dict() | {"lr_lambdas": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        for function, memory in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if memory is not None:
                function.__dict__.update(memory)
        super().load_state_dict(state)


class LambdaLR(_FunctionLR):
    """lr_lambda(t) times the base rate, whatever the rate was before."""

    def get_lr(self) -> list[Rate]:
        pairs = zip(self.lr_lambdas, self.base_lrs, strict=True)
        return [lr * function(self.last_epoch) for function, lr in pairs]


class MultiplicativeLR(_FunctionLR):
    """lr_lambda(t) times the rate before."""

    def get_lr(self) -> list[Rate]:
        pairs = zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        if self._is_initial:
            return [group["lr"] for _, group in pairs]
        return [group["lr"] * function(self.last_epoch) for function, group in pairs]
