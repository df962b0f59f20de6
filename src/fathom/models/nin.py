"""Network in network: a small network of 1x1 convolutions at each place, no dense layers at all.

Source   Lin et al. 2013, arXiv:1312.4400; book 7.3.
Differs  The book draws all first weights by Xavier's rule (`weights="xavier"`). Twelve ReLUs then
         take a signal to a 4,096th of its mean square, and in the last block, of ten maps only, a
         map that is zero for all pictures has no gradient to come back by. By default the 1x1
         layers begin as the identity, so that the signal passes them as it is, and the maps of the
         classes begin above zero.
Shapes   224 pixels -> 54 a side -> 26 -> 12 -> 5, one map for each class, whose mean is its logit.
"""

from __future__ import annotations

from types import ModuleType
from typing import Literal

import torch

from fathom.core.errors import SettingError
from fathom.models.initialise import first_values
from fathom.vision.windows import after

Weights = Literal["identity", "xavier", "he"]
ALIVE = 1.0  # the first value of the class maps' biases

WINDOWS = [(11, 4), (3, 2), (5, 1, 2), (3, 2), (3, 1, 1), (3, 2)]  # kernel, stride, padding


def nin(
    classes: int = 10,
    *,
    in_channels: int = 1,
    size: int = 224,
    width: int = 96,
    dropout: float = 0.5,
    weights: Weights = "identity",
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, size, size) to logits (N, classes).

    `width` is the number of maps of the first block; those after it are in proportion. Raises
    SettingError for pictures that the windows do not fit into.
    """
    if after(size, *WINDOWS) < 1:
        raise SettingError(f"size {size}", "is too small for NiN", "use 67 or more")

    def block(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> list:
        return [
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, kernel_size=1),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, kernel_size=1),
            nn.ReLU(),
        ]

    wide, wider = width * 8 // 3, width * 4
    model = nn.Sequential(
        *block(in_channels, width, kernel=11, stride=4),
        nn.MaxPool2d(kernel_size=3, stride=2),
        *block(width, wide, kernel=5, padding=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        *block(wide, wider, kernel=3, padding=1),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Dropout(dropout),
        *block(wider, classes, kernel=3, padding=1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )
    if weights != "identity":
        return first_values(model, weights, nn)
    first_values(model, "he", nn)
    for layer in model:
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            nn.init.dirac_(layer.weight)
    nn.init.constant_(model[-8].bias, ALIVE)  # of the last 3x3 convolution
    return model
