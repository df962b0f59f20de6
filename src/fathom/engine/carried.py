"""What a model carries from batch to batch: its buffers that are not persistent.

A language model that reads a text in order keeps its hidden state so. The state is no part of the
weights, yet decides the next step: checkpoints keep it, and whoever only measures puts it back.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def carried(model: nn.Module) -> dict[str, Tensor | None]:
    """Copies by name, None where nothing is carried yet."""
    found: dict[str, Tensor | None] = {}
    for path, module in model.named_modules():
        for name in sorted(module._non_persistent_buffers_set):
            value = module._buffers[name]
            found[f"{path}.{name}".lstrip(".")] = None if value is None else value.clone()
    return found


def put_back(model: nn.Module, state: dict[str, Any]) -> None:
    """Carry on from `state`, on the device where the model is."""
    device = next((parameter.device for parameter in model.parameters()), None)
    for path, value in state.items():
        module, _, name = path.rpartition(".")
        held = value.to(device) if isinstance(value, Tensor) else None
        model.get_submodule(module)._buffers[name] = held
