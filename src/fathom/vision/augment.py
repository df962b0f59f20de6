"""Random variations of pictures, a batch at a time, the same again for the same seed.

Source   Krizhevsky et al. 2012, section 4.1; book 13.1.
Differs  What befalls a picture follows from seed, epoch and its index, not from the state of a
         generator: batches, workers, devices and a resumed run see the same.
Shapes   N pictures, C channels, H by W pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fathom.core.order import derive, uniforms

Transform = Callable[[Tensor, Tensor, int, int], Tensor]
"""`transform(batch, indices, seed, epoch)`: pictures (N, C, H, W) and the index of each, (N,)."""


def compose(*transforms: Transform) -> Transform:
    """One after the other, each with random numbers of its own."""

    def composed(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        for place, transform in enumerate(transforms):
            batch = transform(batch, indices, derive(seed, place), epoch)
        return batch

    return composed


def random_flip(probability: float = 0.5) -> Transform:
    """Exchange left and right in that share of the pictures."""

    def flip(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        chosen_N = uniforms(indices, seed, epoch, 1)[:, 0] < probability
        return torch.where(chosen_N[:, None, None, None], batch.flip(-1), batch)

    return flip


def random_crop(padding: int = 4) -> Transform:
    """Surround each picture with `padding` zeros and cut one of its own size from a random place.

    A picture moves by at most `padding` pixels up, down, left and right.
    """

    def crop(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        N, _, H, W = batch.shape
        places = 2 * padding + 1
        corners_N2 = (uniforms(indices, seed, epoch, 2) * places).long()
        padded = torch.nn.functional.pad(batch, [padding] * 4)
        # All windows at once, as a view: [n, :, y, x] is the picture with its corner at (y, x).
        windows = padded.unfold(2, H, 1).unfold(3, W, 1)
        samples_N = torch.arange(N, device=batch.device)
        return windows[samples_N, :, corners_N2[:, 0], corners_N2[:, 1]]

    return crop
