"""First values for the weights of a whole network, as the book sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


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
