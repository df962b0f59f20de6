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
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from fathom.scratch.nn.fold import windows
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.sizes import Ints, check_rank, each, window_counts


def reach(
    name: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> list[int]:
    """How many windows there are in each dimension.

    `ceil_mode` admits a last window that hangs over the edge, if it begins before the right border.
    """
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)) or min(padding) < 0:
        raise RuntimeError(
            f"{name}: pad should be at most half of the kernel size, and not negative, but got "
            f"pad={tuple(padding)}, kernel_size={tuple(kernel)}"
        )
    wide = [size + 2 * p for size, p in zip(sizes, padding, strict=True)]
    counts = window_counts(
        name,
        [max(w, span) for w, span in zip(wide, spans, strict=True)] if ceil_mode else wide,
        kernel,
        stride,
        dilation,
    )
    if ceil_mode:
        for at, (w, span, s) in enumerate(zip(wide, spans, stride, strict=True)):
            counts[at] = math.ceil((w - span) / s) + 1
            if (counts[at] - 1) * s >= sizes[at] + padding[at]:
                counts[at] -= 1
        if min(counts) < 1:
            raise RuntimeError(
                f"{name}: an input of sizes {tuple(sizes)} has no room for a window of {spans}, "
                f"even in part: output size {tuple(counts)} is too small"
            )
    return counts


def borders(
    shape: Sequence[int],
    counts: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """What to pad on both sides so that every window is whole, last dimension first."""
    amounts = []
    for dim in range(-1, -len(kernel) - 1, -1):
        seen = (counts[dim] - 1) * stride[dim] + dilation[dim] * (kernel[dim] - 1) + 1
        amounts += [padding[dim], max(seen - shape[dim] - padding[dim], 0)]
    return amounts


# The largest. Which cell it is needs no gradient; its value is then fetched, and fetching has one.


def larger(best: Tensor, at: Tensor, other: Tensor, other_at: Tensor) -> tuple[Tensor, Tensor]:
    """The larger of two, and where it stood. The first wins a draw; not-a-number wins always."""
    better = (other > best) | other.isnan()
    return torch.where(better, other, best), torch.where(better, other_at, at)


def cell_numbers(sizes: Sequence[int], device: torch.device) -> Tensor:
    """Cells numbered in the order of memory: 0, 1, 2, … in the shape `sizes`."""
    return torch.arange(math.prod(sizes), device=device).view(*sizes)


def largest(
    input: Tensor,
    counts: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """The largest cells of all windows and their numbers, both (…, *counts)."""
    border = borders(input.shape, counts, kernel, stride, padding, dilation)
    best = pad(input.detach(), border, value=-math.inf)
    at = cell_numbers(input.shape[-len(kernel) :], input.device)
    at = pad(at[None], border, mode="replicate")  # a window of -inf alone still names a real cell
    for dim in range(-1, -len(kernel) - 1, -1):
        later = (slice(None),) * (-dim - 1)
        candidates = []
        for place in range(kernel[dim]):
            first = place * dilation[dim]
            stop = first + (counts[dim] - 1) * stride[dim] + 1
            cells: tuple[Any, ...] = (..., slice(first, stop, stride[dim]), *later)
            candidates.append((best[cells], at[cells]))
        best, at = candidates[0]
        for candidate in candidates[1:]:
            best, at = larger(best, at, *candidate)
    return best, at.expand(best.shape)


def max_pool(
    n: int,
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest cell of each window, and if wanted, the number of that cell in its plane."""
    name = f"max_pool{n}d"
    check_rank(name, input, n)
    kernel, border, gap = each(kernel_size, n), each(padding, n), each(dilation, n)
    step = kernel if stride is None else each(stride, n)
    counts = reach(name, input.shape[-n:], kernel, step, border, gap, ceil_mode)
    best, at = largest(input, counts, kernel, step, border, gap)
    output = input.flatten(-n).gather(-1, at.flatten(-n)).view(at.shape)
    if any(border):  # with gaps in it, a window can miss all cells of the input
        output = torch.where(best == -math.inf, best, output)
    return (output, at) if return_indices else output


max_pool1d, max_pool2d, max_pool3d = (partial(max_pool, n) for n in (1, 2, 3))


# The mean: a sum along one dimension after another, divided by how many cells were summed.


def avg_pool(
    n: int,
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window; the border counts as zeros, or not at all."""
    name = f"avg_pool{n}d"
    check_rank(name, input, n)
    if divisor_override == 0:
        raise RuntimeError(f"{name}: divisor must be not zero")
    kernel, border, ones = each(kernel_size, n), each(padding, n), (1,) * n
    step = kernel if stride is None else each(stride, n)
    counts = reach(name, input.shape[-n:], kernel, step, border, ones, ceil_mode)
    total = pad(input, borders(input.shape, counts, kernel, step, border, ones))
    for dim in range(-n, 0):
        line = windows(total.transpose(dim, -1), kernel[dim:][:1], step[dim:][:1], (1,), (0,))
        total = line.sum(-1).transpose(dim, -1)
    if divisor_override is not None:
        return total / divisor_override
    if not any(border) and not ceil_mode:
        return total / math.prod(kernel)

    divisor = torch.ones((), device=input.device)
    for size, k, s, edge, count in zip(input.shape[-n:], kernel, step, border, counts, strict=True):
        start = torch.arange(count, device=input.device) * s - edge
        stop = start + k
        if count_include_pad:  # the border counts, what hangs over it does not
            cells = stop.clamp(max=size + edge) - start
        else:
            cells = stop.clamp(max=size) - start.clamp(min=0)
        divisor = divisor[..., None] * cells
    return total / divisor


avg_pool1d, avg_pool2d, avg_pool3d = (partial(avg_pool, n) for n in (1, 2, 3))


def lp_pool(
    n: int,
    input: Tensor,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of x^p)^(1/p) of each window: p = 1 sums, p = infinity would take the largest.

    As torch has it, a window that hangs over the edge is scaled up to a whole one.
    """
    mean = avg_pool(n, input**norm_type, kernel_size, stride, 0, ceil_mode)
    total = mean.sign() * mean.abs() * math.prod(each(kernel_size, n))
    return total ** (1.0 / norm_type)


lp_pool1d, lp_pool2d, lp_pool3d = (partial(lp_pool, n) for n in (1, 2, 3))


class _MaxPool(Module):
    dims: int

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        window = (self.kernel_size, self.stride, self.padding, self.dilation)
        return max_pool(self.dims, input, *window, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """(N, C, L) to (N, C, windows)."""

    dims = 1


class MaxPool2d(_MaxPool):
    """(N, C, H, W) to (N, C, *windows) (book 6.5)."""

    dims = 2


class MaxPool3d(_MaxPool):
    """(N, C, D, H, W) to (N, C, *windows)."""

    dims = 3


class _AvgPool(Module):
    dims: int

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        window = (self.kernel_size, self.stride, self.padding, self.ceil_mode)
        counting = (self.count_include_pad, self.divisor_override)
        return avg_pool(self.dims, input, *window, *counting)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """(N, C, L) to (N, C, windows)."""

    dims = 1

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        step = each(kernel_size if stride is None else stride, 1)
        border = each(padding, 1)
        super().__init__(each(kernel_size, 1), step, border, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """(N, C, H, W) to (N, C, *windows) (book 6.5)."""

    dims = 2


class AvgPool3d(_AvgPool):
    """(N, C, D, H, W) to (N, C, *windows)."""

    dims = 3


class _LPPool(Module):
    dims: int

    def __init__(
        self,
        norm_type: float,
        kernel_size: Ints,
        stride: Ints | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        norm = float(self.norm_type)
        return lp_pool(self.dims, input, norm, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(N, C, L) to (N, C, windows)."""

    dims = 1


class LPPool2d(_LPPool):
    """(N, C, H, W) to (N, C, *windows)."""

    dims = 2


class LPPool3d(_LPPool):
    """(N, C, D, H, W) to (N, C, *windows)."""

    dims = 3
