"""Transposed convolution: every input cell stamps the kernel onto the output.

Source   Zeiler et al. 2010; Dumoulin and Visin 2016, arXiv:1603.07285; book 13.10.
Differs  torch computes it as a convolution's gradient. So do we: a convolution takes windows and
         multiplies by the weight; here one multiplies by the weight and adds the windows back.
Shapes   N batch, I input and O output channels, G groups, K = O / G * kernel cells,
         P = N * input cells; any number of dimensions. `stamps_GKP` is (G, K, P).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.conv import ConvParameters
from fathom.scratch.nn.dimensions import classes, functions
from fathom.scratch.nn.fold import add_windows
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Axes, Ints, check_weight, each, sliding, wanted_sizes


def stamp(
    x_NIS: Tensor, weight: Tensor, bias: Tensor | None, sizes: Sequence[int], axes: Axes,
    groups: int,
) -> Tensor:  # fmt: skip
    """(N, I, *counts) and weight (I, O / G, *kernel) to (N, O, *sizes)."""
    n, batch, counts = len(axes), x_NIS.shape[0], x_NIS.shape[2:]
    x_GIP = x_NIS.transpose(0, 1).flatten(1).unflatten(0, (groups, -1))
    weight_GKI = weight.flatten(1).unflatten(0, (groups, -1)).transpose(1, 2)
    stamps_GKP = weight_GKI @ x_GIP
    views = stamps_GKP.view(groups * weight.shape[1], *weight.shape[2:], batch, *counts)
    at_kernel, at_count = range(1, 1 + n), range(2 + n, 2 + 2 * n)
    views = views.permute(1 + n, 0, *at_count, *at_kernel)  # (N, O, *counts, *kernel)
    output = add_windows(views, sizes, axes)
    return output if bias is None else output + bias.view(-1, *(1,) * n)


def conv_transpose(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1,
    padding: Ints = 0, output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1,
) -> Tensor:  # fmt: skip
    """Check the sizes, and stamp over `n` dimensions.

    (N, I, *counts) or (I, *counts), and weight (O, I / groups, *kernel), to the same with O.
    """
    name, extra = f"conv_transpose{n}d", each(output_padding, n)
    check_weight(name, n, input, weight, weight.shape[0], groups)
    axes = sliding(name, n, weight.shape[2:], stride, padding, dilation)
    spare = list(zip(extra, axes, strict=True))
    if not all(0 <= more < max(axis.stride, axis.dilation) for more, axis in spare):
        limit = f"stride={stride} or dilation={dilation}"
        raise RuntimeError(f"{name}: output_padding={extra} must be smaller than either {limit}")
    smallest = axes.sizes(input.shape[-n:])
    sizes = [size + more for size, more in zip(smallest, extra, strict=True)]
    if min(sizes) <= 0:
        raise RuntimeError(f"{name}: input {list(input.shape)} gives too small an output, {sizes}")
    # Where `output_padding` has room for one more stamp, its cell is zero.
    batch = input if input.dim() == n + 2 else input[None]
    batch = pad(batch, [end for more, axis in reversed(spare) for end in (0, more // axis.stride)])
    output = stamp(batch, weight, bias, sizes, axes, groups)
    return output if input.dim() == n + 2 else output[0]


conv_transpose1d, conv_transpose2d, conv_transpose3d = functions(conv_transpose)


class _ConvTranspose(ConvParameters):
    """(N, in_channels, *counts) to (N, out_channels, *sizes), larger; also without N."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Ints = 0, output_padding: Ints = 0, groups: int = 1, bias: bool = True,
        dilation: Ints = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip
        self.output_padding = each(output_padding, self.dims)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """`output_size` chooses among the sizes that a convolution takes to the input's."""
        n, extra = self.dims, self.output_padding
        if output_size is not None:
            name, window = type(self).__name__, (self.kernel_size, self.stride, self.padding)
            axes = sliding(name, n, *window, self.dilation)
            smallest = zip(axes.sizes(input.shape[-n:]), axes, strict=True)
            spans = [range(size, size + axis.stride) for size, axis in smallest]
            sizes = wanted_sizes(name, output_size, spans)
            extra = tuple(size - span[0] for size, span in zip(sizes, spans, strict=True))
        settings = (self.stride, self.padding, extra, self.groups, self.dilation)
        return conv_transpose(n, input, self.weight, self.bias, *settings)


ConvTranspose1d, ConvTranspose2d, ConvTranspose3d = classes(_ConvTranspose)
