"""A rate for each coordinate: Adagrad, RMSprop, Adadelta, and Rprop before them all.

Source   Duchi et al. 2011 (Adagrad); Tieleman & Hinton 2012 (RMSprop); Graves 2013,
         arXiv:1308.0850 (its centred form); Zeiler 2012, arXiv:1212.5701 (Adadelta); Riedmiller &
         Braun 1993 (Rprop); book 11.7 to 11.9.
Differs  The book puts eps inside the root of Adagrad and RMSprop; torch, and we, outside. Adadelta
         has it inside in all three. Rprop is the variant that forgets a gradient after it has
         changed its sign, without taking the step back.
Shapes   p parameter, g gradient, and what is remembered of it: any shape, all the same. t is the
         number of the step, from 1.
"""

from __future__ import annotations

from torch import Tensor, ones_like

from fathom.scratch.optim.optimizer import count, full_of, optimizer, zeros, zeros_if


def rprop(
    p: Tensor, g: Tensor, t: float, previous: Tensor, size: Tensor, /, lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2), step_sizes: tuple[float, float] = (1e-6, 50),
) -> None:  # fmt: skip
    """Follow the sign of g alone: longer steps while it stays, shorter and none when it turns.

    For whole batches only. The first steps have the size `lr`.
    """
    agreement = g * previous
    turned = agreement < 0
    factor = ones_like(g).masked_fill_(agreement > 0, etas[1]).masked_fill_(turned, etas[0])
    size.mul_(factor).clamp_(*step_sizes)
    previous.copy_(g).masked_fill_(turned, 0)
    p.addcmul_(previous.sign(), size, value=-1)


Rprop = optimizer("Rprop", rprop, {"step": count, "prev": zeros, "step_size": full_of("lr")})


def adagrad(
    p: Tensor, g: Tensor, t: float, total: Tensor, /, lr: float = 1e-2, lr_decay: float = 0,
    weight_decay: float = 0, initial_accumulator_value: float = 0, eps: float = 1e-10,
) -> None:  # fmt: skip
    """Divide the step by the root of all squared gradients so far: rates only ever fall."""
    total.addcmul_(g, g)
    p.addcdiv_(g, total.sqrt().add_(eps), value=-lr / (1 + (t - 1) * lr_decay))


TOTAL = {"step": count, "sum": full_of("initial_accumulator_value")}
Adagrad = optimizer("Adagrad", adagrad, TOTAL)


def rmsprop(
    p: Tensor, g: Tensor, t: float, square: Tensor, buffer: Tensor | None, mean: Tensor | None, /,
    lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
    momentum: float = 0, centered: bool = False,
) -> None:  # fmt: skip
    """Divide g by the root of its recent mean square, or by its deviation where `centered`."""
    square.mul_(alpha).addcmul_(g, g, value=1 - alpha)
    if mean is None:
        scale = square.sqrt().add_(eps)
    else:
        mean.lerp_(g, 1 - alpha)
        scale = square.addcmul(mean, mean, value=-1).sqrt_().add_(eps)
    if buffer is None:
        p.addcdiv_(g, scale, value=-lr)
    else:
        p.add_(buffer.mul_(momentum).addcdiv_(g, scale), alpha=-lr)


OPTIONAL = {"momentum_buffer": zeros_if("momentum"), "grad_avg": zeros_if("centered")}
RMSprop = optimizer("RMSprop", rmsprop, {"step": count, "square_avg": zeros} | OPTIONAL)


def adadelta(
    p: Tensor, g: Tensor, t: float, square: Tensor, moved: Tensor, /, lr: float = 1.0,
    rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
) -> None:  # fmt: skip
    """Scale g to the size of recent moves, so that a step has the unit of p: no rate to choose."""
    square.mul_(rho).addcmul_(g, g, value=1 - rho)
    delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(g)
    moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
    p.add_(delta, alpha=-lr)


Adadelta = optimizer("Adadelta", adadelta, {"step": count, "square_avg": zeros, "acc_delta": zeros})
