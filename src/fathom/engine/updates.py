"""What one batch teaches: gradients of an objective, and the step that follows them.

Two kinds of function, both from a batch to values on the device. A *gradient* function leaves
gradients in `.grad`; `autocast` and `accumulate` wrap one. `descend` makes an *update* of it:
clip, check that all is finite, step, schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.experiment import Counts, Experiment, Metric
from fathom.engine.guard import Guard
from fathom.engine.loop import Update, Values
from fathom.engine.nested import each, split

Gradients = Callable[[Any], Values]


def supervised(
    model: Callable[[Any], Any],
    objective: Metric,
    metrics: Mapping[str, Metric],
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
    scale: Callable[[Tensor], Tensor] | None = None,
) -> Gradients:
    """Gradients of `objective(model(inputs), targets)`, and each metric of the same outputs.

    With `dtype` the forward pass runs under autocast; the loss is taken in single precision.
    `scale` multiplies the loss before its derivative is taken (for fp16).
    """

    def gradients(batch: tuple[Any, Any]) -> Values:
        inputs, targets = batch
        with torch.autocast(device.type, dtype) if dtype is not None else nullcontext():
            outputs = model(inputs)
        if dtype is not None:
            outputs = each(Tensor.float, outputs)
        loss = objective(outputs, targets)
        (loss if scale is None else scale(loss)).backward()
        values = {"loss": loss.detach()}
        if metrics:
            outputs = each(Tensor.detach, outputs)
            for name, metric in metrics.items():
                values[name] = metric(outputs, targets)
        return values

    return gradients


def gradients_of(
    experiment: Experiment,
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
    forward: Callable[[Any], Any] | None = None,
    scale: Callable[[Tensor], Tensor] | None = None,
) -> Gradients:
    """What one batch teaches an experiment's model, in as many pieces as it asks for.

    `forward` is the model or what stands for it (compiled).
    """
    one = supervised(
        forward or experiment.model,
        experiment.objective,
        experiment.metrics,
        device=device,
        dtype=dtype,
        scale=scale,
    )
    if experiment.accumulate == 1:
        return one
    parameters = experiment.model.parameters()
    return accumulate(one, parameters, experiment.accumulate, experiment.counts)


def accumulate(
    gradients: Gradients,
    parameters: Iterable[nn.Parameter],
    parts: int,
    counts: Counts = len,
) -> Gradients:
    """The same gradients from `parts` pieces of the batch, one after the other.

    Pieces weigh by their `counts`: an uneven last one counts as it should.
    """
    trained = list(parameters)

    def accumulated(batch: Any) -> Values:
        total = counts(batch[1])
        sums: Values = {}
        kept: dict[nn.Parameter, Tensor] = {}
        for piece in split(batch, parts):
            values = gradients(piece)
            weight = counts(piece[1]) / total
            for name, value in values.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + weight * value
            for parameter in trained:
                if parameter.grad is not None:
                    if parameter in kept:
                        kept[parameter].add_(parameter.grad * weight)
                    else:
                        kept[parameter] = parameter.grad.mul_(weight)
                parameter.grad = None
        for parameter, gradient in kept.items():
            parameter.grad = gradient
        return sums

    return accumulated


def descend(
    gradients: Gradients,
    optimizer: torch.optim.Optimizer,
    guard: Guard,
    *,
    clip: float | None = None,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    ends_epoch: Callable[[], bool] | None = None,
    scaler: torch.amp.GradScaler | None = None,
) -> Update:
    """One update: gradients, the check, clipping to norm `clip`, the step, the schedule.

    The guard holds the step back when loss or gradients are not finite; see `guard.py`. With a
    `scaler` (fp16) a step that overflowed is not taken and the scale is halved. The schedule
    moves with each step taken, or where `ends_epoch` is given with each epoch that ends.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def update(batch: Any) -> Values:
        for parameter in parameters:  # what `zero_grad` does, without its 8 microseconds
            parameter.grad = None
        guard.before()
        values = gradients(batch)
        if scaler is not None:
            scaler.unscale_(optimizer)
        allowed = guard.allows(batch, values)
        if clip is not None and allowed:  # clipping spreads one NaN over all gradients
            values["gradient_norm"] = torch.nn.utils.clip_grad_norm_(parameters, clip)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        elif allowed:
            optimizer.step()
        if schedule is not None and (allowed if ends_epoch is None else ends_epoch()):
            schedule.step()
        return values

    return update
