"""Kernel regression: the value at a place is a mean of those near it, and how near is learned.

Source   Nadaraya 1964 and Watson 1964; book 10.2.
Differs  The book's weight begins anywhere in [0, 1], and stays at 0 if it begins near it: nothing
         depends on its sign, so that the loss is flat there. Ours begins in [1/2, 1].
Shapes   B queries, S keys: (B, 1) to (B, 1).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fathom.models.attention import masked_softmax


class NadarayaWatson(torch.nn.Module):
    """softmax(-((query - key) w)² / 2) over keys it holds, with their values: attention.

    While training, a query does not see a key that is the same number: else each point would
    explain itself, and the largest `w` would be best.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, scale: torch.nn.Module, nn: Any) -> None:
        super().__init__()
        self.register_buffer("keys", keys.flatten())
        self.register_buffer("values", values.reshape(-1, 1))
        self.scale = scale
        self._softmax = nn.functional.softmax

    def forward(self, queries_B1: Tensor) -> Tensor:
        return self.weights(queries_B1) @ self.values

    def weights(self, queries_B1: Tensor) -> Tensor:
        """(B, S): how much of each value a query takes."""
        apart_BS = queries_B1 - self.keys
        scores_BS = -self.scale(apart_BS.unsqueeze(-1)).squeeze(-1).square() / 2
        mask_BS = apart_BS != 0 if self.training else None
        return masked_softmax(scores_BS, mask_BS, softmax=self._softmax)


def nadaraya_watson(keys: Tensor, values: Tensor, *, nn: Any = torch.nn) -> NadarayaWatson:
    """Over so many keys (S,) and values (S,); the one weight begins in [1/2, 1]."""
    scale = nn.Linear(1, 1, bias=False)
    nn.init.uniform_(scale.weight, 0.5, 1.0)
    return NadarayaWatson(keys, values, scale, nn)
