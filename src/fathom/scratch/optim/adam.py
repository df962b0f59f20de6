"""Adam and its family: a step that each coordinate takes in units of its own recent gradients.

Source   Kingma & Ba 2015, arXiv:1412.6980 (Adam, Adamax); Reddi et al. 2018 (AMSGrad); Loshchilov &
         Hutter 2019, arXiv:1711.05101 (AdamW); Dozat 2016 (NAdam); Liu et al. 2020,
         arXiv:1908.03265 (RAdam); Zaheer et al. 2018 (Yogi); book 11.10.
Differs  The book's eps is 1e-6, torch's 1e-8. AMSGrad keeps the maximum before the bias is
         corrected, as torch. Yogi, which torch has not, corrects the bias as the book does; the
         paper does not.
Shapes   p parameter, g gradient, m and v the running means of g and g^2: any shape, all the same.
         t is the number of the step, from 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, ones, zeros_like
from torch.optim.optimizer import ParamsT

from fathom.scratch.optim.optimizer import (
    Group,
    PerParameter,
    State,
    new_step,
    on_reals,
    scalar_dtype,
    tick,
)

Betas = tuple[float, float]


def _means(p: Tensor) -> State:
    return {"step": new_step(), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}


def _common(group: Group) -> dict[str, Any]:
    """The settings that every rule of the family takes."""
    beta1, beta2 = group["betas"]
    return dict(lr=float(group["lr"]), betas=(float(beta1), float(beta2)), eps=group["eps"])


def update_means(g: Tensor, m: Tensor, v: Tensor, betas: Betas) -> None:
    """m <- beta1 m + (1 - beta1) g, and v <- beta2 v + (1 - beta2) g^2."""
    m.lerp_(g, 1 - betas[0])
    v.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])


def adaptive_step(
    p: Tensor, m: Tensor, v: Tensor, *, t: float, lr: float, betas: Betas, eps: float
) -> None:
    """p <- p - lr m^ / (sqrt(v^) + eps), where m^ and v^ make up for the means' start at zero."""
    bias1, bias2 = 1 - betas[0] ** t, 1 - betas[1] ** t
    p.addcdiv_(m, v.sqrt().div_(bias2**0.5).add_(eps), value=-lr / bias1)


@on_reals
def adam(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, largest: Tensor | None = None, *,
    t: float, lr: float, betas: Betas, eps: float,
) -> None:  # fmt: skip
    """Adam; with `largest`, AMSGrad: the scale of the steps never grows again."""
    update_means(g, m, v, betas)
    if largest is not None:
        v = torch.maximum(largest, v, out=largest)
    adaptive_step(p, m, v, t=t, lr=lr, betas=betas, eps=eps)


class Adam(PerParameter):
    """Adam; arguments as `torch.optim.Adam`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return _means(p) | ({"max_exp_avg_sq": zeros_like(p)} if group["amsgrad"] else {})

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        adam(p, g, state["exp_avg"], state["exp_avg_sq"], largest, t=tick(state), **_common(group))


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter and leaves the means alone."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip


@on_reals
def yogi(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, *, t: float, lr: float, betas: Betas, eps: float
) -> None:
    """Adam, but v moves towards g^2 by an amount that does not grow with their distance."""
    m.lerp_(g, 1 - betas[0])
    square = g * g
    v.addcmul_(torch.sign(square - v), square, value=1 - betas[1])
    adaptive_step(p, m, v, t=t, lr=lr, betas=betas, eps=eps)


class Yogi(PerParameter):
    """Yogi: when gradients become small all at once, its rates grow slowly where Adam's leap."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-3, weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return _means(p)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        yogi(p, g, state["exp_avg"], state["exp_avg_sq"], t=tick(state), **_common(group))


@on_reals
def adamax(
    p: Tensor, g: Tensor, m: Tensor, u: Tensor, *, t: float, lr: float, betas: Betas, eps: float
) -> None:
    """Adam in the norm of infinity: u is the largest recent |g|, and needs no bias correction."""
    m.lerp_(g, 1 - betas[0])
    torch.maximum(u.mul_(betas[1]), g.abs().add_(eps), out=u)
    p.addcdiv_(m, u, value=-lr / (1 - betas[0] ** t))


class Adamax(PerParameter):
    """Adamax; arguments as `torch.optim.Adamax`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return {"step": new_step(), "exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        adamax(p, g, state["exp_avg"], state["exp_inf"], t=tick(state), **_common(group))


@on_reals
def nadam(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, *, t: float, lr: float, betas: Betas, eps: float,
    mu: float, mu_next: float, mus: float,
) -> None:  # fmt: skip
    """Adam with Nesterov's look ahead: the step mixes g with the m that the next step will use.

    `mu` is the momentum of this step, `mus` the product of all so far: NAdam lets it warm up.
    """
    update_means(g, m, v, betas)
    scale = v.div(1 - betas[1] ** t).sqrt_().add_(eps)
    p.addcdiv_(g, scale, value=-lr * (1 - mu) / (1 - mus))
    p.addcdiv_(m, scale, value=-lr * mu_next / (1 - mus * mu_next))


class NAdam(PerParameter):
    """NAdam, mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2); arguments as `torch.optim.NAdam`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return _means(p) | {"mu_product": ones((), dtype=scalar_dtype())}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        t = tick(state)
        mu, mu_next = (
            group["betas"][0] * (1 - 0.5 * 0.96 ** (s * group["momentum_decay"]))
            for s in (t, t + 1)
        )
        state["mu_product"] *= mu
        mus = state["mu_product"].item()
        means = state["exp_avg"], state["exp_avg_sq"]
        nadam(p, g, *means, t=t, mu=mu, mu_next=mu_next, mus=mus, **_common(group))


@on_reals
def radam(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, *, t: float, lr: float, betas: Betas, eps: float
) -> None:
    """Adam that trusts v only once it has seen enough: `seen` is the length of the mean behind v.

    Before that, plain momentum; after it, Adam's step times the factor `trust`, which goes to 1.
    """
    update_means(g, m, v, betas)
    bias1, bias2 = 1 - betas[0] ** t, 1 - betas[1] ** t
    most = 2 / (1 - betas[1]) - 1
    seen = most - 2 * t * betas[1] ** t / bias2
    if seen > 5:
        trust = ((seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen)) ** 0.5
        p.addcdiv_(m, v.sqrt().add_(eps), value=-lr * trust * bias2**0.5 / bias1)
    else:
        p.add_(m, alpha=-lr / bias1)


class RAdam(PerParameter):
    """Rectified Adam, which needs no warm-up; arguments as `torch.optim.RAdam`."""

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        return _means(p)

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        radam(p, g, state["exp_avg"], state["exp_avg_sq"], t=tick(state), **_common(group))
