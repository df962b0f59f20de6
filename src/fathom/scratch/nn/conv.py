"""Convolution: take every window of the input, then one matrix product with the kernel.

Source   LeCun et al. 1989; Dumoulin and Visin 2016, arXiv:1603.07285; book 6.2 to 6.4.
Differs  Like torch's, this is a cross-correlation: the kernel is not turned round. torch computes
         it in blocks with no copy of the windows; we copy them, kernel-size times the input.
Shapes   N batch, I input and O output channels, G groups, K = I / G * kernel cells,
         P = output cells * N; any number of dimensions. `columns_GKP` is (G, K, P).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn import init
from fathom.scratch.nn.fold import windows
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Ints, check_rank, each, same_dtype, window_counts


def correlate(
    x_NIS: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """(N, I, *sizes) and weight (O, I / G, *kernel) to (N, O, *counts)."""
    n, kernel = weight.dim() - 2, weight.shape[2:]
    batch, channels = x_NIS.shape[:2]
    # Batch last: what is copied into the columns then lies in long runs. It has windows of one.
    x_ISN = x_NIS.movedim(0, -1).contiguous()
    views = windows(x_ISN, (*kernel, 1), (*stride, 1), (*dilation, 1), (*padding, 0))
    counts = views.shape[1 : 1 + n]  # views is (I, *counts, N, *kernel, 1)

    # Every window becomes a column, the columns of all examples stand in one matrix, and the
    # layer is one product with it: rows of the weight are output channels.
    cells, places = channels // groups * math.prod(kernel), math.prod(counts) * batch
    at_kernel, at_place = range(2 + n, 3 + 2 * n), range(1, 2 + n)
    columns_GKP = views.permute(0, *at_kernel, *at_place).reshape(groups, cells, places)
    weight_GOK = weight.reshape(groups, -1, cells)
    if groups == 1:
        out_OP = weight_GOK[0] @ columns_GKP[0]
    else:
        out_OP = (weight_GOK @ columns_GKP).flatten(0, 1)
    if bias is not None:
        out_OP = out_OP + bias[:, None]
    return out_OP.view(weight.shape[0], *counts, batch).movedim(-1, 0).contiguous()


def same_padding(kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) in each dimension, so that the output is as large as the input."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def convolution(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Check the sizes, settle the padding, and convolve over `n` dimensions."""
    name = f"conv{n}d"
    same_dtype(name, input, weight)
    check_rank(name, input, n)
    if weight.dim() != n + 2:
        raise RuntimeError(f"{name}: expected a {n + 2}D weight, got sizes {list(weight.shape)}")
    channels = input.shape[-n - 1]
    if groups <= 0 or weight.shape[0] % groups or channels != weight.shape[1] * groups:
        raise RuntimeError(
            f"{name}: given groups={groups}, weight of size {list(weight.shape)}, expected input "
            f"to have {weight.shape[1] * groups} channels, but got {list(input.shape)}"
        )
    kernel, step, gap = tuple(weight.shape[2:]), each(stride, n), each(dilation, n)
    if padding == "same":
        sides = same_padding(kernel, gap)
        if any(s != 1 for s in step):
            raise RuntimeError(f"{name}: padding='same' is not supported for strided convolutions")
        if any(before != after for before, after in sides):
            odd = [(0, after - before) for before, after in sides]
            input = pad(input, [side for pair in reversed(odd) for side in pair])
        border: tuple[int, ...] = tuple(before for before, _ in sides)
    else:
        border = (0,) * n if padding == "valid" else each(padding, n)
    if min(border) < 0:
        raise RuntimeError(f"{name}: negative padding is not supported, got {border}")

    wide = [size + 2 * p for size, p in zip(input.shape[-n:], border, strict=True)]
    window_counts(name, wide, kernel, step, gap)
    batch = input if input.dim() == n + 2 else input[None]
    output = correlate(batch, weight, bias, step, border, gap, groups)
    return output if input.dim() == n + 2 else output[0]


conv1d = partial(convolution, 1)  # (N, I, L), weight (O, I / groups, kernel)
conv2d = partial(convolution, 2)  # (N, I, H, W), weight (O, I / groups, *kernel)
conv3d = partial(convolution, 3)  # (N, I, D, H, W), weight (O, I / groups, *kernel)


class ConvParameters(Module):
    """Weight, bias and settings, which convolutions and their transposes have in common."""

    dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Ints | str,
        dilation: Ints,
        transposed: bool,
        output_padding: Ints,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        for word, channels in {"in_channels": in_channels, "out_channels": out_channels}.items():
            if channels % groups:
                raise ValueError(f"{word} must be divisible by groups: {channels}, {groups}")
        modes = ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, but got '{padding_mode}'")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be 'same' or 'valid'")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = each(kernel_size, self.dims)
        self.stride = each(stride, self.dims)
        self.padding = padding if isinstance(padding, str) else each(padding, self.dims)
        self.dilation = each(dilation, self.dims)
        self.output_padding = each(output_padding, self.dims)
        self.transposed, self.padding_mode = transposed, padding_mode
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")

        ends = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        sizes = (ends[0], ends[1] // groups, *self.kernel_size)
        self.weight = Parameter(torch.empty(sizes, device=device, dtype=dtype))
        self.bias: Parameter | None
        self.register_parameter(
            "bias",
            Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        for name, plain in {"padding": 0, "dilation": 1, "output_padding": 0}.items():
            if getattr(self, name) != (plain,) * len(getattr(self, name)):
                text += f", {name}={getattr(self, name)}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (
            f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else ""
        )


class _Conv(ConvParameters):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints | str = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        padding: Ints | str = self.padding
        if self.padding_mode != "zeros":
            if padding == "same":
                sides = same_padding(self.kernel_size, self.dilation)
            else:
                sides = [(p, p) for p in each(0 if padding == "valid" else padding, self.dims)]
            flat = [side for pair in reversed(sides) for side in pair]  # torch's order: last first
            input, padding = pad(input, flat, mode=self.padding_mode), 0
        settings = (self.stride, padding, self.dilation, self.groups)
        return convolution(self.dims, input, self.weight, self.bias, *settings)


class Conv1d(_Conv):
    """Convolution over a sequence, (N, in_channels, L) to (N, out_channels, L')."""

    dims = 1


class Conv2d(_Conv):
    """Convolution over a picture, (N, in_channels, H, W) to (N, out_channels, H', W')."""

    dims = 2


class Conv3d(_Conv):
    """Convolution over a volume, (N, in_channels, D, H, W) to (N, out_channels, D', H', W')."""

    dims = 3
