"""Fewer pictures than there are: drawn by the seed, from memory as from files."""

from __future__ import annotations

from pathlib import Path

import torch

from fathom.data.folders import read_folder
from fathom.data.images import load_pictures

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures" / "digits"


def test_few_are_drawn_by_the_seed():
    digits = load_pictures("digits")
    few = digits.few(100, seed=3)
    assert len(few.train) == 100
    assert few.valid is digits.valid
    assert few.fingerprint() == digits.few(100, seed=3).fingerprint()
    assert few.fingerprint() != digits.few(100, seed=4).fingerprint()
    assert len(digits.few(10**6, seed=0).train) == len(digits.train)
    known = {
        image.numpy().tobytes(): int(y)
        for image, y in zip(digits.train.images, digits.train.labels, strict=True)
    }
    for image, label in zip(few.train.images, few.train.labels, strict=True):
        assert known[image.numpy().tobytes()] == label


def test_from_files_as_from_memory():
    """The folder of digits that is in the documentation, kept and not kept in memory."""
    kept, read = read_folder(FOLDER), read_folder(FOLDER, fits=0)
    assert type(read.train) is not type(kept.train)
    order = torch.arange(len(kept.train)).flip(0)
    (x, y), (a, b) = (
        next(found.train.chosen(order).batches(7, shuffle=False).epoch(0, 0))
        for found in (kept, read)
    )
    assert torch.equal(x, a)
    assert torch.equal(y, b)
