"""Losses for classes: cross-entropy, from labels, from probabilities, after a linear layer.

Source   Book 4.1; label smoothing Szegedy et al. 2015, arXiv:1512.00567.
Differs  Labels out of range are named with their place; the mean of an empty batch is an error
         (torch: NaN). A mean over labels that are all ignored is NaN, as in torch.
Shapes   N batch, C classes, * any sizes: `input` (N, C, *) or (C,); labels (N, *) or ().
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import exp
from fathom.scratch.nn.linear import Linear, linear
from fathom.scratch.nn.loss_base import WeightedLoss, reduce_loss, reduction_of
from fathom.scratch.nn.softmax import log_softmax, softmax


def check_labels(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None
) -> bool:
    """Raises where labels are not (N, *) whole numbers from 0 to C - 1, or `ignore_index`.

    Returns whether some may have to be ignored.
    """
    dim = min(input.dim() - 1, 1)
    classes = input.shape[dim] if input.dim() else 0
    expected = input.shape[:dim] + input.shape[dim + 1 :]
    if input.dim() == 0 or target.shape != expected:
        raise ValueError(
            f"{name}: for an input of shape {tuple(input.shape)} the labels must be "
            f"{len(expected)}-D with shape {tuple(expected)}, got {tuple(target.shape)}"
        )
    if target.dtype not in (torch.int64, torch.uint8):
        raise RuntimeError(f"{name}: expected labels of type int64 (Long), got {target.dtype}")
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"{name}: weight tensor should be defined either for all {classes} classes or no "
            f"classes but got weight tensor of shape {tuple(weight.shape)}"
        )
    if target.device.type != "cpu" or target.numel() == 0:
        return True  # reading labels would make the processor wait; the device checks them itself
    low, high = (int(label) for label in target.aminmax())
    if low >= 0 and high < classes:
        return ignore_index is not None and low <= ignore_index <= high
    wrong = (target < 0) | (target >= classes)
    if ignore_index is not None:
        wrong &= target != ignore_index
    if wrong.any():
        where = [int(i) for i in wrong.nonzero()[0]]
        raise IndexError(
            f"{name}: target {int(target[wrong][0])} at position {where} is out of bounds: the "
            f"input has {classes} classes, 0 to {classes - 1}"
        )
    return True


class _SurpriseOfLabels(torch.autograd.Function):
    """-log softmax(x)[label]: its gradient is the softmax, less 1 at the label (book 4.1.9)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, dim: int) -> Tensor:
        y = x - x.amax(dim, keepdim=True)
        p = exp(y)
        total = p.sum(dim, keepdim=True)
        ctx.save_for_backward(x, index, p.div_(total))
        ctx.dim = dim
        return total.log_().sub_(y.gather(dim, index)).squeeze(dim)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, index, p = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative p must know that it is of x
            p = softmax(x, ctx.dim)
        g = grads[0].unsqueeze(ctx.dim)
        return (p * g).scatter_add_(ctx.dim, index, -g), None, None


def _reduce_labels(
    name: str, losses: Tensor, target: Tensor, weight: Tensor | None, ignored: Tensor | None,
    reduction: str,
) -> Tensor:  # fmt: skip
    """The mean over labels divides by the weights of those that count."""
    if reduction != "mean" or (ignored is None and weight is None) or losses.numel() == 0:
        return reduce_loss(name, losses, reduction)
    weights = torch.ones_like(losses) if weight is None else weight[target]
    if ignored is not None:
        weights = weights.masked_fill(ignored, 0)
    return losses.sum() / weights.sum()


def _along(weight: Tensor, input: Tensor) -> Tensor:
    """One number for each class, shaped to be multiplied with `input` (N, C, *) or (C,)."""
    return weight.reshape(-1, *[1] * (input.dim() - 2))


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-w log p of the label, from log-probabilities; the mean divides by the sum of the weights."""
    reduction = reduction_of(size_average, reduce, reduction)
    may_ignore = check_labels("nll_loss", input, target, weight, ignore_index)
    ignored = target == ignore_index if may_ignore else None
    target = target.long() if ignored is None else target.long().masked_fill(ignored, 0)
    dim = min(input.dim() - 1, 1)
    losses = -input.gather(dim, target.unsqueeze(dim)).squeeze(dim)
    losses = losses if weight is None else losses * weight[target]
    if ignored is not None:
        losses = losses.masked_fill(ignored, 0)  # no product with 0: the loss may be infinite
    return _reduce_labels("nll_loss", losses, target, weight, ignored, reduction)


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """-sum p log q, with q the softmax of `input`. `target` holds labels, or probabilities p.

    Smoothing mixes p with the uniform distribution. Raises IndexError for a label out of range.
    """
    name, reduction = "cross_entropy", reduction_of(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"{name}: label_smoothing must be from 0 to 1, got {label_smoothing}")
    dim = min(input.dim() - 1, 1)
    wide = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
    if target.shape == input.shape:
        if not target.is_floating_point():
            raise RuntimeError(
                f"{name}: expected floating point type for target with class probabilities, got "
                f"{target.dtype}"
            )
        if ignore_index >= 0:
            raise RuntimeError(f"{name}: ignore_index is not supported for floating point target")
        p = target * (1 - label_smoothing) + label_smoothing / input.shape[dim]
        p = p if weight is None else p * _along(weight, input)
        losses = -(log_softmax(wide, dim) * p).sum(dim)
        return reduce_loss(name, losses, reduction).to(input.dtype)
    may_ignore = check_labels(name, input, target, weight, ignore_index)
    ignored = target == ignore_index if may_ignore else None
    target = target.long() if ignored is None else target.long().masked_fill(ignored, 0)
    losses = _SurpriseOfLabels.apply(wide, target.unsqueeze(dim), dim)
    losses = losses if weight is None else losses * weight[target]
    if label_smoothing > 0:
        log_q = log_softmax(wide, dim)
        others = (log_q if weight is None else log_q * _along(weight, input)).sum(dim)
        share = label_smoothing / input.shape[dim]
        losses = (1 - label_smoothing) * losses - share * others
    if ignored is not None:
        losses = losses.masked_fill(ignored, 0)  # no product with 0: the loss may be infinite
    return _reduce_labels(name, losses, target, weight, ignored, reduction).to(input.dtype)


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """The cross-entropy of a linear layer's outputs.

    `input` is (N, I) or (I,), `linear_weight` (C, *, I), `linear_bias` (C, *), `target` as for
    `cross_entropy` of the logits (N, C, *). `options` choose among torch's ways to spare memory;
    they change no result, and are not used here.
    """
    inputs = linear_weight.shape[-1]
    if input.dim() not in (1, 2) or linear_weight.dim() < 2 or input.shape[-1] != inputs:
        raise RuntimeError(
            "linear_cross_entropy: expected input (N, I) or (I,) and linear_weight (C, *, I), got "
            f"{tuple(input.shape)} and {tuple(linear_weight.shape)}"
        )
    if linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        raise RuntimeError(
            "linear_cross_entropy: expected linear_bias shape "
            f"{tuple(linear_weight.shape[:-1])}, got {tuple(linear_bias.shape)}"
        )
    if linear_weight.dim() > 2 and input.dim() == 1:
        raise RuntimeError(
            f"linear_cross_entropy: linear_weight {tuple(linear_weight.shape)} needs a batch, "
            f"(N, {inputs}), got {tuple(input.shape)}"
        )
    bias = None if linear_bias is None else linear_bias.flatten()
    logits = linear(input, linear_weight.flatten(0, -2), bias)
    logits = logits.reshape(*input.shape[:-1], *linear_weight.shape[:-1])
    if target.shape == logits.shape and ignore_index is not None:
        raise RuntimeError(
            "linear_cross_entropy: ignore_index cannot be specified when target contains "
            "probabilities"
        )
    ignore = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits, target, weight, ignore_index=ignore, reduction=reduction,
        label_smoothing=label_smoothing,
    )  # fmt: skip


class NLLLoss(WeightedLoss):
    """-w log p of the label, from log-probabilities."""

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None,
        ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class CrossEntropyLoss(WeightedLoss):
    """-sum p log softmax(x), for labels or probabilities p."""

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None,
        ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip


class LinearCrossEntropyLoss(WeightedLoss):
    """A linear layer and the cross-entropy of its outputs; `out_features` adds sizes after C."""

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
        bias: bool = False, device: Any = None, dtype: Any = None, reduction: str = "mean",
        weight: Tensor | None = None, ignore_index: int | None = None, label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:  # fmt: skip
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        outputs = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, outputs, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        sizes, bias = (self.num_classes, *self.out_features), self.linear.bias
        return linear_cross_entropy(
            input, self.linear.weight.reshape(*sizes, self.linear.in_features), target,
            linear_bias=None if bias is None else bias.reshape(sizes), weight=self.weight,
            reduction=self.reduction, ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing, options=self.options,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
