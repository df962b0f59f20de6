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
from fathom.scratch.nn.sizes import Axes, Ints, sliding


def wanted_sizes(smallest: Sequence[int], axes: Axes, output_size: Sequence[int]) -> list[int]:
    """`output_size`, if pooling it could have given the input; raises ValueError if not."""
    n, wanted = len(axes), list(output_size)[-len(axes) :]
    if len(output_size) not in (n, n + 2):
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a "
            f"length of '{len(output_size)}'"
        )
    for dim, (want, size, axis) in enumerate(zip(wanted, smallest, axes, strict=True)):
        least, most = size - axis.stride, size + axis.stride
        if not least < want < most:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {dim} must be between {least} and {most})'
            )
    return wanted


def max_unpool(
    n: int, input: Tensor, indices: Tensor, kernel_size: Ints, stride: Ints | None = None,
    padding: Ints = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """`input` at the cells `indices` of a plane of zeros: undoes max pooling, but for the rest."""
    if input.shape != indices.shape or input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"max_unpool{n}d: expected indices of the same sizes as the {n + 1}D or {n + 2}D "
            f"input, got input {list(input.shape)} and indices {list(indices.shape)}"
        )
    step = kernel_size if stride is None else stride
    axes = sliding(f"max_unpool{n}d", n, kernel_size, step, padding)
    sizes = [axis.size(count) for count, axis in zip(input.shape[-n:], axes, strict=True)]
    if output_size is not None:
        sizes = wanted_sizes(sizes, axes, output_size)
    planes = input.new_zeros(*input.shape[:-n], *sizes).flatten(-n)
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < planes.shape[-1]:
        raise RuntimeError(
            f"max_unpool{n}d: found an index outside of the output of sizes {sizes}: indices run "
            f"from {int(indices.min())} to {int(indices.max())}"
        )
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
