"""Recurrent layers alone, forward and backward: 35 steps of 32 rows of 512 numbers.

The peer is a loop over the steps with a product for each gate and each of its two inputs, torch's
equations with torch's weights; the bare layer is torch's own. All keep freed memory, as training
does: it is the algorithms that are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fathom.bench.race import Case, Epoch
from fathom.core.devices import keep_freed_memory
from fathom.models.language import Cell
from fathom.scratch import nn as scratch_nn

WIDTH, ROWS, STEPS, PASSES = 512, 32, 35, 5
GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}


class Looped(torch.nn.Module):
    """A layer as a loop; the gates in torch's order: reset, update, new; in, forget, cell, out."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell, torchs = cell, layer(torch.nn, cell)

        def parts(name: str) -> torch.nn.ParameterList:
            whole = getattr(torchs, name).detach()
            return torch.nn.ParameterList(
                part.t().contiguous() if part.dim() == 2 else part.clone()
                for part in whole.chunk(GATES[cell])
            )

        self.of_x, self.of_h = parts("weight_ih_l0"), parts("weight_hh_l0")
        self.bias_x, self.bias_h = parts("bias_ih_l0"), parts("bias_hh_l0")

    def forward(self, x_TBH: Tensor) -> tuple[Tensor, Tensor]:
        h = c = x_TBH.new_zeros(x_TBH.shape[1:])
        states = []
        for x in x_TBH:
            h, c = self.step(x, h, c)
            states.append(h)
        return torch.stack(states), h

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        from_x = [x @ w + b for w, b in zip(self.of_x, self.bias_x, strict=True)]
        from_h = [h @ w + b for w, b in zip(self.of_h, self.bias_h, strict=True)]
        if self.cell == "rnn":
            return torch.tanh(from_x[0] + from_h[0]), c
        if self.cell == "gru":
            r, z = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
            new = torch.tanh(from_x[2] + r * from_h[2])
            return (1 - z) * new + z * h, c
        i, f, g, o = (x + h for x, h in zip(from_x, from_h, strict=True))
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


def layer(nn: Any, cell: Cell) -> torch.nn.Module:
    """The layer of torch.nn or of scratch.nn, with the same weights."""
    torch.manual_seed(0)
    made: torch.nn.Module = getattr(nn, cell.upper())(WIDTH, WIDTH)
    return made


def _passes(build: Callable[[], torch.nn.Module]) -> Epoch:
    keep_freed_memory()
    model = build()
    generator = torch.Generator().manual_seed(1)
    x_TBH = torch.randn(STEPS, ROWS, WIDTH, generator=generator).requires_grad_()
    gradient_TBH = torch.randn(STEPS, ROWS, WIDTH, generator=generator)

    def passes() -> None:
        for _ in range(PASSES):
            x_TBH.grad = None
            model.zero_grad()
            model(x_TBH)[0].backward(gradient_TBH)

    return passes


def _case(cell: Cell) -> Case:
    build = {
        "ours": lambda: _passes(lambda: layer(scratch_nn, cell)),
        "peer": lambda: _passes(lambda: Looped(cell)),
        "bare": lambda: _passes(lambda: layer(torch.nn, cell)),
    }
    return Case(f"{cell}-layer", "tokens/s", PASSES * STEPS * ROWS, build)


CASES = {case.name: case for case in map(_case, GATES)}
