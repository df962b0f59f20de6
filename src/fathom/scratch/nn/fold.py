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

from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Axes, Axis, Ints, check_fit, check_rank, each, sliding


def along(x: Tensor, dim: int, axis: Axis) -> Tensor:
    """The windows along one dimension, as a view: `dim` counts them, a last one their cells."""
    if axis.span == axis.stride == 1:  # each cell is a window; there may be none
        return x[..., None]
    x = x.unfold(dim, axis.span, axis.stride)
    return x if axis.dilation == 1 else x[..., :: axis.dilation]


def seen(x: Tensor, axes: Axes) -> Tensor:
    """The windows of `x` (…, *sizes) as it lies, without borders: a view (…, *counts, *kernel)."""
    for dim, axis in enumerate(axes, start=x.dim() - len(axes)):
        x = along(x, dim, axis)
    return x


def places(axes: Axes) -> Iterator[tuple[Any, ...]]:
    """The indices of the cells of a window (…, *kernel), one after another."""
    return ((..., *place) for place in product(*(range(axis.kernel) for axis in axes)))


class _Windows(Function):
    """(…, *sizes) to (…, *counts, *kernel)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: Axes) -> Tensor:
        ctx.sizes, ctx.axes = x.shape[-len(axes) :], axes
        return seen(x, axes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _AddWindows.apply(gradient, ctx.sizes, ctx.axes), None


class _AddWindows(Function):
    """(…, *counts, *kernel) to (…, *sizes): a cell seen by several windows gets their sum."""

    @staticmethod
    def forward(ctx: Any, views: Tensor, sizes: Sequence[int], axes: Axes) -> Tensor:
        ctx.axes = axes
        total = views.new_zeros(*views.shape[: -2 * len(axes)], *sizes)
        cells = seen(total, axes)
        for place in places(axes):  # windows may overlap; their cells of one place do not
            cells[place].add_(views[place])
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Windows.apply(gradient, ctx.axes), None, None


def windows(x: Tensor, axes: Axes) -> Tensor:
    """Every window of `x` (…, *sizes), with borders of zeros, as a view (…, *counts, *kernel)."""
    return _Windows.apply(pad(x, axes.borders), axes)


def add_windows(views: Tensor, sizes: Sequence[int], axes: Axes) -> Tensor:
    """The adjoint: (…, *counts, *kernel) to (…, *sizes), adding where windows overlap."""
    total = _AddWindows.apply(views, axes.with_borders(sizes), axes)
    return pad(total, [-amount for amount in axes.borders])


# The two under torch's names, for pictures: windows as columns of a matrix.


def unfold(
    input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """(N, C, H, W) to (N, C * kernel, windows), or without N."""
    check_rank("unfold", input, 2)
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
    sizes = each(output_size, 2)
    check_fit("fold", sizes, axes)
    kernel, counts = [axis.kernel for axis in axes], axes.counts(sizes)
    cells, places = math.prod(kernel), math.prod(counts)
    if input.dim() not in (2, 3) or input.shape[-2] % cells or input.shape[-1] != places:
        given = f"an output of {sizes} has {counts[0]} * {counts[1]} windows of {cells} cells"
        wanted = f"(N, C * {cells}, {places}), or without N"
        raise RuntimeError(f"fold: {given}, expected {wanted}, but got {list(input.shape)}")
    columns = input.unflatten(-1, counts).unflatten(-3, (-1, *kernel))
    return add_windows(columns.movedim((-4, -3), (-2, -1)), sizes, axes)


WINDOW = "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}"
Unfold = layer("Unfold", unfold, WINDOW)
Fold = layer("Fold", fold, "output_size={output_size}, " + WINDOW)
