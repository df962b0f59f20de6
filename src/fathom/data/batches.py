"""Batches of what fits in memory: gathered whole, into buffers that are used again.

No line of Python runs once per sample. Pictures stay bytes until they are in a batch, so 60,000
of them are 47 MB and not 188; a batch of them is one gather and one conversion, in memory that
the processor's cache already holds.

Shapes   N samples, B in a batch, C channels, H by W pixels; `rows_NK` holds a sample in a row.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data import fingerprints
from fathom.data.plan import Plan
from fathom.vision.resize import resize

Transform = Callable[[Tensor, Tensor, int, int], Tensor]
Normal = tuple[Sequence[float], Sequence[float]]


class Scale:
    """Bytes to numbers: `x / 255`, then `(x - mean) / std` by channel, then resized.

    One object serves one run through an epoch: what it gives is written over by the next call.
    """

    def __init__(self, normal: Normal | None = None, size: int | None = None) -> None:
        self.normal, self.size = normal, size
        self._floats: Tensor | None = None
        self._mean_std: Tensor | None = None  # (2, C, 1, 1)

    def __call__(self, bytes_B: Tensor) -> Tensor:
        """uint8 (B, ...) to float32 of the same layout; resized, (B, C, size, size)."""
        if self._floats is None or len(self._floats) < len(bytes_B):
            self._floats = torch.empty_like(bytes_B, dtype=torch.float32)
        floats_B = self._floats[: len(bytes_B)]
        floats_B.copy_(bytes_B).div_(255)
        if self.normal is not None:
            if self._mean_std is None:  # once: an accelerator would be waited for each time
                self._mean_std = floats_B.new_tensor(self.normal)[:, :, None, None]
            floats_B.sub_(self._mean_std[0]).div_(self._mean_std[1])
        return floats_B if self.size is None else resize(floats_B, self.size)


class TensorBatches:
    """Inputs (N, ...) and targets (N, ...) in batches; a `Batches` of `core.experiment`.

    uint8 inputs come out as float32 in [0, 1], and pictures normalised by `normal` (mean and std
    of each channel) and enlarged to `size` if given; other inputs as they are. `transform(batch,
    indices, seed, epoch)` is handed the batch after that, for augmentation: let it draw from
    `core.order.uniforms`, and a resumed run sees the same. `split` is what errors call the data.

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
        transform: Transform | None = None,
        normal: Normal | None = None,
        size: int | None = None,
        split: str = "train",
    ) -> None:
        if len(inputs) != len(targets):
            wrong = f"{len(inputs)} inputs and {len(targets)} targets"
            raise DataError(split, wrong, "give each sample one target")
        self.plan = Plan(len(inputs), batch_size, shuffle, drop_last, split)
        self.transform, self.normal, self.size = transform, normal, size
        self.targets = targets.contiguous()
        self._shape = tuple(inputs.shape[1:])
        self._channels_last = False
        self._rows_NK = inputs.reshape(len(inputs), -1).contiguous()

    @property
    def batch_size(self) -> int:
        return self.plan.batch_size

    @property
    def examples(self) -> int:
        return self.plan.examples

    def __len__(self) -> int:
        return len(self.plan)

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
        scale = Scale(self.normal, self.size) if self._rows_NK.dtype == torch.uint8 else None
        # Buffers belong to this run through the epoch: another may go on beside it.
        rows_BK = self._rows_NK.new_empty(most, self._rows_NK.shape[1])
        targets_B = self.targets.new_empty(most, *self.targets.shape[1:])
        for indices in tasks:
            if len(indices) < len(rows_BK):  # the last one
                rows_BK, targets_B = rows_BK[: len(indices)], targets_B[: len(indices)]
            torch.index_select(self._rows_NK, 0, indices, out=rows_BK)
            torch.index_select(self.targets, 0, indices, out=targets_B)
            batch = self._formed(rows_BK)
            if scale is not None:
                batch = scale(batch)
            if self.transform is not None:
                batch = self.transform(batch, indices, seed, epoch)
            yield batch, targets_B

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

    def limit(self, batches: int) -> TensorBatches:
        limited = copy.copy(self)
        limited.plan = self.plan.limit(batches)
        return limited

    def fingerprint(self) -> str:
        return fingerprints.of_tensors([self.inputs, self.targets])
