"""A rate for each coordinate: Adagrad, RMSprop, Adadelta, and Rprop before them all.

Source   Duchi et al. 2011 (Adagrad); Tieleman & Hinton 2012 (RMSprop); Graves 2013,
         arXiv:1308.0850 (its centred form); Zeiler 2012, arXiv:1212.5701 (Adadelta); Riedmiller &
         Braun 1993 (Rprop); book 11.7 to 11.9.
Differs  The book puts eps inside the root of Adagrad and RMSprop; torch, and we, outside. Adadelta
         has it inside in all three. Rprop is the variant that forgets a gradient after it has
         changed its sign, without taking the step back.
Shapes   p parameter, g gradient, and what is remembered of it: any shape, all the same.
"""

from __future__ import annotations

from torch import Tensor, full_like, ones_like, zeros_like
from torch.optim.optimizer import ParamsT

from fathom.scratch.optim.optimizer import (
    Group,
    PerParameter,
    State,
    new_step,
    on_reals,
    require,
    tick,
)


def _filled(p: Tensor, value: float) -> Tensor:
    """A tensor like `p` full of `value`, in both parts where the numbers are complex."""
    return full_like(p, complex(value, value) if p.is_complex() else value)


@on_reals
def rprop(
    p: Tensor, g: Tensor, previous: Tensor, size: Tensor, *,
    etas: tuple[float, float], sizes: tuple[float, float],
) -> None:  # fmt: skip
    """Follow the sign of g alone: longer steps while it stays, shorter and none when it turns."""
    agreement = g * previous
    turned = agreement < 0
    factor = ones_like(g).masked_fill_(agreement > 0, etas[1]).masked_fill_(turned, etas[0])
    size.mul_(factor).clamp_(*sizes)
    previous.copy_(g).masked_fill_(turned, 0)
    p.addcmul_(previous.sign(), size, value=-1)


class Rprop(PerParameter):
    """Resilient propagation, for whole batches only; arguments as `torch.optim.Rprop`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        require(
            0 < etas[0] < 1 < etas[1], "eta values", f"{etas[0]}, {etas[1]}", "around 1, above 0"
        )
        defaults = dict(
            lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        size = _filled(p, float(group["lr"]))
        return {"step": new_step(), "prev": zeros_like(p), "step_size": size}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        tick(state)
        rprop(
            p, g, state["prev"], state["step_size"], etas=group["etas"], sizes=group["step_sizes"]
        )


@on_reals
def adagrad(p: Tensor, g: Tensor, total: Tensor, *, lr: float, eps: float) -> None:
    """Divide the step by the root of all squared gradients so far: rates only ever fall."""
    total.addcmul_(g, g)
    p.addcdiv_(g, total.sqrt().add_(eps), value=-lr)


class Adagrad(PerParameter):
    """Adagrad; arguments as `torch.optim.Adagrad`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, lr_decay: float = 0,
        weight_decay: float = 0, initial_accumulator_value: float = 0, eps: float = 1e-10,
        foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, foreach=foreach,
            maximize=maximize, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return {"step": new_step(), "sum": _filled(p, group["initial_accumulator_value"])}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        lr = float(group["lr"]) / (1 + (tick(state) - 1) * group["lr_decay"])
        adagrad(p, g, state["sum"], lr=lr, eps=group["eps"])


@on_reals
def rmsprop(
    p: Tensor, g: Tensor, square: Tensor, mean: Tensor | None, buffer: Tensor | None, *,
    lr: float, alpha: float, eps: float, mu: float,
) -> None:  # fmt: skip
    """Divide g by the root of its recent mean square, or by its deviation where `mean` is kept."""
    square.mul_(alpha).addcmul_(g, g, value=1 - alpha)
    if mean is None:
        scale = square.sqrt().add_(eps)
    else:
        mean.lerp_(g, 1 - alpha)
        scale = square.addcmul(mean, mean, value=-1).sqrt_().add_(eps)
    if buffer is None:
        p.addcdiv_(g, scale, value=-lr)
    else:
        p.add_(buffer.mul_(mu).addcdiv_(g, scale), alpha=-lr)


class RMSprop(PerParameter):
    """RMSprop, also centred and with momentum; arguments as `torch.optim.RMSprop`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered, capturable=capturable, foreach=foreach, maximize=maximize,
            differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        state: State = {"step": new_step(), "square_avg": zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)
        return state

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        tick(state)
        mean = state["grad_avg"] if group["centered"] else None
        buffer = state["momentum_buffer"] if group["momentum"] > 0 else None
        settings = dict(lr=float(group["lr"]), alpha=group["alpha"], eps=group["eps"])
        rmsprop(p, g, state["square_avg"], mean, buffer, mu=group["momentum"], **settings)


@on_reals
def adadelta(
    p: Tensor, g: Tensor, square: Tensor, moved: Tensor, *, lr: float, rho: float, eps: float
) -> None:
    """Scale g to the size of recent moves, so that a step has the unit of p: no rate to choose."""
    square.mul_(rho).addcmul_(g, g, value=1 - rho)
    delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(g)
    moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
    p.add_(delta, alpha=-lr)


class Adadelta(PerParameter):
    """Adadelta; arguments as `torch.optim.Adadelta`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize,
            capturable=capturable, foreach=foreach, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return {"step": new_step(), "square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        tick(state)
        settings = dict(lr=float(group["lr"]), rho=group["rho"], eps=group["eps"])
        adadelta(p, g, state["square_avg"], state["acc_delta"], **settings)
