"""VGG: blocks of 3x3 convolutions, each block half as large as the last and twice as wide.

Source   Simonyan and Zisserman 2014, arXiv:1409.1556 (depths 11, 13, 16 and 19); batch
         normalisation as in torchvision's `vgg11_bn`; book 7.2.
Shapes   224 pixels -> 112 -> 56 -> 28 -> 14 -> 7 a side -> two hidden layers of 4,096 -> logits.
"""

from __future__ import annotations

from collections import OrderedDict
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from fathom.core.errors import SettingError
from fathom.models.alexnet import wide_layers
from fathom.models.initialise import Weights, first_values, initialise

Depth = Literal[11, 13, 16, 19]

# Convolutions in each of the five blocks.
BLOCKS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
WIDER = (1, 2, 4, 8, 8)  # each block's maps, in multiples of the first's


def vgg_blocks(
    depth: Depth, in_channels: int, width: int, *, batch_norm: bool = False, nn: ModuleType
) -> list[torch.nn.Module]:
    """The layers of all blocks in one row, as torchvision numbers them."""
    layers: list[torch.nn.Module] = []
    channels = in_channels
    for convolutions, wider in zip(BLOCKS[depth], WIDER, strict=True):
        for _ in range(convolutions):
            layers.append(nn.Conv2d(channels, width * wider, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width * wider))
            layers.append(nn.ReLU())
            channels = width * wider
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return layers


def book_vgg(
    classes: int = 10,
    *,
    in_channels: int = 1,
    size: int = 224,
    width: int = 16,
    depth: Depth = 11,
    dropout: float = 0.5,
    weights: Weights = "xavier",
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, size, size) to logits (N, classes).

    `width` is the number of maps of the first block: the book trains a quarter of the paper's 64,
    with hidden layers as wide as the paper's.
    Raises SettingError for pictures of fewer than 32 pixels, which five halvings would use up.
    """
    side = size // 32
    if side < 1:
        raise SettingError(f"size {size}", "is too small for VGG", "use 32 or more")
    hidden = width * 256
    model = nn.Sequential(
        *vgg_blocks(depth, in_channels, width, nn=nn),
        nn.Flatten(),
        *wide_layers(width * WIDER[-1] * side**2, hidden, classes, dropout, nn),
    )
    return first_values(model, weights, nn)


def vgg(
    depth: Depth = 11,
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = 64,
    batch_norm: bool = False,
    dropout: float = 0.5,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, H, W) of 32 pixels or more to logits (N, classes): as published."""
    last = wide_layers(width * WIDER[-1] * 7 * 7, width * 64, classes, dropout, nn)
    parts = OrderedDict(
        features=nn.Sequential(
            *vgg_blocks(depth, in_channels, width, batch_norm=batch_norm, nn=nn)
        ),
        avgpool=nn.AdaptiveAvgPool2d((7, 7)),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(*last),
    )

    def first(weight: Tensor) -> None:
        if weight.dim() > 2:
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.normal_(weight, std=0.01)

    return initialise(nn.Sequential(parts), first, nn.init.zeros_)
