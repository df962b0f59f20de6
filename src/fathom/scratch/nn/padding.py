"""Padding: an output cell either gets a constant, or copies an input cell.

Source   torch.nn's padding layers; book 6.3.
Differs  Nothing.
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


def constant_pad(x: Tensor, amounts: Sequence[int], value: float) -> Tensor:
    """Surround `x` with `value`."""
    if not any(amounts):
        return x
    inner: list[Any] = [slice(None)] * x.dim()
    sizes = list(x.shape)
    for place in range(len(amounts) // 2):
        dim, (left, right) = x.dim() - 1 - place, amounts[2 * place : 2 * place + 2]
        if x.shape[dim] + left + right < 0:
            raise RuntimeError(
                f"pad: the input {list(x.shape)}, padded by {left} and {right} in dimension {dim}, "
                "would have a negative output size"
            )
        x = x.narrow(dim, max(-left, 0), x.shape[dim] - max(-left, 0) - max(-right, 0))
        inner[dim] = slice(max(left, 0), max(left, 0) + x.shape[dim])
        sizes[dim] = x.shape[dim] + max(left, 0) + max(right, 0)
    output = x.new_full(sizes, value)
    output[tuple(inner)] = x
    return output


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Pad the last `len(pad) / 2` dimensions of `input`.

    Raises RuntimeError, naming the sizes, where a mirror or a turn would reach beyond the input.
    """
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise RuntimeError(
            f"pad: expected a pair of amounts for at most {input.dim()} dimensions, got {pad}"
        )
    if mode == "constant":
        return constant_pad(input, pad, value or 0.0)
    if mode not in SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    n = len(pad) // 2
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and "
            f"other non-zero dimensions for input, but got: {list(input.shape)}"
        )
    source, reach = SOURCES[mode]
    for place in range(n):
        dim, (left, right) = input.dim() - 1 - place, pad[2 * place : 2 * place + 2]
        size = input.shape[dim]
        if size == 0 or (reach is not None and max(left, right) > size + reach):
            raise RuntimeError(
                f"Padding size should be {'less than' if reach else 'at most'} the corresponding "
                f"input dimension, but got: padding ({left}, {right}) at dimension {dim} of input "
                f"{list(input.shape)}"
            )
        if size + left + right < 1:
            raise RuntimeError(
                f"pad: the input {list(input.shape)}, padded by {left} and {right} in dimension "
                f"{dim}, would have no cells left"
            )
        before = source(torch.arange(-max(left, 0), 0, device=input.device), size)
        after = source(torch.arange(size, size + max(right, 0), device=input.device), size)
        inner = input.narrow(dim, max(-left, 0), size - max(-left, 0) - max(-right, 0))
        ends = (input.index_select(dim, before), input.index_select(dim, after))
        input = torch.cat((ends[0], inner, ends[1]), dim)
    return input


def reading(mode: str) -> Callable[..., Tensor]:
    """What a layer does whose border is read from the input."""

    def pad_sides(n: int, input: Tensor, padding: Amounts) -> Tensor:
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(
                f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input), but its sizes "
                f"are {list(input.shape)}"
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
