"""Max-unpooling: put every maximum back where it was found, and zero everywhere else.

Source   Zeiler and Fergus 2014, arXiv:1311.2901.
Differs  Nothing.
Shapes   (N, C, *counts) or (C, *counts), with the cell numbers that max pooling returned, to the
         same with *sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor
from torch.nn import Module

from fathom.scratch.nn.sizes import Ints, each


def unpooled_sizes(
    counts: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    output_size: Sequence[int] | None,
) -> list[int]:
    """The sizes before pooling: the smallest that give `counts`, or the wanted ones if they do."""
    settings = zip(counts, kernel, stride, padding, strict=True)
    smallest = [(count - 1) * s + k - 2 * p for count, k, s, p in settings]
    if output_size is None:
        return smallest
    wanted = list(output_size)[-len(counts) :]
    if len(output_size) not in (len(counts), len(counts) + 2):
        raise ValueError(
            f"output_size should be a sequence containing {len(counts)} or {len(counts) + 2} "
            f"elements, but it has a length of '{len(output_size)}'"
        )
    for dim, (want, size, s) in enumerate(zip(wanted, smallest, stride, strict=True)):
        if not size - s < want < size + s:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {dim} must be between {size - s} and '
                f"{size + s})"
            )
    return wanted


def max_unpool(
    n: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """`input` at the cells `indices` of a plane of zeros."""
    if input.shape != indices.shape or input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"max_unpool{n}d: expected indices of the same sizes as the {n + 1}D or {n + 2}D "
            f"input, got input {list(input.shape)} and indices {list(indices.shape)}"
        )
    kernel, border = each(kernel_size, n), each(padding, n)
    step = kernel if stride is None else each(stride, n)
    sizes = unpooled_sizes(input.shape[-n:], kernel, step, border, output_size)
    planes = input.new_zeros(*input.shape[:-n], *sizes).flatten(-n)
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < planes.shape[-1]:
        raise RuntimeError(
            f"max_unpool{n}d: found an index outside of the output of sizes {sizes}: indices run "
            f"from {int(indices.min())} to {int(indices.max())}"
        )
    return planes.scatter(-1, indices.flatten(-n), input.flatten(-n)).unflatten(-1, sizes)


max_unpool1d, max_unpool2d, max_unpool3d = (partial(max_unpool, n) for n in (1, 2, 3))


class _MaxUnpool(Module):
    dims: int

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0) -> None:
        super().__init__()
        self.kernel_size = each(kernel_size, self.dims)
        self.stride = each(kernel_size if stride is None else stride, self.dims)
        self.padding = each(padding, self.dims)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        window = (self.kernel_size, self.stride, self.padding)
        return max_unpool(self.dims, input, indices, *window, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Undoes `MaxPool1d`, but for what was not the largest."""

    dims = 1


class MaxUnpool2d(_MaxUnpool):
    """Undoes `MaxPool2d`, but for what was not the largest."""

    dims = 2


class MaxUnpool3d(_MaxUnpool):
    """Undoes `MaxPool3d`, but for what was not the largest."""

    dims = 3
