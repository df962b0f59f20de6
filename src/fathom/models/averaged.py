"""Stochastic weight averaging: the mean of the places that training visits late.

With a rate that stays high, gradient descent wanders around the rim of a wide valley; the mean of
the weights lies nearer its middle, where the loss of new examples is lower too.

Source   Izmailov et al. 2018, arXiv:1803.05407.
Differs  Batch statistics of the mean weights are measured anew whenever the mean moves, not once
         at the end: whatever is measured along the way is right too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Averaged(nn.Module):
    """In training `model`; otherwise the mean of its weights after the steps `start`, `start` +
    `every` and so on, once there is one.

    Let the optimiser of `model` call `after_step`: `register_step_post_hook(it.after_step)`.
    `inputs` gives batches of the training data: a model with running statistics needs them.
    """

    steps: Tensor
    count: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        start: int,
        every: int,
        inputs: Callable[[], Iterable[Tensor]] | None = None,
    ) -> None:
        super().__init__()
        assert inputs is not None or not statistics(model), "running statistics want inputs"
        self.start, self.every, self.inputs = start, every, inputs
        self.model = model
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Any) -> Any:
        asked = self.model if self.training or not self.count else self.average
        return asked(inputs)

    @torch.no_grad()
    def after_step(self, *_: Any) -> None:
        """Count an update, and take the weights into the mean where they are due."""
        self.steps += 1
        late = int(self.steps) - self.start
        if late < 0 or late % self.every:
            return
        self.count += 1
        means, values = self.average.state_dict(), self.model.state_dict()
        for name, mean in means.items():
            if mean.is_floating_point():
                mean.lerp_(values[name], 1 / int(self.count))
            else:
                mean.copy_(values[name])
        if self.inputs is not None:
            measure_statistics(self.average, self.inputs())


def statistics(model: nn.Module) -> list[nn.Module]:
    """The modules that remember means and variances of what they were given."""
    return [m for m in model.modules() if getattr(m, "running_mean", None) is not None]


@torch.no_grad()
def measure_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set every running mean and variance to the mean over `batches`, all weighing the same.

    Nothing else works as in training: what is dropped there is kept here.
    """
    measured: list[Any] = statistics(model)
    if not measured:
        return
    modes = {module: module.training for module in model.modules()}
    momenta = {module: module.momentum for module in measured}
    model.eval()
    for module in measured:
        module.reset_running_stats()
        module.train()
        module.momentum = None  # a cumulative mean
    try:
        for inputs in batches:
            model(inputs)
    finally:
        for module, mode in modes.items():
            module.training = mode
        for module, momentum in momenta.items():
            module.momentum = momentum
