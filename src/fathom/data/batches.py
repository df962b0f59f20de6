"""Batches of what fits in memory: gathered whole, into buffers that are used again.

No line of Python runs once per sample. Pictures stay bytes until they are in a batch, so 60,000
of them are 47 MB and not 188; a batch of them is one gather and one conversion, in memory that
the processor's cache already holds.

Shapes   N samples, B in a batch, C channels, H by W pixels; `rows_NK` holds a sample in a row.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data import fingerprints
from fathom.data.plan import Plan, Planned
from fathom.data.treatment import PLAIN, Treatment


class TensorBatches(Planned):
    """Inputs (N, ...) and targets (N, ...) in batches; a `Batches` of `core.experiment`.

    uint8 inputs come out as float32 in [0, 1], other inputs as they are; pictures after their
    `treatment`. `split` is what errors call the data.

    What `epoch` yields is valid until the next batch is asked for. Raises DataError if inputs and
    targets differ in number, or if there is not one batch.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        treatment: Treatment = PLAIN,
        split: str = "train",
    ) -> None:
        if len(inputs) != len(targets):
            wrong = f"{len(inputs)} inputs and {len(targets)} targets"
            raise DataError(split, wrong, "give each sample one target")
        self.plan = Plan(len(inputs), batch_size, shuffle, drop_last, split)
        self.treatment = treatment
        self.targets = targets.contiguous()
        self._shape = tuple(inputs.shape[1:])
        self._channels_last = False
        self._rows_NK = inputs.reshape(len(inputs), -1).contiguous()

    @property
    def inputs(self) -> Tensor:
        """What is held, as it was given."""
        return self._formed(self._rows_NK)

    def _formed(self, rows_BK: Tensor) -> Tensor:
        """Rows as samples: a view. With channels last a row is (H, W, C) in memory."""
        if not self._channels_last:
            return rows_BK.view(len(rows_BK), *self._shape)
        C, H, W = self._shape
        return rows_BK.view(len(rows_BK), H, W, C).permute(0, 3, 1, 2)

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        tasks = self.plan.batches(seed, epoch, first, str(self._rows_NK.device))
        most = len(tasks[0]) if tasks else 0
        treat = self.treatment.begun()
        # Buffers belong to this run through the epoch: another may go on beside it.
        rows_BK = self._rows_NK.new_empty(most, self._rows_NK.shape[1])
        targets_B = self.targets.new_empty(most, *self.targets.shape[1:])
        for indices in tasks:
            if len(indices) < len(rows_BK):  # the last one
                rows_BK, targets_B = rows_BK[: len(indices)], targets_B[: len(indices)]
            torch.index_select(self._rows_NK, 0, indices, out=rows_BK)
            torch.index_select(self.targets, 0, indices, out=targets_B)
            yield treat(self._formed(rows_BK), targets_B, indices, seed, epoch)

    def to(self, device: torch.device, *, channels_last: bool = False) -> TensorBatches:
        """The same on `device`; pictures with the channels of a pixel side by side if asked."""
        moved = copy.copy(self)
        moved._channels_last = channels_last and len(self._shape) == 3
        held = self.inputs
        if moved._channels_last:
            held = held.permute(0, 2, 3, 1)
        moved._rows_NK = held.reshape(len(held), -1).to(device)
        moved.targets = self.targets.to(device)
        return moved

    def fingerprint(self) -> str:
        return fingerprints.of_tensors([self.inputs, self.targets])
