"""Parts of a model as functions of tensors alone: what a program that is not ours can ask for.

A model that is trained on one tensor is such a function. One that carries a state, or reads one
sequence and writes another, says by a method `graphs` what its parts are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[..., Tensor | tuple[Tensor, ...]]


@dataclass(frozen=True)
class Graph:
    """`function` of tensors, in the order of `inputs`, which are examples by name.

    `free` names those of their dimensions that may have any size: the same name, the same size.
    `part` tells graphs of one model apart.
    """

    function: Function
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    free: Mapping[str, Mapping[int, str]]
    part: str = ""

    def smaller(self) -> dict[str, Tensor]:
        """The examples with a batch of one, and one less in all other free dimensions."""
        found = dict(self.inputs)
        for name, dims in self.free.items():
            for dim, size in dims.items():
                keep = 1 if size == "batch" else found[name].shape[dim] - 1
                found[name] = found[name].narrow(dim, 0, keep)
        return found


def some_tokens(vocab_size: int, batch: int = 2, steps: int = 5) -> Tensor:
    """(batch, steps): an example of tokens, no two rows alike."""
    return torch.arange(batch * steps).reshape(batch, steps) % vocab_size


TOKENS = {0: "batch", 1: "steps"}
SOURCE = {0: "batch", 1: "source_steps"}
