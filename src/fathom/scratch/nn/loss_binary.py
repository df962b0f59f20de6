"""Losses for yes or no: binary cross-entropy, from probabilities and from logits.

Source   Book 4.1.3; the stable form from logits is that of softplus.
Differs  Input and target of different shapes, and the mean of an empty batch, are errors. At
         probabilities of exactly 0 and 1 the slope is that of a logarithm cut off at 1e-12, where
         torch's is 0 if the answer is right.
Shapes   `input` and `target` have one shape.
"""

from __future__ import annotations

from torch import Tensor

from fathom.scratch.nn.activation_smooth import logsigmoid
from fathom.scratch.nn.elementwise import elementwise
from fathom.scratch.nn.loss_base import loss, loss_layer


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
    if input.device.type == "cpu" and ((input < 0) | (input > 1)).any():
        raise RuntimeError(
            "binary_cross_entropy: all elements of input should be between 0 and 1, found "
            f"{input.min().item():g} to {input.max().item():g}"
        )
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


BCELoss = loss_layer("BCELoss", binary_cross_entropy)
BCEWithLogitsLoss = loss_layer("BCEWithLogitsLoss", binary_cross_entropy_with_logits)
