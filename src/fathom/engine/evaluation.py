"""Measure a model on data, and leave it as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from fathom.core.experiment import Batches, Metric
from fathom.engine.loop import Totals


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode, without gradients; each module's mode is put back after."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            yield model
    finally:
        for module, training in modes.items():
            module.training = training


def evaluate(
    model: nn.Module,
    batches: Batches,
    scores: Mapping[str, Metric],
    *,
    device: torch.device,
    forward: Callable[[Any], Any] | None = None,
    dtype: torch.dtype | None = None,
) -> dict[str, float]:
    """Each score's mean over all examples of `batches`, weighted by the size of each batch.

    `forward` is the model or what stands for it (compiled); with `dtype` it runs under autocast.
    """
    totals = Totals()
    call = forward or model
    with evaluating(model):
        for inputs, targets in batches.epoch(0, 0):
            with torch.autocast(device.type, dtype) if dtype is not None else nullcontext():
                outputs = call(inputs)
            outputs = outputs.float() if dtype is not None else outputs
            values = {name: score(outputs, targets) for name, score in scores.items()}
            totals.add(values, len(targets))
        return totals.means()
