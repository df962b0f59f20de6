"""Tensors in tuples in tuples: what inputs and targets of a batch may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def each(function: Callable[[Tensor], Tensor], held: Any) -> Any:
    """The same tuples with `function` of every tensor; what is no tensor stays as it is."""
    if isinstance(held, Tensor):
        return function(held)
    if isinstance(held, tuple):
        return tuple(each(function, part) for part in held)
    return held


def leaves(held: Any) -> Iterator[Tensor]:
    """Every tensor, in order."""
    if isinstance(held, Tensor):
        yield held
    elif isinstance(held, tuple):
        for part in held:
            yield from leaves(part)


def split(held: Any, parts: int) -> list[Any]:
    """At most `parts` pieces along the batch, the first dimension of every tensor.

    What is no tensor is in every piece.
    """
    length = len(next(leaves(held)))
    size = -(-length // parts)

    def piece(start: int) -> Any:
        return each(lambda tensor: tensor[start : start + size], held)

    return [piece(start) for start in range(0, length, size)]
