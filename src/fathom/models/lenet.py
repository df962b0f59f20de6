"""LeNet-5: two convolutions that find strokes and their corners, three linear layers that decide.

Source   LeCun et al. 1998, "Gradient-based learning applied to document recognition"; book 6.6.
Differs  As in the book, the paper's trainable pooling is a plain mean, its sparse connections
         between maps are full, and its Gaussian output layer is linear. With ReLU come what it
         goes with (book 11.11): max pooling, and He et al. 2015's scale of the first weights.
Shapes   28x28 picture -> 6 maps 28x28 -> pooled 14x14 -> 16 maps 10x10 -> pooled 5x5 -> 400
         numbers -> 120 -> 84 -> logits.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType

import torch

from fathom.core.errors import SettingError
from fathom.models.activations import Activation, activation_layer
from fathom.models.initialise import initialise

SMALLEST = 12  # of 12 pixels, two poolings and a 5x5 window leave one


def lenet(
    classes: int = 10,
    *,
    in_channels: int = 1,
    size: int = 28,
    activation: Activation = "sigmoid",
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, size, size) to logits (N, classes).

    Raises SettingError for pictures of fewer than 12 pixels a side.
    """
    if size < SMALLEST:
        raise SettingError(f"size {size}", "is too small for LeNet", f"use {SMALLEST} or more")
    side = (size // 2 - 4) // 2  # of the last maps
    pooling = nn.MaxPool2d if activation == "relu" else nn.AvgPool2d
    model = nn.Sequential(
        nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),
        activation_layer(activation, nn),
        pooling(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        activation_layer(activation, nn),
        pooling(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(16 * side * side, 120),
        activation_layer(activation, nn),
        nn.Linear(120, 84),
        activation_layer(activation, nn),
        nn.Linear(84, classes),
    )
    if activation == "relu":
        he = partial(nn.init.kaiming_normal_, nonlinearity="relu")
        return initialise(model, he, nn.init.zeros_)
    # Biases stay as the layers set them: the book's `init_weights` is silent about them.
    return initialise(model, nn.init.xavier_uniform_)


def batch_norm_lenet(
    classes: int = 10, *, in_channels: int = 1, size: int = 28, nn: ModuleType = torch.nn
) -> torch.nn.Module:
    """LeNet with batch normalisation before each sigmoid (book 7.5), and no padding.

    Raises SettingError for pictures of fewer than 16 pixels a side.
    """
    if size < SMALLEST + 4:
        wrong = "is too small for LeNet without padding"
        raise SettingError(f"size {size}", wrong, f"use {SMALLEST + 4} or more")
    side = ((size - 4) // 2 - 4) // 2
    model = nn.Sequential(
        nn.Conv2d(in_channels, 6, kernel_size=5),
        nn.BatchNorm2d(6),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.BatchNorm2d(16),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(16 * side * side, 120),
        nn.BatchNorm1d(120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.BatchNorm1d(84),
        nn.Sigmoid(),
        nn.Linear(84, classes),
    )
    return initialise(model, nn.init.xavier_uniform_)
