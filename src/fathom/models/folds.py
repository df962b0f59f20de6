"""Networks side by side, one for each fold of a cross-validation: as a whole, their ensemble.

Each member brings the features to its own scale, so it may be given a table's numbers as they
stand, with NaN where one is missing, and an exported file needs nothing beside it.

Source   Book 4.4 (k-fold cross-validation) and 4.10 (a linear layer on standardised features).
Shapes   B rows, F features, K members; the scales of a member have shape (F,).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

Scales = tuple[Tensor, Tensor, Tensor]


class Standardise(torch.nn.Module):
    """(x - mean) / std, of log(1 + x) where `log` is 1, no further from 0 than `clip`; NaN to 0."""

    mean: Tensor
    std: Tensor
    log: Tensor

    def __init__(
        self, mean_F: Tensor, std_F: Tensor, log_F: Tensor, clip: float = math.inf
    ) -> None:
        super().__init__()
        self.clip, self.takes_logs = clip, bool(log_F.any())
        for name, scale in {"mean": mean_F, "std": std_F, "log": log_F}.items():
            self.register_buffer(name, scale.float().clone())

    def forward(self, x_BF: Tensor) -> Tensor:
        if self.takes_logs:
            # Of the others the logarithm of 1 is taken: below -1 there would be none.
            logarithms_BF = torch.log1p((x_BF * self.log).clamp(min=0))
            x_BF = torch.where(self.log == 1, logarithms_BF, x_BF)
        scaled_BF = torch.nan_to_num((x_BF - self.mean) / self.std, nan=0.0)
        return scaled_BF if self.clip == math.inf else scaled_BF.clamp(-self.clip, self.clip)


class Restore(torch.nn.Module):
    """y * scale + centre: from numbers of the size that networks like to those of the target."""

    centre: Tensor
    scale: Tensor

    def __init__(self, centre: float, scale: float) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, y_B1: Tensor) -> Tensor:
        return y_B1.to(self.centre.dtype) * self.scale + self.centre


class SideBySide(torch.nn.Module):
    """(B, F) to (B, K): the same rows seen by each member, one column of answers for each."""

    def __init__(self, members: torch.nn.ModuleList) -> None:
        super().__init__()
        self.members = members

    def forward(self, x_BF: Tensor) -> Tensor:
        return torch.cat([member(x_BF) for member in self.members], dim=1)


def fold_networks(
    scales: Sequence[Scales],
    targets: Sequence[tuple[float, float]],
    hidden: Sequence[int] = (),
    *,
    clip: float = math.inf,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(B, F) to (B, K): a linear model, or one with hidden layers, for each fold.

    `scales` holds mean, std and log of the features, `targets` centre and scale of the target,
    for each fold as its training rows gave them. First values are the layers' own.
    """
    members = []
    for scale, (centre, size) in zip(scales, targets, strict=True):
        layers = [Standardise(*scale, clip)]
        width = len(scale[0])
        for wider in hidden:
            layers += [nn.Linear(width, wider), nn.ReLU()]
            width = wider
        members.append(nn.Sequential(*layers, nn.Linear(width, 1), Restore(centre, size)))
    return SideBySide(nn.ModuleList(members))
