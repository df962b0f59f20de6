"""RandAugment: a few operations drawn for each picture, all with one strength.

Source   Cubuk et al. 2020, arXiv:1909.13719: of fourteen operations `count` are applied one after
         the other, each as strong as one number says; their ranges are the paper's code's.
Differs  Signed operations go either way by a coin of the picture's own. Pictures that have drawn
         the same operation are worked on together.
Shapes   N pictures (N, C, H, W) in [0, 1], strengths (N,) in [-1, 1], by default on the scale of
         a full turn of each dial.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fathom.core.order import derive, uniforms
from fathom.vision import colour, geometry
from fathom.vision.augment import Transform

Operation = Callable[[Tensor, Tensor], Tensor]
GREY = 0.5  # what comes into a picture from outside it


def _enhance(step: Operation) -> Operation:
    return lambda batch, strength: step(batch, 1 + 0.9 * strength)


def _moved(matrices: Callable[[Tensor, int, int], Tensor]) -> Operation:
    def move(batch: Tensor, strength: Tensor) -> Tensor:
        _, _, H, W = batch.shape
        return geometry.affine(batch, matrices(strength, H, W), fill=GREY)

    return move


def _zero(strength: Tensor) -> Tensor:
    return torch.zeros_like(strength)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda batch, strength: batch,
    "autocontrast": lambda batch, strength: colour.autocontrast(batch),
    "equalise": lambda batch, strength: colour.equalise(batch),
    "rotate": _moved(lambda s, H, W: geometry.rotation(s * math.radians(30))),
    "solarise": lambda batch, strength: colour.solarise(batch, 1 - strength.abs()),
    "saturation": _enhance(colour.saturation),
    "posterise": lambda batch, strength: colour.posterise(batch, 8 - 4 * strength.abs()),
    "contrast": _enhance(colour.contrast),
    "brightness": _enhance(colour.brightness),
    "sharpness": _enhance(colour.sharpness),
    "shear x": _moved(lambda s, H, W: geometry.shear(s * 0.3, _zero(s))),
    "shear y": _moved(lambda s, H, W: geometry.shear(_zero(s), s * 0.3)),
    "translate x": _moved(lambda s, H, W: geometry.translation(s * W * 0.3, _zero(s))),
    "translate y": _moved(lambda s, H, W: geometry.translation(_zero(s), s * H * 0.3)),
}


def random_augment(count: int = 2, strength: float = 0.3) -> Transform:
    """`count` operations for each picture, all of `strength`, from 0 to 1, one way or the other."""
    operations = list(OPERATIONS.values())

    def augment(batch: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        for turn in range(count):
            lots = uniforms(indices, derive(seed, turn), epoch, 2)
            kinds_N = (lots[:, 0] * len(operations)).long()
            signed_N = torch.where(lots[:, 1] < 0.5, -strength, strength)
            # Sorted by operation: one gather and one scatter, not one of each for each operation.
            order = kinds_N.argsort(stable=True)
            sizes = torch.bincount(kinds_N, minlength=len(operations)).tolist()
            pieces, signs = batch[order].split(sizes), signed_N[order].split(sizes)
            done = torch.cat(
                [
                    operation(piece, sign)
                    for operation, piece, sign in zip(operations, pieces, signs, strict=True)
                    if len(piece)
                ]
            )
            batch = torch.empty_like(done).index_copy_(0, order, done)
        return batch

    return augment
