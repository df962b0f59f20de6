"""What all activations share: a curve with its slope, masks without branches, a quick e^x, a base.

Shapes  Any; the result has the shape of `x`.

On a CPU `torch.where` and boolean masks cost ten to thirty times as much as an addition, because
the processor guesses each element's branch and is wrong half the time; `sign`, `clamp` and the
comparison in place have no branch. `exp` is three times as dear as `exp2`. Hence `above` and `exp`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

Curve = Callable[..., Tensor]


def elementwise(*, slope: Curve, saves: str) -> Callable[[Callable[..., Any]], Curve]:
    """Decorate a curve y = f(x, *settings) with its derivative, written by hand.

    `slope(kept, *settings)` is dy/dx as a fresh tensor, computed from what is kept for the backward
    pass: x where `saves="input"`, y where `saves="output"`. Where `saves="part"` the curve returns
    y and a part of it that was dear, and the slope is of x and that part. Plain autograd would
    keep the result of every step. Slopes are themselves differentiable: higher derivatives work.
    """

    def decorate(curve: Callable[..., Any]) -> Curve:
        class Op(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor, *settings: Any) -> Tensor:
                y = curve(x, *settings)
                kept: tuple[Tensor, ...] = (y,) if saves == "output" else (x,)
                if saves == "part":
                    y, kept = y[0], (x, y[1])
                ctx.save_for_backward(*kept)
                ctx.settings = settings
                return y

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> Any:
                kept = ctx.saved_tensors
                if saves == "part" and torch.is_grad_enabled():
                    kept = kept[0], curve(kept[0], *ctx.settings)[1]  # now known to be of x
                nothing = (None,) * len(ctx.settings)
                local = slope(*kept, *ctx.settings)
                if torch.is_grad_enabled():  # autograd is watching: `local` must stay as it is
                    return local * grads[0], *nothing
                return local.mul_(grads[0]), *nothing

        @functools.wraps(curve)
        def apply(x: Tensor, *settings: Any) -> Tensor:
            if x.dtype in (torch.float16, torch.bfloat16):  # too few digits for the steps between
                return Op.apply(x.float(), *settings).to(x.dtype)
            return Op.apply(x, *settings)

        return apply

    return decorate


def in_place(curve: Curve, x: Tensor, inplace: bool, *settings: Any) -> Tensor:
    """`curve(x)`, written over `x` if `inplace`; what backward needs is kept in a copy."""
    return x.copy_(curve(x.clone(), *settings)) if inplace else curve(x, *settings)


def above(x: Tensor, limit: float = 0.0) -> Tensor:
    """1 where x > limit, else 0, as numbers of x's own type: a mask to multiply with."""
    return x.clone().gt_(limit)


def exp(x: Tensor, times: float = 1.0) -> Tensor:
    """e^(times x), as 2^(times x log2 e), for single and double precision."""
    return (x * (times * math.log2(math.e))).exp2_()


class Shown(nn.Module):
    """A layer that prints the settings named in `shown`, and `inplace` where it is set."""

    shown: ClassVar[tuple[str, ...]] = ()
    inplace = False

    def extra_repr(self) -> str:
        settings = [f"{name}={getattr(self, name)!r}" for name in self.shown]
        return ", ".join(settings + ["inplace=True"] * self.inplace)


class InPlace(Shown):
    """A layer whose one setting is to overwrite its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace
