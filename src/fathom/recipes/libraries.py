"""The two libraries that a recipe may be run on: PyTorch, and the one to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from fathom.core.arguments import Impl
from fathom.scratch import nn as scratch_nn
from fathom.scratch import optim as scratch_optim


@dataclass(frozen=True)
class Library:
    """Layers and optimisers under torch's names. `Any`: the two have no type in common."""

    nn: Any
    optim: Any


def library(impl: Impl) -> Library:
    """`torch` or `scratch`; the same weights, and up to rounding the same results."""
    if impl == "scratch":
        return Library(scratch_nn, scratch_optim)
    return Library(torch.nn, torch.optim)
