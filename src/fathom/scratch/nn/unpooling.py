"""Max-unpooling: put every maximum back where it was found, and zero everywhere else.

Source   Zeiler and Fergus 2014, arXiv:1311.2901.
Shapes   (N, C, *counts) or (C, *counts), with the cell numbers that max pooling returned, to the
         same with *sizes.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fathom.scratch.nn.dimensions import functions, layers
from fathom.scratch.nn.pooling import WINDOW, one_for_each
from fathom.scratch.nn.sizes import Ints, sliding, wanted_sizes


def max_unpool(
    n: int, input: Tensor, indices: Tensor, kernel_size: Ints, stride: Ints | None = None,
    padding: Ints = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """`input` at the cells `indices` of a plane of zeros: undoes max pooling, but for the rest."""
    name = f"max_unpool{n}d"
    if input.shape != indices.shape or input.dim() not in (n + 1, n + 2):
        given = f"input {list(input.shape)} and indices {list(indices.shape)}"
        raise RuntimeError(f"{name}: expected {n + 1}D or {n + 2}D of the same sizes, got {given}")
    axes = sliding(name, n, kernel_size, stride, padding)
    sizes = axes.sizes(input.shape[-n:])
    if output_size is not None:  # any whose pooling can have given the input
        around = zip(sizes, axes, strict=True)
        spans = [range(size - axis.stride + 1, size + axis.stride) for size, axis in around]
        sizes = wanted_sizes(name, output_size, spans)
    planes = input.new_zeros(*input.shape[:-n], *sizes).flatten(-n)
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < planes.shape[-1]:
        span = f"from {int(indices.min())} to {int(indices.max())}"
        raise RuntimeError(f"{name}: found an index outside of an output of {sizes}: {span}")
    return planes.scatter(-1, indices.flatten(-n), input.flatten(-n)).unflatten(-1, sizes)


def unpool(
    n: int, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None, *,
    kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
) -> Tensor:  # fmt: skip
    """Undoes max pooling, but for what was not the largest; the output size is an input."""
    return max_unpool(n, input, indices, kernel_size, stride, padding, output_size)


max_unpool1d, max_unpool2d, max_unpool3d = functions(max_unpool)
MaxUnpool1d, MaxUnpool2d, MaxUnpool3d = layers(
    "MaxUnpool", unpool, WINDOW, prepare=one_for_each, without="output_size"
)
