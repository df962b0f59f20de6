"""Stochastic gradient descent: plain, with momentum, and averaged.

Source   Robbins & Monro 1951; Polyak 1964 (momentum); Sutskever et al. 2013 (Nesterov's form of
         it); Polyak & Juditsky 1992 and Bottou 2012 (averaging); book 11.4 to 11.6.
Differs  The papers' velocity holds the learning rate, v = mu v - lr g; torch's buffer does not, so
         a change of rate acts at once. The first buffer is g itself, undamped. The book divides
         the gradient by the batch size; here the loss has done so.
Shapes   p, g, buffer and average: any shape, all the same.
"""

from __future__ import annotations

from torch import Tensor

from fathom.scratch.optim.optimizer import Group, State, count, optimizer, require, scalar, zeros


def sgd(
    p: Tensor, g: Tensor, buffer: Tensor | None, /, lr: float = 1e-3, momentum: float = 0,
    dampening: float = 0, weight_decay: float = 0, nesterov: bool = False,
) -> State | None:  # fmt: skip
    """Go down along g, or along the buffer, where each step lets old gradients weigh less.

    Nesterov goes where the buffer would stand after one more such gradient.
    """
    if momentum:
        buffer = g.clone() if buffer is None else buffer.mul_(momentum).add_(g, alpha=1 - dampening)
        g = g.add(buffer, alpha=momentum) if nesterov else buffer
    p.add_(g, alpha=-lr)
    return {"momentum_buffer": buffer} if momentum else None


def check_nesterov(group: Group) -> None:
    """Looking ahead needs a momentum."""
    mu, damping = group["momentum"], group["dampening"]
    fits = not group["nesterov"] or (mu > 0 and damping == 0)
    require(fits, f"Nesterov momentum requires momentum > 0, dampening 0, not {mu} and {damping}")


BUFFER = {"momentum_buffer": lambda p, group: None}  # begins with the first gradient
SGD = optimizer("SGD", sgd, BUFFER, check=check_nesterov, pairs=False)


def asgd(
    p: Tensor, g: Tensor, t: float, eta: Tensor, mu: Tensor, average: Tensor, /, lr: float = 1e-2,
    lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6, weight_decay: float = 0,
) -> None:  # fmt: skip
    """SGD whose answer is the average of its path, kept in `state[p]["ax"]`.

    The step shrinks as eta_t = lr / (1 + lambd lr t)^alpha; the average begins at step `t0`, with
    mu_t = 1 / max(1, t - t0).
    """
    size, weight = eta.item(), mu.item()
    p.mul_(1 - lambd * size).add_(g, alpha=-size)
    average.add_(p.sub(average).mul_(weight)) if weight != 1 else average.copy_(p)
    # Both for the next step, and of torch's precision whatever p's is.
    eta.copy_(scalar(lr / (1 + lambd * lr * t) ** alpha))
    mu.copy_(scalar(1 / max(1, t - t0)))


RATE = {"eta": lambda p, group: scalar(float(group["lr"])), "mu": lambda p, group: scalar(1.0)}
ASGD = optimizer("ASGD", asgd, {"step": count} | RATE | {"ax": zeros})
