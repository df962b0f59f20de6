"""Pooling: the largest, the mean or the p-norm of every window.

Source   Riesenhuber and Poggio 1999 (max); Gulcehre et al. 2014, arXiv:1311.1780
         (p-norm); book 6.5.
Differs  Nothing. Both the largest and the sum of a window can be found one dimension at a time,
         which takes kh + kw steps for a window of kh * kw cells.
Shapes   (N, C, *sizes) or (C, *sizes) to the same with *counts; n is 1, 2 or 3 dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from fathom.scratch.nn.dimensions import functions, layers
from fathom.scratch.nn.fold import add_windows, along
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Axes, Axis, Ints, check_fit, check_rank, each, sliding


def prepare(name: str, input: Tensor, axes: Axes, ceil_mode: bool) -> tuple[list[int], list[int]]:
    """(how many windows there are in each dimension, what to pad so that all of them are whole).

    `ceil_mode` admits a last window that hangs over the edge, if it begins before the right border.
    """
    check_rank(name, input, len(axes))
    for axis in axes:
        if 2 * axis.padding > axis.kernel:
            given = f"pad={axis.padding}, kernel_size={axis.kernel}"
            raise RuntimeError(f"{name}: pad should be at most half of the kernel, got {given}")
    sizes = input.shape[-len(axes) :]
    counts: list[int] = []
    amounts: list[int] = []  # the last dimension first
    for size, axis in zip(sizes, axes, strict=True):
        count = axis.count(size + (axis.stride - 1 if ceil_mode else 0))
        if ceil_mode and (count - 1) * axis.stride >= size + axis.padding:
            count -= 1
        after = (count - 1) * axis.stride + axis.span - size - axis.padding
        counts.append(count)
        amounts = [axis.padding, max(after, 0), *amounts]
    if min(counts) < 1:  # a window that hangs over the edge counts, although it does not fit
        check_fit(name, sizes, axes)
    return counts, amounts


WINDOW = "kernel_size={kernel_size}, stride={stride}, padding={padding}"


def side_by_side(n: int, window: dict[str, Any]) -> None:
    """Without a stride, windows stand side by side."""
    window["stride"] = window["kernel_size"] if window["stride"] is None else window["stride"]


def one_for_each(n: int, window: dict[str, Any]) -> None:
    """Tuples, which torch keeps here and there in place of what it was given."""
    side_by_side(n, window)
    window.update({name: each(window[name], n) for name in ("kernel_size", "stride", "padding")})


# The largest. Which cell it is needs no gradient; its value is then fetched, and fetching has one.

Cells = tuple[Tensor, Tensor]  # what they hold, and their numbers in their plane


def larger(one: Cells, other: Cells) -> Cells:
    """The larger of two cells. The first wins a draw; not-a-number wins always."""
    better = (other[0] > one[0]) | other[0].isnan()
    return torch.where(better, other[0], one[0]), torch.where(better, other[1], one[1])


def largest(input: Tensor, axes: Axes, amounts: Sequence[int]) -> Cells:
    """The largest cells of all windows, (…, *counts)."""
    sizes = input.shape[-len(axes) :]
    best = pad(input.detach(), amounts, value=-math.inf)
    at = torch.arange(sizes.numel(), device=input.device).view(1, *sizes)
    at = pad(at, amounts, mode="replicate")  # a window of border alone still names a real cell
    for dim in reversed(range(-len(axes), 0)):  # the last one first: the first of a draw wins
        cells = (along(each, dim, axes[dim]).unbind(-1) for each in (best, at))
        best, at = reduce(larger, zip(*cells, strict=True))
    return best, at.expand(best.shape)


def max_pool(
    n: int, input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
    dilation: Ints = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest cell of each window, and if wanted, the number of that cell in its plane."""
    axes = sliding(f"max_pool{n}d", n, kernel_size, stride, padding, dilation)
    _, amounts = prepare(f"max_pool{n}d", input, axes, ceil_mode)
    best, at = largest(input, axes, amounts)
    output = input.flatten(-n).gather(-1, at.flatten(-n)).view(at.shape)
    if any(amounts):  # with gaps in it, a window can miss all cells of the input
        output = torch.where(best == -math.inf, best, output)
    return (output, at) if return_indices else output


# torch's layers take the last two in another order than its functions.
def max_pool_layer(
    n: int, input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
    dilation: Ints = 1, return_indices: bool = False, ceil_mode: bool = False,
) -> Any:  # fmt: skip
    """The largest cell of each window, and if wanted, the number of that cell in its plane."""
    return max_pool(n, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


max_pool1d, max_pool2d, max_pool3d = functions(max_pool)
MaxPool1d, MaxPool2d, MaxPool3d = layers(
    "MaxPool", max_pool_layer, f"{WINDOW}, dilation={{dilation}}, ceil_mode={{ceil_mode}}",
    prepare=side_by_side,
)  # fmt: skip


# The mean: a sum along one dimension after another, divided by how many cells were summed.


class _SumAlong(Function):
    """The sums of windows along the last dimension: of few cells, so whole tensors are added."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: Axis) -> Tensor:
        ctx.size, ctx.axis = x.shape[-1], axis
        return reduce(torch.add, along(x, -1, axis).unbind(-1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        views = gradient[..., None].expand(*gradient.shape, ctx.axis.kernel)
        return add_windows(views, [ctx.size], Axes([ctx.axis])), None


def avg_pool(
    n: int, input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window; the border counts as zeros, or not at all."""
    if divisor_override == 0:
        raise RuntimeError(f"avg_pool{n}d: divisor must be not zero")
    axes = sliding(f"avg_pool{n}d", n, kernel_size, stride, padding)
    counts, amounts = prepare(f"avg_pool{n}d", input, axes, ceil_mode)
    total = pad(input, amounts)
    for dim, axis in zip(range(-n, 0), axes, strict=True):
        line = total.transpose(dim, -1)
        total = _SumAlong.apply(line, Axis(axis.kernel, axis.stride)).transpose(dim, -1)
    if divisor_override or not any(amounts):
        return total / (divisor_override or math.prod(axis.kernel for axis in axes))
    divisor = input.new_ones(())
    for size, axis, count in zip(input.shape[-n:], axes, counts, strict=True):
        # The border counts or not, what hangs over it never does.
        border = axis.padding if count_include_pad else 0
        start = torch.arange(count, device=input.device) * axis.stride - axis.padding
        cells = (start + axis.kernel).clamp(max=size + border) - start.clamp(min=-border)
        divisor = divisor[..., None] * cells
    return total / divisor


avg_pool1d, avg_pool2d, avg_pool3d = functions(avg_pool)
AvgPool2d, AvgPool3d = layers("AvgPool", avg_pool, WINDOW, dims=(2, 3), prepare=side_by_side)
[AvgPool1d] = layers(
    "AvgPool", avg_pool, WINDOW, dims=(1,), prepare=one_for_each, without="divisor_override"
)


def lp_pool(
    n: int, input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """(sum of x^p)^(1/p) of each window: p = 1 sums, p = infinity would take the largest.

    As torch has it, a window that hangs over the edge is scaled up to a whole one.
    """
    mean = avg_pool(n, input ** float(norm_type), kernel_size, stride, 0, ceil_mode)
    total = mean.sign() * mean.abs() * math.prod(each(kernel_size, n))  # no slope at zero
    return total ** (1.0 / norm_type)


lp_pool1d, lp_pool2d, lp_pool3d = functions(lp_pool)
LPPool1d, LPPool2d, LPPool3d = layers(
    "LPPool", lp_pool,
    "norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, ceil_mode={ceil_mode}",
)  # fmt: skip
