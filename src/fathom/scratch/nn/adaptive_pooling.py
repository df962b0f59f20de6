"""Pooling to a given output size: adaptive windows, and random ones (fractional).

Source   He et al. 2014, arXiv:1406.4729 (adaptive); Graham 2014, arXiv:1412.6071 (fractional);
         book 7.3.
Differs  Adaptive means are products with a matrix of averages where the sizes do not divide, so an
         infinity there spoils its line, not only its window. Random draws are torch's, in order.
Shapes   (N, C, *sizes) or (C, *sizes) to the same with *output_size; n is 1, 2 or 3 dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.dimensions import functions, layers
from fathom.scratch.nn.sizes import Ints, check_rank, each

OptionalInts = int | None | Sequence[int | None]  # None: as large as the input


def spread(size: int, count: int, device: torch.device) -> Tensor:
    """`count` windows that cover `size` cells evenly, overlapping where it does not divide.

    Returns the positions in each window (count, width). Where another window is longer, the last
    cell is repeated.
    """
    number = torch.arange(count, device=device)
    start = number * size // count
    stop = ((number + 1) * size + count - 1) // count
    positions = start[:, None] + torch.arange(int((stop - start).max()), device=device)
    return positions.minimum(stop[:, None] - 1)


def output_sizes(name: str, input: Tensor, n: int, output_size: OptionalInts) -> list[int]:
    """The output sizes, with the input's in place of None."""
    check_rank(name, input, n)
    sizes = zip(each(output_size, n), input.shape[-n:], strict=True)
    wanted = [size if want is None else want for want, size in sizes]
    if min(wanted) <= 0:
        raise RuntimeError(f"{name}: elements of output_size must be positive, got {wanted}")
    return wanted


def averages(size: int, count: int, like: Tensor) -> Tensor:
    """The matrix (count, size) that takes cells to the means of their windows."""
    cell = torch.arange(size, device=like.device)
    positions = spread(size, count, like.device)
    member = (cell >= positions[:, :1]) & (cell <= positions[:, -1:])
    return member.to(like.dtype) / member.sum(1, keepdim=True)


def adaptive_avg_pool(n: int, input: Tensor, output_size: OptionalInts) -> Tensor:
    """The mean of each window: one dimension after another."""
    wanted = output_sizes(f"adaptive_avg_pool{n}d", input, n, output_size)
    for dim, count in zip(range(-n, 0), wanted, strict=True):
        size = input.shape[dim]
        if size % count == 0:  # windows side by side
            input = input.unflatten(dim, (count, size // count)).mean(dim)
        else:
            weights = averages(size, count, input).t()
            input = (input.transpose(dim, -1) @ weights).transpose(dim, -1)
    return input.contiguous()


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = functions(adaptive_avg_pool)
AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = layers(
    "AdaptiveAvgPool", adaptive_avg_pool, "output_size={output_size}"
)


def largest_of(input: Tensor, positions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The largest cell of each window and its number, (…, *counts).

    `positions` has, for each dimension, the cells along it (…, count, width) of every window.
    """
    n = len(positions)
    numbers: Tensor = torch.zeros((), dtype=torch.int64, device=input.device)
    for axis, (size, along) in enumerate(zip(input.shape[-n:], positions, strict=True)):
        # Windows are numbered by the first n dimensions of `numbers`, cells in them by the last n.
        beside = [1] * (2 * n)
        beside[axis], beside[n + axis] = along.shape[-2:]
        numbers = numbers * size + along.reshape(*along.shape[:-2], *beside)
    counts = numbers.shape[-2 * n : -n]
    numbers = numbers.flatten(-n).flatten(-n - 1, -2)  # (…, windows, cells)
    numbers = numbers.expand(*input.shape[:-n], *numbers.shape[-2:])
    planes = input.flatten(-n)
    cells = planes.detach().gather(-1, numbers.flatten(-2)).view(numbers.shape)
    at = numbers.gather(-1, cells.max(-1, keepdim=True).indices).squeeze(-1)
    output = planes.gather(-1, at)
    return output.unflatten(-1, counts), at.unflatten(-1, counts)


def adaptive_max_pool(
    n: int, input: Tensor, output_size: OptionalInts, return_indices: bool = False
) -> Any:
    """The largest cell of each window, and if wanted, its number in its plane."""
    wanted = output_sizes(f"adaptive_max_pool{n}d", input, n, output_size)
    sizes = zip(input.shape[-n:], wanted, strict=True)
    positions = [spread(size, count, input.device) for size, count in sizes]
    output, at = largest_of(input, positions)  # that a cell is repeated changes no maximum
    return (output, at) if return_indices else output


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = functions(adaptive_max_pool)
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = layers(
    "AdaptiveMaxPool", adaptive_max_pool, "output_size={output_size}"
)


def random_starts(samples: Tensor, size: int, width: int, count: int) -> Tensor:
    """Where `count` windows of `width` begin: evenly but for rounding, shifted by `samples`.

    `samples` (N, C) in [0, 1) make (N, C, count). The last window ends where the input does.
    """
    step = (size - width) / max(count - 1, 1)
    number = torch.arange(count - 1, device=samples.device)
    shifted = ((number + samples[..., None]) * step).long() - (samples[..., None] * step).long()
    return torch.cat((shifted, shifted.new_full((*samples.shape, 1), size - width)), -1)


def fractional_max_pool(
    n: int, input: Tensor, kernel_size: Ints, output_size: Ints | None = None,
    output_ratio: float | Sequence[float] | None = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest cell of windows whose places are drawn anew for each plane and call."""
    name = f"fractional_max_pool{n}d"
    check_rank(name, input, n)
    kernel, sizes = each(kernel_size, n), input.shape[-n:]
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    counts = each(output_size, n)
    if output_size is None:
        ratios = zip(sizes, each(output_ratio, n), strict=True)
        counts = tuple(int(size * ratio) for size, ratio in ratios)
    windows = list(zip(sizes, kernel, counts, strict=True))
    if any(not 0 < count <= size - width + 1 for size, width, count in windows):
        given = f"{counts} windows of kernel_size={kernel}"
        raise RuntimeError(f"{name}: {given} do not fit into the input {list(input.shape)}")
    batch = input if input.dim() == n + 2 else input[None]
    samples, drawn = _random_samples, (*batch.shape[:2], n)
    if samples is None:
        samples = torch.rand(drawn, dtype=input.dtype, device=input.device)
    samples = samples[: len(batch)]  # torch, too, takes more than there are examples
    if samples.shape != drawn:
        raise RuntimeError(f"{name}: _random_samples must be {drawn}, got {tuple(samples.shape)}")
    # In two dimensions torch draws the width first, in three the depth.
    draws = samples.unbind(-1)[:: -1 if n == 2 else 1]
    starts = [random_starts(draw, *window) for draw, window in zip(draws, windows, strict=True)]
    steps = [torch.arange(width, device=input.device) for width in kernel]
    positions = [start[..., None] + step for start, step in zip(starts, steps, strict=True)]
    found = largest_of(batch, positions)
    output, at = found if input.dim() == n + 2 else (found[0][0], found[1][0])
    return (output, at) if return_indices else output


def check_fractions(n: int, settings: dict[str, Any]) -> None:
    """Settings as tuples; raises ValueError for those without sense."""
    for name in ("kernel_size", "output_size", "output_ratio"):
        settings[name] = None if settings[name] is None else each(settings[name], n)
    kernel, size, ratio = (settings[k] for k in ("kernel_size", "output_size", "output_ratio"))
    if min(kernel) <= 0:
        raise ValueError(f"kernel_size must be greater than 0, but got {kernel}")
    if (size is None) == (ratio is None):
        given = f"output_size, {size}, or output_ratio, {ratio}"
        raise ValueError(f"FractionalMaxPool{n}d needs either {given}, and not both")
    if ratio and not all(0 < part < 1 for part in ratio):
        raise ValueError(f"output_ratio must be between 0 and 1 (got {ratio})")


fractional_max_pool2d, fractional_max_pool3d = functions(fractional_max_pool, (2, 3))
FractionalMaxPool2d, FractionalMaxPool3d = layers(  # which print nothing
    "FractionalMaxPool", fractional_max_pool, "{kernel_size!s:.0}", dims=(2, 3),
    prepare=check_fractions,
)  # fmt: skip
