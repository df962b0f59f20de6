"""Rates that go up and down, some with a momentum that goes down and up against them.

Source   Smith 2017, arXiv:1506.01186 (cyclical); Smith & Topin 2018, arXiv:1708.07120 (one cycle);
         Loshchilov & Hutter 2017, arXiv:1608.03983 (warm restarts).
Differs  Warm restarts find their cycle by subtraction; torch by a logarithm, which can miss by one.
Shapes   Lists hold a number for each parameter group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import (
    Rate,
    for_each_group,
    memory_of,
    set_rate,
)


class CosineAnnealingWarmRestarts(LRScheduler):
    """A falling half cosine again and again, each `T_mult` times as long as the one before."""

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.T_i, self.T_cur = T_0, float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        fraction = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (lr - self.eta_min) * fraction for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go one step on, or to time `epoch`, which may be a fraction."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
        else:
            self.T_cur, self.T_i = epoch or 0, self.T_0
            self.last_epoch = math.floor(self.T_cur) - 1
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        self._update_lr()


class _WithMomentum(LRScheduler):
    """A schedule that moves the momentum too: `momentum`, or the first of Adam's `betas`."""

    def _start_momentum(
        self, optimizer: Optimizer, base: Any, highest: Any, last_epoch: int
    ) -> tuple[list[float], list[float]]:
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
                f"{type(optimizer).__name__} does not: pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        bases = for_each_group(optimizer, "base_momentum", base)
        tops = for_each_group(optimizer, "max_momentum", highest)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, bases, tops, strict=True):
                group["base_momentum"], group["max_momentum"] = low, high
                self._set_momentum(group, high)
        return bases, tops

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up from `base_lr` to `max_lr` and down again on straight lines, cycle after cycle.

    The height of a cycle is scaled by 1 ("triangular"), by 1/2 of the one before ("triangular2"),
    by gamma^t ("exp_range"), or by `scale_fn` of the cycle's number or, with
    scale_mode="iterations", of t.
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: float | Sequence[float],
        max_lr: float | Sequence[float], step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle", cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8, max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                f"mode is invalid and scale_fn is None: {mode!r} is none of 'triangular', "
                "'triangular2' and 'exp_range'"
            )
        base_lrs = for_each_group(optimizer, "base_lr", base_lr)
        self.max_lrs = for_each_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = step_size_up + float(down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode, self.cycle_momentum = scale_mode, cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                optimizer, base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The scale of the height in cycle x, or at time x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return self.gamma**x
        return 1.0 if self.mode == "triangular" else 0.5 ** (x - 1)

    def get_lr(self) -> list[Rate]:
        """The rates at this time; sets the momentum as it goes, as torch's does."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        up = self.step_ratio
        height = x / up if x <= up else (1 - x) / (1 - up)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, momenta, strict=True):
                self._set_momentum(group, high - (high - low) * height)
        rates = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height for low, high in rates]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_scale_fn_custom": memory_of(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"] or {})
        super().load_state_dict(state_dict | {"_scale_fn_custom": self._scale_fn_custom})


class OneCycleLR(_WithMomentum):
    """One rise to `max_lr` and one fall far below the start, in `total_steps` updates in all.

    From max_lr / div_factor up over `pct_start` of the steps, and down to 1/final_div_factor of
    where it began; with `three_phase`, first down as it came up, and then down to the end.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos", cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85, max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        rise, end = float(pct_start * self.total_steps), self.total_steps - 1
        phases = [_phase(rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        fall = ("initial_lr", "base_momentum") if three_phase else ("min_lr", "base_momentum")
        phases.append(_phase(2 * rise - 2 if three_phase else end, "max_lr", *fall, "max_momentum"))
        if three_phase:
            phases.append(_phase(end, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
        self._schedule_phases = phases
        highest = for_each_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, highest, strict=True):
                group["max_lr"], group["initial_lr"] = lr, lr / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """The rates at this time; sets the momentum as it goes, as torch's does."""
        t, start = self.last_epoch, 0.0
        if t > self.total_steps:
            raise ValueError(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        for phase in self._schedule_phases:
            if t <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        done = (t - start) / (phase["end_step"] - start)
        left = (
            1 - done if self._anneal_func_type == "linear" else (1 + math.cos(math.pi * done)) / 2
        )

        def between(group: dict[str, Any], quantity: str) -> Any:
            first, last = (group[phase[f"{end}_{quantity}"]] for end in ("start", "end"))
            return last + (first - last) * left

        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                self._set_momentum(group, between(group, "momentum"))
        return [between(group, "lr") for group in self.optimizer.param_groups]


def _phase(end: float, *names: str) -> dict[str, Any]:
    """A phase by the names of what it goes from and to, in the layout of torch's state."""
    keys = ("start_lr", "end_lr", "start_momentum", "end_momentum")
    return {"end_step": end} | dict(zip(keys, names, strict=True))


def _count_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    given = {"total_steps": total_steps}
    if total_steps is None:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(value or 1 for value in given.values())
