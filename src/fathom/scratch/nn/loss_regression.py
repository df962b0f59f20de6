"""Losses for numbers and for distributions: how far is the prediction from the target?

Source   Huber 1964; smooth L1 Girshick 2015, arXiv:1504.08083; Gaussian Nix & Weigend 1994;
         book 3.1, 14.7 and 22.11 (Kullback-Leibler divergence).
Differs  Input and target of different shapes are an error (torch warns and broadcasts), and so is
         the mean of an empty batch (torch: NaN).
Shapes   `input` and `target` have one shape; the losses have it too, until they are reduced.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import elementwise, exp
from fathom.scratch.nn.loss_base import Loss, reduce_loss, reduction_of, same_shape


def _weighted(name: str, losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce; a weighted mean divides by the sum of the weights."""
    if weight is None:
        return reduce_loss(name, losses, reduction)
    same_shape(f"{name} (weight)", losses, weight)
    if reduction == "mean":
        return (losses * weight).sum() / weight.sum()
    return reduce_loss(name, losses * weight, reduction)


def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(x - y)^2."""
    same_shape("mse_loss", input, target)
    losses = (input - target).square()
    return _weighted("mse_loss", losses, weight, reduction_of(size_average, reduce, reduction))


def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|x - y|."""
    same_shape("l1_loss", input, target)
    losses = (input - target).abs()
    return _weighted("l1_loss", losses, weight, reduction_of(size_average, reduce, reduction))


@elementwise(saves="input", slope=lambda d, delta: d.clamp(-delta, delta))
def _huber(d: Tensor, delta: float) -> Tensor:
    # With m = d between -delta and delta, and the nearer of both elsewhere, it is m (d - m / 2).
    m = d.clamp(-delta, delta)
    return d.sub(m, alpha=0.5).mul_(m)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Half the square of a difference up to `delta`, a straight line beyond."""
    same_shape("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta is {delta}, must be greater than 0")
    losses = _huber(input - target, delta)
    if weight is not None:
        same_shape("huber_loss (weight)", losses, weight)
        losses = losses * weight  # unlike its sisters' in torch, this mean is over all elements
    return reduce_loss("huber_loss", losses, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """The Huber loss divided by `beta`, so that the line has slope 1; L1 where `beta` is 0."""
    same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta is {beta}, must not be negative")
    difference = input - target
    losses = _huber(difference, beta) if beta > 0 else difference.abs()
    losses = losses if beta in (0, 1) else losses / beta
    return reduce_loss("smooth_l1_loss", losses, reduction, size_average, reduce)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-log P(target) for a Poisson variable of mean e^x (x itself, unless `log_input`).

    The term log y! does not depend on x; `full` adds it by Stirling's formula where y > 1.
    """
    same_shape("poisson_nll_loss", input, target)
    if log_input:
        losses = exp(input) - target * input
    else:
        losses = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduce_loss("poisson_nll_loss", losses, reduction, size_average, reduce)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-log p(target) for a Gaussian of mean `input` and variance `var`, at least `eps`.

    `var` has the input's shape, or has size 1 in one dimension, or lacks the last one. `full` adds
    the constant log(2 pi) / 2.
    """
    if not isinstance(var, Tensor):
        var = torch.full_like(input, var)
    if (var < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative entry/entries")
    if var.shape == input.shape[:-1]:
        var = var.unsqueeze(-1)
    sizes = zip(input.shape, var.shape, strict=False)
    if var.dim() != input.dim() or sum(v for x, v in sizes if x != v) > 1:
        raise ValueError(
            f"gaussian_nll_loss: var is of incorrect size {tuple(var.shape)} for an input of "
            f"{tuple(input.shape)}"
        )
    with torch.no_grad():  # the floor has no slope of its own: var is learned through it
        floor = (eps - var).clamp_(min=0)
    var = var + floor
    losses = 0.5 * (var.log() + (input - target).square() / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduce_loss("gaussian_nll_loss", losses, reduction)


def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """p (log p - log q): `input` is log q, `target` is p, or log p if `log_target`.

    The divergence of two distributions is the sum; "batchmean" divides it by the batch alone,
    "mean" also by the number of outcomes.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        losses = torch.xlogy(target, target) - target * input  # xlogy: 0 log 0 = 0
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.dim() else 1)
    return reduce_loss("kl_div", losses, reduction)


class MSELoss(Loss):
    """(x - y)^2."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|x - y|."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """Half the square of a difference up to `delta`, a straight line beyond."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, int | float):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """The Huber loss divided by `beta`."""

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class PoissonNLLLoss(Loss):
    """-log P(target) for a Poisson variable of mean e^x."""

    def __init__(
        self, log_input: bool = True, full: bool = False, size_average: bool | None = None,
        eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """-log p(target) for a Gaussian with the given variance."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class KLDivLoss(Loss):
    """p (log p - log q), from log q and p."""

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        log_target: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
