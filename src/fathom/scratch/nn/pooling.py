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
from fathom.scratch.nn.fold import add_windows, windows
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Axes, Axis, Ints, check_fit, check_rank, each, sliding


def prepare(
    name: str, input: Tensor, n: int, axes: list[Axis], ceil_mode: bool
) -> tuple[list[int], list[int]]:
    """(how many windows there are in each dimension, what to pad so that all of them are whole).

    `ceil_mode` admits a last window that hangs over the edge, if it begins before the right border.
    """
    check_rank(name, input, n)
    if any(2 * axis.padding > axis.kernel for axis in axes):
        raise RuntimeError(
            f"{name}: pad should be at most half of the kernel size, but got pad="
            f"{[axis.padding for axis in axes]}, kernel_size={[axis.kernel for axis in axes]}"
        )
    counts: list[int] = []
    amounts: list[int] = []  # the last dimension first
    for size, axis in zip(input.shape[-n:], axes, strict=True):
        count = axis.count(size + (axis.stride - 1 if ceil_mode else 0))
        if ceil_mode and (count - 1) * axis.stride >= size + axis.padding:
            count -= 1
        after = (count - 1) * axis.stride + axis.span - size - axis.padding
        counts.append(count)
        amounts = [axis.padding, max(after, 0), *amounts]
    if min(counts) < 1:
        check_fit(name, input.shape[-n:], axes)
        raise RuntimeError(f"{name}: output size {counts} for {list(input.shape)} is too small")
    return counts, amounts


WINDOW = "kernel_size={kernel_size}, stride={stride}, padding={padding}"


def side_by_side(n: int, window: dict[str, Any]) -> None:
    """Without a stride, windows stand side by side."""
    window["stride"] = window["kernel_size"] if window["stride"] is None else window["stride"]


# The largest. Which cell it is needs no gradient; its value is then fetched, and fetching has one.


def larger(best: Tensor, at: Tensor, other: Tensor, other_at: Tensor) -> tuple[Tensor, Tensor]:
    """The larger of two, and where it stood. The first wins a draw; not-a-number wins always."""
    better = (other > best) | other.isnan()
    return torch.where(better, other, best), torch.where(better, other_at, at)


def largest(
    input: Tensor, axes: Axes, counts: Sequence[int], amounts: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The largest cells of all windows and their numbers in memory, both (…, *counts)."""
    sizes = input.shape[-len(axes) :]
    best = pad(input.detach(), amounts, value=-math.inf)
    at = torch.arange(math.prod(sizes), device=input.device).view(1, *sizes)
    at = pad(at, amounts, mode="replicate")  # a window of border alone still names a real cell
    for dim in range(-1, -len(axes) - 1, -1):
        axis, later = axes[dim], (slice(None),) * (-dim - 1)
        candidates = []
        for place in range(axis.kernel):
            first = place * axis.dilation
            stop = first + (counts[dim] - 1) * axis.stride + 1
            cells: tuple[Any, ...] = (..., slice(first, stop, axis.stride), *later)
            candidates.append((best[cells], at[cells]))
        best, at = candidates[0]
        for candidate in candidates[1:]:
            best, at = larger(best, at, *candidate)
    return best, at.expand(best.shape)


def max_pool(
    n: int, input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
    dilation: Ints = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest cell of each window, and if wanted, the number of that cell in its plane."""
    name, step = f"max_pool{n}d", kernel_size if stride is None else stride
    axes = sliding(name, n, kernel_size, step, padding, dilation)
    counts, amounts = prepare(name, input, n, axes, ceil_mode)
    best, at = largest(input, axes, counts, amounts)
    output = input.flatten(-n).gather(-1, at.flatten(-n)).view(at.shape)
    if any(amounts):  # with gaps in it, a window can miss all cells of the input
        output = torch.where(best == -math.inf, best, output)
    return (output, at) if return_indices else output


ORDER = "return_indices ceil_mode"  # in the layers; the functions have it the other way round
max_pool1d, max_pool2d, max_pool3d = functions(max_pool)
MaxPool1d, MaxPool2d, MaxPool3d = layers(
    "MaxPool", max_pool, f"{WINDOW}, dilation={{dilation}}, ceil_mode={{ceil_mode}}",
    prepare=side_by_side, order=ORDER,
)  # fmt: skip


# The mean: a sum along one dimension after another, divided by how many cells were summed.


class _SumAlong(Function):
    """The sums of windows along the last dimension: of few cells, so whole tensors are added."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: Axis) -> Tensor:
        ctx.size, ctx.axis = x.shape[-1], axis
        return reduce(torch.add, windows(x, [axis]).unbind(-1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        views = gradient[..., None].expand(*gradient.shape, ctx.axis.kernel)
        return add_windows(views, [ctx.size], [ctx.axis]), None


def avg_pool(
    n: int, input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window; the border counts as zeros, or not at all."""
    name, step = f"avg_pool{n}d", kernel_size if stride is None else stride
    if divisor_override == 0:
        raise RuntimeError(f"{name}: divisor must be not zero")
    axes = sliding(name, n, kernel_size, step, padding)
    counts, amounts = prepare(name, input, n, axes, ceil_mode)
    total = pad(input, amounts)
    for dim, axis in zip(range(-n, 0), axes, strict=True):
        line = total.transpose(dim, -1)
        total = _SumAlong.apply(line, axis._replace(padding=0)).transpose(dim, -1)
    if divisor_override is not None:
        return total / divisor_override
    if not any(amounts):
        return total / math.prod(axis.kernel for axis in axes)

    divisor = torch.ones((), device=input.device)
    for size, axis, count in zip(input.shape[-n:], axes, counts, strict=True):
        start = torch.arange(count, device=input.device) * axis.stride - axis.padding
        stop = start + axis.kernel
        if count_include_pad:  # the border counts, what hangs over it does not
            cells = stop.clamp(max=size + axis.padding) - start
        else:
            cells = stop.clamp(max=size) - start.clamp(min=0)
        divisor = divisor[..., None] * cells
    return total / divisor


def one_for_each(n: int, window: dict[str, Any]) -> None:
    """Tuples, which torch keeps here and there in place of what it was given."""
    side_by_side(n, window)
    window.update({name: each(window[name], n) for name in ("kernel_size", "stride", "padding")})


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
    norm_type = float(norm_type)
    mean = avg_pool(n, input**norm_type, kernel_size, stride, 0, ceil_mode)
    total = mean.sign() * mean.abs() * math.prod(each(kernel_size, n))
    return total ** (1.0 / norm_type)


lp_pool1d, lp_pool2d, lp_pool3d = functions(lp_pool)
LPPool1d, LPPool2d, LPPool3d = layers(
    "LPPool", lp_pool,
    "norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, ceil_mode={ceil_mode}",
)  # fmt: skip
