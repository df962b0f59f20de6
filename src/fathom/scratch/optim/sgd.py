"""Stochastic gradient descent: plain, with momentum, and averaged.

Source   Robbins & Monro 1951; Polyak 1964 (momentum); Sutskever et al. 2013 (Nesterov's form of
         it); Polyak & Juditsky 1992 and Bottou 2012 (averaging); book 11.4 to 11.6.
Differs  The papers' velocity holds the learning rate, v = mu v - lr g; torch's buffer does not, so
         a change of rate acts at once. The first buffer is g itself, undamped. The book divides
         the gradient by the batch size; here the loss has done so.
Shapes   p, g, buffer and average: any shape, all the same.
"""

from __future__ import annotations

from torch import Tensor, full, ones, tensor, zeros_like
from torch.optim.optimizer import ParamsT

from fathom.scratch.optim.optimizer import (
    Group,
    PerParameter,
    State,
    new_step,
    scalar_dtype,
    tick,
)


def sgd(
    p: Tensor, g: Tensor, buffer: Tensor | None, *,
    lr: float, mu: float, dampening: float, nesterov: bool,
) -> Tensor | None:  # fmt: skip
    """Go down along g, or along the buffer: a sum of gradients that weigh mu times less each step.

    Nesterov goes where the buffer would stand after one more such gradient. Returns the buffer.
    """
    if mu:
        buffer = g.clone() if buffer is None else buffer.mul_(mu).add_(g, alpha=1 - dampening)
        g = g.add(buffer, alpha=mu) if nesterov else buffer
    p.add_(g, alpha=-lr)
    return buffer


class SGD(PerParameter):
    """p <- p - lr * g, or the same with momentum; arguments as `torch.optim.SGD`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float | Tensor = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening, "
                f"not momentum={momentum} and dampening={dampening}"
            )
        defaults = dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize, foreach=foreach, differentiable=differentiable,
            fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": None} if group["momentum"] else {}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        buffer = sgd(
            p, g, state.get("momentum_buffer"), lr=float(group["lr"]), mu=group["momentum"],
            dampening=group["dampening"], nesterov=group["nesterov"],
        )  # fmt: skip
        if buffer is not None:
            state["momentum_buffer"] = buffer


def asgd(p: Tensor, g: Tensor, average: Tensor, *, eta: float, mu: float, decay: float) -> None:
    """One step of size eta with a decay, and the average of the steps since averaging began."""
    p.mul_(1 - decay * eta).add_(g, alpha=-eta)
    average.add_(p.sub(average).mul_(mu)) if mu != 1 else average.copy_(p)


class ASGD(PerParameter):
    """SGD whose answer is the average of its path, kept in `state[p]["ax"]`; as `torch.optim.ASGD`.

    The step shrinks as eta_t = lr / (1 + lambd lr t)^alpha; the average begins at step `t0`, with
    mu_t = 1 / max(1, t - t0).
    """

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
        t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "eta": full((), float(group["lr"]), dtype=scalar_dtype()),
            "mu": ones((), dtype=scalar_dtype()),
            "ax": zeros_like(p),
        }

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        eta, mu, lr, lambd = state["eta"], state["mu"], float(group["lr"]), group["lambd"]
        asgd(p, g, state["ax"], eta=eta.item(), mu=mu.item(), decay=lambd)
        t = tick(state)
        # both for the next step, and of torch's precision whatever p's is
        eta.copy_(tensor(lr / (1 + lambd * lr * t) ** group["alpha"], dtype=scalar_dtype()))
        mu.copy_(tensor(1 / max(1, t - group["t0"]), dtype=scalar_dtype()))
