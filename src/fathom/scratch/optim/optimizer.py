"""What every optimiser does around its rule: find the parameters, their gradients and their state.

Source   torch.optim.Optimizer, whose bookkeeping of groups and state we keep: `param_groups`,
         `state`, `state_dict`, hooks, `zero_grad` are torch's, so states move both ways.
Differs  torch has four implementations of each rule (a loop, `foreach`, `fused`, `capturable`)
         that compute the same. We have the loop: the arguments that choose among them are read off
         torch's class and kept in the group, so that state dicts are alike, and change nothing.
         `maximize` and `decoupled_weight_decay` act here. `differentiable=True` would
         change what a step means and is refused. Settings that are NaN, or out of range in one
         group only, are refused too; torch lets most of them in.
Shapes   A parameter p, its gradient g and the moments kept for it have the same shape, any shape.

A rule is a function `rule(p, g, *memories, /, **settings)` which moves one parameter in place. Its
settings and their defaults are torch's, those too that act around it, such as `weight_decay`;
`optimizer` makes the class from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, full_like, tensor, zeros_like
from torch.optim.optimizer import ParamsT

from fathom.scratch.made import made, settings_of

Group = dict[str, Any]
State = dict[str, Any]
Start = Callable[[Tensor, Group], Tensor | None]  # a memory before the first step; None: not kept


# How memories begin.


def zeros(p: Tensor, group: Group) -> Tensor:
    """Zeros in the shape of the parameter."""
    return zeros_like(p)


def zeros_if(setting: str) -> Start:
    """Zeros, if the setting is true."""
    return lambda p, group: zeros_like(p) if group[setting] else None


def full_of(setting: str) -> Start:
    """The setting in each place, in both parts where the numbers are complex."""

    def start(p: Tensor, group: Group) -> Tensor:
        value = float(group[setting])
        return full_like(p, complex(value, value) if p.is_complex() else value)

    return start


def scalar(value: float) -> Tensor:
    """A single number as torch keeps it: in single precision, unless double is the default."""
    double = torch.get_default_dtype() == torch.float64
    return tensor(value, dtype=torch.float64 if double else torch.float32)


def count(p: Tensor, group: Group) -> Tensor:
    """The number of steps: on the CPU, because it is read as a number at every step."""
    return scalar(0.0)


def tick(state: State) -> float:
    """Count a step; its number, from 1."""
    state["step"] += 1
    return state["step"].item()


# What is refused.

NOT_NEGATIVE = "eps weight_decay momentum momentum_decay alpha lr_decay initial_accumulator_value"
SPARSE = "sparse gradients (torch.optim.SparseAdam does)"


def require(holds: Any, message: str) -> None:
    """Raise ValueError unless the condition holds."""
    if not holds:
        raise ValueError(message)


def check_settings(group: Group, owner: str) -> None:
    """Raises ValueError, naming the setting and its value, where no rule could work."""
    lr, rho = group["lr"], group.get("rho", 0.0)
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, but has shape {tuple(lr.shape)}")
    require(lr >= 0, f"Invalid learning rate: {lr} (must be at least 0)")
    require(0 <= rho <= 1, f"Invalid rho value: {rho} (must be between 0 and 1)")
    for i, beta in enumerate(group.get("betas", ())):
        require(0 <= beta < 1, f"Invalid beta parameter at index {i}: {beta} (must be in [0, 1))")
    down, up = group.get("etas", (0.5, 1.2))
    require(0 < down < 1 < up, f"Invalid eta values: {down}, {up} (must be 0 < first < 1 < second)")
    for name in NOT_NEGATIVE.split():
        value = group.get(name, 0.0)
        if not isinstance(value, tuple | list):  # Adafactor checks its pair of eps itself
            require(value >= 0, f"Invalid {name} value: {value} (must be at least 0)")
    require(not group.get("differentiable"), f"differentiable=True needs torch.optim.{owner}")


# What surrounds a rule.


def as_number(value: Any) -> Any:
    """A setting that may be a tensor of one element, or a pair of them, as plain numbers."""
    if isinstance(value, tuple | list):
        return tuple(as_number(each) for each in value)
    return value.item() if isinstance(value, Tensor) else value


def as_real(x: Any) -> Any:
    """A complex tensor as a real one, which shares its numbers; anything else as it is."""
    return torch.view_as_real(x) if isinstance(x, Tensor) and x.is_complex() else x


def begin(p: Tensor, group: Group, memories: Mapping[str, Start]) -> State:
    """The state of `p` before its first step."""
    return {m: first for m, start in memories.items() if (first := start(p, group)) is not None}


def descent(p: Tensor, g: Tensor, group: Group, decoupled: bool | None) -> Tensor:
    """The gradient to go down: its sign, and the pull of the weight decay L towards zero.

    As a penalty, (L / 2) |p|^2 is part of the loss and L p part of the gradient. Decoupled
    (Loshchilov & Hutter 2019, arXiv:1711.05101), the parameter shrinks and the rule never sees it.
    """
    decay = group.get("weight_decay", 0.0)
    if group.get("maximize", False):
        g = -g
    if decay and decoupled:
        p.mul_(1 - group["lr"] * float(decay))
    elif decay and decoupled is not None:
        g = g.add(p, alpha=float(decay))
    return g


def optimizer(
    name: str, rule: Callable[..., State | None], memories: Mapping[str, Start], *,
    presets: Group | None = None, check: Callable[[Group], None] = lambda group: None,
    read: Callable[[Any], Any] = as_number, decoupled: bool | None = False,
    pairs: bool | None = True,
) -> Any:  # fmt: skip
    """The class that applies a rule to each parameter, with torch's arguments.

    Those are the settings of the rule, then whatever else torch's class of this name takes, if
    there is one.

    Args:
        memories: How each begins, under torch's names, in the order in which the rule takes them.
        presets: Defaults that differ from the rule's, and settings that the user cannot choose.
        check: What else a group must fulfil.
        read: How the rule wants to see a setting.
        decoupled: Does weight decay act beside the rule, not through the gradient? None: the rule
            decays itself.
        pairs: Does the rule see a complex number as two real ones? None: it takes no complex ones.
    """
    defaults, own = presets or {}, settings_of(rule)
    names = [setting.name for setting in own]
    takes = [Parameter("params", Parameter.POSITIONAL_OR_KEYWORD)]
    takes += [p.replace(default=defaults.get(p.name, p.default)) for p in own]
    takes += settings_of(getattr(torch.optim, name, rule), skip=["params", *names])

    class PerParameter(torch.optim.Optimizer):
        def __init__(self, params: ParamsT, **settings: Any) -> None:
            super().__init__(params, defaults | settings)
            for group in self.param_groups:
                check_settings(group, name)
                check(group)

        @torch.no_grad()
        def step(self, closure: Callable[[], Any] | None = None) -> Any:
            """Move every parameter that has a gradient; `closure` gives loss and gradients."""
            loss = None if closure is None else torch.enable_grad()(closure)()
            for group in self.param_groups:
                settings = {key: read(group[key]) for key in names}
                beside = group.get("decoupled_weight_decay", decoupled)
                pulled = group.get("weight_decay", 0) or group.get("maximize", False)
                for p in group["params"]:
                    g = p.grad
                    if g is None:
                        continue
                    if g.is_sparse or (pairs is None and p.is_complex()):
                        what = SPARSE if g.is_sparse else "complex parameters"
                        raise RuntimeError(f"{name} does not support {what}, size {tuple(g.shape)}")
                    state = self.state.get(p) or begin(p, group, memories)
                    if pulled:
                        g = descent(p, g, group, beside)
                    known = [tick(state) if m == "step" else state.get(m) for m in memories]
                    tensors = [p, g, *known]
                    if pairs and p.is_complex():
                        tensors = [as_real(x) for x in tensors]
                    state |= rule(*tensors, **settings) or {}
                    if state:  # plain SGD remembers nothing
                        self.state[p] = state
            return loss

    return made(name, PerParameter, takes, __module__=rule.__module__, __doc__=rule.__doc__)
