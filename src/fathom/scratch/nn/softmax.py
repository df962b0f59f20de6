"""Softmax and its logarithm: from scores to probabilities.

Source   Book 4.1; the derivative is that of equation 4.1.9 there.
Shapes   Any to the same; along `dim` the results (of `Softmax`) are positive and sum to one.

The largest score is subtracted first: e^(x - c) / sum e^(x - c) is the same for every c, and with
c the maximum no exponential overflows and one of them is e^0, so that the sum is at least one.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import HALF, exp
from fathom.scratch.nn.layer import layer


class _Softmax(torch.autograd.Function):
    """y = e^x / sum e^x; the gradient of x_i is y_i (g_i - sum_j g_j y_j)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        y = exp(x - x.amax(dim, keepdim=True))
        y.div_(y.sum(dim, keepdim=True))
        ctx.save_for_backward(y)
        ctx.dim = dim
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        gy = grads[0] * y
        return gy.addcmul_(y, gy.sum(ctx.dim, keepdim=True), value=-1), None


class _LogSoftmax(torch.autograd.Function):
    """y = x - log sum e^x; the gradient of x_i is g_i - e^(y_i) sum_j g_j."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        y = x - x.amax(dim, keepdim=True)
        y.sub_(exp(y).sum(dim, keepdim=True).log_())
        ctx.save_for_backward(y)
        ctx.dim = dim
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return torch.addcmul(grads[0], exp(y), grads[0].sum(ctx.dim, keepdim=True), value=-1), None


def _apply(function: Any, name: str, input: Tensor, dim: int | None, dtype: Any) -> Tensor:
    if dim is None:
        warnings.warn(f"{name}: dim is not given; it is guessed from the shape", stacklevel=4)
        dim = 0 if input.dim() in (0, 1, 3) else 1
    input = input if dtype is None else input.to(dtype)
    if not input.is_floating_point():
        raise RuntimeError(f"{name}: the input is {input.dtype}, must be floating point")
    if input.numel() == 0:
        return input.clone()
    # Half precision has three digits, too few for a long sum: compute in single, then round.
    wide = input.float() if input.dtype in HALF else input
    return function.apply(wide, dim).to(input.dtype)


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None
) -> Tensor:
    """e^x / sum e^x along `dim`. A row of nothing but minus infinity gives NaN, as in torch."""
    return _apply(_Softmax, "softmax", input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None
) -> Tensor:
    """x - log sum e^x along `dim`: the logarithm of a softmax that has underflowed is lost."""
    return _apply(_LogSoftmax, "log_softmax", input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None
) -> Tensor:
    """The softmax of -x along `dim`."""
    return _apply(_Softmax, "softmin", -input, dim, dtype)


def _softmax2d(input: Tensor) -> Tensor:
    """The softmax over the channels of `(batch, channels, height, width)` or without batch."""
    if input.dim() not in (3, 4):
        raise ValueError(f"Softmax2d: expected 3D or 4D input (got {input.dim()}D input)")
    return softmax(input, -3)


UNSHOWN = "_stacklevel dtype"
Softmax = layer("Softmax", softmax, "dim={dim}", without=UNSHOWN)
LogSoftmax = layer("LogSoftmax", log_softmax, "dim={dim}", without=UNSHOWN)
Softmin = layer("Softmin", softmin, "dim={dim}", without=UNSHOWN)
Softmax2d = layer("Softmax2d", _softmax2d)
