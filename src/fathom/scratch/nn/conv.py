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
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn import init
from fathom.scratch.nn.depthwise import depthwise
from fathom.scratch.nn.dimensions import classes, functions
from fathom.scratch.nn.fold import windows
from fathom.scratch.nn.padding import pad
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
    views = windows(x_ISN, [*axes, Axis(1)])  # (I, *counts, N, *kernel, 1)
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


def same_padding(axes: Axes) -> list[tuple[int, int]]:
    """(before, after) in each dimension, so that the output is as large as the input."""
    return [((axis.span - 1) // 2, axis.span // 2) for axis in axes]


def torchs_order(sides: list[tuple[int, int]]) -> list[int]:
    """Amounts to pad as torch lists them: the last dimension first."""
    return [amount for pair in reversed(sides) for amount in pair]


def conv(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1,
    padding: Ints | str = 0, dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Check the sizes, settle the padding, and convolve over `n` dimensions.

    (N, I, *sizes) or (I, *sizes), and weight (O, I / groups, *kernel), to the same with O.
    """
    name, border = f"conv{n}d", 0 if isinstance(padding, str) else padding
    check_weight(name, n, input, weight, weight.shape[1] * groups, groups)
    axes = sliding(name, n, weight.shape[2:], stride, border, dilation)
    if padding == "same":
        if any(axis.stride != 1 for axis in axes):
            raise RuntimeError(f"{name}: padding='same' is not supported for strided convolutions")
        input = pad(input, torchs_order(same_padding(axes)))
    check_fit(name, input.shape[-n:], axes)
    batch = input if input.dim() == n + 2 else input[None]
    output = correlate(batch, weight, bias, axes, groups)
    return output if input.dim() == n + 2 else output[0]


conv1d, conv2d, conv3d = functions(conv)


class ConvParameters(Module):
    """Weight, bias and settings, which convolutions and their transposes have in common."""

    dims: int
    bias: Parameter | None
    stride: tuple[int, ...]
    padding: Any
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]

    def __init__(
        self, channels: tuple[int, int], kernel_size: Ints, window: dict[str, Any], groups: int,
        bias: bool, padding_mode: str, on: dict[str, Any], *, transposed: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        for word, count in zip(("in_channels", "out_channels"), channels, strict=True):
            if count % groups:
                raise ValueError(f"{word} must be divisible by groups: {count}, {groups}")
        modes = ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, but got '{padding_mode}'")
        if window["padding"] not in ("same", "valid") and isinstance(window["padding"], str):
            text = f"Invalid padding string {window['padding']!r}, should be 'same' or 'valid'"
            raise ValueError(text)
        self.in_channels, self.out_channels = channels
        self.groups, self.padding_mode, self.transposed = groups, padding_mode, transposed
        self.kernel_size = each(kernel_size, self.dims)
        for name, numbers in window.items():
            plain = isinstance(numbers, str)
            setattr(self, name, numbers if plain else each(numbers, self.dims))
        if self.padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        first, second = reversed(channels) if not transposed else channels
        self.weight = Parameter(torch.empty(first, second // groups, *self.kernel_size, **on))
        self.register_parameter("bias", Parameter(torch.empty(channels[1], **on)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform, by the number of cells that an output sees."""
        init.fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        for name, plain in {"padding": 0, "dilation": 1, "output_padding": 0}.items():
            if getattr(self, name) != (plain,) * len(getattr(self, name)):
                text += f", {name}={getattr(self, name)}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        mode = self.padding_mode
        return text if mode == "zeros" else f"{text}, padding_mode={mode}"


class _Conv(ConvParameters):
    """Convolution, (N, in_channels, *sizes) to (N, out_channels, *counts), also without N."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Ints | str = 0, dilation: Ints = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        window = dict(stride=stride, padding=padding, dilation=dilation, output_padding=0)
        channels, on = (in_channels, out_channels), {"device": device, "dtype": dtype}
        rest = (groups, bias, padding_mode, on)
        super().__init__(channels, kernel_size, window, *rest, transposed=False)

    def forward(self, input: Tensor) -> Tensor:
        padding: Ints | str = self.padding
        if self.padding_mode != "zeros":
            axes = sliding("conv", self.dims, self.kernel_size, dilation=self.dilation)
            amounts = [(p, p) for p in each(0 if padding == "valid" else padding, self.dims)]
            sides = same_padding(axes) if padding == "same" else amounts
            input, padding = pad(input, torchs_order(sides), mode=self.padding_mode), 0
        settings = (self.stride, padding, self.dilation, self.groups)
        return conv(self.dims, input, self.weight, self.bias, *settings)


Conv1d, Conv2d, Conv3d = classes(_Conv)
