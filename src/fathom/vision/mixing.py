"""Pictures mixed with one another, and their labels in the same shares.

Source   Zhang et al. 2018, arXiv:1710.09412 (mixup): x = s a + (1 - s) b, y likewise; Yun et al.
         2019, arXiv:1905.04899 (cutmix): a rectangle of b laid over a, y by the areas. The share s
         of a is drawn from Beta(alpha, alpha).
Differs  The share is each picture's own, not the batch's; the partner is the picture before it in
         the batch, which the epoch's order has made a random one.
Shapes   N pictures (N, C, H, W); labels (N,) in, shares of the classes (N, K) out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from fathom.core.order import uniforms

Mix = Callable[[Tensor, Tensor, Tensor, int, int], tuple[Tensor, Tensor]]
"""`mix(batch, labels, indices, seed, epoch)`: the pictures, and their shares of each class."""


def mixup(classes: int, alpha: float = 0.2) -> Mix:
    """Fade each picture into its partner."""

    def mix(
        batch: Tensor, labels: Tensor, indices: Tensor, seed: int, epoch: int
    ) -> tuple[Tensor, Tensor]:
        share_N = _beta(uniforms(indices, seed, epoch, 1)[:, 0], alpha).to(batch.dtype)
        faded = torch.lerp(batch.roll(1, 0), batch, share_N[:, None, None, None])
        return faded, _shared(labels, share_N, classes)

    return mix


def cutmix(classes: int, alpha: float = 1.0) -> Mix:
    """Lay a rectangle of its partner over each picture, of the same place in both."""

    def mix(
        batch: Tensor, labels: Tensor, indices: Tensor, seed: int, epoch: int
    ) -> tuple[Tensor, Tensor]:
        _, _, H, W = batch.shape
        lots = uniforms(indices, seed, epoch, 3)
        side_N = (1 - _beta(lots[:, 0], alpha)).sqrt().float()
        rows_NH = _between(lots[:, 1], side_N, H)
        columns_NW = _between(lots[:, 2], side_N, W)
        theirs = rows_NH[:, None, :, None] & columns_NW[:, None, None, :]
        share_N = 1 - rows_NH.float().mean(1) * columns_NW.float().mean(1)
        mixed = torch.where(theirs, batch.roll(1, 0), batch)
        return mixed, _shared(labels, share_N, classes)

    return mix


def _between(centre_N: Tensor, side_N: Tensor, length: int) -> Tensor:
    """Which of `length` pixels are in a stretch around the centre that long; what sticks out is
    cut off."""
    pixels = (torch.arange(length, device=centre_N.device) + 0.5) / length
    return (pixels - centre_N[:, None]).abs() < side_N[:, None] / 2


def _shared(labels_N: Tensor, share_N: Tensor, classes: int) -> Tensor:
    ours = nn.functional.one_hot(labels_N, classes).to(share_N.dtype)
    return torch.lerp(ours.roll(1, 0), ours, share_N[:, None])


def _beta(lots_N: Tensor, alpha: float) -> Tensor:
    """Numbers of the distribution Beta(alpha, alpha), one for each number in [0, 1).

    Its cumulative distribution has no inverse in closed form: it is tabulated once and read
    backwards, between its points on straight lines.
    """
    points, cumulative = _beta_table(alpha)
    points, cumulative = points.to(lots_N.device), cumulative.to(lots_N.device)
    at = torch.searchsorted(cumulative, lots_N.double()).clamp(1, len(points) - 1)
    low, high = cumulative[at - 1], cumulative[at]
    part = ((lots_N - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
    return torch.lerp(points[at - 1], points[at], part)


@lru_cache(maxsize=8)
def _beta_table(alpha: float, count: int = 4096) -> tuple[Tensor, Tensor]:
    """Points in [0, 1] and the share of Beta(alpha, alpha) below each.

    The density (x (1 - x))^(alpha - 1) may be infinite at the ends. In t, where x = t^p / 2 and p
    is 1 / alpha or 1, that of the lower half is finite; the upper half mirrors it.
    """
    t = torch.linspace(0, 1, count, dtype=torch.float64)
    power = max(1.0, 1 / alpha)
    x = t**power / 2
    density = t ** (power * alpha - 1) * (1 - x) ** (alpha - 1)
    below = torch.cat([t.new_zeros(1), ((density[1:] + density[:-1]) / 2).cumsum(0)])
    below = below / below[-1] / 2
    points = torch.cat([x, 1 - x.flip(0)[1:]])
    return points, torch.cat([below, 1 - below.flip(0)[1:]])
