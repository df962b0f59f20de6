"""Rates that are the base rate times a function of time.

Source   Goyal et al. 2017, arXiv:1706.02677 (linear warm-up); Loshchilov & Hutter 2017,
         arXiv:1608.03983 (cosine); Howard & Ruder 2018, arXiv:1801.06146, section 3.2 (slanted
         triangular); book 11.11.
Differs  ConstantLR with factor 0 ends at the base rate; torch divides by zero. Slanted triangular:
         the paper's rates fall over cut (1 / cut_frac - 1) steps, which is T - cut where T cut_frac
         is whole and makes them negative where it is not. We fall over T - cut, stay at the lowest
         rate after that, and rise for one step at least.
Shapes   t: the time, counted in calls of `step`; 0 for the first rate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import Rate, for_each_group, memory_of, recall, schedule

TimeToFactor = Callable[[int], float]


def constant(t: int, /, factor: float = 1.0 / 3, total_iters: int = 5) -> float:
    """`factor` times the rate for `total_iters` steps, the rate itself from then on."""
    if not 0 <= factor <= 1:
        raise ValueError(f"factor must be between 0 and 1, not {factor}")
    return factor if t < total_iters else 1.0


def linear(
    t: int, /, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5
) -> float:
    """From `start_factor` times the rate to `end_factor` times it, on a line: a warm-up."""
    if not 0 < start_factor <= 1:
        raise ValueError(f"start_factor must be greater than 0 and at most 1, not {start_factor}")
    if not 0 <= end_factor <= 1:
        raise ValueError(f"end_factor must be between 0 and 1, not {end_factor}")
    return start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters


def polynomial(t: int, /, total_iters: int = 5, power: float = 1.0) -> float:
    """(1 - t / total_iters)^power times the rate, and zero from then on."""
    return (1 - min(t, total_iters) / total_iters) ** power


def exponential(t: int, /, gamma: float) -> float:
    """gamma^t times the rate."""
    return gamma**t


def stairs(t: int, /, step_size: int, gamma: float = 0.1) -> float:
    """gamma times the rate before, after each `step_size` steps."""
    return gamma ** (t // step_size)


def steps_at(t: int, /, milestones: Counter[int], gamma: float = 0.1) -> float:
    """gamma times the rate before, at each of the milestones."""
    return gamma ** sum(milestone <= t for milestone in milestones.elements())


def cosine(t: float, /, T_max: float, eta_min: float = 0.0) -> float:
    """Half a cosine from the rate down to `eta_min` in `T_max` steps, and up again after them."""
    return (1 + math.cos(math.pi * t / T_max)) / 2


def slanted_triangle(
    t: int, /, total_steps: int, cut_frac: float = 0.1, ratio: float = 32
) -> float:
    """ULMFiT's schedule: a short rise to the optimiser's rate, a long fall to 1/ratio of it.

    `total_steps`: T, updates in all; `cut_frac`: the part of them that rises; `ratio`: highest
    rate over lowest. Step it once an update.
    """
    if total_steps < 1:
        raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
    if not 0 < cut_frac < 1:
        raise ValueError(f"Expected cut_frac between 0 and 1, but got {cut_frac}")
    if not ratio >= 1:
        raise ValueError(f"Expected ratio of at least 1, but got {ratio}")
    cut = max(1, math.floor(total_steps * cut_frac))
    p = t / cut if t < cut else 1 - (t - cut) / max(1, total_steps - cut)
    return (1 + max(p, 0.0) * (ratio - 1)) / ratio


ConstantLR = schedule("ConstantLR", constant)
LinearLR = schedule("LinearLR", linear)
PolynomialLR = schedule("PolynomialLR", polynomial)
ExponentialLR = schedule("ExponentialLR", exponential)
StepLR = schedule("StepLR", stairs)
CosineAnnealingLR = schedule("CosineAnnealingLR", cosine)
SlantedTriangularLR = schedule("SlantedTriangularLR", slanted_triangle)
MultiStepLR = schedule("MultiStepLR", steps_at, milestones=Counter)


class _FunctionLR(LRScheduler):
    """A schedule that is a function of the user's, or one for each group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: TimeToFactor | Sequence[TimeToFactor],
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.lr_lambdas: list[TimeToFactor] = for_each_group(optimizer, "lr_lambda", lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {function!r}")
        super().__init__(optimizer, last_epoch)

    def times(self, rates: list[Rate]) -> list[Rate]:
        """Each rate times its function, now."""
        pairs = zip(self.lr_lambdas, rates, strict=True)
        return [lr * function(self.last_epoch) for function, lr in pairs]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"lr_lambdas": [memory_of(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for function, memory in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            recall(function, memory)
        super().load_state_dict(state_dict | {"lr_lambdas": self.lr_lambdas})


class LambdaLR(_FunctionLR):
    """lr_lambda(t) times the base rate, whatever the rate was before."""

    def get_lr(self) -> list[Rate]:
        return self.times(self.base_lrs)


class MultiplicativeLR(_FunctionLR):
    """lr_lambda(t) times the rate before."""

    def get_lr(self) -> list[Rate]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return rates if self._is_initial else self.times(rates)
