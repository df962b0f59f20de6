"""What a model may be given in tests: numbers of a shape, tokens, or sentences in pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int, ...] | Callable[[], Any]


def made(shape: Shape, dtype: torch.dtype = torch.float32) -> Any:
    """Normal numbers of a shape, or whatever a function makes."""
    return shape() if callable(shape) else torch.randn(shape, dtype=dtype)


def tokens(vocab: int, batch: int = 4, steps: int = 6) -> Callable[[], Tensor]:
    return lambda: torch.randint(vocab, (batch, steps))


def sentences(sources: int, targets: int, batch: int = 4) -> Callable[[], tuple[Tensor, ...]]:
    """Padded sources, how long each is, and what a decoder is given."""

    def pairs() -> tuple[Tensor, ...]:
        lens = torch.randint(1, 7, (batch,))
        source = torch.randint(4, sources, (batch, 6)).masked_fill(
            torch.arange(6) >= lens[:, None], 1
        )
        return source, lens, torch.randint(4, targets, (batch, 5))

    return pairs


def some(inputs: Any, rows: slice) -> Any:
    """These rows of the batch."""
    return tuple(part[rows] for part in inputs) if isinstance(inputs, tuple) else inputs[rows]
