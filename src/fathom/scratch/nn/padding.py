"""Padding: an output cell either gets a constant, or copies an input cell.

Source   torch.nn's padding layers; book 6.3.
Shapes   (*, *sizes) to (*, *larger sizes). Amounts are listed as torch does: left and right of the
         last dimension, then of the one before. A negative amount crops.

Reflection, replication and wrapping around are three answers to one question: which input cell
does position i show, where i runs from -left to size + right?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.dimensions import layers
from fathom.scratch.nn.sizes import check_rank, each

Amounts = int | Sequence[int]
Sides = Sequence[tuple[int, int]]  # before and after each dimension


def reflected(position: Tensor, size: int) -> Tensor:
    """… 2 1 [0 1 2 3] 2 1 …: the edge cell is the mirror."""
    return (size - 1) - ((size - 1) - position.abs()).abs()


def replicated(position: Tensor, size: int) -> Tensor:
    """… 0 0 [0 1 2 3] 3 3 …"""
    return position.clamp(0, size - 1)


def wrapped(position: Tensor, size: int) -> Tensor:
    """… 2 3 [0 1 2 3] 0 1 …"""
    return position % size


SOURCES: dict[str, tuple[Callable[[Tensor, int], Tensor], float]] = {
    # The cell shown at a position, and how far beyond the size (plus this) one may reach.
    "reflect": (reflected, -1),
    "replicate": (replicated, math.inf),
    "circular": (wrapped, 0),
}


def inside(sizes: Sequence[int], sides: Sides) -> tuple[slice, ...]:
    """The index of what is left when `sides` are cut off; a negative amount cuts nothing."""
    cuts = zip(sizes, sides, strict=True)
    return tuple(slice(max(left, 0), size - max(right, 0)) for size, (left, right) in cuts)


class _Constant(torch.autograd.Function):
    """The input with a border of one value; the derivative is padded by the opposite amounts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sides: Sides, value: float) -> Tensor:
        ctx.opposite = [(-left, -right) for left, right in sides]
        kept = x[inside(x.shape, ctx.opposite)]
        sizes = [size + sum(side) for size, side in zip(x.shape, sides, strict=True)]
        if sizes == list(kept.shape):  # cropped only
            return kept.clone()
        output = x.new_full(sizes, value)
        output[inside(sizes, sides)] = kept
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _Constant.apply(grads[0], ctx.opposite, 0), None, None


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Pad the last `len(pad) / 2` dimensions of `input`.

    Raises RuntimeError, naming the sizes, where a mirror or a turn would reach beyond the input.
    """
    n, sizes = len(pad) // 2, list(input.shape)
    if len(pad) % 2 or n > len(sizes):
        raise RuntimeError(f"pad: expected pairs for at most {len(sizes)} dimensions, got {pad}")
    if mode != "constant" and mode not in SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    source, reach = SOURCES.get(mode, (None, math.inf))
    if source:
        check_rank(f"{mode} padding", input, n)
    if not any(pad):
        return input
    sides = [(0, 0)] * (len(sizes) - n) + [*zip(pad[::2], pad[1::2], strict=True)][::-1]
    for dim in reversed(range(len(sizes) - n, len(sizes))):
        size, (left, right) = sizes[dim], sides[dim]
        if max(left, right) > size + reach:
            limit = f"should be {'less than' if reach else 'at most'} the size"
            asked = f"({left}, {right}) at dimension {dim} of {sizes}"
            raise RuntimeError(f"{mode} padding {limit}, but got {asked}")
        if size + left + right < (1 if source else 0):
            raise RuntimeError(f"pad: ({left}, {right}) takes all of dimension {dim} of {sizes}")
        if source and (left or right):
            before = source(torch.arange(-max(left, 0), 0, device=input.device), size)
            after = source(torch.arange(size, size + max(right, 0), device=input.device), size)
            kept = input.narrow(dim, max(-left, 0), size + min(left, 0) + min(right, 0))
            parts = (input.index_select(dim, before), kept, input.index_select(dim, after))
            input = torch.cat(parts, dim)
    return input if source else _Constant.apply(input, sides, value or 0)


def every_side(n: int, settings: dict[str, Any]) -> None:
    """The amounts on every side, as torch lists them, or one for all."""
    settings["padding"] = each(settings["padding"], 2 * n)


def padding_layers(name: str, mode: str) -> Any:
    """The layers of a mode, in one, two and three dimensions."""

    def pad_sides(n: int, input: Tensor, padding: Amounts) -> Tensor:
        return pad(input, each(padding, 2 * n), mode)

    return layers(name, pad_sides, "{padding}", prepare=every_side)


def pad_constant(n: int, input: Tensor, padding: Amounts, value: float) -> Tensor:
    """`value` on every side."""
    return pad(input, each(padding, 2 * n), value=value)


ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = padding_layers("ReflectionPad", "reflect")
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = padding_layers("ReplicationPad", "replicate")
CircularPad1d, CircularPad2d, CircularPad3d = padding_layers("CircularPad", "circular")
ZeroPad1d, ZeroPad2d, ZeroPad3d = padding_layers("ZeroPad", "constant")
ConstantPad1d, ConstantPad2d, ConstantPad3d = layers(
    "ConstantPad", pad_constant, "padding={padding}, value={value}", prepare=every_side
)
