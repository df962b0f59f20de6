"""First values for the weights of a whole network, as the book sets them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

Weights = Literal["xavier", "he"]


def initialise(
    model: torch.nn.Module,
    weights: Callable[[Tensor], Any],
    biases: Callable[[Tensor], Any] | None = None,
) -> torch.nn.Module:
    """Fill each matrix or kernel called `weight` by `weights`, and by `biases` each `bias`.

    What is in neither class keeps the values that its layer gave it.
    """
    for name, parameter in model.named_parameters():
        if name.endswith("weight") and parameter.dim() > 1:
            weights(parameter)
        elif name.endswith("bias") and biases is not None:
            biases(parameter)
    return model


def xavier(model: torch.nn.Module, nn: Any) -> None:
    """Xavier's scale for every matrix, those of recurrent layers too, but for embeddings."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and "embedding" not in name:
            nn.init.xavier_uniform_(parameter)


def first_values(model: torch.nn.Module, weights: Weights, nn: ModuleType) -> torch.nn.Module:
    """Xavier's scale, as the book has it for every network, or He's, for those of ReLUs.

    A ReLU lets half of the mean square through. Xavier's weights keep it as it was before the ReLU,
    so that of the signal of a deep network little arrives, and what the layers answer is their
    biases; He's double it, and biases begin at zero.
    """
    if weights == "xavier":
        return initialise(model, nn.init.xavier_uniform_)
    he = partial(nn.init.kaiming_normal_, nonlinearity="relu")
    return initialise(model, he, nn.init.zeros_)
