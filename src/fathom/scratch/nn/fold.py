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
from collections.abc import Sequence
from itertools import product
from typing import Any

from torch import Tensor
from torch.autograd import Function

from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.sizes import Axes, Ints, check_fit, sliding


def inside(sizes: Sequence[int], axes: Axes) -> tuple[Any, ...]:
    """The index of a tensor's own cells within its copy with borders."""
    own = zip(sizes, axes, strict=True)
    return (..., *(slice(axis.padding, axis.padding + size) for size, axis in own))


def with_borders(sizes: Sequence[int], axes: Axes) -> list[int]:
    """The sizes with what is padded on both sides."""
    return [size + 2 * axis.padding for size, axis in zip(sizes, axes, strict=True)]


def cells_at(place: Sequence[int], axes: Axes, counts: Sequence[int]) -> tuple[Any, ...]:
    """The index of the cells that stand at this place in some window."""
    cells: list[Any] = [...]
    for at, axis, count in zip(place, axes, counts, strict=True):
        first = at * axis.dilation
        cells.append(slice(first, first + (count - 1) * axis.stride + 1, axis.stride))
    return tuple(cells)


class _Windows(Function):
    """(…, *sizes) to (…, *counts, *kernel)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: Axes) -> Tensor:
        outer, sizes = x.shape[: -len(axes)], x.shape[-len(axes) :]
        ctx.sizes, ctx.axes = sizes, axes
        if any(axis.padding for axis in axes):
            wide = x.new_zeros(*outer, *with_borders(sizes, axes))
            wide[inside(sizes, axes)] = x
            x = wide
        counts = [axis.count(size) for size, axis in zip(sizes, axes, strict=True)]
        steps = x.stride()[-len(axes) :]
        strides = [step * axis.stride for step, axis in zip(steps, axes, strict=True)]
        dilations = [step * axis.dilation for step, axis in zip(steps, axes, strict=True)]
        return x.as_strided(
            (*outer, *counts, *(axis.kernel for axis in axes)),
            (*x.stride()[: -len(axes)], *strides, *dilations),
            x.storage_offset(),
        )

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _AddWindows.apply(gradient, ctx.sizes, ctx.axes), None


class _AddWindows(Function):
    """(…, *counts, *kernel) to (…, *sizes): a cell seen by several windows gets their sum."""

    @staticmethod
    def forward(ctx: Any, views: Tensor, sizes: Sequence[int], axes: Axes) -> Tensor:
        ctx.axes, n = axes, len(axes)
        total = views.new_zeros((*views.shape[: -2 * n], *with_borders(sizes, axes)))
        counts = views.shape[-2 * n : -n]
        at_place = views.movedim(list(range(-n, 0)), list(range(n)))
        for place in product(*(range(axis.kernel) for axis in axes)):
            total[cells_at(place, axes, counts)] += at_place[place]
        return total[inside(sizes, axes)].contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Windows.apply(gradient, ctx.axes), None, None


def windows(x: Tensor, axes: Axes) -> Tensor:
    """Every window of `x` (…, *sizes), with borders of zeros, as a view (…, *counts, *kernel)."""
    return _Windows.apply(x, axes)


def add_windows(views: Tensor, sizes: Sequence[int], axes: Axes) -> Tensor:
    """The adjoint: (…, *counts, *kernel) to (…, *sizes), adding where windows overlap."""
    return _AddWindows.apply(views, sizes, axes)


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
    axes = sliding("unfold", 2, kernel_size, stride, padding, dilation)
    check_fit("unfold", input.shape[-2:], axes)
    columns = windows(input, axes).movedim((-2, -1), (-4, -3))  # (…, C, kh, kw, rows, columns)
    return columns.flatten(-2).flatten(-4, -2)


def fold(
    input: Tensor, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:  # fmt: skip
    """(N, C * kernel, windows) to (N, C, *output_size): add the windows back; or without N."""
    axes = sliding("fold", 2, kernel_size, stride, padding, dilation)
    sizes = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    check_fit("fold", sizes, axes)
    kernel = [axis.kernel for axis in axes]
    counts = [axis.count(size) for size, axis in zip(sizes, axes, strict=True)]
    taps = math.prod(kernel)
    if input.dim() not in (2, 3) or input.shape[-2] % taps:
        raise RuntimeError(
            f"fold: expected input of sizes (N, C * {taps}, windows), since the kernel has {taps} "
            f"cells, or without N, but got {list(input.shape)}"
        )
    if input.shape[-1] != math.prod(counts):
        raise RuntimeError(
            f"fold: an output of {sizes} has {counts[0]} * {counts[1]} windows of "
            f"{tuple(kernel)}, but the input {list(input.shape)} has {input.shape[-1]}"
        )
    columns = input.reshape(*input.shape[:-2], input.shape[-2] // taps, *kernel, *counts)
    return add_windows(columns.movedim((-4, -3), (-2, -1)), sizes, axes)


WINDOW = "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}"
Unfold = layer("Unfold", unfold, WINDOW)
Fold = layer("Fold", fold, "output_size={output_size}, " + WINDOW)
