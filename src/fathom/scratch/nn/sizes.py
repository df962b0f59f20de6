"""What the layers over space share: one number for each dimension, and errors that name sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from torch import Tensor

Ints = int | Sequence[int]  # one number for all dimensions, or one for each


def each(value: Any, n: int) -> tuple[Any, ...]:
    """`value` as `n` values: repeated, unless it is a sequence already."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        return (value,) * n
    values = tuple(value)
    if len(values) == 1:
        return values * n
    if len(values) != n:
        raise RuntimeError(f"expected one number or {n}, one for each dimension, got {values}")
    return values


def check_rank(name: str, x: Tensor, n: int) -> None:
    """`x` must be (C, *sizes) or (N, C, *sizes), with `n` sizes, none of which is zero."""
    if x.dim() not in (n + 1, n + 2) or 0 in x.shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}: non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input, "
            f"but got sizes {list(x.shape)}"
        )


def window_counts(
    name: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """How many windows fit in each dimension: floor((size - span) / stride) + 1.

    Raises RuntimeError, naming the sizes, where not even one fits, or a setting makes no sense.
    """
    for word, numbers in {"kernel_size": kernel, "stride": stride, "dilation": dilation}.items():
        if min(numbers) <= 0:
            raise RuntimeError(
                f"{name}: {word} should be greater than zero, but got {tuple(numbers)}"
            )
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(span > size for span, size in zip(spans, sizes, strict=True)):
        raise RuntimeError(
            f"{name}: the kernel size can't be greater than the actual input size: a window spans "
            f"{tuple(spans)}, the padded input has {tuple(sizes)}"
        )
    return [(size - span) // s + 1 for size, span, s in zip(sizes, spans, stride, strict=True)]


def same_dtype(name: str, x: Tensor, weight: Tensor) -> None:
    """Raises RuntimeError where input and weight have different types of number."""
    if x.dtype != weight.dtype:
        raise RuntimeError(
            f"{name}: input type ({x.dtype}) and weight type ({weight.dtype}) should be the same"
        )


def as_ints(values: Iterable[Any]) -> tuple[int, ...]:
    """Sizes as plain integers."""
    return tuple(int(cast(int, value)) for value in values)
