"""Extract tar and zip archives that strangers made: refused whole, before anything is written.

Python's `tarfile.extractall` may write outside the folder, and its `zipfile` silently renames what
would. Here only plain files and folders are taken, every member's name is looked at first, and a
half-extracted folder never appears under its final name.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fathom.core.errors import DataError
from fathom.core.paths import sync_dir
from fathom.data.compressed import CHUNK, REMEDY, Quota, chunks, kind_of
from fathom.data.files import named, reading, write_fault

MOST_MEMBERS = 500_000
LONGEST_NAME = 255
BLOCK = 512
HEADER = 1 << 20  # bytes: tarfile reads a whole header into memory


@dataclass(frozen=True)
class Member:
    """One entry: `odd` says what it is if neither a plain file nor a folder (`content` None)."""

    name: str
    odd: str | None
    content: IO[bytes] | None


def extract(archive: Path, folder: Path, *, declared: int | None = None) -> Path:
    """The members of a .tar (plain, .gz, .xz, .bz2) or .zip as a new folder `folder`.

    `declared` is the size of the data once unpacked, if it is known. A folder that is there
    already is left as it is. Raises DataError for a damaged or hostile archive, ResourceError if
    it cannot be written; then nothing is left behind.
    """
    if folder.is_dir():
        return folder
    members = _zip_members if kind_of(archive) == "zip" else _tar_members
    with reading(archive):
        for _ in _checked(archive, members(archive, Quota(archive, declared))):
            pass
    temporary = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        with _damage_named(archive):
            for member in _checked(archive, members(archive, Quota(archive, declared))):
                _write(temporary / member.name, member.content)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was first: its folder is as good
                raise
        sync_dir(folder.parent)
    except OSError as error:
        raise write_fault(folder, error, "choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write(path: Path, content: IO[bytes] | None) -> None:
    """A file, or a folder if there is no content. Modes are ours, whatever the archive says."""
    if content is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        shutil.copyfileobj(content, file, CHUNK)
    path.chmod(0o644)


def _checked(archive: Path, members: Iterable[Member]) -> Iterator[Member]:
    """The members, as long as there is nothing wrong with them. Raises DataError."""
    seen: dict[str, tuple[str, bool]] = {}
    with _damage_named(archive):
        for number, member in enumerate(members, 1):
            if number > MOST_MEMBERS:
                many = f"has more than {MOST_MEMBERS:,} members"
                raise DataError(named(archive), many, "unpack it by hand if you trust it")
            is_folder = member.content is None
            wrong = member.odd or _name_fault(member.name)
            if wrong := wrong or _clash(seen, member.name, is_folder):
                shown = member.name if len(member.name) <= 80 else f"{member.name[:60]}…"
                thing = f"{named(archive)} member {number} {shown!r}"
                remedy = "nothing was extracted; get it from a source you trust"
                raise DataError(thing, wrong, remedy)
            yield member
        if not seen:
            raise DataError(named(archive), "holds nothing", REMEDY)


@contextlib.contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Turns what Python's readers raise for a damaged archive into a DataError."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise DataError(named(archive), f"is damaged or cut short ({error})", REMEDY) from None


def _name_fault(name: str) -> str | None:
    """Why a file of that name may not be made, on this system or another."""
    if len(name) > LONGEST_NAME:
        return f"has a name of {len(name)} characters"
    if re.search(r"[\x00-\x1f\x7f]", name):
        return "has a control character in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "leaves the folder"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not text"
    return None


def _clash(seen: dict[str, tuple[str, bool]], name: str, is_folder: bool) -> str | None:
    """Whether a place is taken already, by the same name or by one that differs in case only.

    `seen` holds each path so far, by its name in lower case, and whether it is a folder.
    """
    parts = PurePosixPath(name).parts
    for depth in range(1, len(parts) + 1):
        path, folder = "/".join(parts[:depth]), is_folder or depth < len(parts)
        other, other_is_folder = seen.get(path.casefold(), (path, None))
        if other != path:
            return f"differs from {other!r} in case only"
        if other_is_folder is not None and not (folder and other_is_folder):
            return "is there twice"
        seen[path.casefold()] = path, folder
    return None


class _Stream:
    """Pieces of bytes as a file that is read once, and remembers the end of what was read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.ahead, self.position, self.tail = pieces, b"", 0, b""
        self.limit = float(HEADER)

    def read(self, size: int) -> bytes:
        parts, missing = [], size
        while missing and (piece := self.ahead or next(self.pieces, b"")):
            parts.append(piece[:missing])
            self.ahead = piece[missing:]
            missing -= len(parts[-1])
        data = b"".join(parts)
        self.position += len(data)
        if self.position > self.limit:
            raise tarfile.ReadError(f"a header of more than {HEADER:,} bytes")
        self.tail = (self.tail + data)[-4 * tarfile.RECORDSIZE :]
        return data


_ODD_TYPES = {
    tarfile.SYMTYPE: "is a symbolic link",
    tarfile.LNKTYPE: "is a hard link",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a pipe",
}


def _tar_members(archive: Path, quota: Quota) -> Iterator[Member]:
    # The stream may be longer than the data by its headers: it is judged for itself.
    stream = _Stream(chunks(archive, Quota(archive)))
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8") as tar:  # type: ignore[call-overload]
        while (info := tar.next()) is not None:
            tar.members.clear()  # else it keeps them all
            quota.expect(info.size)
            stream.limit = stream.position + info.size + HEADER
            odd = _ODD_TYPES.get(info.type)
            if odd is None and not info.isdir() and (not info.isreg() or info.issparse()):
                odd = f"is of an unknown kind ({info.type!r})"
            if odd is None and info.isreg() and info.mode & 0o6000:
                odd = "would run with its owner's rights (setuid)"
            plain = odd is None and info.isreg()
            yield Member(info.name, odd, tar.extractfile(info) if plain else None)
        # tarfile takes the end of the file for the end of the archive: a zero block says so.
        begin = tar.offset - (stream.position - len(stream.tail))
        last = stream.tail[begin : begin + BLOCK] if begin >= 0 else b""
        if len(last) < BLOCK or any(last):
            raise DataError(named(archive), "is cut short", REMEDY)
        stream.limit = math.inf
        while stream.read(CHUNK):  # to the end, where the checksum is
            pass


def _zip_members(archive: Path, quota: Quota) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        infos = packed.infolist()
        for info in infos[: MOST_MEMBERS + 1]:
            quota.expect(info.file_size)
        for info in infos:
            # The name as it was written: zipfile cuts it at a NUL and turns separators round.
            name, kind = info.orig_filename, info.external_attr >> 28
            odd = None
            if info.flag_bits & 1:
                odd = "is encrypted"
            elif kind not in (0, 0o10, 0o04):  # the upper bits of a Unix mode: file, folder
                odd = "is a symbolic link" if kind == 0o12 else "is neither file nor folder"
            if odd is not None or name.endswith("/"):
                yield Member(name, odd, None)
                continue
            with packed.open(info) as content:
                yield Member(name, None, content)
