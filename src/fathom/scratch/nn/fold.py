"""Sliding windows: take every window out of a tensor, and its adjoint, add every window back.

Source   Dumoulin and Visin 2016, arXiv:1603.07285; book 6.2, 6.3, 13.10.
Differs  Nothing. Convolution, pooling and their transposes are all written with these two.
Shapes   N batch, C channels, any number n of dimensions: `x_NCS` is (N, C, *sizes); windows are
         (N, C, *counts, *kernel): where the window is, then where one is inside the window.

Taking windows copies nothing: it only counts steps through memory differently. A window's
neighbour begins `stride` cells further, a cell's neighbour in a window is `dilation` cells away.
Each of the two is the other's derivative, since both are linear and each is the other's transpose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.nn import Module

from fathom.scratch.nn.sizes import Ints, each, window_counts

Sizes = Sequence[int]


def inside(padding: Sizes, sizes: Sizes) -> tuple[Any, ...]:
    """The index of a tensor's own cells within its padded copy."""
    return (..., *(slice(p, p + size) for p, size in zip(padding, sizes, strict=True)))


def with_border(x: Tensor, padding: Sizes, value: float = 0.0) -> Tensor:
    """`x` with `padding` cells of `value` on both sides of its last dimensions."""
    if not any(padding):
        return x
    sizes = x.shape[-len(padding) :]
    wide = [size + 2 * p for size, p in zip(sizes, padding, strict=True)]
    bordered = x.new_full((*x.shape[: -len(padding)], *wide), value)
    bordered[inside(padding, sizes)] = x
    return bordered


def cells_of(counts: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[Any]:
    """For each place in the window: (the place, the cells of the padded input that it visits)."""
    for place in product(*map(range, kernel)):
        starts = [at * d for at, d in zip(place, dilation, strict=True)]
        yield (
            (..., *place),
            (
                ...,
                *(
                    slice(start, start + s * (count - 1) + 1, s)
                    for start, s, count in zip(starts, stride, counts, strict=True)
                ),
            ),
        )


class _Windows(Function):
    """(…, *sizes) to (…, *counts, *kernel)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Sizes, stride: Sizes, dilation: Sizes, padding: Sizes
    ) -> Tensor:
        n = len(kernel)
        ctx.sizes, ctx.settings = x.shape[-n:], (kernel, stride, dilation, padding)
        wide = with_border(x, padding)
        settings = zip(wide.shape[-n:], kernel, stride, dilation, strict=True)
        counts = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in settings]
        steps = wide.stride()[-n:]
        return wide.as_strided(
            (*wide.shape[:-n], *counts, *kernel),
            (
                *wide.stride()[:-n],
                *(step * s for step, s in zip(steps, stride, strict=True)),
                *(step * d for step, d in zip(steps, dilation, strict=True)),
            ),
            wide.storage_offset(),
        )

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _AddWindows.apply(gradient, ctx.sizes, *ctx.settings), None, None, None, None


class _AddWindows(Function):
    """(…, *counts, *kernel) to (…, *sizes): a cell seen by several windows gets their sum."""

    @staticmethod
    def forward(
        ctx: Any,
        windows: Tensor,
        sizes: Sizes,
        kernel: Sizes,
        stride: Sizes,
        dilation: Sizes,
        padding: Sizes,
    ) -> Tensor:
        ctx.settings = (kernel, stride, dilation, padding)
        n = len(kernel)
        wide = [size + 2 * p for size, p in zip(sizes, padding, strict=True)]
        total = windows.new_zeros((*windows.shape[: -2 * n], *wide))
        counts = windows.shape[-2 * n : -n]
        for place, cells in cells_of(counts, kernel, stride, dilation):
            total[cells] += windows[place]
        return total[inside(padding, sizes)].contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Windows.apply(gradient, *ctx.settings), None, None, None, None, None


def windows(x: Tensor, kernel: Sizes, stride: Sizes, dilation: Sizes, padding: Sizes) -> Tensor:
    """Every window of `x` (…, *sizes), zero-padded, as a view (…, *counts, *kernel)."""
    return _Windows.apply(x, kernel, stride, dilation, padding)


def add_windows(
    windows: Tensor, sizes: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes, padding: Sizes
) -> Tensor:
    """The adjoint: (…, *counts, *kernel) to (…, *sizes), adding where windows overlap."""
    return _AddWindows.apply(windows, sizes, kernel, stride, dilation, padding)


# The two under torch's names, for pictures: windows as columns of a matrix.


def unfold(
    input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """(N, C, H, W) to (N, C * kernel, windows), or without N."""
    if input.dim() not in (3, 4) or 0 in input.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    kernel, step, gap, border = (each(v, 2) for v in (kernel_size, stride, dilation, padding))
    wide = [size + 2 * p for size, p in zip(input.shape[-2:], border, strict=True)]
    window_counts("unfold", wide, kernel, step, gap)
    views = windows(input, kernel, step, gap, border)  # (…, C, rows, columns, kh, kw)
    columns = views.movedim((-2, -1), (-4, -3))
    channels = columns.shape[-5] * math.prod(kernel)
    return columns.reshape(*input.shape[:-3], channels, math.prod(columns.shape[-2:]))


def fold(
    input: Tensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """(N, C * kernel, windows) to (N, C, *output_size): add the windows back; or without N."""
    sizes = each(output_size, 2)
    kernel, step, gap, border = (each(v, 2) for v in (kernel_size, stride, dilation, padding))
    wide = [size + 2 * p for size, p in zip(sizes, border, strict=True)]
    counts = window_counts("fold", wide, kernel, step, gap)
    taps = math.prod(kernel)
    if input.dim() not in (2, 3) or input.shape[-2] % taps:
        raise RuntimeError(
            f"fold: expected input of sizes (N, C * {taps}, windows), since the kernel has {taps} "
            f"cells, or without N, but got {list(input.shape)}"
        )
    if input.shape[-1] != math.prod(counts):
        raise RuntimeError(
            f"fold: an output of {tuple(sizes)} has {counts[0]} * {counts[1]} windows of "
            f"{tuple(kernel)}, but the input {list(input.shape)} has {input.shape[-1]}"
        )
    columns = input.reshape(*input.shape[:-2], input.shape[-2] // taps, *kernel, *counts)
    return add_windows(columns.movedim((-4, -3), (-2, -1)), sizes, kernel, step, gap, border)


class _Sliding(Module):
    """Keeps how a window slides."""

    def __init__(self, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def settings_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Unfold(_Sliding):
    """(N, C, H, W) to (N, C * kernel, windows)."""

    def __init__(
        self, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)

    def forward(self, input: Tensor) -> Tensor:
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return self.settings_repr()


class Fold(_Sliding):
    """(N, C * kernel, windows) to (N, C, *output_size), adding where windows overlap."""

    def __init__(
        self,
        output_size: Ints,
        kernel_size: Ints,
        dilation: Ints = 1,
        padding: Ints = 0,
        stride: Ints = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        settings = (self.kernel_size, self.dilation, self.padding, self.stride)
        return fold(input, self.output_size, *settings)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {self.settings_repr()}"
