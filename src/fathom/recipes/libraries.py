"""The two libraries that a recipe may be run on: PyTorch, and the one to read."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from fathom.core.arguments import Impl
from fathom.core.experiment import Metric
from fathom.models.pooling import mean_pool
from fathom.objectives import cross_entropy


@dataclass(frozen=True)
class Library:
    """Layers and optimisers under torch's names (`Any`: the two have no type in common).

    Torch's layers are its own, but for those that have a faster form of ours.

    `cross_entropy` is the library's fastest of logits (B, classes) and labels (B,).
    """

    nn: Any
    optim: Any
    cross_entropy: Metric


def library(impl: Impl) -> Library:
    """`torch` or `scratch`; the same weights, and up to rounding the same results."""
    if impl == "torch":
        layers = SimpleNamespace(**{**vars(torch.nn), "AvgPool2d": mean_pool})
        return Library(layers, torch.optim, cross_entropy)
    from fathom.scratch import nn, optim  # as large as the book: read when it is asked for

    return Library(nn, optim, nn.CrossEntropyLoss())
