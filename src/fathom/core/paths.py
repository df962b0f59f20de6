"""Where things are: data, cache, runs; and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path

from fathom.core.errors import ResourceError


def data_dirs() -> list[Path]:
    """Folders of data sets that are looked into before the cache: `$FATHOM_DATA`."""
    words = os.environ.get("FATHOM_DATA", "").split(os.pathsep)
    return [Path(word).expanduser() for word in words if word]


def cache_dir() -> Path:
    """`$FATHOM_CACHE`, else the platform's folder for caches."""
    if word := os.environ.get("FATHOM_CACHE"):
        return Path(word).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fathom"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "fathom" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fathom"


def runs_dir() -> Path:
    """`$FATHOM_RUNS`, else `runs` in the current folder."""
    return Path(os.environ.get("FATHOM_RUNS") or "runs")


def sync_dir(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut (a no-op where folders cannot be synced)."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path` so that a reader, or a crash, sees the old file or the new one.

    Raises ResourceError where the disk is full or the folder may not be written.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_dir(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        wrong = f"could not be written ({error.strerror or error})"
        raise ResourceError(str(path), wrong, "free the disk or choose --out") from error
