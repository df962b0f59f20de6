"""Clip gradients, all of them together or number by number.

Source   Pascanu et al. 2013, arXiv:1211.5063; book 8.5.
Differs  The book divides by the norm; torch, by the norm plus 1e-6. We follow torch. `foreach` is
         taken and ignored: it chooses between torch's ways of computing the same numbers.
Shapes   Any.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

Tensors = Tensor | Iterable[Tensor]


def _each(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [each.grad for each in _each(parameters) if each.grad is not None]


def _norm(values: Tensor, p: float) -> Tensor:
    sizes = values.abs()
    if p == 0 or values.numel() == 0:
        return (sizes != 0).sum().to(values.dtype)
    if abs(p) == math.inf:
        return sizes.max() if p > 0 else sizes.min()
    return (sizes**p).sum() ** (1 / p) if p != 2 else (sizes * sizes).sum().sqrt()


@torch.no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """The norm of all `tensors` as if they were one vector: the norm of their norms."""
    every = _each(tensors)
    if not every:
        return torch.tensor(0.0)
    norms = [_norm(each.detach(), float(norm_type)).to(every[0].device) for each in every]
    total = _norm(torch.stack(norms), float(norm_type))
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(f"non-finite norm {float(total)}: allow it, error_if_nonfinite=False")
    return total


@torch.no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by max_norm / total_norm, unless that would make them larger."""
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for gradient in _gradients(parameters):
        gradient.mul_(scale.to(gradient.device))


def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Shorten the gradients, taken as one vector, to `max_norm`; the norm before is returned."""
    every = _each(parameters)
    total = get_total_norm(_gradients(every), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(every, max_norm, total)
    return total


@torch.no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Move every number of every gradient into [-clip_value, clip_value]."""
    for gradient in _gradients(parameters):
        gradient.clamp_(-float(clip_value), float(clip_value))
