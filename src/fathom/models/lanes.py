"""Several models side by side that are given the same batches: a race in one run.

They share nothing but the data, so the sum of their losses has for each the gradient that it
would have alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Lanes(nn.ModuleDict):
    """Models by name: inputs (B, ...) to the outputs of all, (B, models, ...)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([model(inputs) for model in self.values()], dim=1)
