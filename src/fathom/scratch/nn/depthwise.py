"""Depthwise convolution: a kernel for each channel, which the channels do not share.

Source   Sifre 2014; Chollet 2017, arXiv:1610.02357; Howard et al. 2017, arXiv:1704.04861.
Differs  Nothing.
Shapes   N batch, C channels: `wide` (N, C, *sizes), borders included, weight (C, 1, *kernel), to
         (N, C, *counts); any number of dimensions.

A product of matrices would have a single row here and nothing to share, so that copying windows
costs more than it brings. Instead, the output is a sum over the cells of the kernel: each shifts
the input and adds it, times its weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from fathom.scratch.nn.fold import add_windows, places, seen, windows
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Axes


class _TapByTap(Function):
    """y = the sum over places k in the kernel of x, shifted by k, times w_k."""

    @staticmethod
    def forward(ctx: Any, wide: Tensor, weight: Tensor, axes: Axes) -> Tensor:
        ctx.save_for_backward(wide, weight)
        ctx.axes, n, cells = axes, len(axes), seen(wide, axes)
        output = wide.new_zeros(cells.shape[:-n])
        for place in places(axes):
            output.addcmul_(cells[place], weight[place].view(-1, *[1] * n))
        return output

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (wide, weight), axes, n = ctx.saved_tensors, ctx.axes, len(ctx.axes)
        if torch.is_grad_enabled():  # all taps at once: dearer, but autograd can follow
            spread, kernel = g[(..., *[None] * n)], weight.view(-1, *[1] * n, *weight.shape[2:])
            grad_weight = (spread * windows(wide, axes)).sum((0, *range(2, 2 + n)))
            return add_windows(spread * kernel, wide.shape[2:], axes), grad_weight[:, None], None
        grad_wide, grad_weight = torch.zeros_like(wide), torch.empty_like(weight)
        cells, grad_cells = seen(wide, axes), seen(grad_wide, axes)
        for place in places(axes):
            grad_cells[place].addcmul_(g, weight[place].view(-1, *[1] * n))
            grad_weight[place] = (g * cells[place]).flatten(2).sum((0, 2))[:, None]
        return grad_wide, grad_weight, None


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, axes: Axes) -> Tensor:
    """(N, C, *sizes) and weight (C, 1, *kernel) to (N, C, *counts)."""
    within = Axes(axis._replace(padding=0) for axis in axes)
    output = _TapByTap.apply(pad(x, axes.borders), weight, within)
    return output if bias is None else output + bias.view(-1, *[1] * len(axes))
