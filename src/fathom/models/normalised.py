"""A first layer that brings colours to mean 0 and deviation 1, as the layers after it want them.

Being in the model, it is there wherever the model is: in training, measuring, reports, predictions
and exports. Its numbers are settings and no weights: files of weights know nothing of it.

Shapes   (N, C, H, W), in [0, 1].
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

Normal = tuple[Sequence[float], Sequence[float]]
IMAGENET: Normal = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10: Normal = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class Normalise(torch.nn.Module):
    """(x - mean) / std in each channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (x - self.mean) / self.std
        return out


def normalised(model: torch.nn.Module, normal: Normal) -> torch.nn.Module:
    """The layers of a chain after one that normalises, under the same names."""
    layers = OrderedDict(normal=Normalise(*normal), **dict(model.named_children()))
    chain: torch.nn.Module = type(model)(layers)
    return chain
