"""Embeddings: a vector for each word, looked up by its number, alone or summed over a bag.

Source   Bengio et al. 2003, JMLR 3; bags Joulin et al. 2016, arXiv:1607.01759; book 15.1, 16.2.
Differs  A number outside the vocabulary is named, with its place (torch: "index out of range in
         self"). With `scale_grad_by_freq`, bags divide the gradient of a row by its own frequency;
         torch 2.13 takes another row's for some (its backward looks it up at the wrong place).
Shapes   V numbers in the vocabulary, E features, B bags; `input` holds whole numbers, any shape.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from fathom.scratch.nn import init

USUAL = {"norm_type": 2, "scale_grad_by_freq": False, "sparse": False}  # None for the others


class _Rows(torch.autograd.Function):
    """Rows of a matrix. Backward, each row receives the sum over the places where it was used."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, index: Tensor, padding: int | None, by_freq: bool, sparse: bool
    ) -> Tensor:
        ctx.save_for_backward(index)
        ctx.settings = weight.shape, padding, by_freq, sparse
        return weight.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (index,) = ctx.saved_tensors
        shape, padding, by_freq, sparse = ctx.settings
        if by_freq:
            grad = grad / index.bincount(minlength=shape[0])[index].unsqueeze(1)
        if padding is not None:
            grad = grad * (index != padding).unsqueeze(1)
        if sparse:
            table = torch.sparse_coo_tensor(index[None], grad, shape, check_invariants=False)
            return table, *[None] * 4
        rows = index.long().unsqueeze(1).expand_as(grad)
        return grad.new_zeros(shape).scatter_add_(0, rows, grad), *[None] * 4


def _check_numbers(name: str, input: Tensor, weight: Tensor) -> None:
    if weight.dim() != 2:
        raise RuntimeError(f"{name}: 'weight' must be 2-D, it has shape {tuple(weight.shape)}")
    if input.dtype not in (torch.int64, torch.int32):
        raise RuntimeError(f"{name}: expected input of type int64 or int32, got {input.dtype}")
    if input.device.type != "cpu" or input.numel() == 0:
        return  # reading the numbers would make the processor wait; the device checks them itself
    low, high = (int(n) for n in input.aminmax())
    if low < 0 or high >= len(weight):
        wrong = low if low < 0 else high
        found = f"index {wrong} at position {(input == wrong).nonzero()[0].tolist()}"
        entries = f"the vocabulary has {len(weight)} entries, 0 to {len(weight) - 1}"
        raise IndexError(f"{name}: {found} is out of range, {entries}")


def _row_of_padding(padding_idx: int | None, rows: int) -> int | None:
    """`padding_idx` counted from the front."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"Padding_idx {padding_idx} must be within num_embeddings, {rows}")
    return padding_idx % rows


def _shorten(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows in use that are longer than `max_norm` down to it, in place."""
    with torch.no_grad():
        used = index.unique()
        rows = weight[used]
        norms = rows.abs().pow(norm_type).sum(1, keepdim=True).pow(1 / norm_type)
        weight[used] = torch.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """The rows of `weight` (V, E) that `input` names: shape (*input, E).

    The row `padding_idx` receives no gradient. With `max_norm`, rows in use are first shortened to
    it, in place. `scale_grad_by_freq` divides gradients by how often a row occurs in the batch.
    """
    padding = _row_of_padding(padding_idx, len(weight))
    _check_numbers("embedding", input, weight)
    index = input.flatten()
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    rows = _Rows.apply(weight, index, padding, scale_grad_by_freq, sparse)
    return rows.view(*input.shape, weight.shape[1])


def _bags(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Tensor, int]:
    """For each number of the flattened input, which bag it is in; and the number of bags."""
    if input.dim() == 2 and offsets is None:
        count, size = input.shape
        return torch.arange(count, device=input.device).repeat_interleave(size), count
    if input.dim() != 1 or offsets is None or offsets.dim() != 1:
        found = f"{tuple(input.shape)} and {None if offsets is None else tuple(offsets.shape)}"
        raise ValueError(f"embedding_bag: expected 2D input, or 1D and 1D offsets, got {found}")
    starts = offsets[:-1] if include_last_offset else offsets
    if len(starts) and (int(starts[0]) != 0 or int(starts[-1]) > len(input)):
        found = f"the input's {len(input)} numbers, got {int(starts[0])} to {int(starts[-1])}"
        raise ValueError(f"embedding_bag: offsets must begin with 0 and not exceed {found}")
    places = torch.arange(len(input), device=input.device)
    return torch.searchsorted(starts.contiguous(), places, right=True) - 1, len(starts)


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The sum, mean or maximum of the embeddings in each bag: (B, E).

    `input` is (B, N), or (N,) with bags that begin at `offsets`. Padding is not in any bag; an
    empty bag gives zeros. `per_sample_weights` go with the sum only.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode has to be one of sum, mean or max, got {mode!r}")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError("embedding_bag: max mode supports no sparse and no scaled gradients")
    bag, count = _bags(input, offsets, include_last_offset)
    index = input.flatten()
    rows = embedding(index, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        name, found = "embedding_bag: per_sample_weights", tuple(per_sample_weights.shape)
        if mode != "sum":
            raise NotImplementedError(f"{name} goes with mode='sum' only, got {mode!r}")
        if found != input.shape:
            raise ValueError(f"{name} {found} must have the input's shape {tuple(input.shape)}")
        rows = rows * per_sample_weights.flatten().unsqueeze(1)
    if padding_idx is not None:
        kept = index != _row_of_padding(padding_idx, len(weight))
        rows, bag = rows[kept], bag[kept]
    sizes = bag.bincount(minlength=count)
    if mode == "max" and len(bag):
        place = torch.arange(len(bag), device=bag.device) - (sizes.cumsum(0) - sizes)[bag]
        table = rows.new_full((count, int(sizes.max()), rows.shape[1]), float("-inf"))
        largest = table.index_put((bag, place), rows).max(1).values
        return largest.masked_fill((sizes == 0).unsqueeze(1), 0)
    sums = rows.new_zeros(count, rows.shape[1]).index_add(0, bag, rows)
    return sums / sizes.clamp(min=1).unsqueeze(1) if mode == "mean" else sums


class _EmbeddingTable(nn.Module):
    """A vector for each of `num_embeddings` numbers: given, or drawn from a standard normal."""

    shown: ClassVar[str]  # settings, printed where they are not the usual ones

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim = sizes = num_embeddings, embedding_dim
        self.padding_idx = _row_of_padding(padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = nn.Parameter(torch.empty(sizes, device=device, dtype=dtype))
            self.reset_parameters()
        elif _weight.shape == sizes:
            self.weight = nn.Parameter(_weight)
        else:
            wanted = f"num_embeddings {num_embeddings} and embedding_dim {embedding_dim}"
            raise AssertionError(f"Shape of weight {tuple(_weight.shape)} does not match {wanted}")
        self.weight.requires_grad = not _freeze

    def reset_parameters(self) -> None:
        """Draw every vector anew; the padding's is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight[self.padding_idx])

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, *settings: Any, **named: Any
    ) -> Self:
        """Given vectors (V, E), which do not learn unless `freeze` is False.

        `settings` are those of the constructor, from the third on.
        """
        named["_weight"] = embeddings
        table = cls(*embeddings.shape[:2], *settings, **named)
        table.weight.requires_grad = not freeze
        return table

    def extra_repr(self) -> str:
        values = {name: getattr(self, name) for name in self.shown.split()}
        unusual = [f"{name}={v!r}" for name, v in values.items() if v != USUAL.get(name)]
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim), *unusual])


class Embedding(_EmbeddingTable):
    """A vector for each of `num_embeddings` numbers, drawn from a standard normal."""

    shown = "padding_idx max_norm norm_type scale_grad_by_freq sparse"

    def forward(self, input: Tensor) -> Tensor:
        return embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip


class EmbeddingBag(_EmbeddingTable):
    """The sum, mean or maximum of the vectors in each bag of numbers."""

    shown = "max_norm norm_type scale_grad_by_freq mode padding_idx"

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, _weight: Tensor | None = None, include_last_offset: bool = False,
        padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        how = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight)
        super().__init__(num_embeddings, embedding_dim, *how, device=device, dtype=dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(
        self, input: Tensor, offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        return embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip
