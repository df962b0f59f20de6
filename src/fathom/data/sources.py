"""Data sets by name: what they are, where their files are, and how to get those that are not here.

A source is a file of this folder with `SOURCE = Source(...)` in it; that alone lists it. Such a
file imports nothing heavy before its reader is called, so that listing is quick.

Files are looked for in each `$FATHOM_DATA/NAME/`, then in the cache, and verified before use.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from fathom.core.errors import SettingError, did_you_mean
from fathom.core.paths import cache_dir, data_dirs
from fathom.data.download import Progress, download
from fathom.data.files import named
from fathom.data.verify import fault

Kind = Literal["pictures", "table", "text", "pairs"]
Status = Literal["good", "wrong", "missing"]


@dataclass(frozen=True)
class File:
    """One file: its name, how many bytes, their sha256, and the https addresses that have it."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packing:
    """One way in which the data is packed: all of its files are needed."""

    name: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Source:
    """A data set. The first packing is the one that is fetched; no packing: it is built in.

    `folders` are the places in `$FATHOM_DATA/NAME/` where other tools leave the same files.
    """

    name: str
    title: str
    home: str
    licence: str
    kind: Kind
    packings: tuple[Packing, ...] = ()
    folders: tuple[str, ...] = ("",)
    module: str = field(default="", compare=False)

    @property
    def files(self) -> tuple[File, ...]:
        """The files of the packing that is fetched."""
        return self.packings[0].files if self.packings else ()

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Report:
    """What `check` found of one file. `wrong` says why a file cannot be used."""

    file: str
    status: Status
    path: Path | None = None
    wrong: str = ""


@cache
def sources() -> dict[str, Source]:
    """Every source by name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if "\nSOURCE = Source(" in path.read_text(encoding="utf-8"):
            name = f"{__package__}.{path.stem}"
            source: Source = importlib.import_module(name).SOURCE
            object.__setattr__(source, "module", name)
            found[source.name] = source
    return found


def source_named(name: str) -> Source:
    """Raises SettingError with the near match if there is none of that name."""
    known = sources()
    if name not in known:
        remedy = did_you_mean(name, known, f"there are {', '.join(known)}")
        raise SettingError(f"data set '{name}'", "is not known", remedy)
    return known[name]


def place(source: Source) -> Path:
    """The folder of the cache that fetched files go to."""
    return cache_dir() / "data" / source.name


def find(source: Source, file: File) -> Path | None:
    """Where a good copy of `file` is, or None. No lock is taken and nothing is written."""
    for path in _candidates(source, file):
        if fault(path, file.size, file.sha256) is None:
            return path
    return None


def found(source: Source) -> dict[str, Path] | None:
    """The files of the first packing that is here whole, by name, or None."""
    for packing in source.packings:
        paths = {file.name: find(source, file) for file in packing.files}
        whole = {name: path for name, path in paths.items() if path is not None}
        if len(whole) == len(paths):
            return whole
    return None


_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextlib.contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Within its block every download tells `progress` (file name, bytes here, bytes in all)."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def fetch(source: Source, progress: Progress | None = None) -> dict[str, Path]:
    """The files of a source by name: found, or else downloaded into the cache.

    `progress` is told of downloads, or else what the `reporting` around this says.

    Raises DataError with the offline way if they cannot be had, ResourceError if the cache cannot
    be written to.
    """
    if not source.packings:
        return {}
    if (here := found(source)) is not None:
        return here
    paths = {}
    for file in source.files:
        path = find(source, file)
        if path is None:
            path = download(
                file.urls,
                place(source) / file.name,
                size=file.size,
                sha256=file.sha256,
                thing=source.name,
                remedy=_offline_way(source, file),
                progress=progress or _progress.get(),
            )
        paths[file.name] = path
    return paths


def check(source: Source) -> list[Report]:
    """What is here of each file: good, wrong or missing. Of the packing that is here, if one is."""
    here = found(source)
    reports = []
    for file in source.files if here is None else _packing(source, here):
        faults = _faults(source, file)
        path = find(source, file)
        if path is not None:
            reports.append(Report(file.name, "good", path))
        elif faults:
            reports.append(Report(file.name, "wrong", *faults[0]))
        else:
            reports.append(Report(file.name, "missing"))
    return reports


def _packing(source: Source, here: dict[str, Path]) -> tuple[File, ...]:
    return next(p.files for p in source.packings if {f.name for f in p.files} == set(here))


def _candidates(source: Source, file: File) -> Iterator[Path]:
    """The paths that exist, in the order in which they are looked at."""
    homes = [folder / source.name / inner for folder in data_dirs() for inner in source.folders]
    for home in [*homes, place(source)]:
        path = home / file.name
        if os.path.isfile(path):
            yield path


def _faults(source: Source, file: File) -> list[tuple[Path, str]]:
    """The copies that are here and cannot be used, with the reasons."""
    paths = _candidates(source, file)
    return [(path, why) for path in paths if (why := fault(path, file.size, file.sha256))]


def _offline_way(source: Source, file: File) -> str:
    """What to do when it cannot be fetched; a copy that is here and wrong is the first clue."""
    clue = "".join(f" ({named(path)} {why})" for path, why in _faults(source, file)[:1])
    return f"put {file.name} in $FATHOM_DATA/{source.name}/{clue}"


def file_of(paths: dict[str, Path], name: str) -> Path:
    """The one of a source's files whose name is `name`, gzipped or not."""
    return paths.get(name) or paths[f"{name}.gz"]
