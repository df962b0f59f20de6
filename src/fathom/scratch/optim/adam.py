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

import torch
from torch import Tensor

from fathom.scratch.optim.optimizer import count, optimizer, scalar, zeros, zeros_if

Betas = tuple[float, float]
MEANS = {"step": count, "exp_avg": zeros, "exp_avg_sq": zeros}


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


def adam(
    p: Tensor, g: Tensor, t: float, m: Tensor, v: Tensor, largest: Tensor | None, /,
    lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
    amsgrad: bool = False,
) -> None:  # fmt: skip
    """Adam; with `amsgrad`, the scale of the steps never grows again."""
    update_means(g, m, v, betas)
    if largest is not None:
        v = torch.maximum(largest, v, out=largest)
    adaptive_step(p, m, v, t=t, lr=lr, betas=betas, eps=eps)


AMSGRAD = MEANS | {"max_exp_avg_sq": zeros_if("amsgrad")}
Adam = optimizer("Adam", adam, AMSGRAD)
DECOUPLED = {"weight_decay": 1e-2, "decoupled_weight_decay": True}
AdamW = optimizer("AdamW", adam, AMSGRAD, presets=DECOUPLED)


def yogi(
    p: Tensor, g: Tensor, t: float, m: Tensor, v: Tensor, /, lr: float = 1e-2,
    betas: Betas = (0.9, 0.999), eps: float = 1e-3, weight_decay: float = 0, *,
    maximize: bool = False,
) -> None:  # fmt: skip
    """Adam, but v moves towards g^2 by an amount that does not grow with their distance.

    When gradients become small all at once, its rates grow slowly where Adam's leap.
    """
    m.lerp_(g, 1 - betas[0])
    square = g * g
    v.addcmul_(torch.sign(square - v), square, value=1 - betas[1])
    adaptive_step(p, m, v, t=t, lr=lr, betas=betas, eps=eps)


Yogi = optimizer("Yogi", yogi, MEANS)


def adamax(
    p: Tensor, g: Tensor, t: float, m: Tensor, u: Tensor, /, lr: float = 2e-3,
    betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
) -> None:  # fmt: skip
    """Adam in the norm of infinity: u is the largest recent |g|, and needs no bias correction."""
    m.lerp_(g, 1 - betas[0])
    torch.maximum(u.mul_(betas[1]), g.abs().add_(eps), out=u)
    p.addcdiv_(m, u, value=-lr / (1 - betas[0] ** t))


Adamax = optimizer("Adamax", adamax, {"step": count, "exp_avg": zeros, "exp_inf": zeros})


def nadam(
    p: Tensor, g: Tensor, t: float, m: Tensor, v: Tensor, mu_product: Tensor, /, lr: float = 2e-3,
    betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
    momentum_decay: float = 4e-3,
) -> None:  # fmt: skip
    """Adam with Nesterov's look ahead: the step mixes g with the m that the next step will use.

    The momentum warms up, mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2); the product of all mu so
    far takes the place of beta1^t.
    """
    mu, mu_next = (betas[0] * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
    mus = mu_product.mul_(mu).item()
    update_means(g, m, v, betas)
    scale = v.div(1 - betas[1] ** t).sqrt_().add_(eps)
    p.addcdiv_(g, scale, value=-lr * (1 - mu) / (1 - mus))
    p.addcdiv_(m, scale, value=-lr * mu_next / (1 - mus * mu_next))


NAdam = optimizer("NAdam", nadam, MEANS | {"mu_product": lambda p, group: scalar(1.0)})


def radam(
    p: Tensor, g: Tensor, t: float, m: Tensor, v: Tensor, /, lr: float = 1e-3,
    betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
) -> None:  # fmt: skip
    """Adam that trusts v only once it has seen enough, and so needs no warm-up.

    `seen` is the length of the mean behind v. Before it is long enough, plain momentum; after it,
    Adam's step times the factor `trust`, which goes to 1.
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


RAdam = optimizer("RAdam", radam, MEANS)
