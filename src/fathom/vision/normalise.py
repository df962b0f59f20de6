"""Shift and scale the channels of pictures to mean 0 and standard deviation 1, and back.

Shapes   N pictures, C channels, H by W pixels; values in [0, 1] unless they are uint8.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEVELS = 256  # values of a byte


def statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of uint8 pictures, on the scale [0, 1].

    They follow from how often each level occurs, so no copy of the pictures is made, and the
    sums are exact.
    """
    means, deviations = [], []
    levels = torch.arange(LEVELS, dtype=torch.float64, device=images.device) / (LEVELS - 1)
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=LEVELS).double() / channel.numel()
        mean = (share * levels).sum()
        means.append(mean.item())
        deviations.append((share * (levels - mean).square()).sum().sqrt().item())
    return means, deviations


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(x - mean) / std in each channel. uint8 pictures are first scaled to [0, 1]."""
    values = images if images.is_floating_point() else images.float() / (LEVELS - 1)
    return (values - _channels(mean, values)) / _channels(std, values)


def denormalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pictures to be looked at, uint8, from normalised ones; what lies outside is cut off."""
    values = images * _channels(std, images) + _channels(mean, images)
    return (values * (LEVELS - 1)).round().clamp(0, LEVELS - 1).to(torch.uint8)


def _channels(values: Sequence[float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(-1, 1, 1)
