"""Damaged and hostile gzip, xz and bz2 files: D10 and the single-file part of D13."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib

import pytest

from fathom.core.errors import DataError
from fathom.data.compressed import chunks, unpacked

CONTENT = bytes(range(256)) * 5000
PACKED = gzip.compress(CONTENT, mtime=0)


def write(path, data):
    path.write_bytes(data)
    return path


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PACKED[: len(PACKED) // 2], "is cut short"),
        (PACKED[:6], "cut short in its header"),
        (PACKED[:-8], "its trailer is missing"),
        (PACKED[:-3], "its trailer is missing"),
        (flipped(PACKED, len(PACKED) - 8), r"checksum \(CRC\) does not match"),
        (flipped(PACKED, len(PACKED) - 1), "size does not match"),
        (b"<!DOCTYPE html><html>no</html>", "is a web page"),
        (b"", "is empty"),
        (PACKED + b"junk", "has other data after its end"),
        (flipped(PACKED, 40), "is damaged"),
    ],
)
def test_d10_each_damage_of_a_gzip_has_its_own_reason(tmp_path, data, reason):
    with pytest.raises(DataError, match=reason) as error:
        unpacked(write(tmp_path / "x.gz", data))
    assert error.value.exit_status == 3
    assert "x.gz" in str(error.value)


def test_d10_every_length_of_a_gzip_but_the_whole_is_refused(tmp_path):
    packed = gzip.compress(b"some words " * 30, mtime=0)
    for length in range(len(packed)):
        with pytest.raises(DataError):
            unpacked(write(tmp_path / "x.gz", packed[:length]))
    assert unpacked(write(tmp_path / "x.gz", packed)) == b"some words " * 30


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress])
def test_d10_xz_and_bz2(tmp_path, pack):
    packed = pack(CONTENT)
    assert unpacked(write(tmp_path / "x", packed)) == CONTENT
    assert unpacked(write(tmp_path / "x", packed + packed)) == CONTENT * 2
    for data in (packed[:-5], packed[:20], flipped(packed, len(packed) // 2), packed + b"junk!!"):
        with pytest.raises(DataError):
            unpacked(write(tmp_path / "x", data))


def test_the_same_as_pythons_gzip(tmp_path):
    named = tmp_path / "named.gz"
    with open(named, "wb") as raw, gzip.GzipFile("inner.txt", "wb", fileobj=raw) as file:
        file.write(CONTENT)
    zeros = write(tmp_path / "zeros.gz", gzip.compress(bytes(5_000_000)) + PACKED)
    for path in (named, zeros):
        assert unpacked(path) == gzip.decompress(path.read_bytes())
    assert unpacked(write(tmp_path / "plain", CONTENT)) == CONTENT


def test_d13_a_gzip_of_ten_gigabytes_of_zeros(tmp_path):
    compress = zlib.compressobj(9, zlib.DEFLATED, 31)
    member = b"".join(compress.compress(bytes(1 << 20)) for _ in range(100)) + compress.flush()
    path = write(tmp_path / "bomb.gz", member * 100)
    sizes = []
    with pytest.raises(DataError, match="like a bomb"):
        sizes.extend(len(piece) for piece in chunks(path))
    assert sum(sizes) <= 1 << 30
    with pytest.raises(DataError, match="more than the 1,000,000 bytes declared"):
        unpacked(path, declared=1_000_000)


def test_d13_much_that_packs_badly_is_no_bomb(tmp_path):
    assert len(unpacked(write(tmp_path / "x.gz", gzip.compress(bytes(30 << 20))))) == 30 << 20
