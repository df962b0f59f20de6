"""DenseNet: each layer is given all maps before it and adds a few.

Source   Huang et al. 2016, arXiv:1608.06993 (121, 161, 169 and 201 layers); book 7.7.
Differs  The book's layers have one 3x3 convolution; those published, under torchvision's names, a
         1x1 before it that brings the many maps down to four times the few.
Shapes   224 pixels -> 112 -> 56 a side; four blocks of 56, 28, 14 and 7 -> their mean -> logits.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

from fathom.models.initialise import initialise

Depth = Literal[121, 161, 169, 201]

BLOCKS: dict[int, tuple[int, ...]] = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
SQUEEZE = 4  # what the 1x1 convolution leaves, in multiples of what a layer adds


class DenseLayer(torch.nn.Module):
    """(N, C, H, W) to (N, C + growth, H, W): the input, and beside it what the layers find."""

    def __init__(self, layers: OrderedDict[str, torch.nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        found = x_NCHW
        for layer in self.children():
            found = layer(found)
        return torch.cat([x_NCHW, found], dim=1)


def book_densenet(
    classes: int = 10,
    *,
    in_channels: int = 1,
    width: int = 64,
    layers: int = 4,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """DenseNet as in the book: (N, in_channels, H, W) to logits (N, classes), Xavier's weights.

    Four blocks of so many `layers`, each of which adds half as many maps as the stem's `width`.
    """
    growth = width // 2

    def layer(inputs: int) -> torch.nn.Module:
        convolution = nn.Conv2d(inputs, growth, kernel_size=3, padding=1)
        return DenseLayer(
            OrderedDict(norm=nn.BatchNorm2d(inputs), relu=nn.ReLU(), conv=convolution)
        )

    parts = [
        nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    ]
    channels = width
    for block in range(4):
        if block > 0:
            parts += [
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels // 2, kernel_size=1),
                nn.AvgPool2d(kernel_size=2, stride=2),
            ]
            channels //= 2
        parts.append(nn.Sequential(*(layer(channels + growth * n) for n in range(layers))))
        channels += growth * layers
    parts += [
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(channels, classes),
    ]
    return initialise(nn.Sequential(*parts), nn.init.xavier_uniform_)


def densenet(
    depth: Depth = 121,
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int | None = None,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, H, W) of 29 pixels or more to logits (N, classes): as published.

    `width` is the number of maps of the stem, 64 (96 for 161); each layer adds half as many. Files
    of 2017 name layers `norm.1`, `conv.2` and so on: their names are read as today's.
    """
    width = width or (96 if depth == 161 else 64)
    growth = width // 2

    def layer(inputs: int) -> torch.nn.Module:
        inner = SQUEEZE * growth
        return DenseLayer(
            OrderedDict(
                norm1=nn.BatchNorm2d(inputs),
                relu1=nn.ReLU(),
                conv1=nn.Conv2d(inputs, inner, kernel_size=1, bias=False),
                norm2=nn.BatchNorm2d(inner),
                relu2=nn.ReLU(),
                conv2=nn.Conv2d(inner, growth, kernel_size=3, padding=1, bias=False),
            )
        )

    features = OrderedDict(
        conv0=nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(width),
        relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    channels = width
    for block, layers in enumerate(BLOCKS[depth], 1):
        dense = {f"denselayer{n + 1}": layer(channels + growth * n) for n in range(layers)}
        features[f"denseblock{block}"] = nn.Sequential(OrderedDict(dense))
        channels += growth * layers
        if block < len(BLOCKS[depth]):
            transition = OrderedDict(
                norm=nn.BatchNorm2d(channels),
                relu=nn.ReLU(),
                conv=nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False),
                pool=nn.AvgPool2d(kernel_size=2, stride=2),
            )
            features[f"transition{block}"] = nn.Sequential(transition)
            channels //= 2
    features["norm5"] = nn.BatchNorm2d(channels)
    parts = OrderedDict(
        features=nn.Sequential(features),
        relu=nn.ReLU(),
        avgpool=nn.AdaptiveAvgPool2d((1, 1)),
        flatten=nn.Flatten(),
        classifier=nn.Linear(channels, classes),
    )

    def first(weight: Tensor) -> None:
        if weight.dim() > 2:  # the last layer keeps its own
            nn.init.kaiming_normal_(weight)

    model: torch.nn.Module = nn.Sequential(parts)
    model.register_load_state_dict_pre_hook(_names_of_today)
    return initialise(model, first, nn.init.zeros_)


_OLD = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def _names_of_today(model: torch.nn.Module, state: dict[str, Tensor], *_: Any) -> None:
    for name in list(state):
        if found := _OLD.match(name):
            state[found.group(1) + found.group(2)] = state.pop(name)
