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
    if len(values) not in (1, n) or isinstance(value, str):
        raise RuntimeError(f"expected one number or {n}, one for each dimension, got {value!r}")
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


class Axes(tuple[Axis, ...]):
    """The dimensions of a sliding window, the first one first."""

    @property
    def borders(self) -> list[int]:
        """What is padded before and after each, as torch lists it: the last one first."""
        return [axis.padding for axis in reversed(self) for _ in range(2)]

    def with_borders(self, sizes: Sequence[int]) -> list[int]:
        """The sizes of the padded input."""
        return [size + 2 * axis.padding for size, axis in zip(sizes, self, strict=True)]

    def counts(self, sizes: Sequence[int]) -> list[int]:
        """How many windows fit into so many cells and their borders."""
        return [axis.count(size) for size, axis in zip(sizes, self, strict=True)]

    def sizes(self, counts: Sequence[int]) -> list[int]:
        """The fewest cells that have so many windows."""
        return [axis.size(count) for count, axis in zip(counts, self, strict=True)]


def sliding(
    name: str, n: int, kernel: Ints, stride: Ints | None = 1, padding: Ints = 0, dilation: Ints = 1
) -> Axes:
    """The axes of a window in `n` dimensions; raises RuntimeError for numbers without sense.

    With `stride` None windows stand side by side.
    """
    stride = kernel if stride is None else stride
    settings = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
    columns = {word: each(numbers, n) for word, numbers in settings.items()}
    for word, numbers in columns.items():
        least = 0 if word == "padding" else 1
        if min(numbers) < least:
            raise RuntimeError(f"{name}: {word} must be at least {least}, but got {numbers}")
    return Axes(Axis(*numbers) for numbers in zip(*columns.values(), strict=True))


def check_rank(name: str, x: Tensor, n: int) -> None:
    """`x` must be (C, *sizes) or (N, C, *sizes), with `n` sizes, none of which is zero."""
    if x.dim() not in (n + 1, n + 2) or 0 in x.shape[-n - 1 :]:
        ranks = f"{n + 1}D or {n + 2}D (batch mode)"
        raise RuntimeError(f"{name}: expected a non-empty {ranks} input, got {list(x.shape)}")


def check_fit(name: str, sizes: Sequence[int], axes: Axes) -> None:
    """Raises RuntimeError, naming the sizes, where not even one window fits."""
    if min(axes.counts(sizes)) < 1:
        spans, wide = tuple(axis.span for axis in axes), tuple(axes.with_borders(sizes))
        raise RuntimeError(f"{name}: a window spans {spans}, more than the padded input, {wide}")


def check_weight(name: str, n: int, x: Tensor, weight: Tensor, channels: int, groups: int) -> None:
    """`x` must have `channels` channels, be of the weight's type and have as many dimensions."""
    if weight.dim() != n + 2:
        raise RuntimeError(f"{name}: expected a {n + 2}D weight, got sizes {list(weight.shape)}")
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        types = f"input ({x.dtype}) and weight ({weight.dtype})"
        raise RuntimeError(f"{name}: {types} should be of the same type")
    check_rank(name, x, n)
    if groups <= 0 or weight.shape[0] % groups or x.shape[-n - 1] != channels:
        given = f"groups={groups} and a weight of {list(weight.shape)}"
        raise RuntimeError(f"{name}: {given} take {channels} channels, but got {list(x.shape)}")


def wanted_sizes(name: str, output_size: Sequence[int], spans: Sequence[range]) -> list[int]:
    """The last numbers of `output_size`, after (N, C); ValueError if they are not in the spans."""
    n, wanted = len(spans), list(output_size)[-len(spans) :]
    fits = all(size in span for size, span in zip(wanted, spans, strict=False))
    if not n <= len(output_size) <= n + 2 or not fits:
        limits = f"from {[span[0] for span in spans]} to {[span[-1] for span in spans]}"
        raise ValueError(f"{name}: output_size {list(output_size)} must be {limits}")
    return wanted
