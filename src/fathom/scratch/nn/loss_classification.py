"""Losses for yes or no, and for classes: cross-entropy, from labels or from probabilities.

Source   Book 4.1; label smoothing Szegedy et al. 2015, arXiv:1512.00567.
Differs  Labels out of range are named with their place; the mean of an empty batch is an error
         (torch: NaN). A mean over labels that are all ignored is NaN, as in torch. At probabilities
         of exactly 0 and 1 the slope of `binary_cross_entropy` is that of a logarithm cut off at
         1e-12, where torch's is 0 if the answer is right.
Shapes   N batch, C classes, * any sizes: `input` (N, C, *) or (C,); labels (N, *) or (). For yes or
         no, `input` and `target` have one shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from fathom.scratch.nn.activation_smooth import logsigmoid
from fathom.scratch.nn.elementwise import HALF, elementwise, exp
from fathom.scratch.nn.linear import Linear, linear
from fathom.scratch.nn.loss_base import loss, loss_layer, shapes
from fathom.scratch.nn.softmax import log_softmax, softmax


# The logarithms are cut off at -100, so that a certain but wrong prediction has a finite loss.
@elementwise(saves="input", slope=lambda p: p.clamp(min=1e-12).reciprocal())
def _log_of(p: Tensor) -> Tensor:
    return p.log().clamp_(min=-100)


@elementwise(saves="input", slope=lambda p: (p - 1).clamp(max=-1e-12).reciprocal())
def _log_of_rest(p: Tensor) -> Tensor:
    return p.neg().log1p_().clamp_(min=-100)


@loss("input target weight size_average reduce reduction")
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) for a probability p = `input` and a target t."""
    if input.device.type == "cpu" and input.numel():
        low, high = map(float, input.detach().aminmax())
        if not 0 <= low <= high <= 1:
            seen = f"{low:g} to {high:g}"
            raise RuntimeError(f"binary_cross_entropy: input must be between 0 and 1, found {seen}")
    losses = (target - 1) * _log_of_rest(input) - target * _log_of(input)
    return losses if weight is None else losses * weight


@loss("input target weight size_average reduce reduction pos_weight")
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None
) -> Tensor:
    """The same for p = sigmoid(x); `pos_weight` multiplies the loss of the positive answers.

    -t log p - (1 - t) log(1 - p) = (1 - t) x - log p, and `logsigmoid` never sees log 0.
    """
    log_p = logsigmoid(input)
    if pos_weight is not None:
        log_p = log_p * ((pos_weight - 1) * target + 1)
    losses = (1 - target) * input - log_p
    return losses if weight is None else losses * weight


def of_labels(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: float,
    losses: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The `losses` of labels, 0 where these are `ignore_index`; the weights to divide a mean by.

    Raises where labels are not (N, *) whole numbers from 0 to C - 1, or `ignore_index`.
    """
    dim = min(input.dim() - 1, 1)
    expected = (*input.shape[:dim], *input.shape[dim + 1 :])
    if input.dim() == 0 or target.shape != expected:
        got = shapes(input=input, target=target)
        raise ValueError(f"{name}: expected labels {expected} for this input, got {got}")
    if target.dtype not in (torch.int64, torch.uint8):
        raise RuntimeError(f"{name}: expected labels of type int64 (Long), got {target.dtype}")
    classes = input.shape[dim]
    if weight is not None and weight.shape != (classes,):
        got = shapes(weight=weight)
        raise RuntimeError(f"{name}: expected one weight for each of {classes} classes, got {got}")
    # Reading labels would make the processor wait for a device, which checks them itself.
    index, readable = target.long(), target.device.type == "cpu"
    if readable and not 0 <= ignore_index < classes:
        # What looks up each label raises at one that is out of range, be it wrong or ignored.
        with suppress(RuntimeError):
            return losses(index), None if weight is None else weight[index]
    ignored = index == ignore_index
    wrong = (index != index.clamp(0, classes - 1)) & ~ignored
    if readable and wrong.any():
        where, label = wrong.nonzero()[0].tolist(), int(target[wrong][0])
        raise IndexError(f"{name}: target {label} at position {where} is none of {classes} classes")
    index = index.masked_fill(ignored, 0)
    found = losses(index)
    weights = torch.ones_like(found) if weight is None else weight[index]
    # Not a product with 0: the loss may be infinite.
    return found.masked_fill(ignored, 0), weights.masked_fill(ignored, 0)


@loss("input target weight size_average ignore_index reduce reduction", alike="")
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> Any:
    """-w log p of the label, from log-probabilities; the mean divides by the sum of the weights."""
    dim = min(input.dim() - 1, 1)

    def losses(index: Tensor) -> Tensor:
        found = -input.gather(dim, index.unsqueeze(dim)).squeeze(dim)
        return found if weight is None else found * weight[index]

    return of_labels("nll_loss", input, target, weight, ignore_index, losses)


class _SurpriseOfLabels(torch.autograd.Function):
    """-log softmax(x)[label]: its gradient is the softmax, less 1 at the label (book 4.1.9)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, dim: int) -> Tensor:
        y = x - x.amax(dim, keepdim=True)
        at_label, p = y.gather(dim, index), exp(y)
        total = p.sum(dim, keepdim=True)
        ctx.save_for_backward(x, index, p, total)
        ctx.dim = dim
        return total.log().sub_(at_label).squeeze(dim)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, index, p, total = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative p must know that it is of x
            p, total = softmax(x, ctx.dim), torch.ones_like(total)
        g = grads[0].unsqueeze(ctx.dim)
        return (p * (g / total)).scatter_add_(ctx.dim, index, -g), None, None


def _surprise(input: Tensor, p: Tensor, weight: Tensor | None, smooth: float, dim: int) -> Tensor:
    """-sum w p log q, with p mixed with the uniform distribution."""
    p = p * (1 - smooth) + smooth / input.shape[dim]
    p = p if weight is None else p * weight.reshape(-1, *[1] * (input.dim() - 2))
    return -(log_softmax(input, dim) * p).sum(dim)


@loss("input target weight size_average ignore_index reduce reduction label_smoothing", alike="")
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """-sum p log q, with q the softmax of `input`. `target` holds labels, or probabilities p.

    Smoothing mixes p with the uniform distribution. Raises IndexError for a label out of range.
    """
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be 0 to 1, got {label_smoothing}")
    dim = min(input.dim() - 1, 1)
    wide = input.float() if input.dtype in HALF else input
    if target.shape == input.shape:
        if not target.is_floating_point():
            raise RuntimeError(f"cross_entropy: probabilities must be floats, got {target.dtype}")
        if ignore_index >= 0:
            raise RuntimeError("cross_entropy: ignore_index does not go with probabilities")
        return _surprise(wide, target, weight, label_smoothing, dim).to(input.dtype)

    def losses(index: Tensor) -> Tensor:
        place = index.unsqueeze(dim)
        if label_smoothing > 0:
            p = torch.zeros_like(wide).scatter_(dim, place, 1)
            return _surprise(wide, p, weight, label_smoothing, dim).to(input.dtype)
        found = _SurpriseOfLabels.apply(wide, place, dim)
        return (found if weight is None else found * weight[index]).to(input.dtype)

    return of_labels("cross_entropy", input, target, weight, ignore_index, losses)


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
    sizes = linear_weight.shape[:-1]
    fits = input.dim() == 2 if len(sizes) > 1 else input.dim() in (1, 2) and len(sizes) == 1
    if not fits or (linear_bias is not None and linear_bias.shape != sizes):
        got = shapes(input=input, linear_weight=linear_weight, linear_bias=linear_bias)
        raise RuntimeError(f"linear_cross_entropy: expected (N, I), (C, *, I), (C, *), got {got}")
    bias = None if linear_bias is None else linear_bias.flatten()
    logits = linear(input, linear_weight.flatten(0, -2), bias).unflatten(-1, sizes)
    ignore = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, None, ignore, None, reduction, label_smoothing)


SHOWN = "reduction", "ignore_index", "label_smoothing", "options"  # printed in this order


class LinearCrossEntropyLoss(nn.Module):
    """A linear layer and the cross-entropy of its outputs; `out_features` adds sizes after C."""

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
        bias: bool = False, device: Any = None, dtype: Any = None, reduction: str = "mean",
        weight: Tensor | None = None, ignore_index: int | None = None, label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.reduction, self.options = reduction, options
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        outputs = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, outputs, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        sizes, bias = (self.num_classes, *self.out_features), self.linear.bias
        return linear_cross_entropy(
            input, self.linear.weight.unflatten(0, sizes), target,
            linear_bias=None if bias is None else bias.unflatten(0, sizes),
            **{name: getattr(self, name) for name in ("weight", *SHOWN)},
        )  # fmt: skip

    def extra_repr(self) -> str:
        linear = f"in_features={self.linear.in_features}, num_classes={self.num_classes}"
        linear += f", out_features={self.out_features}, bias={self.linear.bias is not None}"
        return ", ".join([linear, *(f"{name}={getattr(self, name)}" for name in SHOWN)])


BCELoss = loss_layer("BCELoss", binary_cross_entropy)
BCEWithLogitsLoss = loss_layer("BCEWithLogitsLoss", binary_cross_entropy_with_logits)
NLLLoss = loss_layer("NLLLoss", nll_loss)
CrossEntropyLoss = loss_layer("CrossEntropyLoss", cross_entropy)
