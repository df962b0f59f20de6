"""Positions: sines and cosines that tell a network, blind to order, where each token stands.

Source   Vaswani et al. 2017, arXiv:1706.03762, section 3.5; book 10.6.3.
Differs  The book's table ends at 1,000 steps, has an even number of columns and is moved at each
         call; here there is any number of either, and the table goes where the model goes.
Shapes   B batch, T steps, H features: column 2j is sin(t w^j), column 2j + 1 is cos(t w^j), with
         w = 10000^(-2/H). So a step further turns each pair of columns by its own angle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.models.dropout import dropout

READY = 512  # steps of the table that is held: more are computed when they come


def sinusoids(steps: int, size: int, *, first: int = 0) -> Tensor:
    """(T, H) in double precision: the codes of the positions `first`, `first` + 1, ..."""
    places_T1 = torch.arange(first, first + steps, dtype=torch.float64)[:, None]
    columns_H = torch.arange(size)
    speeds_H = 10_000.0 ** (-2 * (columns_H // 2).double() / size)
    # A cosine is a sine a quarter of a turn ahead, but not to the last digit of a large angle.
    angles_TH = places_T1 * speeds_H
    return torch.where(columns_H % 2 == 0, angles_TH.sin(), angles_TH.cos())


class PositionalEncoding(torch.nn.Module):
    """Adds to each token the code of its place, and drops some of the sum out while training."""

    table: Tensor

    def __init__(self, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.p = dropout
        table_TH = sinusoids(READY, size).to(torch.get_default_dtype())
        self.register_buffer("table", table_TH, persistent=False)

    def forward(self, x_BTH: Tensor, first: int = 0) -> Tensor:
        """`first` is the place of the first of these steps."""
        steps, size = x_BTH.shape[1:]
        codes_TH = self.table[first : first + steps]
        if first + steps > len(self.table):
            codes_TH = sinusoids(steps, size, first=first).to(self.table)
        return dropout(x_BTH + codes_TH, self.p, self.training)
