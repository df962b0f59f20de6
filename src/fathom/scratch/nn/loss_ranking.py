"""Losses of margins: the right answer must lead by some distance, and no more is asked.

Source   Multi-class Crammer & Singer 2001; triplets Schroff et al. 2015, arXiv:1503.03832, with the
         swap of Balntas et al. 2016; book 21.5 (ranking).
Differs  Inputs of different shapes are an error (torch broadcasts some), and so is the mean of an
         empty batch (torch: NaN). `soft_margin_loss` does not overflow.
Shapes   N batch, C classes, D features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.activation import relu
from fathom.scratch.nn.activation_smooth import logsigmoid
from fathom.scratch.nn.distance import PairwiseDistance, pairwise_distance
from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.loss_base import loss, loss_layer, reduce_loss, shapes
from fathom.scratch.nn.loss_classification import binary_cross_entropy_with_logits, of_labels


@loss("input target size_average reduce reduction")
def soft_margin_loss(input: Tensor, target: Tensor) -> Tensor:
    """log(1 + e^(-y x)) for targets y of -1 or 1."""
    return -logsigmoid(target * input)


@loss("input target weight size_average reduce reduction")
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy with logits, averaged over the classes (the last dimension)."""
    return binary_cross_entropy_with_logits(input, target, weight, reduction="none").mean(-1)


def _check_p(settings: dict[str, Any]) -> None:
    if settings["p"] not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {settings['p']}")


@loss("input target p margin weight size_average reduce reduction", alike="", check=_check_p)
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """sum over the other classes j of w max(0, margin - x_y + x_j)^p / C, for a label y.

    `input` is (N, C) or (C,), `target` (N,) or (); `weight` has a number for each class.
    """

    def losses(index: Tensor) -> Tensor:
        label = index.unsqueeze(-1)
        missing = relu(margin - input.gather(-1, label) + input).pow(p)
        missing = missing if weight is None else missing * weight[label]
        return missing.scatter(-1, label, 0).sum(-1) / input.shape[-1]

    # No label is infinite, so none is ignored. The mean is over all, whatever their weights.
    return of_labels("multi_margin_loss", input, target, weight, math.inf, losses)[0]


class _Missing(torch.autograd.Function):
    """The sum of max(0, 1 - x_y + x_j) / C over labels y and all other classes j."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        others = x.clone().scatter_add_(-1, y, valid * -1e30)  # a label is no other class
        missing = others.unsqueeze(-2) - x.gather(-1, y).sub_(1).unsqueeze(-1)
        missing.clamp_(min=0).mul_(valid.unsqueeze(-1))
        late = missing.sign()  # the slope, for each pair of a label and another class
        slope = late.sum(-2).scatter_add_(-1, y, late.sum(-1).neg_())
        ctx.save_for_backward(slope.div_(x.shape[-1]))
        return missing.sum((-2, -1)).div_(x.shape[-1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return ctx.saved_tensors[0] * grads[0].unsqueeze(-1), None, None


@loss("input target size_average reduce reduction")
def multilabel_margin_loss(input: Tensor, target: Tensor) -> Tensor:
    """sum over labels y and all other classes j of max(0, 1 - x_y + x_j) / C.

    `input` and `target` are (N, C) or (C,); a row of `target` lists its labels, then -1.
    """
    valid = target >= 0
    longest = int(valid.sum(-1).max()) if valid.numel() else 0
    y, valid = target[..., :longest].clamp(min=0), valid[..., :longest]
    valid = valid.cumprod(-1, dtype=input.dtype)
    if input.dim() not in (1, 2) or (longest and int(y.max()) >= input.shape[-1]):
        raise RuntimeError(
            f"multilabel_margin_loss: expected labels below {input.shape[-1]} for an input (N, C) "
            f"or (C,) of shape {tuple(input.shape)}, found {int(target.max())}"
        )
    return _Missing.apply(input, y, valid)


@loss("input target margin size_average reduce reduction")
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0) -> Tensor:
    """A distance x where y = 1, max(0, margin - x) where y = -1: alike be near, others be far."""
    far = (margin - input).clamp(min=0)
    return far.masked_fill(target == 1, 0) + input.masked_fill(target == -1, 0)


@loss("input1 input2 target margin size_average reduce reduction", alike="input2 input1")
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0
) -> Tensor:
    """1 - cos where y = 1, max(0, cos - margin) where y = -1.

    Inputs are (N, D) and the target (N,), or (D,) and ().
    """
    if input1.dim() not in (1, 2) or target.shape != input1.shape[:-1]:
        got = shapes(inputs=input1, target=target)
        raise RuntimeError(f"cosine_embedding_loss: expected (N, D) and (N,), got {got}")
    lengths = [x.square().sum(-1) + 1e-12 for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / (lengths[0] * lengths[1]).sqrt()
    alike = (1 - cosine).masked_fill(target != 1, 0)
    return alike + (cosine - margin).clamp(min=0).masked_fill(target != -1, 0)


@loss("input1 input2 target margin size_average reduce reduction", alike="target input2 input1")
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0
) -> Tensor:
    """max(0, margin - y (x1 - x2)): the first shall be larger where y = 1, smaller where -1."""
    return (margin - target * (input1 - input2)).clamp(min=0)


def _check_margin(settings: dict[str, Any]) -> None:
    if settings["margin"] <= 0:
        raise ValueError(f"triplets: margin must be greater than 0, got {settings['margin']}")


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin + d(a, p) - d(a, n)); with `swap`, d(p, n) if that is less than d(a, n)."""
    _check_margin({"margin": margin})
    if not anchor.dim() == positive.dim() == negative.dim():
        got = shapes(anchor=anchor, positive=positive, negative=negative)
        raise RuntimeError(f"triplet_margin_loss: inputs must agree in dimensions, got {got}")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    far = torch.minimum(far, distance(positive, negative)) if swap else far
    return reduce_loss("triplet_margin_loss", (margin + near - far).clamp(min=0), reduction)


@loss("anchor positive negative margin p eps swap size_average reduce reduction", "", _check_margin)
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False,
) -> Tensor:  # fmt: skip
    """The same, for the distance |x - y + eps| in the p-norm over the last dimension."""
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=PairwiseDistance(p, eps), margin=margin,
        swap=swap, reduction="none",
    )  # fmt: skip


def _with_distance(settings: dict[str, Any]) -> None:
    _check_margin(settings)
    settings["distance_function"] = settings["distance_function"] or PairwiseDistance()


SoftMarginLoss = loss_layer("SoftMarginLoss", soft_margin_loss)
MultiLabelSoftMarginLoss = loss_layer("MultiLabelSoftMarginLoss", multilabel_soft_margin_loss)
MultiMarginLoss = loss_layer("MultiMarginLoss", multi_margin_loss)
MultiLabelMarginLoss = loss_layer("MultiLabelMarginLoss", multilabel_margin_loss)
HingeEmbeddingLoss = loss_layer("HingeEmbeddingLoss", hinge_embedding_loss)
CosineEmbeddingLoss = loss_layer("CosineEmbeddingLoss", cosine_embedding_loss)
MarginRankingLoss = loss_layer("MarginRankingLoss", margin_ranking_loss)
TripletMarginLoss = loss_layer("TripletMarginLoss", triplet_margin_loss)
TripletMarginWithDistanceLoss = layer(
    "TripletMarginWithDistanceLoss", triplet_margin_with_distance_loss, prepare=_with_distance
)
