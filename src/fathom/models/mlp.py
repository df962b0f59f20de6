"""Multilayer perceptron: linear layers with an activation between each two.

Source   Book 4.2-4.3, and 4.6 with dropout: weights N(0, 0.01²), biases 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import torch

from fathom.models.activations import Activation, activation_layer
from fathom.models.initialise import initialise


def mlp(
    inputs: int,
    hidden: Sequence[int] = (256,),
    classes: int = 10,
    *,
    activation: Activation = "relu",
    dropout: float | Sequence[float] = 0.0,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, ...) with `inputs` numbers an example to logits (N, classes).

    `dropout` is the share of each hidden layer that is left out in training, one for all hidden
    layers or one for each.
    """
    rates = [dropout] * len(hidden) if isinstance(dropout, int | float) else dropout
    layers = [nn.Flatten()]
    width = inputs
    for wider, rate in zip(hidden, rates, strict=True):
        layers += [nn.Linear(width, wider), activation_layer(activation, nn)]
        if rate > 0:
            layers.append(nn.Dropout(rate))
        width = wider
    model = nn.Sequential(*layers, nn.Linear(width, classes))
    return initialise(model, lambda weight: nn.init.normal_(weight, std=0.01), nn.init.zeros_)
