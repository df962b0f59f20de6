"""What all activations share: a curve with its slope, masks without branches, and a quick e^x.

Shapes  Any; the result has the shape of `x`.

On a CPU `torch.where` and boolean masks cost ten to thirty times as much as an addition, because
the processor guesses each element's branch and is wrong half the time; `sign`, `clamp` and a
comparison in place have no branch. `exp` is three times as dear as `exp2`. Every step is a pass
over memory, where torch's kernels make one for all: a curve of three steps, such as Hardswish,
takes up to three times as long. GELU waits for `erf`, which alone takes longer than torch's GELU.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.made import binder

HALF = torch.float16, torch.bfloat16  # too few digits for the steps of a formula
Curve = Callable[..., Any]


def elementwise(*, slope: Curve, saves: str) -> Callable[[Curve], Callable[..., Tensor]]:
    """Decorate a curve y = f(x, *settings) with its derivative, written by hand.

    `slope(kept, *settings)` is dy/dx, a fresh tensor, computed from what is kept for the backward
    pass: x where `saves="input"`, y where `saves="output"`. Where `saves="part"` the curve returns
    y and a part of it that was dear, and the slope is of x and that part, or the part itself. Plain
    autograd would keep the result of every step. Slopes are differentiable, as often as wanted.
    If the last setting is `inplace`, it is taken care of here: the result is written over x.
    """

    def decorate(curve: Curve) -> Callable[..., Tensor]:
        takes = signature(curve)
        bind, has_inplace = binder(curve.__name__, takes), "inplace" in takes.parameters

        class Op(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor, *settings: Any) -> Tensor:
                found = curve(x, *settings)
                y, *part = found if saves == "part" else [found]
                ctx.save_for_backward(*([y] if saves == "output" else [x, *part]))
                ctx.settings = settings
                return y

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> Any:
                kept = ctx.saved_tensors
                nothing = (None,) * len(ctx.settings)
                if not torch.is_grad_enabled():
                    found = slope(*kept, *ctx.settings)
                    return found * grads[0] if found is kept[-1] else found.mul_(grads[0]), *nothing
                if saves == "part":  # autograd is watching: the part must be known to be of x
                    kept = kept[0], curve(kept[0], *ctx.settings)[1]
                return slope(*kept, *ctx.settings) * grads[0], *nothing

        @functools.wraps(curve)
        def apply(*args: Any, **named: Any) -> Tensor:
            x, *settings = bind(args, named).values()
            inplace = has_inplace and settings.pop()
            source = x.clone() if inplace else x  # backward may need it
            half = x.dtype in HALF
            y = Op.apply(source.float() if half else source, *settings)
            y = y.to(x.dtype) if half else y
            return x.copy_(y) if inplace else y

        return apply

    return decorate


def above(x: Tensor, limit: float = 0.0) -> Tensor:
    """1 where x > limit, else 0, as numbers of x's own type: a mask to multiply with."""
    x = x.detach()
    return torch.gt(x, limit, out=torch.empty_like(x))


def line(x: Tensor, slope: float, at_zero: float) -> Tensor:
    """slope x + at_zero, in one pass."""
    return torch.rsub(x, at_zero, alpha=-slope)


def exp(x: Tensor, times: float = 1.0) -> Tensor:
    """e^(times x), as 2^(times x log2 e), for single and double precision."""
    return (x * (times * math.log2(math.e))).exp2_()
