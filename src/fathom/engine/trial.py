"""Steps that are taken back: train a little to learn something, and leave all as it was found."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from fathom.core.experiment import Batches
from fathom.core.seeds import random_states, restore_random_states
from fathom.engine.carried import carried, put_back


@contextmanager
def kept(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put back weights, buffers, gradients, the optimiser's state and all chance afterwards."""
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    carries = {name: copy.deepcopy(value) for name, value in carried(model).items()}
    gradients = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    modes = {module: module.training for module in model.modules()}
    state = copy.deepcopy(optimizer.state_dict())
    random = random_states()
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.copy_(weights[name])
        put_back(model, carries)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, training in modes.items():
            module.training = training
        optimizer.state.clear()
        optimizer.load_state_dict(state)
        restore_random_states(random)


def endless(batches: Batches, seed: int) -> Iterator[Any]:
    """Epoch after epoch."""
    epoch = 0
    while True:
        yield from batches.epoch(seed, epoch)
        epoch += 1
