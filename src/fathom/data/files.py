"""Files that people name: opened, or refused in one line that says why."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

from fathom.core.errors import DataError, FathomError, ResourceError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def named(path: Path) -> str:
    """The path, short enough for one line."""
    text = str(path)
    return text if len(text) <= 200 else f"{text[:120]}…{text[-60:]}"


def counted(paths: Sequence[Path], folder: Path, thing: str) -> tuple[str, str]:
    """How many they are and which to look at: `3 files`, and `a/b.txt, the first,` of a folder."""
    first, many = named(paths[0].relative_to(folder)), len(paths) > 1
    return f"{len(paths):,} {thing}{'s' * many}", f"{first}, the first," if many else first


def read_fault(path: Path, error: OSError) -> FathomError:
    """What an OSError met in reading means to someone who named the file."""
    if error.errno in _FORBIDDEN:
        return ResourceError(named(path), "may not be read", "change its permissions")
    if error.errno == errno.ENOENT:
        return DataError(named(path), "does not exist", "check the path")
    if error.errno == errno.EISDIR:
        return DataError(named(path), "is a folder, not a file", "name the file")
    if error.errno == errno.ENAMETOOLONG:
        wrong = f"is a path of {len(str(path))} characters, too long"
        return DataError(named(path), wrong, "use a shorter one")
    return DataError(named(path), f"cannot be read ({error.strerror})", "check the disk")


def write_fault(path: Path, error: OSError, remedy: str) -> ResourceError:
    """What an OSError met in writing means."""
    if error.errno in _FULL:
        return ResourceError(named(path), "disk full", f"free space or {remedy}")
    if error.errno in _FORBIDDEN:
        return ResourceError(named(path), "may not be written to", remedy)
    return ResourceError(named(path), f"cannot be written to ({error.strerror})", remedy)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns the OSErrors of a block that reads `path` into errors for users."""
    try:
        yield
    except OSError as error:
        raise read_fault(path, error) from error


def looks_like_a_page(head: bytes) -> bool:
    """Whether a file begins like a web page, as servers send in place of what was asked for."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head"))
