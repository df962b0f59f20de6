"""A network layer by layer: shapes, parameters, multiply-adds and memory, as one example shows.

Nothing is derived from the kinds of layers: one example is sent through, and what happens is
counted. So it holds for any network, ours or another, from either library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


class Row(NamedTuple):
    """A layer, or a block of several: what one example becomes in it, and at what cost."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """All rows, and the whole: `kept` is the bytes that one example leaves for the way back."""

    rows: list[Row]
    parameters: int
    multiply_adds: int
    weight_bytes: int
    kept: int

    def training_bytes(self, batch_size: int) -> int:
        """Weights, their gradients, and what a batch keeps until these are computed."""
        return 2 * self.weight_bytes + batch_size * self.kept


def summarise(model: nn.Module, example: Any, *, most: int = 48) -> Summary:
    """Send `example`, a batch of one, through; blocks are opened while rows are at most `most`."""
    shown = _opened(model, most)
    found: dict[str, Row] = {}
    counter = FlopCounterMode(display=False)
    began: dict[str, int] = {}
    hooks = []

    def before(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            began[name] = counter.get_total_flops()

        return hook

    def after(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            done = (counter.get_total_flops() - began[name]) // 2
            earlier = found[name].multiply_adds if name in found else 0
            own = sum(p.numel() for p in module.parameters())
            kind = type(module).__name__
            found[name] = Row(name, kind, _shape(output), own, done + earlier)

        return hook

    for name, module in shown.items():
        hooks.append(module.register_forward_pre_hook(before(name)))
        hooks.append(module.register_forward_hook(after(name)))
    training = {module: module.training for module in model.modules()}
    kept: dict[int, int] = {}
    parameters = {p.data_ptr() for p in model.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in parameters:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    model.eval()
    try:
        with counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            outputs = model(example)  # held until all is counted: no two tensors in one place
            total = counter.get_total_flops() // 2
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in training.items():
            module.training = mode
    del outputs
    weights = list(model.parameters())
    return Summary(
        list(found.values()),
        sum(p.numel() for p in weights),
        total,
        sum(p.numel() * p.element_size() for p in weights),
        sum(kept.values()),
    )


def _opened(model: nn.Module, most: int) -> dict[str, nn.Module]:
    """The modules to show: chains are opened level by level while there is room."""
    shown = dict(model.named_children()) or {"": model}
    while True:
        opened: dict[str, nn.Module] = {}
        for name, module in shown.items():
            chain = type(module).__name__ == "Sequential"
            parts = dict(module.named_children()) if chain else {}
            opened |= {f"{name}.{part}": child for part, child in parts.items()} or {name: module}
        if opened.keys() == shown.keys() or len(opened) > most:
            return shown
        shown = opened


def _shape(output: Any) -> tuple[int, ...]:
    """Of one example: of several outputs, the first."""
    while isinstance(output, tuple | list) and output:
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
