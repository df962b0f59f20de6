"""What becomes of a batch of pictures between the bytes that are held and the model.

Scaled to [0, 1], resized, varied, mixed with one another, normalised: in this order, so that
whatever changes colours meets colours.

Shapes   B pictures in a batch, C channels, H by W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fathom.vision.augment import Transform
from fathom.vision.mixing import Mix
from fathom.vision.resize import resize

Normal = tuple[Sequence[float], Sequence[float]]
Treat = Callable[[Tensor, Tensor, Tensor, int, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Treatment:
    """`normal` is mean and standard deviation of each channel; `size` makes pictures square.

    `transform` and `mix` are those of `vision.augment` and `vision.mixing`: let them draw from
    `core.order.uniforms`, and a resumed run sees the same.
    """

    transform: Transform | None = None
    mix: Mix | None = None
    normal: Normal | None = None
    size: int | None = None

    def begun(self) -> Treat:
        """`treat(batch, labels, indices, seed, epoch)` for one run through an epoch.

        What it gives may be written over by the next call. `batch` may be written on. Only bytes
        are scaled; other numbers are taken as they are.
        """
        floats: Tensor | None = None
        mean_std: Tensor | None = None  # (2, C, 1, 1)

        def treat(
            batch: Tensor, labels: Tensor, indices: Tensor, seed: int, epoch: int
        ) -> tuple[Tensor, Tensor]:
            nonlocal floats, mean_std
            if batch.dtype == torch.uint8:
                if floats is None or len(floats) < len(batch):
                    floats = torch.empty_like(batch, dtype=torch.float32)
                batch = floats[: len(batch)].copy_(batch).div_(255)
                if self.size is not None:
                    batch = resize(batch, self.size)
            if self.transform is not None:
                batch = self.transform(batch, indices, seed, epoch)
            if self.mix is not None:
                batch, labels = self.mix(batch, labels, indices, seed, epoch)
            if self.normal is not None:
                if mean_std is None:  # once: an accelerator would be waited for each time
                    mean_std = batch.new_tensor(self.normal)[:, :, None, None]
                batch = batch.sub_(mean_std[0]).div_(mean_std[1])
            return batch, labels

        return treat


PLAIN = Treatment()
