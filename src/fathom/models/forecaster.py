"""A forecaster: the next row of a series from the last few, by a small network; and on from there.

Source   Book 8.1: 4 numbers to 10 hidden units with ReLU to 1, weights of Xavier.
Shapes   N windows, W steps in each, V variables.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fathom.models.initialise import initialise


def forecaster(
    window: int, variables: int = 1, hidden_size: int = 10, *, nn: Any = torch.nn
) -> torch.nn.Module:
    """(N, window, variables) to (N, variables)."""
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(window * variables, hidden_size),
        nn.ReLU(),
        nn.Linear(hidden_size, variables),
    )
    return initialise(model, nn.init.xavier_uniform_)


def rolled_out(model: torch.nn.Module, windows_NWV: Tensor, steps: int) -> Tensor:
    """(N, steps, V): each window gone on with, forecasts taken for what has been seen."""
    found = []
    for _ in range(steps):
        found.append(model(windows_NWV))
        windows_NWV = torch.cat([windows_NWV[:, 1:], found[-1][:, None]], dim=1)
    return torch.stack(found, dim=1)
