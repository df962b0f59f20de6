"""The networks on pictures by name, each made for pictures of some size and channels.

Names as torchvision's, where it has one; `book-…` is the form that the book trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch

from fathom.core.errors import SettingError, did_you_mean
from fathom.models.alexnet import alexnet, book_alexnet
from fathom.models.densenet import book_densenet, densenet
from fathom.models.googlenet import book_googlenet, googlenet
from fathom.models.inception_v3 import inception_v3
from fathom.models.lenet import batch_norm_lenet, lenet
from fathom.models.nin import nin
from fathom.models.resnet import book_resnet, resnet
from fathom.models.vgg import book_vgg, vgg


@dataclass(frozen=True)
class Network:
    """How a network is made, and the pictures that it was made for: (channels, size, size).

    `smallest` is the fewest pixels a side that it can take; `sized` says that it must be told.
    `weights` names the ways to draw its first weights, where there is a choice; `narrows` says
    that it can be made with another width.
    """

    build: Callable[..., torch.nn.Module]
    channels: int
    size: int
    smallest: int = 1
    sized: bool = False
    weights: tuple[str, ...] = ()
    narrows: bool = True


NETWORKS: dict[str, Network] = {
    "book-lenet": Network(lenet, 1, 28, 12, sized=True, narrows=False),
    "book-alexnet": Network(book_alexnet, 1, 224, 65, True, ("xavier", "he")),
    "book-vgg11": Network(book_vgg, 1, 224, 32, True, ("xavier", "he")),
    "book-nin": Network(nin, 1, 224, 67, True, ("identity", "xavier", "he")),
    "book-googlenet": Network(book_googlenet, 1, 96, weights=("he", "xavier")),
    "book-batch-norm": Network(batch_norm_lenet, 1, 28, 16, sized=True, narrows=False),
    "book-resnet18": Network(book_resnet, 1, 96),
    "book-densenet": Network(book_densenet, 1, 96, 32),
    "alexnet": Network(alexnet, 3, 224, 63),
    **{
        f"vgg{depth}{'_bn' * norm}": Network(partial(vgg, depth, batch_norm=norm), 3, 224, 32)
        for norm in (False, True)
        for depth in (11, 13, 16, 19)
    },
    "googlenet": Network(googlenet, 3, 224, 15),
    "inception_v3": Network(inception_v3, 3, 299, 75),
    **{
        f"resnet{depth}": Network(partial(resnet, depth), 3, 224)
        for depth in (18, 34, 50, 101, 152)
    },
    "resnext50_32x4d": Network(partial(resnet, 50, groups=32, width_per_group=4), 3, 224),
    "resnext101_32x8d": Network(partial(resnet, 101, groups=32, width_per_group=8), 3, 224),
    **{
        f"densenet{depth}": Network(partial(densenet, depth), 3, 224, 29)
        for depth in (121, 161, 169, 201)
    },
}


def make_network(
    name: str,
    classes: int = 10,
    *,
    in_channels: int | None = None,
    size: int | None = None,
    width: int | None = None,
    weights: str | None = None,
    nn: ModuleType = torch.nn,
) -> torch.nn.Module:
    """The network of that name, for other pictures, or narrower, than it was made for.

    `width` is the number of maps of its first convolution, `weights` how its first weights are
    drawn. Raises SettingError for an unknown name, for pictures that are too small, and for
    weights that the network has no choice of.
    """
    if name not in NETWORKS:
        raise SettingError(
            name, "is no network", did_you_mean(name, NETWORKS, "see `fathom.models.networks`")
        )
    found = NETWORKS[name]
    size = size or found.size
    if size < found.smallest:
        raise SettingError(f"size {size}", f"is too small for {name}", f"use {found.smallest}")
    if weights is not None and weights not in found.weights:
        known = " or ".join(found.weights) or "its own, published ones"
        raise SettingError(f"weights {weights}", f"{name} has {known}", "leave the setting out")
    more: dict[str, Any] = {"size": size} if found.sized else {}
    more |= {} if width is None else {"width": width}
    more |= {} if weights is None else {"weights": weights}
    return found.build(classes=classes, in_channels=in_channels or found.channels, nn=nn, **more)
