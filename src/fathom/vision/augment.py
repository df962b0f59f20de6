"""Random variations of pictures, a batch at a time, the same again for the same seed.

Source   Krizhevsky et al. 2012, section 4.1; Szegedy et al. 2015, section 6 (resized crops);
         DeVries and Taylor 2017, arXiv:1708.04552 (cutout); book 13.1.
Differs  What befalls a picture follows from seed, epoch and its index, not from the state of a
         generator: batches, workers, devices and a resumed run see the same.
Shapes   N pictures, C channels, H by W pixels; floating, in [0, 1], where colours are changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fathom.core.order import derive, uniforms
from fathom.vision import colour
from fathom.vision.geometry import crop_and_resize

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


def random_resized_crop(
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    *,
    flip: bool = False,
) -> Transform:
    """Cut a rectangle out and make it as large as the picture was.

    Its area is a share of the picture's between the two of `scale`, its width over its height
    between the two of `ratio` (evenly on a logarithmic scale). `flip` also exchanges left and
    right in every second picture, which costs nothing here.
    """

    def crop(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        _, _, H, W = batch.shape
        lots = uniforms(indices, seed, epoch, 5)
        area_N = (scale[0] + lots[:, 0] * (scale[1] - scale[0])) * H * W
        low, high = math.log(ratio[0]), math.log(ratio[1])
        ratio_N = torch.exp(low + lots[:, 1] * (high - low))
        width_N = (area_N * ratio_N).sqrt().clamp(1, W)
        height_N = (area_N / ratio_N).sqrt().clamp(1, H)
        left_N, top_N = lots[:, 2] * (W - width_N), lots[:, 3] * (H - height_N)
        right_N, bottom_N = left_N + width_N, top_N + height_N
        if flip:
            turned_N = lots[:, 4] < 0.5
            left_N, right_N = (
                torch.where(turned_N, right_N, left_N),
                torch.where(turned_N, left_N, right_N),
            )
        boxes_N4 = torch.stack([left_N, top_N, right_N, bottom_N], dim=1)
        return crop_and_resize(batch, boxes_N4, (H, W))

    return crop


def colour_jitter(
    brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0
) -> Transform:
    """Change brightness, contrast and saturation by factors in [1 - x, 1 + x], the hue by a share
    of the colour wheel in [-x, x]; in this order, and never below 0."""

    def jitter(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        lots = uniforms(indices, seed, epoch, 4) * 2 - 1
        steps = (colour.brightness, colour.contrast, colour.saturation)
        for column, (step, most) in enumerate(
            zip(steps, (brightness, contrast, saturation), strict=True)
        ):
            if most:
                batch = step(batch, (1 + most * lots[:, column]).clamp(min=0))
        return colour.hue(batch, hue * lots[:, 3]) if hue else batch

    return jitter


def cutout(size: int) -> Transform:
    """Blacken a square of `size` pixels around a place anywhere in the picture."""

    def cut(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        _, _, H, W = batch.shape
        lots = uniforms(indices, seed, epoch, 2)
        rows_NH = _within(lots[:, :1] * H, size, H)
        columns_NW = _within(lots[:, 1:] * W, size, W)
        square = rows_NH[:, None, :, None] & columns_NW[:, None, None, :]
        return batch.masked_fill(square, 0)

    return cut


def _within(centres_N1: Tensor, size: int, length: int) -> Tensor:
    pixels = torch.arange(length, device=centres_N1.device) + 0.5
    return (pixels - centres_N1.floor()).abs() < size / 2
