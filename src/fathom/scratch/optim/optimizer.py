"""What every optimiser does around its rule: find the parameters, their gradients and their state.

Source   torch.optim.Optimizer, whose bookkeeping of groups and state we keep: `param_groups`,
         `state`, `state_dict`, hooks, `zero_grad` are torch's, so states move both ways.
Differs  torch has four implementations of each rule (a loop, `foreach`, `fused`, `capturable`)
         that compute the same. We have the loop: those three arguments are accepted and kept in
         the group, so that state dicts are alike, and change nothing. `differentiable=True` would
         change what a step means and is refused. Settings that are NaN, or out of range in one
         group only, are refused too; torch lets most of them in.
Shapes   A parameter p, its gradient g and the moments kept for it have the same shape, any shape.

A rule is a function `rule(p, g, *memories, /, **settings)` which moves one parameter in place. Its
settings and their defaults are torch's; `optimizer` makes the class from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import Parameter
from typing import Any, ClassVar

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


def on_reals(rule: Callable[..., None]) -> Callable[..., None]:
    """Let a rule for real numbers treat a complex one as two: its real and its imaginary part."""

    def parts(x: Any) -> Any:
        return torch.view_as_real(x) if isinstance(x, Tensor) and x.is_complex() else x

    @functools.wraps(rule)
    def pairwise(*tensors: Any, **settings: Any) -> None:
        rule(*map(parts, tensors), **settings)

    return pairwise


# What is refused.

POSITIVE = (
    "lr eps weight_decay momentum momentum_decay alpha rho lr_decay initial_accumulator_value"
)
NAMES = {"lr": "learning rate", "eps": "epsilon value"}


def check_settings(group: Group, owner: str) -> None:
    """Raises ValueError, naming the setting and its value, where no rule could work."""
    lr = group["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, but has shape {tuple(lr.shape)}")
    for setting in POSITIVE.split():
        value = group.get(setting, 0.0)
        if not isinstance(value, tuple):
            require(value >= 0, NAMES.get(setting, f"{setting} value"), value, "at least 0")
    require(group.get("rho", 0.0) <= 1, "rho value", group.get("rho"), "between 0 and 1")
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


# What surrounds a rule.


def as_number(value: Any) -> Any:
    """A setting that may be a tensor of one element, or a pair of them, as plain numbers."""
    if isinstance(value, tuple | list):
        return tuple(as_number(each) for each in value)
    return value.item() if isinstance(value, Tensor) else value


def begin(p: Tensor, group: Group, memories: dict[str, Start]) -> State:
    """The state of `p` before its first step."""
    starts = memories.items()
    return {name: first for name, start in starts if (first := start(p, group)) is not None}


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


class PerParameter(torch.optim.Optimizer):
    """Applies a rule to each parameter by itself; `optimizer` makes classes of it."""

    rule: ClassVar[Any]
    memories: ClassVar[dict[str, Start]]  # under torch's names, in the order the rule takes them
    settings: ClassVar[list[str]]  # those the rule takes
    read: ClassVar[Any]  # how it wants to see them
    fixed: ClassVar[Group]  # those that the user cannot choose
    check: ClassVar[Any]  # what else a group must fulfil
    # Does weight decay act beside the rule, not through the gradient? None: the rule decays itself.
    decoupled: ClassVar[bool | None]

    def __init__(self, params: ParamsT, **settings: Any) -> None:
        super().__init__(params, settings | self.fixed)
        for group in self.param_groups:
            check_settings(group, type(self).__name__)
            self.check(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; `closure` computes the loss and gradients."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        rule, memories = self.rule, self.memories
        for group in self.param_groups:
            settings = {name: self.read(group[name]) for name in self.settings}
            decoupled = group.get("decoupled_weight_decay", self.decoupled)
            pulled = group.get("weight_decay", 0) or group.get("maximize", False)
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    raise RuntimeError(
                        f"{type(self).__name__} does not support sparse gradients, and a parameter "
                        f"of size {tuple(p.shape)} has one; use torch.optim.SparseAdam for it"
                    )
                state = self.state.get(p) or begin(p, group, memories)
                if pulled:
                    g = descent(p, g, group, decoupled)
                known = [tick(state) if m == "step" else state.get(m) for m in memories]
                made_anew = rule(p, g, *known, **settings)
                if made_anew:
                    state.update(made_anew)
                if state:  # plain SGD remembers nothing
                    self.state[p] = state
        return loss


def optimizer(
    name: str, rule: Callable[..., State | None], memories: dict[str, Start], flags: str, *,
    decoupled: bool | None = False, check: Callable[[Group], None] = lambda group: None,
    read: Callable[[Any], Any] = as_number, defaults: Group | None = None,
    fixed: Group | None = None,
) -> Any:  # fmt: skip
    """The class of a rule, with torch's signature: the rule's settings, then the `flags`.

    Flags are False or, if they choose among torch's implementations, None; behind a `*` they go by
    name only. `defaults` are defaults that differ from the rule's.
    """
    own, changed = settings_of(rule), defaults or {}
    takes = [Parameter("params", Parameter.POSITIONAL_OR_KEYWORD)]
    takes += [p.replace(default=changed.get(p.name, p.default)) for p in own]
    named = flags.partition("*")[2].split()
    for flag in flags.replace("*", "").split():
        kind = Parameter.KEYWORD_ONLY if flag in named else Parameter.POSITIONAL_OR_KEYWORD
        default = None if flag in ("foreach", "fused") else False
        takes.append(Parameter(flag, kind, default=default))
    return made(
        name, PerParameter, takes, __module__=rule.__module__, __doc__=rule.__doc__,
        rule=staticmethod(rule), memories=memories, settings=[p.name for p in own],
        decoupled=decoupled, check=staticmethod(check), read=staticmethod(read),
        fixed=fixed or {},
    )  # fmt: skip
