"""How a window slides along each dimension of space, and errors that name sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Ints = int | Sequence[int]  # one number for all dimensions, or one for each


def each(value: Any, n: int) -> tuple[Any, ...]:
    """`value` as `n` values: repeated, unless it is a sequence already."""
    values = tuple(value) if isinstance(value, Iterable) else (value,)
    if len(values) not in (1, n):
        raise RuntimeError(f"expected one number or {n}, one for each dimension, got {values}")
    return values if len(values) == n else values * n


class Axis(NamedTuple):
    """One dimension of a sliding window."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def span(self) -> int:
        """From the first cell of a window to the last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    def count(self, size: int) -> int:
        """How many windows fit into `size` cells and their borders."""
        return (size + 2 * self.padding - self.span) // self.stride + 1

    def size(self, count: int) -> int:
        """The fewest cells that have `count` windows."""
        return (count - 1) * self.stride + self.span - 2 * self.padding


Axes = Sequence[Axis]


def sliding(
    name: str, n: int, kernel: Ints, stride: Ints = 1, padding: Ints = 0, dilation: Ints = 1
) -> list[Axis]:
    """The axes of a window in `n` dimensions; raises RuntimeError for numbers without sense."""
    words = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
    for word, numbers in words.items():
        if min(each(numbers, n)) <= 0:
            raise RuntimeError(f"{name}: {word} should be greater than zero, but got {numbers}")
    if min(each(padding, n)) < 0:
        raise RuntimeError(f"{name}: negative padding is not supported, got {padding}")
    columns = (each(numbers, n) for numbers in (kernel, stride, padding, dilation))
    return [Axis(*numbers) for numbers in zip(*columns, strict=True)]


def check_rank(name: str, x: Tensor, n: int) -> None:
    """`x` must be (C, *sizes) or (N, C, *sizes), with `n` sizes, none of which is zero."""
    if x.dim() not in (n + 1, n + 2) or 0 in x.shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}: non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input, "
            f"but got sizes {list(x.shape)}"
        )


def check_fit(name: str, sizes: Sequence[int], axes: Axes) -> None:
    """Raises RuntimeError, naming the sizes, where not even one window fits."""
    if any(axis.count(size) < 1 for size, axis in zip(sizes, axes, strict=True)):
        wide = tuple(size + 2 * axis.padding for size, axis in zip(sizes, axes, strict=True))
        raise RuntimeError(
            f"{name}: the kernel size can't be greater than the actual input size: a window spans "
            f"{tuple(axis.span for axis in axes)}, the padded input has {wide}"
        )


def check_weight(name: str, n: int, x: Tensor, weight: Tensor, channels: int, groups: int) -> None:
    """`x` must have `channels` channels, be of the weight's type and have as many dimensions."""
    if weight.dim() != n + 2:
        raise RuntimeError(f"{name}: expected a {n + 2}D weight, got sizes {list(weight.shape)}")
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise RuntimeError(
            f"{name}: input type ({x.dtype}) and weight type ({weight.dtype}) should be the same"
        )
    check_rank(name, x, n)
    if groups <= 0 or weight.shape[0] % groups or x.shape[-n - 1] != channels:
        raise RuntimeError(
            f"{name}: given groups={groups}, weight of size {list(weight.shape)}, expected input "
            f"to have {channels} channels, but got {list(x.shape)}"
        )
