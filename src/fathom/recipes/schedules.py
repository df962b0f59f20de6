"""Learning rates as functions of time: factors for `LambdaLR`, from the step or epoch.

A closed form of the place, not of the rate before: a run that is resumed with more epochs goes
on as if it had been planned so. Time may be a fraction: a step is a part of an epoch.

Source   Book 11.11; Loshchilov and Hutter 2017, arXiv:1608.03983 (cosine, restarts); Goyal et al.
         2017, arXiv:1706.02677 (warm-up); Howard and Ruder 2018, arXiv:1801.06146 (slanted
         triangle); Smith and Topin 2018, arXiv:1708.07120 (1cycle); Vaswani et al. 2017,
         arXiv:1706.03762 (inverse root).
Differs  The book asks its schedulers for the rate of an epoch that is over, so that a warm-up
         begins with its highest rate. Here the rate of a time is the rate used at that time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

Factor = Callable[[float], float]


def constant() -> Factor:
    """1, always."""
    return lambda time: 1.0


def square_root() -> Factor:
    """1 / sqrt(1 + time): what convex problems with noisy gradients ask for."""
    return lambda time: (1 + time) ** -0.5


def factor(by: float = 0.9, *, least: float = 0.0) -> Factor:
    """`by` to the number of whole epochs done, and never below `least`."""
    return lambda time: max(least, by ** math.floor(time))


def multi_factor(milestones: Sequence[float], by: float = 0.5) -> Factor:
    """`by` to the number of milestones passed: piecewise constant."""
    return lambda time: by ** sum(time >= milestone for milestone in milestones)


def cosine(total: float, *, final: float = 0.0) -> Factor:
    """From 1 to `final` along half a cosine over `total` steps or epochs."""
    return lambda time: final + (1 - final) * _half_cosine(min(time / total, 1))


def warm_restarts(first: float, *, times: float = 2.0) -> Factor:
    """A cosine from 1 to 0 over `first` epochs, then again over `times` as many, and so on."""

    def at(time: float) -> float:
        length = first
        while time >= length:
            time, length = time - length, length * times
        return _half_cosine(time / length)

    return at


def warmed_up(before: float, then: Factor, *, along_cosine: bool = False) -> Factor:
    """From 0 to 1 in the time `before`, on a line or half a cosine, and `then` from its time 0."""

    def at(time: float) -> float:
        if time >= before:
            return then(time - before)
        return 1 - _half_cosine(time / before) if along_cosine else time / before

    return at


def inverse_root(before: int) -> Factor:
    """Up to 1 over the first `before` steps, then down as the root of their number: Vaswani's."""
    return lambda time: min((time + 1) / before, (before / (time + 1)) ** 0.5)


def slanted_triangle(total: float, *, rises: float = 0.1, ratio: float = 32.0) -> Factor:
    """Up from 1 / ratio on a short line, down to it on a long one: ULMFiT's schedule."""

    def at(time: float) -> float:
        height = _tent(time / total, rises)
        return (1 + height * (ratio - 1)) / ratio

    return at


def one_cycle(
    total: float, *, rises: float = 0.3, start: float = 1 / 25, end: float = 1 / 25e4
) -> Factor:
    """One rise from `start` to 1 and one fall to `end`, both along half a cosine."""

    def at(time: float) -> float:
        place = min(time / total, 1)
        lowest = start if place < rises else end
        return lowest + (1 - lowest) * _bump(place, rises)

    return at


def one_cycle_momentum(
    total: float, *, rises: float = 0.3, low: float = 0.85, high: float = 0.95
) -> Factor:
    """The momentum of `one_cycle`, itself and no factor: low while the rate is high."""
    return lambda time: high - (high - low) * _bump(min(time / total, 1), rises)


def cycle_momentum(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    momenta: Sequence[Factor | None],
) -> None:
    """Before each step, set the momentum of each parameter group from the schedule's time."""

    def before(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for group, momentum in zip(optimizer.param_groups, momenta, strict=True):
            if momentum is not None:
                group["momentum"] = momentum(schedule.last_epoch)

    optimizer.register_step_pre_hook(before)


def _half_cosine(place: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * place)) / 2


def _bump(place: float, top: float) -> float:
    """From 0 at 0 up to 1 at `top` and down to 0 at 1, along half cosines."""
    if place < top:
        return 1 - _half_cosine(place / top)
    return _half_cosine((place - top) / (1 - top))


def _tent(place: float, top: float) -> float:
    """From 0 at 0 up to 1 at `top` and down to 0 at 1, on straight lines; 0 after that."""
    return place / top if place < top else max(0.0, 1 - (place - top) / (1 - top))
