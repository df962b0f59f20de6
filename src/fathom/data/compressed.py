"""Unpack single compressed files: gzip, xz, bz2; each kind of damage told apart, bombs refused.

Python's gzip takes an empty file for a good one and calls a cut one by another name, so gzip's
frame (RFC 1952) is read here and only the deflated body goes to zlib.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from fathom.core.errors import DataError, FathomError
from fathom.data.files import looks_like_a_page, named, reading

CHUNK = 1 << 20
GIGABYTE = 1 << 30
REMEDY = "get the file again"
SUFFIXES = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".bz2": "bz2", ".zip": "zip"}


class Quota:
    """Counts what comes out of an archive, and refuses a bomb before it fills the disk.

    A bomb is more than 1.1 times what was `declared` for the data, or, where nothing was, more
    than 20 times what went in and more than 1 GB.
    """

    def __init__(self, path: Path, declared: int | None = None) -> None:
        self.path, self.declared, self.out, self.claimed = path, declared, 0, 0
        self.packed = path.stat().st_size

    def add(self, size: int) -> None:
        """Count bytes that came out."""
        self.out += size
        self._judge(self.out)

    def expect(self, size: int) -> None:
        """Count bytes that an archive says it holds."""
        self.claimed += size
        self._judge(self.claimed)

    def _judge(self, total: int) -> None:
        if self.declared is not None:
            if total > self.declared * 1.1:
                raise self._refused(f"more than the {self.declared:,} bytes declared")
        elif total > GIGABYTE and total > 20 * self.packed:
            raise self._refused(f"over 1 GB from {self.packed:,} bytes")

    def _refused(self, why: str) -> DataError:
        return DataError(named(self.path), f"unpacks to {why}, like a bomb", REMEDY)


def kind_of(path: Path) -> str:
    """What a file is from how it begins: gzip, xz, bz2, zip or plain.

    Raises DataError if it is empty, or a web page.
    """
    with reading(path), open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise DataError(named(path), "is empty", REMEDY)
    if looks_like_a_page(head):
        raise DataError(named(path), "is a web page, not data", REMEDY)
    for kind, magic in (
        ("gzip", b"\x1f\x8b"),
        ("xz", b"\xfd7zXZ\x00"),
        ("bz2", b"BZh"),
        ("zip", b"PK\x03\x04"),
        ("zip", b"PK\x05\x06"),
    ):
        if head.startswith(magic):
            return kind
    if expected := SUFFIXES.get(path.suffix.lower()):
        raise DataError(named(path), f"is not {expected}, as its name says", REMEDY)
    return "plain"


def unpacked(path: Path, *, declared: int | None = None) -> bytes:
    """The content of a file, decompressed if it is compressed. `declared`: the size expected."""
    return b"".join(chunks(path, Quota(path, declared) if declared else None))


def chunks(path: Path, quota: Quota | None = None) -> Iterator[bytes]:
    """The content of a file, piece by piece, decompressed if it is gzip, xz or bz2.

    Raises DataError that names the damage: cut short, no trailer, wrong checksum, data after the
    end, empty, a web page, a bomb.
    """
    kind = kind_of(path)
    with reading(path):
        quota = quota or Quota(path)
        with open(path, "rb") as file:
            if kind == "gzip":
                pieces = _gzip(file, path)
            elif kind == "xz":
                pieces = _stream(file, path, lzma.LZMADecompressor)
            elif kind == "bz2":
                pieces = _stream(file, path, bz2.BZ2Decompressor)
            else:
                pieces = iter(lambda: file.read(CHUNK), b"")
            for piece in pieces:
                quota.add(len(piece))
                yield piece


def _broken(path: Path, wrong: str) -> FathomError:
    return DataError(named(path), wrong, REMEDY)


class _Reader:
    """A file with what was read too far put back in front."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.ahead = file, b""

    def some(self) -> bytes:
        piece, self.ahead = self.ahead or self.file.read(CHUNK), b""
        return piece

    def exactly(self, count: int) -> bytes:
        """`count` bytes, or fewer at the end."""
        while len(self.ahead) < count and (piece := self.file.read(CHUNK)):
            self.ahead += piece
        taken, self.ahead = self.ahead[:count], self.ahead[count:]
        return taken

    def line(self) -> bytes:
        """Up to and with the next zero byte."""
        taken = b""
        while (byte := self.exactly(1)) not in (b"", b"\0"):
            taken += byte
        return taken


def _gzip(file: BinaryIO, path: Path) -> Iterator[bytes]:
    reader = _Reader(file)
    while True:
        _gzip_header(reader, path)
        inflate = zlib.decompressobj(wbits=-15)
        crc = size = 0
        while not inflate.eof:
            packed = inflate.unconsumed_tail or reader.some()
            try:
                piece = inflate.decompress(packed, CHUNK)
            except zlib.error as error:
                raise _broken(path, f"is damaged ({error})") from None
            if not packed and not piece:
                raise _broken(path, "is cut short")
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if piece:
                yield piece
        reader.ahead = inflate.unused_data + reader.ahead
        trailer = reader.exactly(8)
        if len(trailer) < 8:
            raise _broken(path, "is cut short: its trailer is missing")
        if int.from_bytes(trailer[:4], "little") != crc:
            raise _broken(path, "is damaged: its checksum (CRC) does not match")
        if int.from_bytes(trailer[4:], "little") != size & 0xFFFFFFFF:
            raise _broken(path, "is damaged: its size does not match")
        following = reader.exactly(2)
        if not following:
            return
        if following != b"\x1f\x8b":
            raise _broken(path, "has other data after its end")
        reader.ahead = following + reader.ahead


def _gzip_header(reader: _Reader, path: Path) -> None:
    head = reader.exactly(10)
    if len(head) < 10:
        raise _broken(path, "is cut short in its header")
    if head[2] != 8:
        raise _broken(path, "is damaged: its method is not deflate")
    flags = head[3]
    if flags & 4:
        reader.exactly(int.from_bytes(reader.exactly(2), "little"))
    if flags & 8:
        reader.line()
    if flags & 16:
        reader.line()
    if flags & 2:
        reader.exactly(2)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _stream(file: BinaryIO, path: Path, new: type) -> Iterator[bytes]:
    reader = _Reader(file)
    while True:
        decompressor: _Decompressor = new()
        while not decompressor.eof:
            packed = reader.some() if decompressor.needs_input else b""
            if decompressor.needs_input and not packed:
                raise _broken(path, "is cut short")
            try:
                piece = decompressor.decompress(packed, CHUNK)
            except (OSError, lzma.LZMAError, ValueError) as error:
                raise _broken(path, f"is damaged ({error})") from None
            if piece:
                yield piece
        reader.ahead = decompressor.unused_data
        following = reader.exactly(6)
        if not following:
            return
        if not following.startswith((b"BZh", b"\xfd7zXZ\x00")):
            raise _broken(path, "has other data after its end")
        reader.ahead = following + reader.ahead
