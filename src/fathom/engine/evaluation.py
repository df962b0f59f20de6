"""Measure a model on data, and leave it as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.devices import giving_back_large_blocks
from fathom.core.experiment import Batches, Counts, Derived, Experiment, Metric
from fathom.core.findings import Findings
from fathom.engine.carried import carried, put_back
from fathom.engine.loop import Totals
from fathom.engine.nested import each


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode, without gradients; modes and what it carries are put back."""
    modes, state = {module: module.training for module in model.modules()}, carried(model)
    model.eval()
    try:
        with torch.inference_mode(), giving_back_large_blocks():
            yield model
    finally:
        for module, training in modes.items():
            module.training = training
        put_back(model, state)


def evaluate(
    model: nn.Module,
    batches: Batches,
    scores: Mapping[str, Metric],
    *,
    device: torch.device,
    forward: Callable[[Any], Any] | None = None,
    dtype: torch.dtype | None = None,
    counts: Counts = len,
    derived: Mapping[str, Derived] | None = None,
) -> dict[str, float]:
    """Each score's mean over all of `batches`, weighted by the `counts` of each; what is derived.

    `forward` is the model or what stands for it (compiled); with `dtype` it runs under autocast.
    """
    totals = Totals()
    call = forward or model
    with evaluating(model):
        for inputs, targets in batches.epoch(0, 0):
            with torch.autocast(device.type, dtype) if dtype is not None else nullcontext():
                outputs = call(inputs)
            outputs = each(Tensor.float, outputs) if dtype is not None else outputs
            values = {name: score(outputs, targets) for name, score in scores.items()}
            totals.add(values, counts(targets))
        return totals.means(derived)


def examined(experiment: Experiment, valid: Batches | None) -> Findings:
    """What the experiment has to say of its model on held-out data; nothing, if it has none."""
    if experiment.examine is None or valid is None:
        return Findings()
    with evaluating(experiment.model) as model:
        return experiment.examine(model, valid)
