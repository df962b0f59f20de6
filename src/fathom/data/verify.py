"""Whether a file is the one that is wanted; read once for as long as it stays the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

_digests: dict[tuple[str, int, int, int], str] = {}


def fault(path: Path, size: int, sha256: str) -> str | None:
    """Why `path` is not the file of that size and sha256, or None if it is."""
    try:
        status = path.stat()
        if status.st_size != size:
            return f"has {status.st_size:,} bytes, not {size:,}"
        key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in _digests:
            with open(path, "rb") as file:
                _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if _digests[key] != sha256:
        return f"has sha256 {_digests[key][:10]}…, not {sha256[:10]}…"
    return None
