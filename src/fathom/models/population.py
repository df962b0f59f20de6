"""Batch normalisation of a trained network: by means over all that it was trained on.

Source   Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2, steps 8 to 12.
Differs  Layers keep running means while they train, and use these afterwards. Their last twenty
         batches or so were each seen with other weights: at a high rate the means lag behind the
         weights, and what the network answers changes from epoch to epoch more than it has learned.
"""

from __future__ import annotations

import copy
from itertools import islice
from typing import Any

import torch

from fathom.core.experiment import Batches


def by_population(
    model: torch.nn.Module, batches: Batches, *, most: int | None = None
) -> torch.nn.Module:
    """A copy in evaluation mode whose batch normalisation has its means and variances of `batches`.

    They are averages over one epoch, or the first `most` batches of it, seen with the weights as
    they are.
    """
    measured = copy.deepcopy(model).eval()
    device = next(model.parameters()).device
    layers: list[Any] = [
        layer for layer in measured.modules() if hasattr(layer, "reset_running_stats")
    ]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain average of all batches
        layer.train()
    with torch.no_grad():
        for inputs, _ in islice(batches.epoch(0, 0), most):
            measured(inputs.to(device))
    return measured.eval()
