"""A folder that is there whole or not at all, and that knows every bit of its files.

    write -> fsync each file -> manifest.json (sha256 and size of each) -> fsync
    -> rename the folder into place -> fsync its parent

The manifest is written last and in one exact form, so a torn write and a flipped bit are both
noticed, a bit of the manifest itself included. PyTorch's and safetensors' files have no such sum.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from fathom.core.errors import CheckpointError
from fathom.core.paths import sync_dir

MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1 << 20
_BLOCK = 1 << 20


class HashingFile(io.RawIOBase):
    """A file that sums what is written to it, and remembers the first OSError.

    `torch.save` tells of a full disk as "unexpected pos 576 vs 534"; the error kept here is
    the true one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = open(path, "wb")  # noqa: SIM115 - closed in `close`
        self.sum = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self.sum.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def commit(self) -> dict[str, Any]:
        """Bring all to the disk and give the manifest's entry of this file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"sha256": self.sum.hexdigest(), "size": self.size}

    def close(self) -> None:
        self._file.close()
        super().close()


class FolderWriter:
    """Files of a folder that is about to be committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Any] = {}

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """A stream to write that file to. Raises the OSError that stopped it, if any did."""
        stream = HashingFile(self.folder / name)
        try:
            yield cast(BinaryIO, stream)
            self.files[name] = stream.commit()
        except Exception:
            if stream.error is not None:
                raise stream.error from None
            raise
        finally:
            stream.close()


@contextmanager
def committed_folder(folder: Path, facts: dict[str, Any]) -> Iterator[FolderWriter]:
    """Write `folder` in a temporary one beside it; commit it with a manifest and a rename.

    `facts` go into the manifest. On any error nothing is left and `folder` is as it was.
    """
    temporary = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        writer = FolderWriter(temporary)
        yield writer
        content = _canonical({"facts": facts, "files": writer.files})
        with open(temporary / MANIFEST, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_dir(temporary)
        if folder.exists():  # left by a crash between rename and sync, and found to be bad
            raise OSError(errno.EEXIST, "is there already", str(folder))
        os.replace(temporary, folder)
        sync_dir(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _canonical(body: dict[str, Any]) -> bytes:
    """The one form of a manifest: its body and the sum of the body."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({"body": body, "sha256": digest}, sort_keys=True, indent=1).encode() + b"\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest's body. Raises CheckpointError where it is missing or not as written."""
    path = folder / MANIFEST
    thing, remedy = str(path), "use another checkpoint"
    try:
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise CheckpointError(thing, "is too large to be a manifest", remedy)
        raw = path.read_bytes()
        body = json.loads(raw)["body"]
        whole = _canonical(body) == raw
        listed = all(
            isinstance(entry["sha256"], str) and isinstance(entry["size"], int)
            for entry in body["files"].values()
        )
        shaped = listed and isinstance(body["facts"], dict)
    except OSError as error:
        raise CheckpointError(thing, f"cannot be read ({error.strerror})", remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(thing, "is not a manifest", remedy) from None
    if not whole or not shaped or not body["files"]:
        raise CheckpointError(thing, "is damaged: it differs from what was written", remedy)
    return cast(dict[str, Any], body)


def verify(folder: Path) -> dict[str, Any]:
    """The facts of a folder all of whose files are as they were written.

    Raises CheckpointError that names the first file which is not.
    """
    body = read_manifest(folder)
    remedy = "use another checkpoint"
    for name, entry in body["files"].items():
        path = folder / name
        try:
            if Path(name).name != name:
                raise ValueError
            size = path.stat().st_size
            same = size == entry["size"] and sha256(path) == entry["sha256"]
        except FileNotFoundError:
            raise CheckpointError(str(path), "is missing", remedy) from None
        except OSError as error:
            raise CheckpointError(str(path), f"cannot be read ({error.strerror})", remedy) from None
        except ValueError:  # a folder, or what no file can be called
            wrong = f"its manifest names {name!r}"
            raise CheckpointError(str(folder), wrong, "do not use it") from None
        if size != entry["size"]:
            raise CheckpointError(
                str(path), f"has {size} bytes, {entry['size']} were written", remedy
            )
        if not same:
            wrong = "is damaged: its sha256 is not what was written"
            raise CheckpointError(str(path), wrong, remedy)
    return cast(dict[str, Any], body["facts"])


def sha256(path: Path) -> str:
    """The file's sum, as hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
