"""Two tasks made of one picture set: every second class for the one, the others for the other.

What was learned of the first half helps with the second, whose classes it has never seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from fathom.data.picture_set import Pictures, PictureSet

Half = Literal[0, 1]


def half(pictures: PictureSet, which: Half, *, per_class: int | None = None) -> PictureSet:
    """The pictures of every second class, from class `which` on; to train on `per_class` of each.

    Of each class the first ones. The set's pictures must be held in memory.
    """
    assert isinstance(pictures.train, Pictures)
    assert isinstance(pictures.valid, Pictures)
    classes = pictures.classes[which::2]
    return replace(
        pictures,
        train=_every_second(pictures.train, which, len(classes), per_class),
        valid=_every_second(pictures.valid, which, len(classes), None),
        classes=classes,
    )


def _every_second(pictures: Pictures, which: Half, classes: int, most: int | None) -> Pictures:
    labels = pictures.labels // 2
    chosen = [
        ((pictures.labels % 2 == which) & (labels == label)).nonzero()[:most, 0]
        for label in range(classes)
    ]
    rows = torch.cat(chosen).sort().values
    return Pictures(pictures.images[rows], labels[rows], classes, split=pictures.split)
