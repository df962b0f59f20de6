"""GoogLeNet: windows of several sizes at once, side by side (Inception, version 1).

Source   Szegedy et al. 2014, arXiv:1409.4842; book 7.4. The published form has torchvision's
         names: batch normalisation throughout, and 3x3 where paper and book have 5x5.
Differs  The book draws first weights by Xavier's rule, which halves the signal at each ReLU; He et
         al.'s does not (`weights="he"`).
Shapes   96 pixels -> 24 a side, 192 maps -> 12, 480 -> 6, 832 -> 3, 1,024 -> their mean -> logits.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from fathom.models.initialise import Weights, first_values, initialise

Branches = tuple[int, tuple[int, int], tuple[int, int], int]

# Maps of each branch, for a stem of 64: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooled, then 1x1.
BLOCKS: dict[str, Branches] = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
STEM = 64
Outputs = tuple[Tensor, Tensor, Tensor]


def _scaled(branches: Branches, width: int) -> Branches:
    """Each branch as wide as it is beside a stem of `width` maps."""
    one, (to_three, three), (to_five, five), pooled = branches

    def times(maps: int) -> int:
        return maps * width // STEM

    return times(one), (times(to_three), times(three)), (times(to_five), times(five)), times(pooled)


def _total(branches: Branches) -> int:
    one, (_, three), (_, five), pooled = branches
    return one + three + five + pooled


class Inception(torch.nn.Module):
    """(N, C, H, W) to (N, K, H, W): what four branches find, beside each other.

    `convolution(inputs, outputs, kernel, padding)` is a convolution with all that follows it;
    `widest` is the window of the third branch.
    """

    def __init__(self, inputs: int, branches: Branches, convolution: partial, widest: int) -> None:
        super().__init__()
        nn = convolution.keywords["nn"]
        one, (to_three, three), (to_five, five), pooled = branches
        self.branch1 = convolution(inputs, one, 1)
        self.branch2 = nn.Sequential(
            convolution(inputs, to_three, 1), convolution(to_three, three, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            convolution(inputs, to_five, 1),
            convolution(to_five, five, widest, padding=widest // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1), convolution(inputs, pooled, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], dim=1)


def _plain(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0, nn: ModuleType
) -> torch.nn.Module:
    layers: torch.nn.Module = nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding), nn.ReLU()
    )
    return layers


def normalised(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    nn: ModuleType,
) -> torch.nn.Module:
    """A convolution without a bias, batch normalisation and a ReLU, under torchvision's names."""
    layers = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        bn=nn.BatchNorm2d(outputs, eps=0.001),
        relu=nn.ReLU(),
    )
    built: torch.nn.Module = nn.Sequential(layers)
    return built


def book_googlenet(
    classes: int = 10,
    *,
    in_channels: int = 1,
    width: int = 64,
    weights: Weights = "he",
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, H, W) to logits (N, classes). `width` is the number of maps of the stem."""
    convolution = partial(_plain, nn=nn)
    pool = partial(nn.MaxPool2d, kernel_size=3, stride=2, padding=1)
    layers = [
        convolution(in_channels, width, 7, stride=2, padding=3),
        pool(),
        convolution(width, width, 1),
        convolution(width, width * 3, 3, padding=1),
        pool(),
    ]
    channels = width * 3
    for name, branches in BLOCKS.items():
        scaled = _scaled(branches, width)
        if name in ("4a", "5a"):
            layers.append(pool())
        layers.append(Inception(channels, scaled, convolution, widest=5))
        channels = _total(scaled)
    layers += [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(channels, classes)]
    return first_values(nn.Sequential(*layers), weights, nn)


class InceptionAux(torch.nn.Module):
    """A head half-way up, (N, C, H, W) to logits (N, classes): the gradient's shorter way down."""

    def __init__(self, inputs: int, classes: int, width: int, convolution: partial) -> None:
        super().__init__()
        nn = convolution.keywords["nn"]
        self.pool = nn.AdaptiveAvgPool2d((4, 4))
        self.conv = convolution(inputs, width * 2, 1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(width * 2 * 4 * 4, width * 16)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(width * 16, classes)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.fc1(self.flatten(self.conv(self.pool(x)))))
        logits: Tensor = self.fc2(self.dropout(hidden))
        return logits


class GoogLeNet(torch.nn.Module):
    """(N, C, H, W) of 15 pixels or more to logits (N, classes).

    With auxiliary heads, in training, (logits, aux2, aux1): the loss is that of the logits and 0.3
    times those of the others. `transform_input` takes pictures normalised by ImageNet's means and
    deviations to the scale [-1, 1] that the published weights were trained on.
    """

    def __init__(
        self,
        classes: int,
        in_channels: int,
        width: int,
        aux_logits: bool,
        transform_input: bool,
        nn: ModuleType,
    ) -> None:
        super().__init__()
        self.transform_input = transform_input
        convolution = partial(normalised, nn=nn)
        pool = partial(nn.MaxPool2d, stride=2, ceil_mode=True)
        self.conv1 = convolution(in_channels, width, 7, stride=2, padding=3)
        self.maxpool1 = pool(3)
        self.conv2 = convolution(width, width, 1)
        self.conv3 = convolution(width, width * 3, 3, padding=1)
        self.maxpool2 = pool(3)
        channels = {"": width * 3}
        for name, branches in BLOCKS.items():
            if name == "4a":
                self.maxpool3 = pool(3)
            elif name == "5a":
                self.maxpool4 = pool(2)
            scaled = _scaled(branches, width)
            block = Inception(list(channels.values())[-1], scaled, convolution, widest=3)
            self.add_module(f"inception{name}", block)
            channels[name] = _total(scaled)
        self.aux1 = self.aux2 = None
        if aux_logits:
            self.aux1 = InceptionAux(channels["4a"], classes, width, convolution)
            self.aux2 = InceptionAux(channels["4d"], classes, width, convolution)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(channels["5b"], classes)

    def forward(self, x: Tensor) -> Tensor | Outputs:
        if self.transform_input:
            x = to_minus_one_and_one(x)
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        first = second = None
        for name in BLOCKS:
            if name == "4a":
                x = self.maxpool3(x)
            elif name == "5a":
                x = self.maxpool4(x)
            x = self.get_submodule(f"inception{name}")(x)
            if self.training and self.aux1 is not None and self.aux2 is not None:
                first = self.aux1(x) if name == "4a" else first
                second = self.aux2(x) if name == "4d" else second
        logits: Tensor = self.fc(self.dropout(self.flatten(self.avgpool(x))))
        if first is None or second is None:
            return logits
        return logits, second, first


def to_minus_one_and_one(x: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) less ImageNet's means, over its deviations, to 2 x - 1 of [0, 1]."""
    means = x.new_tensor([0.485, 0.456, 0.406])[:, None, None]
    deviations = x.new_tensor([0.229, 0.224, 0.225])[:, None, None]
    return (x * deviations + means) * 2 - 1


def googlenet(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = STEM,
    aux_logits: bool = False,
    transform_input: bool = False,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """GoogLeNet as published; its weight file wants `aux_logits` and `transform_input`."""
    model = GoogLeNet(classes, in_channels, width, aux_logits, transform_input, nn)
    return initialise(model, lambda weight: nn.init.trunc_normal_(weight, std=0.01, a=-2, b=2))
