"""The two libraries that a recipe may be run on: PyTorch, and the one to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from fathom.core.arguments import Impl
from fathom.core.experiment import Metric
from fathom.objectives import cross_entropy
from fathom.scratch import nn as scratch_nn
from fathom.scratch import optim as scratch_optim


@dataclass(frozen=True)
class Library:
    """Layers and optimisers under torch's names (`Any`: the two have no type in common).

    `cross_entropy` is the library's fastest of logits (B, classes) and labels (B,).
    """

    nn: Any
    optim: Any
    cross_entropy: Metric


def library(impl: Impl) -> Library:
    """`torch` or `scratch`; the same weights, and up to rounding the same results."""
    if impl == "scratch":
        return Library(scratch_nn, scratch_optim, scratch_nn.CrossEntropyLoss())
    return Library(torch.nn, torch.optim, cross_entropy)
