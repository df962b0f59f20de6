"""A run is a folder: its papers, its lock, and how it is found again.

runs/lenet/003/  run.json  metrics.jsonl  model.safetensors  kept/  checkpoints/  figures/  log.txt
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

from fathom.core.errors import (
    CheckpointError,
    DataError,
    FathomError,
    ResourceError,
    SettingError,
    did_you_mean,
)
from fathom.core.paths import runs_dir, write_whole

T = TypeVar("T")
_NUMBER = re.compile(r"\d{3,}$")
_FILES = {"run": "run.json", "metrics": "metrics.jsonl", "weights": "model.safetensors"}
_KEPT = ("vocabularies", "kept")  # folders of what is kept; the first, of older runs
_TEXTS = (".json", ".tsv", ".txt")


class Run:
    """The folder of one run and the facts in its `run.json`."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder, self.facts = folder, facts
        self.begun = False
        self._lock: TextIO | None = None

    @property
    def recipe(self) -> str:
        return str(self.facts["recipe"])

    @property
    def weights(self) -> Path:
        return self.folder / _FILES["weights"]

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def write(self, **facts: Any) -> None:
        """Set facts and write `run.json`, whole or not at all."""
        self.facts.update(facts)
        text = json.dumps(plain(self.facts), indent=2, ensure_ascii=False, allow_nan=False)
        write_whole(self.folder / _FILES["run"], text + "\n")

    def begin(self, **facts: Any) -> None:
        """Write that this process carries the run out; from here on it writes its end too."""
        self.begun = True
        self.facts.pop("error", None)
        self.write(status="running", **facts)

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write `metrics.jsonl` anew from what a checkpoint remembers."""
        write_whole(self.folder / _FILES["metrics"], "".join(map(json_line, history)))

    def keep(self, texts: Mapping[str, str]) -> None:
        """A file for each: what `core.kept` keeps of the data."""
        for name, text in texts.items():
            write_whole(self.folder / _KEPT[-1] / name, text)

    def kept(self) -> dict[str, str]:
        """What was kept, by the names of the files. Raises CheckpointError for what is no text."""
        files = [path for folder in _KEPT for path in sorted((self.folder / folder).glob("*"))]
        found = {}
        for path in files:
            if path.suffix in _TEXTS:
                try:
                    found[path.name] = path.read_text(encoding="utf-8")
                except (OSError, ValueError):
                    remedy = "copy it anew from where the run was made"
                    raise CheckpointError(str(path), "cannot be read", remedy) from None
        return found

    def rebuilt(
        self,
        build: Callable[[dict[str, Any]], T],
        settings: dict[str, Any],
        remedies: Mapping[str, str],
    ) -> T:
        """What is built of the run's settings, from wherever it is asked for.

        If it cannot be, files and folders that are not found from here are looked for where they
        were in training. Raises DataError for one that is nowhere any more; what to do about it
        may depend on the argument that names it.
        """
        try:
            return build(settings)
        except FathomError as error:
            own, here = self.facts.get("arguments", {}), files_among(settings)
            lost = {
                name: path
                for name, path in self.facts.get("files", {}).items()
                if settings.get(name) == own.get(name) and name not in here
            }
            if not lost:
                raise
            for name, path in lost.items():
                if not os.path.exists(path):
                    wrong = f"is gone, and {self.folder} was trained with it"
                    raise DataError(path, wrong, remedies.get(name, "put it back")) from error
        return build({**settings, **lost})

    def append_metrics(self, record: dict[str, Any]) -> None:
        with open(self.folder / _FILES["metrics"], "a", encoding="utf-8") as file:
            file.write(json_line(record))

    def metrics(self) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`; a last line cut short by a crash is left out."""
        path = self.folder / _FILES["metrics"]
        if not path.is_file():
            return []
        found = []
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def note(self, text: str) -> None:
        """A line in the run's log. That it cannot be written is no reason to stop."""
        with contextlib.suppress(OSError), open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def lock(self) -> None:
        """Take the folder for this process; the kernel frees it, however the process ends.

        Raises SettingError where another process has it.
        """
        path = self.folder / "lock"
        if _held_here(path):
            raise self._taken(path.read_text(encoding="utf-8"))
        try:
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - open as long as the run
        except OSError as error:
            raise ResourceError(
                str(self.folder), f"may not be written ({error.strerror})", "choose another --out"
            ) from None
        if not _try_lock(file):
            file.seek(0)
            holder = file.read()
            file.close()
            raise self._taken(holder)
        file.seek(0)
        file.truncate()
        file.write(f"pid {os.getpid()} since {time.strftime('%H:%M')}")
        file.flush()
        self._lock, self.begun = file, False
        _HELD.add(file)
        self._sweep()

    def _taken(self, holder: str) -> SettingError:
        wrong = f"already in use by {holder.strip() or 'another process'}"
        return SettingError(str(self.folder), wrong, "wait, or choose another --out")

    def _sweep(self) -> None:
        """Remove what processes that were killed have left of files half written."""
        ours = [path for name in _FILES.values() for path in self.folder.glob(f"{name}.tmp-*")]
        for folder in (self.checkpoints, self.figures):
            ours += folder.glob("*.tmp-*")
        for path in ours:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def in_use(self) -> bool:
        """Whether a process holds the lock now."""
        path = self.folder / "lock"
        if _held_here(path):
            return True
        with contextlib.suppress(OSError), open(path, "a+", encoding="utf-8") as file:
            return not _try_lock(file)
        return False


_HELD: weakref.WeakSet[TextIO] = weakref.WeakSet()


def _held_here(path: Path) -> bool:
    """Whether this process has the lock of that file: it must not even open it a second time.

    A process that closes any of its handles on a file gives up its lock on it.
    """
    with contextlib.suppress(OSError):
        there = path.stat()
        return any(
            not file.closed and os.path.samestat(os.fstat(file.fileno()), there) for file in _HELD
        )
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HELD.clear)


def _try_lock(file: TextIO) -> bool:
    """A lock of this process alone: forked children, such as a loader's workers, never have it."""
    try:
        import fcntl
    except ImportError:  # Windows: its own call, on the first byte
        import msvcrt

        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def create(recipe: str, out: str | None) -> Run:
    """A new run's folder, locked: the next number under `runs/RECIPE`, or `out`.

    Raises SettingError where `out` holds a run already, unless that failed before it had made
    anything; ResourceError where it cannot be made.
    """
    try:
        if out is None:
            folder = _next_folder(runs_dir() / recipe)
        else:
            folder = Path(out)
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        place = out or runs_dir() / recipe
        raise ResourceError(
            str(place), f"cannot be made ({error.strerror})", "choose another --out"
        ) from None
    run = Run(folder, {"recipe": recipe})
    run.lock()
    if (folder / _FILES["run"]).exists() and not _came_to_nothing(folder):
        run.unlock()
        remedy = f"go on with `fathom resume {folder}`, or choose another --out"
        raise SettingError(str(folder), "holds a run already", remedy)
    return run


def _came_to_nothing(folder: Path) -> bool:
    """Whether the run there failed before it had made anything, as with data that are not there."""
    made = _FILES["metrics"], _FILES["weights"], "checkpoints", "figures"
    try:
        failed = open_run(str(folder)).facts.get("status") == "failed"
    except CheckpointError:
        return False
    return failed and not any((folder / name).exists() for name in made)


def _next_folder(parent: Path) -> Path:
    """Make and return the next free number; two processes never get the same one."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        taken = [int(path.name) for path in parent.iterdir() if _NUMBER.match(path.name)]
        folder = parent / f"{max(taken, default=0) + 1:03d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def open_run(word: str) -> Run:
    """The run that a word of the command line means: a folder, or a recipe's latest.

    Raises SettingError where there is none, CheckpointError where its `run.json` is unreadable.
    """
    folder = Path(word)
    if not (folder / _FILES["run"]).is_file():
        folder = _latest(word)
    path = folder / _FILES["run"]
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or not isinstance(facts.get("recipe"), str):
            raise ValueError
    except (OSError, ValueError):
        raise CheckpointError(str(path), "is not a run's papers", "name another run") from None
    return Run(folder, facts)


def _latest(word: str) -> Path:
    parent = runs_dir() / word.replace("_", "-")
    if Path(word).name == word and parent.is_dir():
        numbered = [path for path in parent.iterdir() if _NUMBER.match(path.name)]
        for folder in sorted(numbered, key=lambda path: int(path.name), reverse=True):
            if (folder / _FILES["run"]).is_file():
                return folder
    known = [p.name for p in runs_dir().iterdir() if p.is_dir()] if runs_dir().is_dir() else []
    remedy = did_you_mean(word, known, "see the folder `runs`, or start one with `fathom run`")
    raise SettingError(word, "there is no run of that name", remedy)


def killed_before(recipe: str) -> Run | None:
    """The recipe's latest run, if its papers say `running` and no process holds it."""
    try:
        run = open_run(recipe)
    except (SettingError, CheckpointError):
        return None
    return run if run.facts.get("status") == "running" and not run.in_use() else None


def files_among(settings: Mapping[str, Any]) -> dict[str, str]:
    """Where the files and folders are that arguments name, by the arguments' names."""
    words = {name: value for name, value in settings.items() if isinstance(value, str)}
    paths = {name: os.path.expanduser(word) for name, word in words.items()}
    return {name: os.path.abspath(path) for name, path in paths.items() if os.path.exists(path)}


def json_line(record: dict[str, Any]) -> str:
    return json.dumps(plain(record), ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """`value` as JSON has it: numbers that are not finite become null, paths become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        return plain(cast(Any, value).item())
    return str(value)
