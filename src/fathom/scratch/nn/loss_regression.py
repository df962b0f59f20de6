"""Losses for numbers and for distributions: how far is the prediction from the target?

Source   Huber 1964; smooth L1 Girshick 2015, arXiv:1504.08083; Gaussian Nix & Weigend 1994;
         book 3.1, 14.7 and 22.11 (Kullback-Leibler divergence).
Differs  Input and target of different shapes are an error (torch warns and broadcasts), and so is
         the mean of an empty batch (torch: NaN).
Shapes   `input` and `target` have one shape; the losses have it too, until they are reduced.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import elementwise, exp
from fathom.scratch.nn.loss_base import loss, loss_layer, shapes


def _weighted(losses: Tensor, weight: Tensor | None) -> Any:
    return losses if weight is None else (losses * weight, weight)


@loss("input target size_average reduce reduction weight", alike="target input weight")
def mse_loss(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """(x - y)^2."""
    return _weighted((input - target).square(), weight)


@loss("input target size_average reduce reduction weight", alike="target input weight")
def l1_loss(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """|x - y|."""
    return _weighted((input - target).abs(), weight)


@elementwise(saves="part", slope=lambda d, m, delta: m)
def _huber(d: Tensor, delta: float) -> tuple[Tensor, Tensor]:
    # With m = d between -delta and delta, and the nearer of both elsewhere, it is m (d - m / 2).
    m = d.clamp(-delta, delta)
    return d.sub(m, alpha=0.5).mul_(m), m


def _check_delta(settings: dict[str, Any]) -> None:
    delta = settings["delta"]
    if not isinstance(delta, int | float) or delta <= 0:
        raise ValueError(f"huber_loss: delta must be a number greater than 0, got {delta}")


@loss("input target reduction delta weight", alike="target input weight", check=_check_delta)
def huber_loss(
    input: Tensor, target: Tensor, delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the square of a difference up to `delta`, a straight line beyond."""
    losses = _huber(input - target, delta)
    # Unlike its sisters' in torch, a weighted mean is over all elements.
    return losses if weight is None else losses * weight


@loss("input target size_average reduce reduction beta")
def smooth_l1_loss(input: Tensor, target: Tensor, beta: float = 1.0) -> Tensor:
    """The Huber loss divided by `beta`, so that the line has slope 1; L1 where `beta` is 0."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta is {beta}, must not be negative")
    if beta == 0:
        return (input - target).abs()
    losses = _huber(input - target, beta)
    return losses if beta == 1 else losses / beta


@loss("input target log_input full size_average eps reduce reduction")
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Tensor:
    """-log P(target) for a Poisson variable of mean e^x (x itself, unless `log_input`).

    The term log y! does not depend on x; `full` adds it by Stirling's formula where y > 1.
    """
    losses = exp(input) - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return losses


@loss("input target var full eps reduction", alike="")
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6
) -> Tensor:
    """-log p(target) for a Gaussian of mean `input` and variance `var`, at least `eps`.

    `var` has the input's shape, or has size 1 in one dimension, or lacks the last one. `full` adds
    the constant log(2 pi) / 2.
    """
    var = var if isinstance(var, Tensor) else torch.full_like(input, var)
    if (var < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative entry/entries")
    if var.shape == input.shape[:-1]:
        var = var.unsqueeze(-1)
    sizes = zip(input.shape, var.shape, strict=False)
    if var.dim() != input.dim() or sum(v for x, v in sizes if x != v) > 1:
        got = shapes(input=input, var=var)
        raise ValueError(f"gaussian_nll_loss: var must be like input, or 1 in one size, got {got}")
    var = var + (eps - var.detach()).clamp_(min=0)  # var is learned through the floor
    losses = 0.5 * (var.log() + (input - target).square() / var)
    return losses + 0.5 * math.log(2 * math.pi) if full else losses


@loss("input target size_average reduce reduction log_target", alike="")
def kl_div(input: Tensor, target: Tensor, log_target: bool = False) -> Tensor:
    """p (log p - log q): `input` is log q, `target` is p, or log p if `log_target`.

    The divergence of two distributions is the sum; "batchmean" divides it by the batch alone,
    "mean" also by the number of outcomes.
    """
    if log_target:
        return exp(target) * (target - input)
    return torch.xlogy(target, target) - target * input  # xlogy: 0 log 0 = 0


MSELoss = loss_layer("MSELoss", mse_loss, without="weight")
L1Loss = loss_layer("L1Loss", l1_loss, without="weight")
HuberLoss = loss_layer("HuberLoss", huber_loss, without="weight")
SmoothL1Loss = loss_layer("SmoothL1Loss", smooth_l1_loss)
PoissonNLLLoss = loss_layer("PoissonNLLLoss", poisson_nll_loss)
GaussianNLLLoss = loss_layer("GaussianNLLLoss", gaussian_nll_loss)
KLDivLoss = loss_layer("KLDivLoss", kl_div)
