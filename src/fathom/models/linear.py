"""Linear networks: a weighted sum of the inputs, as it is or as the logits of classes.

Source   Book 3.2-3.3 (regression) and 3.6-3.7 (classification): weights N(0, 0.01²), biases 0.
"""

from __future__ import annotations

from types import ModuleType

import torch

from fathom.models.initialise import initialise


def linear_regression(
    inputs: int, *, bias: bool = True, std: float = 0.01, nn: ModuleType = torch.nn
) -> torch.nn.Module:
    """(N, inputs) to (N, 1), from weights N(0, std²)."""
    return _normal(nn.Sequential(nn.Linear(inputs, 1, bias=bias)), std, nn)


def softmax_regression(
    inputs: int, classes: int = 10, *, nn: ModuleType = torch.nn
) -> torch.nn.Module:
    """(N, ...) with `inputs` numbers an example to logits (N, classes)."""
    return _normal(nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes)), 0.01, nn)


def _normal(model: torch.nn.Module, std: float, nn: ModuleType) -> torch.nn.Module:
    return initialise(model, lambda weight: nn.init.normal_(weight, std=std), nn.init.zeros_)
