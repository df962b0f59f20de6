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
from fathom.scratch.nn.sizes import Axes, Ints, check_weight, each, sliding


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

    (N, I, *counts) or (I, *counts), and weight (I, O / groups, *kernel), to the same with O.
    """
    name = f"conv_transpose{n}d"
    check_weight(name, n, input, weight, weight.shape[0], groups)
    axes, extra = sliding(name, n, weight.shape[2:], stride, padding, dilation), output_padding
    spare = list(zip(each(extra, n), axes, strict=True))
    if not all(0 <= more < max(axis.stride, axis.dilation) for more, axis in spare):
        raise RuntimeError(
            f"{name}: output padding must be smaller than either stride or dilation, but got "
            f"output_padding={extra}, stride={stride}, dilation={dilation}"
        )
    counts = zip(input.shape[-n:], spare, strict=True)
    sizes = [axis.size(count) + more for count, (more, axis) in counts]
    if min(sizes) <= 0:
        raise RuntimeError(
            f"{name}: given input size {list(input.shape)}, output size {sizes} is too small"
        )
    batch = input if input.dim() == n + 2 else input[None]
    output = stamp(batch, weight, bias, sizes, axes, groups)
    return output if input.dim() == n + 2 else output[0]


conv_transpose1d, conv_transpose2d, conv_transpose3d = functions(conv_transpose)


class _ConvTranspose(ConvParameters):
    """(N, in_channels, *counts) to (N, out_channels, *sizes), larger; also without N."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Ints = 0, output_padding: Ints = 0, groups: int = 1, bias: bool = True,
        dilation: Ints = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        window = dict(stride=stride, padding=padding, dilation=dilation)
        window["output_padding"] = output_padding
        channels, on = (in_channels, out_channels), {"device": device, "dtype": dtype}
        rest = (groups, bias, padding_mode, on)
        super().__init__(channels, kernel_size, window, *rest, transposed=True)

    def extra_sizes(self, input: Tensor, output_size: Sequence[int]) -> list[int]:
        """How much larger than the smallest output the wanted one is."""
        n, outer = self.dims, input.dim() - self.dims
        if len(output_size) not in (n, n + outer):
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or "
                f"{n + outer} elements (got {len(output_size)})"
            )
        wanted = list(output_size)[-n:]
        axes = sliding("", n, self.kernel_size, self.stride, each(self.padding, n), self.dilation)
        counts = zip(input.shape[-n:], axes, strict=True)
        smallest = [axis.size(count) for count, axis in counts]
        extra = [want - size for want, size in zip(wanted, smallest, strict=True)]
        if not all(0 <= more < axis.stride for more, axis in zip(extra, axes, strict=True)):
            largest = [size + axis.stride - 1 for size, axis in zip(smallest, axes, strict=True)]
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {smallest} to "
                f"{largest} (for an input of {list(input.shape)})"
            )
        return extra

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra: Sequence[int] = self.output_padding
        if output_size is not None:
            extra = self.extra_sizes(input, output_size)
        window = (self.stride, each(self.padding, self.dims), extra, self.groups, self.dilation)
        return conv_transpose(self.dims, input, self.weight, self.bias, *window)


ConvTranspose1d, ConvTranspose2d, ConvTranspose3d = classes(_ConvTranspose)
