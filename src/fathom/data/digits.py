"""Handwritten digits that come with scikit-learn: 1,797 real pictures, 8 by 8, no download.

Source   Alpaydin and Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", its test part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fathom.data.sources import Source

if TYPE_CHECKING:
    from fathom.data.picture_set import PictureSet

SOURCE = Source(
    name="digits",
    title="digits: handwritten, in ten classes, 1,797 grey pictures of 8x8, built in",
    home="https://archive.ics.uci.edu/dataset/80",
    licence="CC BY 4.0",
    kind="pictures",
)
CLASSES = tuple("0123456789")
HELD_OUT = 0.2


def pictures(seed: int = 0) -> PictureSet:
    """Four fifths to train on; a fifth of each digit, chosen by `seed`, held out."""
    import torch
    from sklearn.datasets import load_digits

    from fathom.data.picture_set import Pictures, PictureSet
    from fathom.data.splits import held_out

    bunch = load_digits()
    # 17 levels, 0 to 16, to bytes.
    levels = torch.from_numpy(bunch.images).mul(255 / 16).round()
    images = levels.to(torch.uint8)[:, None]
    labels = torch.from_numpy(bunch.target)
    valid = held_out(labels, HELD_OUT, seed)
    return PictureSet(
        SOURCE.name,
        Pictures(images[~valid], labels[~valid], len(CLASSES), split="train"),
        Pictures(images[valid], labels[valid], len(CLASSES), split="valid"),
        CLASSES,
    )
