"""Inception, version 3: large windows made of small ones, square ones of a row and a column.

Source   Szegedy et al. 2015, arXiv:1512.00567, under torchvision's names. Of its five kinds of
         block, A has 5x5 and two 3x3; B halves the sides; C has 1x7 and 7x1; D halves again;
         E spreads 3x3 out into 1x3 beside 3x1.
Shapes   299 pixels -> 149 -> 147 -> 73 -> 71 -> 35 a side -> A: 35 -> B: 17 -> C: 17 -> D: 8 ->
         E: 8 -> their mean -> logits.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from fathom.models.googlenet import normalised, to_minus_one_and_one
from fathom.models.initialise import initialise

STEM = 32
ROW, COLUMN = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
SHORT_ROW = {"kernel": (1, 3), "padding": (0, 1)}
SHORT_COLUMN = {"kernel": (3, 1), "padding": (1, 0)}


class Branches(torch.nn.Module):
    """What several chains of layers make of one input, side by side: (N, C, H, W) to (N, K, h, w).

    `chains` names the layers of each, from `layers` and `pooling`; two may share their first ones.
    """

    def __init__(
        self,
        layers: OrderedDict[str, torch.nn.Module],
        chains: list[list[str]],
        pooling: torch.nn.Module,
    ) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.pooling, self.chains = pooling, chains

    def forward(self, x: Tensor) -> Tensor:
        found: dict[str, Tensor] = {}
        ends = []
        for chain in self.chains:
            y = x
            for name in chain:
                if name not in found:
                    found[name] = self.get_submodule(name)(y)
                y = found[name]
            ends.append(y)
        return torch.cat(ends, dim=1)


def _mean(nn: ModuleType) -> torch.nn.Module:
    pooling: torch.nn.Module = nn.AvgPool2d(kernel_size=3, stride=1, padding=1)
    return pooling


def block_a(inputs: int, pooled: int, width: int, *, conv: partial) -> torch.nn.Module:
    """1x1; 5x5; two 3x3; pooled."""
    w = partial(_of, width)
    layers = OrderedDict(
        branch1x1=conv(inputs, w(64), 1),
        branch5x5_1=conv(inputs, w(48), 1),
        branch5x5_2=conv(w(48), w(64), 5, padding=2),
        branch3x3dbl_1=conv(inputs, w(64), 1),
        branch3x3dbl_2=conv(w(64), w(96), 3, padding=1),
        branch3x3dbl_3=conv(w(96), w(96), 3, padding=1),
        branch_pool=conv(inputs, w(pooled), 1),
    )
    chains = [
        ["branch1x1"],
        ["branch5x5_1", "branch5x5_2"],
        ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
        ["pooling", "branch_pool"],
    ]
    return Branches(layers, chains, _mean(conv.keywords["nn"]))


def block_b(inputs: int, width: int, *, conv: partial) -> torch.nn.Module:
    """A 3x3 and two 3x3, each of stride 2; pooled."""
    w = partial(_of, width)
    layers = OrderedDict(
        branch3x3=conv(inputs, w(384), 3, stride=2),
        branch3x3dbl_1=conv(inputs, w(64), 1),
        branch3x3dbl_2=conv(w(64), w(96), 3, padding=1),
        branch3x3dbl_3=conv(w(96), w(96), 3, stride=2),
    )
    chains = [
        ["branch3x3"],
        ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
        ["pooling"],
    ]
    return Branches(layers, chains, conv.keywords["nn"].MaxPool2d(kernel_size=3, stride=2))


def block_c(inputs: int, inner: int, width: int, *, conv: partial) -> torch.nn.Module:
    """1x1; 7x7 as a row and a column; two such; pooled."""
    c, out = _of(width, inner), _of(width, 192)
    layers = OrderedDict(
        branch1x1=conv(inputs, out, 1),
        branch7x7_1=conv(inputs, c, 1),
        branch7x7_2=conv(c, c, **ROW),
        branch7x7_3=conv(c, out, **COLUMN),
        branch7x7dbl_1=conv(inputs, c, 1),
        branch7x7dbl_2=conv(c, c, **COLUMN),
        branch7x7dbl_3=conv(c, c, **ROW),
        branch7x7dbl_4=conv(c, c, **COLUMN),
        branch7x7dbl_5=conv(c, out, **ROW),
        branch_pool=conv(inputs, out, 1),
    )
    chains = [
        ["branch1x1"],
        ["branch7x7_1", "branch7x7_2", "branch7x7_3"],
        [f"branch7x7dbl_{n}" for n in range(1, 6)],
        ["pooling", "branch_pool"],
    ]
    return Branches(layers, chains, _mean(conv.keywords["nn"]))


def block_d(inputs: int, width: int, *, conv: partial) -> torch.nn.Module:
    """A 3x3, and a 7x7 before a 3x3, each of stride 2; pooled."""
    w = partial(_of, width)
    layers = OrderedDict(
        branch3x3_1=conv(inputs, w(192), 1),
        branch3x3_2=conv(w(192), w(320), 3, stride=2),
        branch7x7x3_1=conv(inputs, w(192), 1),
        branch7x7x3_2=conv(w(192), w(192), **ROW),
        branch7x7x3_3=conv(w(192), w(192), **COLUMN),
        branch7x7x3_4=conv(w(192), w(192), 3, stride=2),
    )
    chains = [
        ["branch3x3_1", "branch3x3_2"],
        [f"branch7x7x3_{n}" for n in range(1, 5)],
        ["pooling"],
    ]
    return Branches(layers, chains, conv.keywords["nn"].MaxPool2d(kernel_size=3, stride=2))


def block_e(inputs: int, width: int, *, conv: partial) -> torch.nn.Module:
    """1x1; 3x3 as a row beside a column, twice; pooled."""
    w = partial(_of, width)
    layers = OrderedDict(
        branch1x1=conv(inputs, w(320), 1),
        branch3x3_1=conv(inputs, w(384), 1),
        branch3x3_2a=conv(w(384), w(384), **SHORT_ROW),
        branch3x3_2b=conv(w(384), w(384), **SHORT_COLUMN),
        branch3x3dbl_1=conv(inputs, w(448), 1),
        branch3x3dbl_2=conv(w(448), w(384), 3, padding=1),
        branch3x3dbl_3a=conv(w(384), w(384), **SHORT_ROW),
        branch3x3dbl_3b=conv(w(384), w(384), **SHORT_COLUMN),
        branch_pool=conv(inputs, w(192), 1),
    )
    chains = [
        ["branch1x1"],
        ["branch3x3_1", "branch3x3_2a"],
        ["branch3x3_1", "branch3x3_2b"],
        ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a"],
        ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3b"],
        ["pooling", "branch_pool"],
    ]
    return Branches(layers, chains, _mean(conv.keywords["nn"]))


def _of(width: int, maps: int) -> int:
    """So many maps beside a stem of 32, for a stem of `width`."""
    return maps * width // STEM


class InceptionV3(torch.nn.Module):
    """(N, C, H, W) of 75 pixels or more to logits (N, classes).

    With auxiliary heads, in training, (logits, aux). `transform_input` is `GoogLeNet`'s.
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
        conv, w = partial(normalised, nn=nn), partial(_of, width)
        self.Conv2d_1a_3x3 = conv(in_channels, w(32), 3, stride=2)
        self.Conv2d_2a_3x3 = conv(w(32), w(32), 3)
        self.Conv2d_2b_3x3 = conv(w(32), w(64), 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = conv(w(80), w(192), 3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = block_a(w(192), 32, width, conv=conv)
        self.Mixed_5c = block_a(w(256), 64, width, conv=conv)
        self.Mixed_5d = block_a(w(288), 64, width, conv=conv)
        self.Mixed_6a = block_b(w(288), width, conv=conv)
        for letter, inner in zip("bcde", (128, 160, 160, 192), strict=True):
            self.add_module(f"Mixed_6{letter}", block_c(w(768), inner, width, conv=conv))
        self.AuxLogits = _aux_head(w(768), classes, width, conv) if aux_logits else None
        self.Mixed_7a = block_d(w(768), width, conv=conv)
        self.Mixed_7b = block_e(w(1280), width, conv=conv)
        self.Mixed_7c = block_e(w(2048), width, conv=conv)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(0.5)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(w(2048), classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.transform_input:
            x = to_minus_one_and_one(x)
        aux = None
        for name, layer in self.named_children():
            if name == "AuxLogits":
                aux = layer(x) if self.training else None
            else:
                x = layer(x)
        return x if aux is None else (x, aux)


def _aux_head(inputs: int, classes: int, width: int, conv: partial) -> torch.nn.Module:
    nn = conv.keywords["nn"]
    parts = OrderedDict(
        pool=nn.AvgPool2d(kernel_size=5, stride=3),
        conv0=conv(inputs, _of(width, 128), 1),
        conv1=conv(_of(width, 128), _of(width, 768), 5),
        mean=nn.AdaptiveAvgPool2d((1, 1)),
        flatten=nn.Flatten(),
        fc=nn.Linear(_of(width, 768), classes),
    )
    head: torch.nn.Module = nn.Sequential(parts)
    return head


def inception_v3(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = STEM,
    aux_logits: bool = False,
    transform_input: bool = False,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """Inception v3 as published; its weight file wants `aux_logits` and `transform_input`."""
    model = InceptionV3(classes, in_channels, width, aux_logits, transform_input, nn)
    initialise(model, lambda weight: nn.init.trunc_normal_(weight, std=0.1, a=-2, b=2))
    if aux_logits:  # a head that begins quietly
        for name, std in (("conv1.conv", 0.01), ("fc", 0.001)):
            weight = model.get_parameter(f"AuxLogits.{name}.weight")
            nn.init.trunc_normal_(weight, std=std, a=-2, b=2)
    return model
