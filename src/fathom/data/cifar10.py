"""CIFAR-10: 60,000 colour pictures of ten kinds of things, 32 by 32.

Source   Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; book 13.1. Of the
         packings offered the binary one is read: the other is a pickle, which runs what is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fathom.data.sources import File, Packing, Source, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from fathom.data.picture_set import Pictures, PictureSet

SOURCE = Source(
    name="cifar10",
    title="CIFAR-10: animals and vehicles in ten classes, 50,000 + 10,000 pictures of 32x32",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; asks to be cited",
    kind="pictures",
    packings=(
        Packing(
            "binary",
            (
                File(
                    "cifar-10-binary.tar.gz",
                    170_052_171,
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                ),
            ),
        ),
    ),
)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
RECORD = 1 + 3 * 32 * 32  # the label, then red, green and blue row by row
UNPACKED = 184_380_000  # bytes, about: what more is no CIFAR-10


def pictures(seed: int = 0) -> PictureSet:
    """50,000 to train on and 10,000 held out, as published: `seed` changes nothing."""
    from fathom.data.picture_set import PictureSet

    (path,) = fetch(SOURCE).values()
    train, valid = _records(path)
    return PictureSet(SOURCE.name, _split(train, "train"), _split(valid, "valid"), CLASSES)


def _records(path: Path) -> tuple[bytes, bytes]:
    """The bytes of the five training files, one after the other, and those of the test file."""
    import io
    import tarfile

    from fathom.core.errors import DataError
    from fathom.data.compressed import unpacked
    from fathom.data.files import named

    files = {}
    with tarfile.open(fileobj=io.BytesIO(unpacked(path, declared=UNPACKED))) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".bin"):
                content = archive.extractfile(member)
                assert content is not None, "a plain file has content"
                files[member.name.rpartition("/")[2]] = content.read()
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    for name in [*names, "test_batch.bin"]:
        if len(files.get(name, b"")) % RECORD or not files.get(name):
            raise DataError(named(path), f"has no whole {name}", "get the file again")
    return b"".join(files[name] for name in names), files["test_batch.bin"]


def _split(records: bytes, split: str) -> Pictures:
    import torch

    from fathom.data.picture_set import Pictures

    table = torch.frombuffer(bytearray(records), dtype=torch.uint8).view(-1, RECORD)
    images = table[:, 1:].reshape(-1, 3, 32, 32)
    return Pictures(images, table[:, 0].long(), len(CLASSES), split=split)
