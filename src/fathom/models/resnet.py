"""ResNet and ResNeXt: each block learns what to add to its input.

Source   He et al. 2015, arXiv:1512.03385; Xie et al. 2016, arXiv:1611.05431 (groups); book 7.6.
Differs  As published by torchvision, bottlenecks stride in their 3x3 convolution ("v1.5"), and no
         convolution has a bias, since the normalisation after it takes it away again. The book's
         form has biases, and its shortcuts are not normalised.
Shapes   224 pixels -> 112 -> 56 a side; four stages of 56, 28, 14 and 7 -> their mean -> logits.
"""

from __future__ import annotations

from collections import OrderedDict
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from fathom.core.errors import SettingError
from fathom.models.initialise import initialise

Depth = Literal[18, 34, 50, 101, 152]

STAGES: dict[int, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
BOTTLENECKS = 50  # from this depth on a block is 1x1, 3x3, 1x1


class BasicBlock(torch.nn.Module):
    """relu(F(x) + x), where F is two 3x3 convolutions: (N, C, H, W) to (N, K, H', W').

    `downsample` brings x to the shape of F(x), where they differ.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        downsample: torch.nn.Module | None,
        *,
        bias: bool = False,
        nn: ModuleType,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(y + shortcut)
        return out


class Bottleneck(torch.nn.Module):
    """relu(F(x) + x), where F is 1x1 (fewer maps), 3x3 (in groups), 1x1 (four times as many)."""

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        stride: int,
        groups: int,
        downsample: torch.nn.Module | None,
        *,
        nn: ModuleType,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(y + shortcut)
        return out


def book_resnet(
    classes: int = 10, *, in_channels: int = 1, width: int = 64, nn: ModuleType = torch.nn
) -> torch.nn.Module:
    """ResNet-18 as in the book: (N, in_channels, H, W) to logits (N, classes), Xavier's weights."""

    def stage(inputs: int, outputs: int, stride: int) -> torch.nn.Module:
        bridge = None
        if stride > 1:
            bridge = nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride)
        first = BasicBlock(inputs, outputs, stride, bridge, bias=True, nn=nn)
        built: torch.nn.Module = nn.Sequential(
            first, BasicBlock(outputs, outputs, 1, None, bias=True, nn=nn)
        )
        return built

    model = nn.Sequential(
        nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        ),
        stage(width, width, 1),
        stage(width, width * 2, 2),
        stage(width * 2, width * 4, 2),
        stage(width * 4, width * 8, 2),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(width * 8, classes),
    )
    return initialise(model, nn.init.xavier_uniform_)


def resnet(
    depth: Depth = 18,
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = 64,
    groups: int = 1,
    width_per_group: int = 64,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """(N, in_channels, H, W) to logits (N, classes): as published.

    ResNeXt-50 32x4d is 50 with 32 `groups` and a `width_per_group` of 4, ResNeXt-101 32x8d 101
    with 32 and 8. Raises SettingError for groups in blocks that have no bottleneck.
    """
    deep = depth >= BOTTLENECKS
    if groups > 1 and not deep:
        raise SettingError(
            f"groups {groups}", f"ResNet-{depth} has no bottlenecks", "use 50 or 101"
        )
    parts = OrderedDict(
        conv1=nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    channels = width
    for number, blocks in enumerate(STAGES[depth]):
        planes = width * 2**number
        outputs = planes * (4 if deep else 1)
        layers: list[torch.nn.Module] = []
        for block in range(blocks):
            stride = 2 if number > 0 and block == 0 else 1
            bridge = None
            if stride > 1 or channels != outputs:
                bridge = nn.Sequential(
                    nn.Conv2d(channels, outputs, kernel_size=1, stride=stride, bias=False),
                    nn.BatchNorm2d(outputs),
                )
            if deep:
                inner = planes * width_per_group // 64 * groups
                layers.append(Bottleneck(channels, inner, outputs, stride, groups, bridge, nn=nn))
            else:
                layers.append(BasicBlock(channels, planes, stride, bridge, nn=nn))
            channels = outputs
        parts[f"layer{number + 1}"] = nn.Sequential(*layers)
    parts.update(
        avgpool=nn.AdaptiveAvgPool2d((1, 1)), flatten=nn.Flatten(), fc=nn.Linear(channels, classes)
    )

    def first(weight: Tensor) -> None:
        if weight.dim() > 2:  # the last layer keeps its own
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    return initialise(nn.Sequential(parts), first)


def small_resnet(
    classes: int = 10, *, in_channels: int = 3, width: int = 64, nn: ModuleType = torch.nn
) -> torch.nn.Module:
    """ResNet-18 for pictures of some 32 pixels: (N, in_channels, H, W) to logits (N, classes).

    It begins with a 3x3 convolution that keeps the size, and does not pool before its stages. The
    names in its `state_dict` are those of `resnet`, all else of which is the same.
    """
    model: torch.nn.Module = resnet(18, classes, in_channels=in_channels, width=width, nn=nn)
    first = nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
    model.conv1, model.maxpool = first, nn.Identity()
    return model
