"""Transposed convolution: every input cell stamps the kernel onto the output.

Source   Zeiler et al. 2010; Dumoulin and Visin 2016, arXiv:1603.07285; book 13.10.
Differs  torch computes it as a convolution's gradient. So do we: a convolution takes windows and
         multiplies by the weight; here one multiplies by the weight and adds the windows back.
Shapes   N batch, I input and O output channels, G groups, K = O / G * kernel cells,
         P = N * input cells; any number of dimensions. `stamps_GKP` is (G, K, P).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.conv import ConvParameters
from fathom.scratch.nn.fold import add_windows
from fathom.scratch.nn.sizes import Ints, check_rank, each, same_dtype


def stamp(
    x_NIS: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """(N, I, *counts) and weight (I, O / G, *kernel) to (N, O, *sizes)."""
    n, kernel = weight.dim() - 2, weight.shape[2:]
    batch, channels, counts = x_NIS.shape[0], x_NIS.shape[1], x_NIS.shape[2:]
    x_GIP = x_NIS.transpose(0, 1).reshape(groups, channels // groups, batch * math.prod(counts))
    weight_GIK = weight.reshape(groups, channels // groups, -1)
    if groups == 1:
        stamps_GKP = (weight_GIK[0].t() @ x_GIP[0])[None]
    else:
        stamps_GKP = weight_GIK.transpose(1, 2) @ x_GIP
    outputs = groups * weight.shape[1]
    views = stamps_GKP.view(outputs, *kernel, batch, *counts)
    at_kernel, at_count = range(1, 1 + n), range(2 + n, 2 + 2 * n)
    views = views.permute(1 + n, 0, *at_count, *at_kernel)  # (N, O, *counts, *kernel)
    output = add_windows(views, sizes, tuple(kernel), stride, dilation, padding)
    return output if bias is None else output + bias.view(-1, *(1,) * n)


def stamped_sizes(
    counts: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """The smallest output that the convolution would take to `counts`."""
    settings = zip(counts, kernel, stride, padding, dilation, strict=True)
    return [(count - 1) * s - 2 * p + d * (k - 1) + 1 for count, k, s, p, d in settings]


def conv_transpose(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Check the sizes, and stamp over `n` dimensions."""
    name = f"conv_transpose{n}d"
    same_dtype(name, input, weight)
    check_rank(name, input, n)
    if weight.dim() != n + 2:
        raise RuntimeError(f"{name}: expected a {n + 2}D weight, got sizes {list(weight.shape)}")
    channels = input.shape[-n - 1]
    if groups <= 0 or channels % groups or channels != weight.shape[0]:
        raise RuntimeError(
            f"{name}: given groups={groups}, weight of size {list(weight.shape)}, expected input "
            f"to have {weight.shape[0]} channels, but got {list(input.shape)}"
        )
    kernel, step, gap = tuple(weight.shape[2:]), each(stride, n), each(dilation, n)
    border, extra = each(padding, n), each(output_padding, n)
    if min(border) < 0 or min(step) <= 0 or min(gap) <= 0:
        raise RuntimeError(
            f"{name}: expected padding >= 0, stride > 0 and dilation > 0, "
            f"got {border}, {step} and {gap}"
        )
    if not all(0 <= e < max(s, d) for e, s, d in zip(extra, step, gap, strict=True)):
        raise RuntimeError(
            f"{name}: output padding must be smaller than either stride or dilation, but got "
            f"output_padding={extra}, stride={step}, dilation={gap}"
        )
    smallest = stamped_sizes(input.shape[-n:], kernel, step, border, gap)
    sizes = [size + e for size, e in zip(smallest, extra, strict=True)]
    if min(sizes) <= 0:
        raise RuntimeError(
            f"{name}: given input size {list(input.shape)}, the calculated output size {sizes} "
            "is too small"
        )
    batch = input if input.dim() == n + 2 else input[None]
    output = stamp(batch, weight, bias, sizes, step, border, gap, groups)
    return output if input.dim() == n + 2 else output[0]


conv_transpose1d = partial(conv_transpose, 1)  # (N, I, L), weight (I, O / groups, kernel)
conv_transpose2d = partial(conv_transpose, 2)  # (N, I, H, W), weight (I, O / groups, *kernel)
conv_transpose3d = partial(conv_transpose, 3)  # (N, I, D, H, W), weight (I, O / groups, *kernel)


class _ConvTranspose(ConvParameters):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def extra_sizes(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """How much larger than the smallest output to make it."""
        n = self.dims
        if output_size is None:
            return self.output_padding
        outer = input.dim() - n
        if len(output_size) not in (n, n + outer):
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or "
                f"{n + outer} elements (got {len(output_size)})"
            )
        wanted = list(output_size)[-n:]
        settings = (self.kernel_size, self.stride, each(self.padding, n), self.dilation)
        smallest = stamped_sizes(input.shape[-n:], *settings)
        largest = [size + s - 1 for size, s in zip(smallest, self.stride, strict=True)]
        sizes = zip(smallest, wanted, largest, strict=True)
        if not all(least <= want <= most for least, want, most in sizes):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {smallest} to "
                f"{largest} (for an input of {list(input.shape)})"
            )
        return tuple(want - least for want, least in zip(wanted, smallest, strict=True))

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self.extra_sizes(input, output_size)
        window = (self.stride, each(self.padding, self.dims), extra, self.groups, self.dilation)
        return conv_transpose(self.dims, input, self.weight, self.bias, *window)


class ConvTranspose1d(_ConvTranspose):
    """(N, in_channels, L) to (N, out_channels, L'), longer."""

    dims = 1


class ConvTranspose2d(_ConvTranspose):
    """(N, in_channels, H, W) to (N, out_channels, H', W'), larger (book 13.10)."""

    dims = 2


class ConvTranspose3d(_ConvTranspose):
    """(N, in_channels, D, H, W) to (N, out_channels, D', H', W'), larger."""

    dims = 3
