"""Convolution: take every window of the input, then one matrix product with the kernel.

Source   LeCun et al. 1989; Dumoulin and Visin 2016, arXiv:1603.07285; book 6.2 to 6.4.
Differs  Like torch's, this is a cross-correlation: the kernel is not turned round. torch computes
         it in blocks with no copy of the windows; we copy them, kernel-size times the input. Where
         each channel is a group of its own, see `depthwise.py`.
Shapes   N batch, I input and O output channels, G groups, K = I / G * kernel cells,
         P = output cells * N; any number of dimensions. `columns_GKP` is (G, K, P).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn import init
from fathom.scratch.nn.depthwise import depthwise
from fathom.scratch.nn.dimensions import classes, functions
from fathom.scratch.nn.fold import windows
from fathom.scratch.nn.padding import SOURCES, pad
from fathom.scratch.nn.sizes import Axes, Axis, Ints, check_fit, check_weight, each, sliding


def correlate(
    x_NIS: Tensor, weight: Tensor, bias: Tensor | None, axes: Axes, groups: int
) -> Tensor:
    """(N, I, *sizes) and weight (O, I / G, *kernel) to (N, O, *counts)."""
    n, (batch, channels) = len(axes), x_NIS.shape[:2]
    mixed = torch.is_autocast_enabled(x_NIS.device.type)  # which products look after themselves
    if groups == channels == len(weight) > 1 and not mixed:
        return depthwise(x_NIS, weight, bias, axes)
    # Batch last: what is copied into the columns then lies in long runs. It has windows of one.
    x_ISN = x_NIS.movedim(0, -1).contiguous()
    views = windows(x_ISN, Axes([*axes, Axis(1)]))  # (I, *counts, N, *kernel, 1)
    counts, at_place, at_kernel = views.shape[1 : 1 + n], range(1, 2 + n), range(2 + n, 3 + 2 * n)

    # Every window becomes a column, the columns of all examples stand in one matrix, and the
    # layer is one product with it: rows of the weight are output channels.
    cells, places = channels // groups * weight[0, 0].numel(), math.prod(counts) * batch
    columns_GKP = views.permute(0, *at_kernel, *at_place).reshape(groups, cells, places)
    weight_GOK = weight.reshape(groups, -1, cells)
    if bias is None:
        out_GOP = weight_GOK @ columns_GKP
    else:  # product and sum in one pass over memory
        out_GOP = torch.baddbmm(bias.view(groups, -1, 1), weight_GOK, columns_GKP)
    return out_GOP.view(weight.shape[0], *counts, batch).movedim(-1, 0).contiguous()


def same_padding(axes: Axes) -> list[int]:
    """What to pad, the last dimension first, so that the output is as large as the input."""
    return [amount for axis in reversed(axes) for amount in ((axis.span - 1) // 2, axis.span // 2)]


def conv(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1,
    padding: Ints | str = 0, dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Check the sizes, settle the padding, and convolve over `n` dimensions.

    (N, I, *sizes) or (I, *sizes), and weight (O, I / groups, *kernel), to the same with O.
    """
    name = f"conv{n}d"
    border: Any = 0 if padding in ("same", "valid") else padding
    check_weight(name, n, input, weight, weight.shape[1] * groups, groups)
    axes = sliding(name, n, weight.shape[2:], stride, border, dilation)
    if padding == "same":
        if any(axis.stride != 1 for axis in axes):
            raise RuntimeError(f"{name}: padding='same' is not supported for strided convolutions")
        input = pad(input, same_padding(axes))
    check_fit(name, input.shape[-n:], axes)
    batch = input if input.dim() == n + 2 else input[None]
    output = correlate(batch, weight, bias, axes, groups)
    return output if input.dim() == n + 2 else output[0]


conv1d, conv2d, conv3d = functions(conv)


class ConvParameters(Module):
    """Weight, bias and settings, which convolutions and their transposes have in common."""

    dims: ClassVar[int]
    transposed: ClassVar[bool]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Ints | str = 0, dilation: Ints = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, on = (in_channels, out_channels), {"device": device, "dtype": dtype}
        modes = ("zeros",) if self.transposed else ("zeros", *SOURCES)
        if groups <= 0 or any(count % groups for count in channels):
            said = f"in_channels and out_channels, {channels}, must be divisible by groups"
            raise ValueError(f"{said}, a positive integer, but got {groups}")
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, but got '{padding_mode}'")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be 'same' or 'valid'")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.groups, self.padding_mode = groups, padding_mode
        n = self.dims
        self.kernel_size, self.output_padding = each(kernel_size, n), each(0, n)
        self.stride, self.dilation = each(stride, n), each(dilation, n)
        self.padding: Any = padding if isinstance(padding, str) else each(padding, n)
        if padding == "same" and self.stride != each(1, n):
            raise ValueError("padding='same' is not supported for strided convolutions")
        first, second = channels if self.transposed else reversed(channels)
        self.weight = Parameter(torch.empty(first, second // groups, *self.kernel_size, **on))
        self.bias = Parameter(torch.empty(out_channels, **on)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform, by the number of cells that an output sees."""
        init.fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        zeros, ones = each(0, self.dims), each(1, self.dims)
        usual = dict(padding=zeros, dilation=ones, output_padding=zeros, groups=1, bias=True)
        now = vars(self) | {"bias": self.bias is not None}
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        for name, plain in {"stride": None, **usual, "padding_mode": "zeros"}.items():
            text += f", {name}={now[name]}" if now[name] != plain else ""
        return text


class _Conv(ConvParameters):
    """Convolution, (N, in_channels, *sizes) to (N, out_channels, *counts), also without N."""

    transposed = False

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            border = 0 if isinstance(padding, str) else padding
            axes = sliding("conv", self.dims, self.kernel_size, 1, border, self.dilation)
            sides = same_padding(axes) if padding == "same" else axes.borders
            input, padding = pad(input, sides, self.padding_mode), 0
        settings = (self.stride, padding, self.dilation, self.groups)
        return conv(self.dims, input, self.weight, self.bias, *settings)


Conv1d, Conv2d, Conv3d = classes(_Conv)
