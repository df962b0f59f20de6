"""What schedules share: a rate as a fraction of the base rate, and the values of each group.

Source   torch.optim.lr_scheduler.LRScheduler, whose bookkeeping we keep: `last_epoch` is the time,
         t, `base_lrs` the rates at the start, `step` moves t on and sets the rates from `get_lr`.
         So `state_dict`s are torch's, and either side's schedule goes on where the other's stopped.
Differs  torch writes each schedule twice: as a function of t, used when t is set, and as a change
         from the rate before, which lets schedules be chained. Here the function is written once
         and the change follows from it. A schedule that is built with `last_epoch=` leaves the
         rates as they are; torch's StepLR, MultiStepLR and ConstantLR multiply them once more
         where t falls on a milestone.
Shapes   Lists hold a number for each parameter group.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.made import made, settings_of
from fathom.scratch.optim.optimizer import require

Rate = Any  # a float, or a tensor of one element that an optimiser holds


def schedule(name: str, fraction: Callable[..., float], **kinds: Callable[[Any], Any]) -> Any:
    """The schedule lr(t) = floor + (base_lr - floor) * fraction(t, **settings).

    The floor is `eta_min` or zero; settings and signature are torch's. `kinds`: what to make of a
    setting before it is kept.
    """
    own, free = settings_of(fraction), Parameter.POSITIONAL_OR_KEYWORD
    names = [setting.name for setting in own]
    takes = [Parameter("optimizer", free), *own, Parameter("last_epoch", free, default=-1)]

    class FractionLR(LRScheduler):
        def __init__(self, optimizer: Optimizer, last_epoch: int, **settings: Any) -> None:
            for key, value in settings.items():
                setattr(self, key, kinds[key](value) if key in kinds else value)
            self.left(0)  # here, settings without sense are refused
            super().__init__(optimizer, last_epoch)

        def left(self, t: int) -> float:
            """How much of the way from the floor to the base rate is left at time t."""
            return fraction(t, **{key: getattr(self, key) for key in names})

        def get_lr(self) -> list[Rate]:
            """The rates now, found from those before: another schedule may act as well."""
            t, rates = self.last_epoch, [group["lr"] for group in self.optimizer.param_groups]
            if t > 0 and self._is_initial:
                return rates
            before, now = (self.left(t - 1) if t > 0 else 1.0), self.left(t)
            if before == 0:  # nothing is left that could be multiplied: begin from the base again
                return self._get_closed_form_lr()
            return self._between(rates, now / before)

        def _get_closed_form_lr(self) -> list[Rate]:
            return self._between(self.base_lrs, self.left(self.last_epoch))

        def _between(self, rates: list[Rate], share: float) -> list[Rate]:
            floor = getattr(self, "eta_min", 0.0)
            return [floor + (lr - floor) * share for lr in rates]

    return made(name, FractionLR, takes, __module__=fraction.__module__, __doc__=fraction.__doc__)


def set_rate(group: dict[str, Any], lr: Rate) -> None:
    """Set a rate; into the tensor, where the group holds one, since others may hold it too."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def rates_of(optimizer: Optimizer) -> list[Rate]:
    """The rates as they are now, which a later change of a tensor does not change."""
    values = (group["lr"] for group in optimizer.param_groups)
    return [value.clone() if isinstance(value, Tensor) else value for value in values]


def for_each_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """One value for each parameter group: `value` itself, or its items.

    Raises TypeError where `optimizer` is none, ValueError for a list of another length.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, Iterable) else [value] * groups
    needed = f"for {groups} parameter groups; give one value, or one for each group"
    require(len(values) == groups, f"{name} has {len(values)} values {needed}")
    return [v.clone() if isinstance(v, Tensor) else v for v in values]


def memory_of(function: Any) -> dict[str, Any] | None:
    """What a user's function remembers, for a state, if it is an object; of plain ones nothing."""
    plain = function is None or isinstance(function, types.FunctionType)
    return None if plain else dict(function.__dict__)


def recall(function: Any, memory: dict[str, Any] | None) -> None:
    """Give an object back what it remembered."""
    if memory and function is not None:
        vars(function).update(memory)
