"""idx files: D18, and the real Fashion-MNIST."""

from __future__ import annotations

import gzip
import struct

import pytest
import torch

from fathom.core.errors import DataError
from fathom.data import idx


def images(count=3, height=2, width=4, magic=0x803):
    data = bytes(range(count * height * width))
    return struct.pack(">4I", magic, count, height, width) + data


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pictures_and_labels(tmp_path, pack):
    (tmp_path / "x").write_bytes(pack(images()))
    (tmp_path / "y").write_bytes(pack(struct.pack(">2I", 0x801, 3) + bytes([7, 0, 9])))
    x, y = idx.read_pair(tmp_path / "x", tmp_path / "y")
    assert torch.equal(x, torch.arange(24, dtype=torch.uint8).view(3, 1, 2, 4))
    assert y.tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (images(magic=0x801), "begins with 0x00000801, not idx's 0x00000803"),
        (images(magic=0xD03), "begins with 0x00000d03"),
        (images()[:-1], "says 3 x 2 x 4 = 24 values and holds 23"),
        (images() + b"x", "says 3 x 2 x 4 = 24 values and holds 25"),
        (images(0), r"holds nothing \(0 x 2 x 4\)"),
        (images()[:9], "is 9 bytes, its header alone 16"),
        (images()[:3], "begins with 0x000008"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "values and holds 0"),
        (b"", "is empty"),
    ],
)
def test_d18_a_header_that_does_not_fit(tmp_path, data, match):
    (tmp_path / "x-idx3").write_bytes(data)
    with pytest.raises(DataError, match=match) as error:
        idx.read(tmp_path / "x-idx3", dimensions=3)
    assert error.value.exit_status == 3
    assert "x-idx3" in str(error.value)


def test_d18_not_one_label_for_each_picture(tmp_path):
    (tmp_path / "x").write_bytes(images())
    (tmp_path / "y").write_bytes(struct.pack(">2I", 0x801, 2) + bytes(2))
    with pytest.raises(DataError, match="has 2 labels, x 3 pictures"):
        idx.read_pair(tmp_path / "x", tmp_path / "y")
