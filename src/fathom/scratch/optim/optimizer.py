"""What every optimiser does around its rule: find the parameters, their gradients and their state.

Source   torch.optim.Optimizer, whose bookkeeping of groups and state we keep: `param_groups`,
         `state`, `state_dict`, hooks, `zero_grad` are torch's, so states move both ways.
Differs  torch has four implementations of each rule (a loop, `foreach`, `fused`, `capturable`)
         that compute the same. We have the loop: those three arguments are accepted and kept in
         the group, so that state dicts are alike, and change nothing. `differentiable=True` would
         change what a step means and is refused. Settings that are NaN, or out of range in one
         group only, are refused too; torch lets most of them in.
Shapes   A parameter p, its gradient g and the moments kept for it have the same shape, any shape.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

Group = dict[str, Any]
State = dict[str, Any]

# setting: (its name in an error, lowest, highest)
_RANGES = {
    "lr": ("learning rate", 0.0, math.inf),
    "eps": ("epsilon value", 0.0, math.inf),
    "weight_decay": ("weight_decay value", 0.0, math.inf),
    "momentum": ("momentum value", 0.0, math.inf),
    "momentum_decay": ("momentum_decay value", 0.0, math.inf),
    "alpha": ("alpha value", 0.0, math.inf),
    "rho": ("rho value", 0.0, 1.0),
    "lr_decay": ("lr_decay value", 0.0, math.inf),
    "initial_accumulator_value": ("initial_accumulator_value value", 0.0, math.inf),
}


class PerParameter(torch.optim.Optimizer):
    """An optimiser that treats each parameter by itself: a rule, and the state it starts from."""

    # Does weight decay act beside the rule, not through the gradient? None: the rule decays itself.
    decoupled: bool | None = False

    def __init__(self, params: ParamsT, defaults: Group) -> None:
        super().__init__(params, defaults)
        for group in self.param_groups:
            check_settings(group, type(self).__name__)

    @abstractmethod
    def start(self, p: Tensor, group: Group) -> State:
        """The state of `p` before its first step, under the names torch gives its parts."""

    @abstractmethod
    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        """Apply the rule: change `p` and its `state` in place, given the gradient `g`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; `closure` computes the loss and gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            decoupled = group.get("decoupled_weight_decay", self.decoupled)
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError(
                        f"{type(self).__name__} does not support sparse gradients, and a parameter "
                        f"of size {tuple(p.shape)} has one; use torch.optim.SparseAdam for it"
                    )
                state = self.state.get(p)
                if not state:
                    state = self.start(p, group)
                    if state:  # plain SGD remembers nothing
                        self.state[p] = state
                self.update(p, _descent(p, g, group, decoupled), state, group)
        return loss


def _descent(p: Tensor, g: Tensor, group: Group, decoupled: bool | None) -> Tensor:
    """The gradient to go down: its sign, and the pull of the weight decay L towards zero.

    As a penalty, (L / 2) |p|^2 is part of the loss and L p part of the gradient. Decoupled
    (Loshchilov & Hutter 2019, arXiv:1711.05101), the parameter shrinks and the rule never sees it.
    """
    decay = float(group.get("weight_decay", 0.0))
    if group.get("maximize", False):
        g = -g
    if decay and decoupled:
        p.mul_(1 - group["lr"] * decay)
    elif decay and decoupled is not None:
        g = g.add(p, alpha=decay)
    return g


def new_step() -> Tensor:
    """A count of steps: on the CPU, because it is read as a number at every step."""
    return torch.zeros((), dtype=scalar_dtype())


def scalar_dtype() -> torch.dtype:
    """The type in which torch keeps counts and single numbers of a state."""
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def tick(state: State) -> float:
    """Count a step; its number, from 1."""
    state["step"] += 1
    return state["step"].item()


def on_reals(rule: Callable[..., None]) -> Callable[..., None]:
    """Let a rule for real numbers treat a complex one as two: its real and its imaginary part."""

    @functools.wraps(rule)
    def pairwise(p: Tensor, *tensors: Tensor | None, **settings: Any) -> None:
        if p.is_complex():
            p = torch.view_as_real(p)
            tensors = tuple(None if x is None else torch.view_as_real(x) for x in tensors)
        rule(p, *tensors, **settings)

    return pairwise


def check_settings(group: Group, owner: str) -> None:
    """Refuse settings under which no rule can work.

    Raises:
        ValueError: a setting is NaN or out of its range; the message names it and its value.
    """
    lr = group["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, but has shape {tuple(lr.shape)}")
    for setting, (name, low, high) in _RANGES.items():
        value = group.get(setting)
        if value is not None and not isinstance(value, tuple):
            require(low <= value <= high, name, value, _in_words(low, high))
    for index, beta in enumerate(group.get("betas", ())):
        name = f"beta parameter at index {index}"
        require(0.0 <= beta < 1.0, name, beta, "at least 0 and less than 1")
    if group.get("differentiable", False):
        raise ValueError(
            f"{owner} does not support differentiable=True; torch.optim.{owner} does, if you need "
            "the gradient of a step"
        )


def require(holds: Any, name: str, value: Any, wanted: str) -> None:
    """Raise a ValueError that names the setting and its value, unless the condition holds."""
    if not holds:
        raise ValueError(f"Invalid {name}: {value} (it must be {wanted})")


def _in_words(low: float, high: float) -> str:
    return f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
