"""The check that a loss and its gradients are finite, before they reach the weights.

On the CPU the answer is read in the step. On an accelerator nothing waits: the fused optimisers
take the answer as a tensor and hold that update back themselves, and the host reads it every few
steps. An optimiser that cannot do so is asked in the step there too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fathom.engine.carried import carried, put_back
from fathom.engine.nested import leaves

OnNan = Literal["stop", "skip"]
READ_EVERY = 16
MOST_SKIPPED_IN_A_ROW = 25
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)


@dataclass
class NonFiniteError(Exception):
    """A loss or gradient that is not finite, `steps_ago` before the update that is due next."""

    loss: float
    gradient_norm: float
    first: str
    steps_ago: int = 0
    in_a_row: int = 1


def fuse(optimizer: torch.optim.Optimizer) -> None:
    """Let torch's own optimisers use their fused kernels, where the user has not said otherwise."""
    if type(optimizer) in FUSED:
        for group in optimizer.param_groups:
            if group.get("fused") is None and group.get("foreach") is None:
                group["fused"] = all(p.is_floating_point() for p in group["params"])


class Guard:
    """Asked before each step whether the update may be applied; keeps the count of refusals.

    `deferred` asks the device without waiting; from the first bad update on it holds all back
    until the host has read the answer, unless they are to be skipped one by one.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        on_nan: OnNan = "stop",
        deferred: bool = False,
    ) -> None:
        self.on_nan = on_nan
        self.model, self.optimizer = model, optimizer
        self.names = {parameter: name for name, parameter in model.named_parameters()}
        self.buffers = _persistent_buffers(model) if on_nan == "skip" else []
        self.buffers_before: list[Tensor] = []
        self.carried_before: dict[str, Tensor | None] = {}
        fused = all(group.get("fused") for group in optimizer.param_groups)
        self.deferred = deferred and fused
        self.in_a_row: Tensor | int = 0
        self.unread = 0
        self.first_bad: Tensor | None = None
        self.bad_loss: Tensor | None = None

    def before(self) -> None:
        """Keep the buffers: a batch that is skipped must not stay in a running mean."""
        if self.on_nan == "skip":
            self.buffers_before = [buffer.clone() for buffer in self.buffers]
            self.carried_before = carried(self.model)

    def allows(self, batch: Any, values: dict[str, Tensor]) -> bool:
        """Whether to step. Raises NonFiniteError in the way of `on_nan`."""
        gradients = [p.grad for p in self.names if p.grad is not None]
        if self.deferred and not self._starts_momentum():
            self._defer(values, gradients)
            return True
        total = values["loss"].item() + sum(gradient.sum().item() for gradient in gradients)
        finite = math.isfinite(total)
        if self.on_nan == "skip":
            values["skipped"] = torch.tensor(float(not finite), device=values["loss"].device)
        if finite:
            self.in_a_row = 0
            return True
        self.in_a_row += 1
        if self.on_nan == "stop" or int(self.in_a_row) > MOST_SKIPPED_IN_A_ROW:
            raise NonFiniteError(
                values["loss"].item(),
                float(torch.nn.utils.get_total_norm(gradients)),
                self._first(batch),
                in_a_row=int(self.in_a_row),
            )
        for buffer, before in zip(self.buffers, self.buffers_before, strict=True):
            buffer.copy_(before)
        put_back(self.model, self.carried_before)
        return False

    def _starts_momentum(self) -> bool:
        """torch's fused SGD leaves its momentum unset if the very first update is held back."""
        momentum = any(group.get("momentum") for group in self.optimizer.param_groups)
        return momentum and not self.optimizer.state

    def _defer(self, values: dict[str, Tensor], gradients: list[Tensor]) -> None:
        """Hold the update back on the device; read the answer now and then."""
        loss = values["loss"].detach().float()
        total = torch.stack([loss, *(g.sum().float() for g in gradients)]).sum()
        bad = (~torch.isfinite(total)).float()
        if self.first_bad is None or self.bad_loss is None:
            self.first_bad, self.bad_loss = torch.full_like(bad, -1), torch.zeros_like(bad)
        here = (bad > 0) & (self.first_bad < 0)
        self.first_bad = torch.where(here, float(self.unread), self.first_bad)
        self.bad_loss = torch.where(here, loss, self.bad_loss)
        if self.on_nan == "skip":
            self.in_a_row = (self.in_a_row + bad) * bad
            values["skipped"] = bad
            for buffer, before in zip(self.buffers, self.buffers_before, strict=True):
                buffer.copy_(torch.where(bad > 0, before, buffer))
            self._carry_unless(bad)
        else:
            bad = (self.first_bad >= 0).float()
        self.optimizer.found_inf = bad  # type: ignore[attr-defined]
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]
        self.unread += 1
        if self.unread >= READ_EVERY:
            self.read(in_step=True)

    def _carry_unless(self, bad: Tensor) -> None:
        """Carry on with what this batch left, or where it was bad with what it found."""
        now = carried(self.model)
        for name, before in self.carried_before.items():
            after = now[name]
            if before is not None and after is not None:
                now[name] = torch.where(bad > 0, before, after)
        put_back(self.model, now)

    def read(self, *, in_step: bool = False) -> None:
        """Ask the device about the updates since the last time; a no-op on the CPU.

        Raises NonFiniteError as `allows` does: whoever saves reads first.
        """
        if self.first_bad is None or self.bad_loss is None:
            return
        first, in_a_row, loss = int(self.first_bad), int(self.in_a_row), float(self.bad_loss)
        ago = self.unread - first - in_step
        self.first_bad, self.bad_loss, self.unread = None, None, 0
        if first >= 0 and (self.on_nan == "stop" or in_a_row > MOST_SKIPPED_IN_A_ROW):
            raise NonFiniteError(loss, math.nan, "not known", steps_ago=ago, in_a_row=in_a_row)

    def _first(self, batch: Any) -> str:
        """Where the trouble shows first: the inputs, a weight, a gradient, or the loss only."""
        for word, held in zip(("inputs", "targets"), batch, strict=False):
            if not all(torch.isfinite(value).all() for value in leaves(held)):
                return f"the {word} of this batch"
        for what in ("data", "grad"):
            for parameter, name in self.names.items():
                value = getattr(parameter, what)
                if value is not None and not torch.isfinite(value).all():
                    return name if what == "data" else f"the gradient of {name}"
        return "the loss"


def _persistent_buffers(model: nn.Module) -> list[Tensor]:
    passing = carried(model)
    return [buffer for name, buffer in model.named_buffers() if name not in passing]
