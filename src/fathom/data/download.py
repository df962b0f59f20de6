"""Fetch one file into the cache: verified, resumed, fetched once however many ask for it.

Each process writes to a partial file of its own, and holds a kernel lock on it. Only the holder
of the file's lock downloads; the others wait for it. A holder that dies leaves its partial file,
whose lock the kernel frees: the next one takes it over by renaming it and goes on. Where locks do
nothing, as on some network disks, all download for themselves, nobody touches another's file, and
the rename at the end puts the same bytes in the same place.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fathom.core.errors import DataError, ResourceError
from fathom.core.paths import sync_dir
from fathom.data.files import looks_like_a_page, named, write_fault
from fathom.data.http import FetchError, Reply, ask, host_of, reason
from fathom.data.locks import locks_work, try_lock, waiting_lock
from fathom.data.verify import fault

Progress = Callable[[str, int, int], None]  # file name, bytes here, bytes in all

CHUNK = 1 << 18
PATIENCE = 12.0  # seconds without a new byte, over all mirrors, before giving up
ANSWER = 6.0  # seconds that one server may be silent
PAUSE = 0.2
PAGE = "sent a web page, not the file"
ABANDONED = 600.0  # seconds after which another machine's partial file counts as left behind
REMEDY_CACHE = "set FATHOM_CACHE to a folder that can be written to"


@dataclass(frozen=True)
class Wanted:
    """The file to be had, and how to speak of it."""

    urls: Sequence[str]
    target: Path
    size: int
    sha256: str
    thing: str
    remedy: str
    progress: Progress | None
    plain_hosts: Collection[str]
    patience: float

    def missing(self, why: str) -> DataError:
        return DataError(self.thing, why, f"try again or {self.remedy}")

    def is_here(self) -> bool:
        return fault(self.target, self.size, self.sha256) is None


def offline() -> bool:
    """Whether `$FATHOM_OFFLINE` forbids the network."""
    return os.environ.get("FATHOM_OFFLINE", "").lower() not in ("", "0", "false", "no")


def download(
    urls: Sequence[str],
    target: Path,
    *,
    size: int,
    sha256: str,
    thing: str,
    remedy: str = "put the file there by hand",
    progress: Progress | None = None,
    plain_hosts: Collection[str] = (),
    patience: float = PATIENCE,
) -> Path:
    """`target`, fetched from the first of `urls` that gives `size` bytes with that sha256.

    Args:
        thing: what errors call it
        remedy: what to do without a network
        progress: called with the file's name, the bytes here and the bytes in all
        plain_hosts: hosts that may be asked by http; for a test's own server
        patience: seconds without a new byte before giving up

    Raises DataError if no address gives the file, ResourceError if it cannot be written.
    """
    wanted = Wanted(urls, target, size, sha256, thing, remedy, progress, plain_hosts, patience)
    if offline():
        wrong = f"{target.name} is not on this machine, and FATHOM_OFFLINE is set"
        raise DataError(thing, wrong, remedy)
    if not urls:
        raise DataError(thing, f"{target.name} has no address to be fetched from", remedy)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock")
        with waiting_lock(lock, unless=wanted.is_here) as held:
            # Whoever held the lock before has put the right one there, if all went well.
            if held and not wanted.is_here():
                _fetch(wanted, adopt=locks_work_beside(lock))
    except OSError as error:
        raise write_fault(target.parent, error, REMEDY_CACHE) from error
    return target


def locks_work_beside(lock: Path) -> bool:
    """Whether locks work where `lock` is, tried on a file that nobody else knows."""
    probe = lock.with_name(f".probe-{secrets.token_hex(4)}")
    probe.touch()
    try:
        return locks_work(probe)
    finally:
        probe.unlink(missing_ok=True)


def _fetch(wanted: Wanted, *, adopt: bool) -> None:
    part, file = _open_part(wanted, adopt=adopt)
    try:
        with file:
            _fill(wanted, file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, wanted.target)
            sync_dir(wanted.target.parent)
    except OSError:
        with contextlib.suppress(OSError):  # a full disk: what was begun only takes room
            part.unlink()
        raise
    except DataError:
        if not _worth_keeping(part):
            part.unlink(missing_ok=True)
        raise


def _worth_keeping(part: Path) -> bool:
    return part.exists() and part.stat().st_size > 0


def _open_part(wanted: Wanted, *, adopt: bool) -> tuple[Path, BinaryIO]:
    """A partial file of our own, locked; one that was left behind, if there is one to adopt."""
    prefix = f".{wanted.target.name}.part-"
    mine = wanted.target.with_name(
        f"{prefix}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    )
    here = f"{prefix}{socket.gethostname()}-"
    left = sorted(wanted.target.parent.glob(f"{prefix}*"), key=_size, reverse=True)
    for orphan in left if adopt else []:
        try:
            # Locks may not reach other machines: their files must have lain still for long.
            if (
                not orphan.name.startswith(here)
                and time.time() - orphan.stat().st_mtime < ABANDONED
            ):
                continue
            file = open(orphan, "r+b")  # noqa: SIM115 - handed to the caller
        except FileNotFoundError:
            continue
        if try_lock(file.fileno()) and _size(orphan) <= wanted.size:
            os.rename(orphan, mine)
            return mine, file
        file.close()
    free = shutil.disk_usage(wanted.target.parent).free
    if free < wanted.size:
        wrong = f"disk full: {wanted.thing} needs {wanted.size:,} bytes, {free:,} are free"
        raise ResourceError(named(wanted.target.parent), wrong, f"free space or {REMEDY_CACHE}")
    file = open(mine, "x+b")  # noqa: SIM115 - handed to the caller
    try_lock(file.fileno())
    return mine, file


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _fill(wanted: Wanted, file: BinaryIO) -> None:
    """Bring `file` to the right bytes. Raises DataError with the last reason if no address can."""
    finished: set[str] = set()
    why, host, most, last = "", "", _end(file), time.monotonic()
    for url in itertools.cycle(wanted.urls):
        if finished >= set(wanted.urls) or time.monotonic() - last > wanted.patience:
            break
        if url in finished:
            continue
        start = _end(file)
        try:
            if start < wanted.size:
                _append(wanted, url, file, wanted.patience - (time.monotonic() - last))
            _verify(wanted, file)
            return
        except FetchError as error:
            why, host = str(error), host_of(url)
            # What others began may be at fault: the same address gets a chance from the start.
            if error.final and (start == 0 or _end(file) > 0):
                finished.add(url)
        if _end(file) > most:  # bytes never had before: patience begins anew
            most, last = _end(file), time.monotonic()
        elif url not in finished:
            time.sleep(PAUSE)
    if PAGE in why:
        raise wanted.missing(f"the server {host} {PAGE}; nothing kept")
    raise wanted.missing(f"{wanted.target.name} could not be fetched: {host} {why}")


def _end(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _append(wanted: Wanted, url: str, file: BinaryIO, seconds: float) -> None:
    """What `url` has beyond the end of `file`. Raises FetchError if it stops early."""
    reply = ask(url, _end(file), max(0.5, min(ANSWER, seconds)), wanted.plain_hosts)
    with reply.body:
        if reply.is_page:
            raise FetchError(PAGE, final=True)
        if reply.total is not None and reply.total != wanted.size:
            # A page that does not say so is short: it is told apart by how it begins.
            if looks_like_a_page(_some(reply)):
                raise FetchError(PAGE, final=True)
            wrong = f"has {reply.total:,} bytes, not {wanted.size:,}"
            raise FetchError(wrong, final=True)
        file.seek(reply.start)
        file.truncate()
        while chunk := _some(reply):
            if file.tell() == 0 and looks_like_a_page(chunk):
                raise FetchError(PAGE, final=True)
            file.write(chunk)
            if wanted.progress is not None:
                wanted.progress(wanted.target.name, file.tell(), wanted.size)
            if file.tell() > wanted.size:
                file.truncate(0)
                raise FetchError(f"sends more than {wanted.size:,} bytes", final=True)
    if file.tell() < wanted.size:
        raise FetchError("broke off")


def _some(reply: Reply) -> bytes:
    """What has come, at least a byte unless that was all. Raises FetchError."""
    try:
        return reply.body.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(reason(error)) from None


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _verify(wanted: Wanted, file: BinaryIO) -> None:
    """Raises FetchError, and empties the file, if its sha256 is another."""
    file.flush()
    file.seek(0)
    sha256 = _sha256(file)
    if sha256 != wanted.sha256:
        file.truncate(0)
        wrong = f"sent sha256 {sha256[:10]}…, not {wanted.sha256[:10]}…"
        raise FetchError(wrong, final=True)
