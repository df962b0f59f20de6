"""AlexNet: large windows first, small ones after, and two wide layers that decide.

Source   Krizhevsky et al. 2012 (the book's form, 7.1); Krizhevsky 2014, arXiv:1404.5997, the form
         whose weights are published, under torchvision's names.
Differs  Neither has the local normalisation of 2012, nor its two halves on two devices.
Shapes   224 pixels -> 54 or 55 a side -> 26 or 27 -> 12 or 13 -> 5 or 6 -> two hidden layers of
         4,096 -> logits.
"""

from __future__ import annotations

from collections import OrderedDict
from types import ModuleType

import torch

from fathom.core.errors import SettingError
from fathom.models.initialise import Weights, first_values
from fathom.vision.windows import after

BOOK = [(11, 4, 1), (3, 2), (5, 1, 2), (3, 2), *[(3, 1, 1)] * 3, (3, 2)]  # kernel, stride, padding


def wide_layers(
    inputs: int, hidden: int, classes: int, dropout: float, nn: ModuleType
) -> list[torch.nn.Module]:
    """Two hidden layers with dropout, and the logits."""
    return [
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    ]


def book_alexnet(
    classes: int = 10,
    *,
    in_channels: int = 1,
    size: int = 224,
    width: int = 96,
    dropout: float = 0.5,
    weights: Weights = "xavier",
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, size, size) to logits (N, classes).

    `width` is the number of maps of the first convolution; all else is in proportion to it.
    Raises SettingError for pictures that the windows do not fit into.
    """
    side = after(size, *BOOK)
    if side < 1:
        raise SettingError(f"size {size}", "is too small for AlexNet", "use 65 or more")
    wide, wider, hidden = width * 8 // 3, width * 4, width * 128 // 3
    model = nn.Sequential(
        nn.Conv2d(in_channels, width, kernel_size=11, stride=4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(width, wide, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(wide, wider, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(wider, wider, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(wider, wide, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Flatten(),
        *wide_layers(wide * side**2, hidden, classes, dropout, nn),
    )
    return first_values(model, weights, nn)


def alexnet(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = 64,
    dropout: float = 0.5,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, H, W) of 63 pixels a side or more to logits (N, classes): as published."""
    hidden = width * 64
    features = nn.Sequential(
        nn.Conv2d(in_channels, width, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(width, width * 3, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(width * 3, width * 6, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width * 6, width * 4, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width * 4, width * 4, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )
    classifier = nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(width * 4 * 6 * 6, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )
    parts = OrderedDict(
        features=features,
        avgpool=nn.AdaptiveAvgPool2d((6, 6)),
        flatten=nn.Flatten(),
        classifier=classifier,
    )
    return nn.Sequential(parts)
