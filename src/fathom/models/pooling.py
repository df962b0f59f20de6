"""Mean pooling for torch's convolutions on the CPU: what `nn.AvgPool2d` computes, sooner.

Source   torch.nn.AvgPool2d without padding, its windows side by side.
Differs  With channels last, oneDNN takes a sum over windows as a convolution of each channel with
         a constant, at five times the speed of torch's pooling over few channels. Only training in
         single precision does so; elsewhere, and backwards, it is torch's own.
Shapes   N pictures, C channels, H by W pixels; windows of k by k.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def mean_pool(kernel_size: int, stride: int | None = None, padding: int = 0) -> nn.Module:
    """The soonest of the layers that are `nn.AvgPool2d` of these arguments."""
    if stride in (None, kernel_size) and padding == 0:
        return MeanPool2d(kernel_size)
    return nn.AvgPool2d(kernel_size, stride, padding)


class MeanPool2d(nn.Module):
    """(N, C, H, W) to (N, C, H // k, W // k): the windows lie side by side."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.kernel_size}"

    def forward(self, x_NCHW: Tensor) -> Tensor:
        sooner = (
            self.training
            and x_NCHW.device.type == "cpu"
            and x_NCHW.dtype == torch.float32
            and x_NCHW.is_contiguous(memory_format=torch.channels_last)
        )
        if not sooner:
            return functional.avg_pool2d(x_NCHW, self.kernel_size)
        pooled: Tensor = _MeanByConvolution.apply(x_NCHW, self.kernel_size)
        return pooled


class _MeanByConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, k: int) -> Tensor:
        ctx.save_for_backward(x_NCHW)
        ctx.k = k
        weight = x_NCHW.new_full((x_NCHW.shape[1], 1, k, k), 1 / k**2)
        return functional.conv2d(x_NCHW, weight, stride=k, groups=x_NCHW.shape[1])

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (x_NCHW,) = ctx.saved_tensors
        k = [ctx.k, ctx.k]
        slope: Tensor = torch.ops.aten.avg_pool2d_backward(
            slopes[0], x_NCHW, k, k, [0, 0], False, True, None
        )
        return slope, None
