"""CIFAR-10's binary files: records as its page describes them, made here and read back."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from fathom.core.errors import DataError
from fathom.data import cifar10

NAMES = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]


def packed(tmp_path, files: dict[str, bytes]):
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def records(random, count: int):
    labels = np.arange(count) % 10
    pixels = random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    rows = [
        bytes([label]) + picture.tobytes() for label, picture in zip(labels, pixels, strict=True)
    ]
    return b"".join(rows), pixels, labels


@pytest.fixture
def made():
    random = np.random.default_rng(0)
    return {name: records(random, 20) for name in NAMES}


def test_read_as_described(tmp_path, monkeypatch, made):
    files = {name: content for name, (content, _, _) in made.items()}
    path = packed(tmp_path, {"readme.html": b"<html>", **files})
    monkeypatch.setattr(cifar10, "fetch", lambda source: {path.name: path})
    found = cifar10.pictures()
    assert found.form == (3, 32, 32)
    assert (len(found.train), len(found.valid)) == (100, 20)
    pixels = np.concatenate([made[name][1] for name in NAMES[:5]])
    assert np.array_equal(found.train.images.numpy(), pixels)
    assert np.array_equal(found.valid.images.numpy(), made["test_batch.bin"][1])
    assert np.array_equal(found.valid.labels.numpy(), made["test_batch.bin"][2])
    assert found.classes[3] == "cat"


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_part_that_is_not_whole(tmp_path, monkeypatch, made, damage):
    files = {name: content for name, (content, _, _) in made.items()}
    if damage == "missing":
        del files["data_batch_4.bin"]
    else:
        files["data_batch_4.bin"] = files["data_batch_4.bin"][:-5]
    path = packed(tmp_path, files)
    monkeypatch.setattr(cifar10, "fetch", lambda source: {path.name: path})
    with pytest.raises(DataError, match=r"has no whole data_batch_4\.bin; get the file again"):
        cifar10.pictures()
