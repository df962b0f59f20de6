"""Sets of pictures by name, or from a folder of one's own with a folder for each class."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fathom.core.errors import SettingError, did_you_mean
from fathom.core.kept import unread
from fathom.data.folders import read_as, read_folder
from fathom.data.picture_set import (
    PictureKind,
    Pictures,
    PictureSet,
    keep_kind,
    known_kind,
    read_pictures,
)
from fathom.data.sources import sources

__all__ = ["Images", "PictureSet", "Pictures", "load_pictures", "read_pictures"]

Images = Annotated[
    str, "picture set: fashion-mnist, cifar10, digits, shapes, or a folder of class folders"
]


def load_pictures(
    name_or_folder: str | Path,
    *,
    size: int | None = None,
    seed: int = 0,
    channels: int | None = None,
) -> PictureSet:
    """A picture set of the catalogue, or a folder of class folders.

    `size` makes every picture that many pixels square; `seed` chooses what is held out where the
    data does not say; `channels` (1 or 3) of a folder's pictures, instead of what they have. A
    trained model is given a folder in the form and the classes that it knows.

    Raises SettingError with the near match if there is neither set nor folder of that name.
    """
    kind = known_kind()
    if kind is None:
        found = _read(name_or_folder, size, seed, channels, None)
        keep_kind(found)
        return found
    if unread():
        return kind.stand_in(str(name_or_folder))
    return replace(_read(name_or_folder, size, seed, channels, kind), elsewhere=True)


def _read(
    name_or_folder: str | Path,
    size: int | None,
    seed: int,
    channels: int | None,
    kind: PictureKind | None,
) -> PictureSet:
    known = [name for name, source in sources().items() if source.kind == "pictures"]
    if name_or_folder in known:
        module = importlib.import_module(sources()[str(name_or_folder)].module)
        found: PictureSet = module.pictures(seed)
        return found if size is None else found.resized(size)
    folder = Path(name_or_folder).expanduser()
    if _is_folder(folder):
        if kind is not None:
            return read_as(folder, kind)
        return read_folder(folder, size=size, channels=channels, seed=seed)
    remedy = did_you_mean(
        str(name_or_folder), known, f"name {', '.join(known)} or a folder of class folders"
    )
    raise SettingError(f"picture set '{name_or_folder}'", "is not known, nor a folder", remedy)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long to be one
        return False
