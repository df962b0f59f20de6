"""Losses of margins: the right answer must lead by some distance, and no more is asked.

Source   Multi-class Crammer & Singer 2001; triplets Schroff et al. 2015, arXiv:1503.03832, with the
         swap of Balntas et al. 2016; book 21.5 (ranking).
Differs  Inputs of different shapes are an error (torch broadcasts some), and so is the mean of an
         empty batch (torch: NaN). `soft_margin_loss` does not overflow.
Shapes   N batch, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fathom.scratch.nn.activation import relu
from fathom.scratch.nn.activation_smooth import logsigmoid
from fathom.scratch.nn.distance import PairwiseDistance, pairwise_distance
from fathom.scratch.nn.loss_base import Loss, WeightedLoss, reduce_loss, reduction_of, same_shape
from fathom.scratch.nn.loss_binary import binary_cross_entropy_with_logits
from fathom.scratch.nn.loss_classification import check_labels


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """log(1 + e^(-y x)) for targets y of -1 or 1."""
    same_shape("soft_margin_loss", input, target)
    losses = -logsigmoid(target * input)
    return reduce_loss("soft_margin_loss", losses, reduction, size_average, reduce)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Binary cross-entropy with logits, averaged over the classes (the last dimension)."""
    losses = binary_cross_entropy_with_logits(input, target, weight, reduction="none").mean(-1)
    return reduce_loss("multilabel_soft_margin_loss", losses, reduction, size_average, reduce)


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """sum over the other classes j of w max(0, margin - x_y + x_j)^p / C, for a label y.

    `input` is (N, C) or (C,), `target` (N,) or (); `weight` has a number for each class.
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: only p == 1 and p == 2 supported, got {p}")
    check_labels("multi_margin_loss", input, target, weight, ignore_index=None)
    label = target.unsqueeze(-1)
    missing = relu(margin - input.gather(-1, label) + input).pow(p)
    missing = missing if weight is None else missing * weight[label]
    losses = missing.scatter(-1, label, 0).sum(-1) / input.shape[-1]
    return reduce_loss("multi_margin_loss", losses, reduction, size_average, reduce)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """sum over labels y and all other classes j of max(0, 1 - x_y + x_j) / C.

    `input` and `target` are (N, C) or (C,); a row of `target` lists its labels, then -1.
    """
    same_shape("multilabel_margin_loss", input, target)
    valid = (target >= 0).cumprod(-1)
    y = target * valid
    if input.dim() not in (1, 2) or (y >= input.shape[-1]).any():
        raise RuntimeError(
            f"multilabel_margin_loss: expected labels below {input.shape[-1]} for an input (N, C) "
            f"or (C,) of shape {tuple(input.shape)}, found {int(y.max())}"
        )
    other = torch.zeros_like(target).scatter_add(-1, y, valid) == 0
    longest = int(valid.sum(-1).max()) if valid.numel() else 0
    y, valid = y[..., :longest], valid[..., :longest]
    missing = relu(1 - input.gather(-1, y).unsqueeze(-1) + input.unsqueeze(-2))
    losses = (missing * valid.unsqueeze(-1) * other.unsqueeze(-2)).sum((-2, -1)) / input.shape[-1]
    return reduce_loss("multilabel_margin_loss", losses, reduction, size_average, reduce)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """A distance x where y = 1, max(0, margin - x) where y = -1: alike be near, others be far."""
    same_shape("hinge_embedding_loss", input, target)
    far = (margin - input).clamp(min=0)
    losses = far.masked_fill(target == 1, 0) + input.masked_fill(target == -1, 0)
    return reduce_loss("hinge_embedding_loss", losses, reduction, size_average, reduce)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where y = 1, max(0, cos - margin) where y = -1.

    Inputs are (N, D) and the target (N,), or (D,) and ().
    """
    same_shape("cosine_embedding_loss (input2)", input1, input2)
    if input1.dim() not in (1, 2) or target.shape != input1.shape[:-1]:
        raise RuntimeError(
            "cosine_embedding_loss: expected inputs (N, D) or (D,) and target (N,) or (), got "
            f"{tuple(input1.shape)} and {tuple(target.shape)}"
        )
    lengths = [x.square().sum(-1) + 1e-12 for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / (lengths[0] * lengths[1]).sqrt()
    alike = (1 - cosine).masked_fill(target != 1, 0)
    losses = alike + (cosine - margin).clamp(min=0).masked_fill(target != -1, 0)
    return reduce_loss("cosine_embedding_loss", losses, reduction, size_average, reduce)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin - y (x1 - x2)): the first shall be larger where y = 1, smaller where -1."""
    same_shape("margin_ranking_loss (input2)", input1, input2)
    same_shape("margin_ranking_loss", input1, target)
    losses = (margin - target * (input1 - input2)).clamp(min=0)
    return reduce_loss("margin_ranking_loss", losses, reduction, size_average, reduce)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin + d(a, p) - d(a, n)); with `swap`, d(p, n) if that is less than d(a, n)."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "triplet_margin_loss: anchor, positive and negative must have the same number of "
            f"dimensions, got {tuple(anchor.shape)}, {tuple(positive.shape)} and "
            f"{tuple(negative.shape)}"
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = torch.minimum(far, distance(positive, negative))
    return reduce_loss("triplet_margin_loss", (margin + near - far).clamp(min=0), reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The same, for the distance |x - y + eps| in the p-norm over the last dimension."""
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=PairwiseDistance(p, eps), margin=margin,
        swap=swap, reduction=reduction_of(size_average, reduce, reduction),
    )  # fmt: skip


class SoftMarginLoss(Loss):
    """log(1 + e^(-y x)) for targets of -1 or 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross-entropy with logits, averaged over the classes."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """The label's score must lead those of the other classes by a margin."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            raise ValueError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D"
            )
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(Loss):
    """The labels' scores must lead those of all other classes by 1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return multilabel_margin_loss(input, target, reduction=self.reduction)


class HingeEmbeddingLoss(Loss):
    """A distance itself for the alike, what it lacks of the margin for the others."""

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class _PairLoss(Loss):
    """A loss of two inputs and a margin, which is 0 unless it is given."""

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class CosineEmbeddingLoss(_PairLoss):
    """1 - cos for the alike, max(0, cos - margin) for the others."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_PairLoss):
    """One of two scores must lead the other by a margin."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """An anchor must be nearer to the positive than to the negative, by a margin."""

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin must be greater than 0, got {margin}")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        settings = self.margin, self.p, self.eps, self.swap
        return triplet_margin_loss(anchor, positive, negative, *settings, reduction=self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """The same, for a distance of one's own."""

    def __init__(
        self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0, swap: bool = False, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(reduction=reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: margin must be > 0, got {margin}")
        self.distance_function = distance_function or PairwiseDistance()
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function,
            margin=self.margin, swap=self.swap, reduction=self.reduction,
        )  # fmt: skip
