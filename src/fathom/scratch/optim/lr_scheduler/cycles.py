"""Rates that go up and down, some with a momentum that goes down and up against them.

Source   Smith 2017, arXiv:1506.01186 (cyclical); Smith & Topin 2018, arXiv:1708.07120 (one cycle);
         Loshchilov & Hutter 2017, arXiv:1608.03983 (warm restarts).
Differs  Warm restarts find their cycle by subtraction; torch by a logarithm, which can miss by one.
Shapes   Lists hold a number for each parameter group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fathom.scratch.optim.lr_scheduler.base import Rate, for_each_group, memory_of, recall, set_rate
from fathom.scratch.optim.lr_scheduler.factors import cosine
from fathom.scratch.optim.optimizer import require

Numbers = float | Sequence[float]  # one for all parameter groups, or one for each
Mode = Literal["triangular", "triangular2", "exp_range"]


def positive(name: str, number: int) -> int:
    """The number; raises ValueError unless it is one of 1, 2, 3 and so on."""
    fits = isinstance(number, int) and number > 0
    require(fits, f"Expected positive integer {name}, but got {number}")
    return number


class CosineAnnealingWarmRestarts(LRScheduler):
    """A falling half cosine again and again, each `T_mult` times as long as the one before."""

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.T_0, self.T_mult = positive("T_0", T_0), positive("T_mult", T_mult)
        self.eta_min = eta_min
        self.T_i, self.T_cur = T_0, float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        fraction = cosine(self.T_cur, self.T_i)
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
        self, optimizer: Optimizer, base: Numbers, highest: Numbers, last_epoch: int
    ) -> tuple[list[float], list[float]]:
        if not {"momentum", "betas"} & optimizer.defaults.keys():
            name = type(optimizer).__name__
            raise ValueError(f"{name} does not support momentum: pass cycle_momentum=False")
        self.use_beta1 = "betas" in optimizer.defaults
        bases = for_each_group(optimizer, "base_momentum", base)
        tops = for_each_group(optimizer, "max_momentum", highest)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, bases, tops, strict=True):
                group.update(base_momentum=low, max_momentum=high)
        return bases, tops

    def _set_momentum(self, momenta: list[float]) -> None:
        for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
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
        self, optimizer: Optimizer, base_lr: Numbers, max_lr: Numbers, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: Mode = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle", cycle_momentum: bool = True,
        base_momentum: Numbers = 0.8, max_momentum: Numbers = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if mode not in get_args(Mode) and scale_fn is None:
            raise ValueError(f"mode is invalid without scale_fn: {mode!r} not in {get_args(Mode)}")
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
        turns, up = 1 + self.last_epoch / self.total_size, self.step_ratio
        cycle = math.floor(turns)
        x = turns - cycle
        height = x / up if x <= up else (1 - x) / (1 - up)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([high - (high - low) * height for low, high in momenta])
        rates = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height for low, high in rates]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_scale_fn_custom": memory_of(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        recall(self._scale_fn_custom, state_dict["_scale_fn_custom"])
        super().load_state_dict(state_dict | {"_scale_fn_custom": self._scale_fn_custom})


# The momentum at each of the three rates of one cycle, against which it moves.
AGAINST = {"initial_lr": "max_momentum", "max_lr": "base_momentum", "min_lr": "max_momentum"}


class OneCycleLR(_WithMomentum):
    """One rise to `max_lr` and one fall far below the start, in `total_steps` updates in all.

    From max_lr / div_factor up over `pct_start` of the steps, and down to 1/final_div_factor of
    where it began; with `three_phase`, first down as it came up, and then down to the end.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: Numbers, total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos", cycle_momentum: bool = True,
        base_momentum: Numbers = 0.85, max_momentum: Numbers = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        require(0 <= pct_start <= 1, f"Expected pct_start between 0 and 1, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}")
        self._anneal_func_type = anneal_strategy
        rise = float(pct_start * self.total_steps)
        stops = [("initial_lr", 0), ("max_lr", rise - 1), ("min_lr", self.total_steps - 1)]
        if three_phase:
            stops.insert(2, ("initial_lr", 2 * rise - 2))
        self._schedule_phases: list[dict[str, Any]] = [
            {"end_step": end_step, "start_lr": start, "end_lr": end,
             "start_momentum": AGAINST[start], "end_momentum": AGAINST[end]}
            for (start, _), (end, end_step) in pairwise(stops)
        ]  # fmt: skip
        highest = for_each_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, highest, strict=True):
                first = lr / div_factor
                group.update(max_lr=lr, initial_lr=first, min_lr=first / final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """The rates at this time; sets the momentum as it goes, as torch's does."""
        t, phases = self.last_epoch, self._schedule_phases
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times, but there are {self.total_steps} in all")
        passed = [0, *(phase["end_step"] for phase in phases[:-1] if phase["end_step"] < t)]
        phase, start = phases[len(passed) - 1], passed[-1]
        done = (t - start) / (phase["end_step"] - start)
        left = 1 - done if self._anneal_func_type == "linear" else cosine(done, 1)

        def now(quantity: str) -> list[Rate]:
            first, last = phase[f"start_{quantity}"], phase[f"end_{quantity}"]
            return [g[last] + (g[first] - g[last]) * left for g in self.optimizer.param_groups]

        if self.cycle_momentum:
            self._set_momentum(now("momentum"))
        return now("lr")


def _count_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        return positive("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return positive("epochs", epochs) * positive("steps_per_epoch", steps_per_epoch)
