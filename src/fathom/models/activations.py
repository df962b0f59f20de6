"""Activations by name, so that a recipe can offer the choice."""

from __future__ import annotations

from types import ModuleType
from typing import Literal

import torch

Activation = Literal["relu", "sigmoid", "tanh"]


def activation_layer(name: Activation, nn: ModuleType) -> torch.nn.Module:
    """The layer of library `nn` that computes the activation called `name`."""
    layer = {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh"}[name]
    return getattr(nn, layer)()
