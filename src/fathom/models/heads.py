"""A trained network for another task: a new last layer, and layers that learn group by group.

Source   Yosinski et al. 2014, arXiv:1411.1792 (layers that transfer); Howard and Ruder 2018,
         arXiv:1801.06146 (rates by layer, gradual unfreezing); book 13.2 and 13.14.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import nn as torch_nn

from fathom.core.errors import CheckpointError
from fathom.models.initialise import xavier

Group = list[torch_nn.Module]


def replace_head(
    model: torch_nn.Module, classes: int, *, hidden: int | None = None, nn: ModuleType
) -> torch_nn.Module:
    """Put a linear layer of `classes` in the place of the model's last one, and hand it back.

    With `hidden` it is two, with a ReLU between them. Raises CheckpointError for a model without
    a linear layer.
    """
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise CheckpointError("the network", "ends in no linear layer", "choose another one")
    place, _, name = linear[-1].rpartition(".")
    features = model.get_submodule(linear[-1]).in_features
    if hidden is None:
        head = nn.Linear(features, classes)
    else:
        head = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    xavier(head, nn)
    setattr(model.get_submodule(place), name, head)
    new: torch_nn.Module = head
    return new


def layer_groups(model: torch_nn.Module, head: torch_nn.Module) -> list[Group]:
    """The head, and then the model's children from the last to the first.

    A child without matrices or kernels, such as a batch normalisation, goes with the one before.
    """
    groups: list[Group] = []
    for child in model.children():
        if child is head:
            continue
        if not groups or any(p.dim() > 1 for p in child.parameters()):
            groups.append([])
        groups[-1].append(child)
    if len(groups) > 1 and not any(p.dim() > 1 for part in groups[0] for p in part.parameters()):
        groups[:2] = [groups[0] + groups[1]]  # what stands before the first kernel
    return [[head], *groups[::-1]]


def parameter_groups(groups: Sequence[Group], rates: Sequence[float]) -> list[dict[str, Any]]:
    """For an optimiser: each group's parameters with its rate, none of them twice."""
    seen: set[torch.Tensor] = set()
    found: list[dict[str, Any]] = []
    for group, rate in zip(groups, rates, strict=True):
        parameters = [p for part in group for p in part.parameters() if p not in seen]
        seen.update(parameters)
        found.append({"params": parameters, "lr": rate})
    return found


def freeze_at_rate_zero(
    model: torch_nn.Module, optimizer: torch.optim.Optimizer, groups: Sequence[Group]
) -> None:
    """From now on a group of the optimiser whose rate is zero is frozen, wherever it is trained.

    It has no gradients, which saves their computing, and it normalises by what it has learned,
    not by the batch: what is frozen does not drift. Since rates are kept with a run, a resumed
    one goes on in the same state.
    """

    def before(model: torch_nn.Module, inputs: Any) -> None:
        if not model.training:
            return
        # From the first layers to the head, which may be inside of one of them.
        for rates, group in reversed(list(zip(optimizer.param_groups, groups, strict=True))):
            learns = float(rates["lr"]) > 0
            for parameter in rates["params"]:
                parameter.requires_grad_(learns)
            for part in group:
                part.train(learns)

    model.register_forward_pre_hook(before)
