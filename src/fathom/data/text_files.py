"""Text files of any size, read as UTF-8 in pieces, or refused with the line that is no text.

A byte order mark is dropped; lines may end as on any system and end in a newline here. A file of
one line is read in pieces like any other.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from fathom.core.errors import DataError
from fathom.data.files import named, reading

PIECE = 1 << 20  # bytes


def pieces(path: Path, size: int = PIECE) -> Iterator[str]:
    """The text of a file in pieces of about `size` bytes, cut before white space only.

    A stretch without white space stays in one piece, however long, so that no word is cut.

    Raises DataError that names the line which is not UTF-8 or holds a NUL byte, and where there
    is no text at all; ResourceError if the file may not be read.
    """
    begun: list[str] = []  # a stretch that may go on
    found = False
    for text in _decoded(path, size):
        found = found or not text.isspace()
        tail = "" if text[-1].isspace() else text.rsplit(None, 1)[-1]
        if len(tail) == len(text):
            begun.append(text)
            continue
        yield "".join([*begun, text[: len(text) - len(tail)]])
        begun = [tail]
    if not found:
        raise DataError(named(path), "holds no text", "name a file that does")
    if begun != [""]:
        yield "".join(begun)


def _decoded(path: Path, size: int) -> Iterator[str]:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), True)
    line = 1
    with reading(path), open(path, "rb") as file:
        while True:
            chunk = file.read(size)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line += _newlines(error.object[: error.start])
                byte = error.object[error.start]
                wrong = f"is not UTF-8 (byte 0x{byte:02x})"
                raise DataError(f"{named(path)} line {line}", wrong, "save it as UTF-8") from None
            if "\0" in text:
                line += text.count("\n", 0, text.index("\0"))
                remedy = "name a text file, or take the byte out"
                raise DataError(f"{named(path)} line {line}", "holds a NUL byte", remedy)
            line += text.count("\n")
            if text:
                yield text
            if not chunk:
                return


def _newlines(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
