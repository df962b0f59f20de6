"""Padding: an output cell either gets a constant, or copies an input cell.

Source   torch.nn's padding layers; book 6.3.
Shapes   (*, *sizes) to (*, *larger sizes). Amounts are listed as torch does: left and right of the
         last dimension, then of the one before. A negative amount crops.

Reflection, replication and wrapping around are three answers to one question: which input cell
does position i show, where i runs from -left to size + right?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.dimensions import layers
from fathom.scratch.nn.sizes import each

Amounts = int | Sequence[int]


def reflected(position: Tensor, size: int) -> Tensor:
    """… 2 1 [0 1 2 3] 2 1 …: the edge cell is the mirror."""
    return (size - 1) - ((size - 1) - position.abs()).abs()


def replicated(position: Tensor, size: int) -> Tensor:
    """… 0 0 [0 1 2 3] 3 3 …"""
    return position.clamp(0, size - 1)


def wrapped(position: Tensor, size: int) -> Tensor:
    """… 2 3 [0 1 2 3] 0 1 …"""
    return position % size


Source = Callable[[Tensor, int], Tensor]
SOURCES: dict[str, tuple[Source, int | None]] = {
    # The cell shown at a position, and how far beyond the size (plus this) one may reach.
    "reflect": (reflected, -1),
    "replicate": (replicated, None),
    "circular": (wrapped, 0),
}


class _Within(torch.autograd.Function):
    """The input with a border of one value: of so many cells on both sides of each dimension."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sides: Sequence[tuple[int, int]], value: float) -> Tensor:
        sizes = list(zip(x.shape, sides, strict=True))
        ctx.own = tuple(slice(left, left + size) for size, (left, _) in sizes)
        output = x.new_full([left + size + right for size, (left, right) in sizes], value)
        output[ctx.own] = x
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0][ctx.own], None, None


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Pad the last `len(pad) / 2` dimensions of `input`.

    Raises RuntimeError, naming the sizes, where a mirror or a turn would reach beyond the input.
    """
    n, constant = len(pad) // 2, mode == "constant"
    if len(pad) % 2 or n > input.dim():
        raise RuntimeError(f"pad: expected pairs for at most {input.dim()} dimensions, got {pad}")
    if not constant and mode not in SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if not constant and input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and "
            f"other non-zero dimensions for input, but got: {list(input.shape)}"
        )
    sides = [(0, 0)] * input.dim()
    for place in range(n):
        dim, (left, right) = input.dim() - 1 - place, pad[2 * place : 2 * place + 2]
        if left == right == 0:
            continue
        size, sizes = input.shape[dim], list(input.shape)
        source, reach = SOURCES.get(mode, (None, None))
        if source and (size == 0 or (reach is not None and max(left, right) > size + reach)):
            raise RuntimeError(
                f"Padding size should be {'less than' if reach else 'at most'} the corresponding "
                f"input dimension, but got: padding ({left}, {right}) at dimension {dim} of {sizes}"
            )
        if size + left + right < (0 if constant else 1):
            raise RuntimeError(
                f"pad: the input {sizes}, padded by {left} and {right} in dimension {dim}, would "
                f"have {'a negative output size' if constant else 'no cells left'}"
            )
        kept = input.narrow(dim, max(-left, 0), size - max(-left, 0) - max(-right, 0))
        if source is None:  # all dimensions at once, below
            sides[dim], input = (int(max(left, 0)), int(max(right, 0))), kept
            continue
        parts = [kept]
        for side, first, last in ((0, -max(left, 0), 0), (1, size, size + max(right, 0))):
            shown = source(torch.arange(first, last, device=input.device), size)
            parts.insert(side * 2, input.index_select(dim, shown))
        input = torch.cat(parts, dim)
    return _Within.apply(input, sides, value or 0) if constant and any(pad) else input


def reading(mode: str) -> Callable[..., Tensor]:
    """What a layer does whose border is read from the input."""

    def pad_sides(n: int, input: Tensor, padding: Amounts) -> Tensor:
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(
                f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D: {list(input.shape)})"
            )
        return pad(input, each(padding, 2 * n), mode)

    return pad_sides


def zeros(n: int, input: Tensor, padding: Amounts) -> Tensor:
    """Zeros on every side."""
    return pad(input, each(padding, 2 * n))


def constants(n: int, input: Tensor, padding: Amounts, value: float) -> Tensor:
    """`value` on every side."""
    return pad(input, each(padding, 2 * n), value=value)


def every_side(n: int, settings: dict[str, Any]) -> None:
    """The amounts on every side, as torch lists them, or one for all."""
    settings["padding"] = each(settings["padding"], 2 * n)


pads = partial(layers, prepare=every_side)
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = pads(
    "ReflectionPad", reading("reflect"), "{padding}"
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = pads(
    "ReplicationPad", reading("replicate"), "{padding}"
)
CircularPad1d, CircularPad2d, CircularPad3d = pads("CircularPad", reading("circular"), "{padding}")
ZeroPad1d, ZeroPad2d, ZeroPad3d = pads("ZeroPad", zeros, "{padding}")
ConstantPad1d, ConstantPad2d, ConstantPad3d = pads(
    "ConstantPad", constants, "padding={padding}, value={value}"
)
