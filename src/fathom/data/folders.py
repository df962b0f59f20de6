"""A folder of one's own pictures: a folder for each class, with or without train and valid.

    flowers/rose/1.jpg              flowers/train/rose/1.jpg
    flowers/tulip/2.png     or      flowers/valid/rose/2.jpg   (valid, val, test or validation)

Pictures may have any sizes and be grey or in colour. Those in folders within a class's folder are
of that class too. Files that are no pictures are left out, and that is said. Those that fit in
memory are decoded once.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data import fingerprints
from fathom.data.files import counted, named, reading
from fathom.data.picture_set import Form, PictureKind, Pictures, PictureSet, Split
from fathom.data.pictures import (
    SUFFIXES,
    is_grey,
    is_picture_name,
    is_strange,
    left_out,
    open_picture,
    read_picture,
    threads,
)
from fathom.data.splits import held_out
from fathom.data.treatment import PLAIN, Treatment
from fathom.data.workers import WorkerBatches

HELD_OUT = 0.2
FITS = 2 << 30  # bytes of decoded pictures that are kept in memory
LARGEST = 224  # what pictures of differing sizes are made, unless they are smaller or `size` says
Rows = tuple[tuple[Path, int], ...]  # pictures with the numbers of their classes
VALID_NAMES = ("valid", "val", "validation", "test")


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that are decoded by loader workers as they are needed: too many to keep."""

    files: tuple[Path, ...]
    things: tuple[str, ...]
    labels: Tensor
    held: Form
    split: str

    def __len__(self) -> int:
        return len(self.files)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.files))

    @property
    def form(self) -> Form:
        """(C, H, W) of a picture as a model is given it."""
        return self.held

    @property
    def shape(self) -> Form:
        """What `read` gives."""
        return self.held

    def read(self, index: int) -> Tensor:
        """uint8 (C, H, W)."""
        C, H, W = self.held
        thing = self.things[index]
        return read_picture(self.files[index], channels=C, size=(H, W), thing=thing)

    def resized(self, size: int) -> PictureFiles:
        return replace(self, held=(self.held[0], size, size))

    def chosen(self, indices: Tensor) -> PictureFiles:
        """Only those pictures, in that order."""
        order = indices.tolist()
        files, things = (tuple(kept[i] for i in order) for kept in (self.files, self.things))
        return replace(self, files=files, things=things, labels=self.labels[indices])

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = True,
        drop_last: bool = False,
        treatment: Treatment = PLAIN,
    ) -> WorkerBatches:
        """Batches of (B, C, H, W) in [0, 1] and labels (B,)."""
        return WorkerBatches(
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            treatment=treatment,
        )

    def fingerprint(self) -> str:
        """sha256 of names, sizes in bytes, classes and form: reading every byte would take as
        long as an epoch."""
        words = [word for f in self.files for word in (f.parent.name, f.name, f.stat().st_size)]
        return fingerprints.of_words([*words, *self.labels.tolist(), *self.held])


def read_folder(
    folder: Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    seed: int = 0,
    fits: int = FITS,
) -> PictureSet:
    """The pictures of `folder` to train on and held out; classes are its folders, sorted by name.

    Held out is the folder valid, val, validation or test beside train, else a fifth of each class
    chosen by `seed`. Raises DataError that names the file and the class of what cannot be read.
    """
    train_folder, valid_folder = _splits_of(folder)
    classes = _class_names(train_folder)
    found = _listed(train_folder, classes)
    if valid_folder is not None:
        if unknown := set(_class_names(valid_folder, at_least=1)) - set(classes):
            wrong = f"has the class {sorted(unknown)[0]}, which {train_folder.name} has not"
            raise DataError(named(valid_folder), wrong, "give both the same class folders")
        more = _listed(valid_folder, classes, may_lack=True)
        train, valid = found.pairs, more.pairs
        found = _Listing.joined([found, more])
    else:
        train, valid = _apart(folder, found.pairs, classes, seed)
    form = form_of([*train, *valid], classes, size, channels)
    splits = [
        read_split(pairs, classes, form, split, fits)
        for pairs, split in ((train, "train"), (valid, "valid"))
    ]
    return PictureSet(str(folder), splits[0], splits[1], tuple(classes), found.notes(folder))


def read_as(folder: Path, kind: PictureKind, *, fits: int = FITS) -> PictureSet:
    """Pictures that a trained model is measured on: of classes that it knows, as it is given them.

    All are held out, but those of a folder train that stands beside another. Raises DataError for
    a class that the model does not know; one that is not there does not matter.
    """
    train_folder, valid_folder = _splits_of(folder)
    splits, listings = [], []
    for part in dict.fromkeys((train_folder, valid_folder or train_folder)):
        if strange := [n for n in _class_names(part, at_least=1) if n not in kind.classes]:
            wrong = f"its classes are not those that were trained on ({', '.join(strange[:3])})"
            raise DataError(named(part), wrong, "give it the class folders that the model knows")
        listed = _listed(part, kind.classes, may_lack=True)
        split = read_split(listed.pairs, kind.classes, kind.held, "valid", fits)
        splits.append(split if kind.form == kind.held else split.resized(kind.form[1]))
        listings.append(listed)
    notes = _Listing.joined(listings).notes(folder)
    return PictureSet(str(folder), splits[0], splits[-1], kind.classes, notes, elsewhere=True)


def _splits_of(folder: Path) -> tuple[Path, Path | None]:
    train = folder / "train"
    for name in VALID_NAMES:
        if train.is_dir() and (folder / name).is_dir():
            return train, folder / name
    return folder, None


def _apart(folder: Path, pairs: Rows, classes: Sequence[str], seed: int) -> tuple[Rows, Rows]:
    """Those to train on, and a part of each class to hold out."""
    labels = torch.tensor([label for _, label in pairs])
    for label, name in enumerate(classes):
        if int((labels == label).sum()) < 2:
            wrong = "has one picture: none can be held out"
            raise DataError(f"class {name} of {named(folder)}", wrong, "add another")
    held = held_out(labels, HELD_OUT, seed).tolist()
    train, valid = (
        tuple(pair for pair, out in zip(pairs, held, strict=True) if out == wanted)
        for wanted in (False, True)
    )
    return train, valid


def _class_names(folder: Path, *, at_least: int = 2) -> list[str]:
    with reading(folder):
        names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if len(names) < at_least:
        wrong = f"has no class but {names[0]}" if names else "has no class folders"
        raise DataError(named(folder), wrong, "make a folder of pictures for each class")
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            wrong = f"has the classes {other} and {name}, the same name on many disks"
            raise DataError(named(folder), wrong, "rename one")
    return names


@dataclass(frozen=True)
class _Listing:
    """Pictures with their classes, files that are none, the folders within class folders, and
    pictures beside class folders."""

    pairs: Rows = ()
    strange: tuple[Path, ...] = ()
    inner: tuple[Path, ...] = ()
    loose: tuple[Path, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[_Listing]) -> _Listing:
        rows = ((part.pairs, part.strange, part.inner, part.loose) for part in parts)
        return cls(*(tuple(chain.from_iterable(column)) for column in zip(*rows, strict=True)))

    def notes(self, folder: Path) -> tuple[str, ...]:
        """What of the folder was left out, and what was taken in that may be meant otherwise."""
        said = left_out(self.strange, folder)
        if self.loose:
            count, first = counted(self.loose, folder, "picture")
            said.append(f"left out {count} of {named(folder)}: {first} is in no class's folder")
        if self.inner:
            count, first = counted(self.inner, folder, "folder")
            said.append(
                f"took in {count} within class folders of {named(folder)}: "
                f"pictures of {first} are of that class"
            )
        return tuple(said)


def _listed(folder: Path, classes: Sequence[str], *, may_lack: bool = False) -> _Listing:
    parts = []
    for label, name in enumerate(classes):
        listing = _of_class(folder / name, label) if (folder / name).is_dir() else _Listing()
        if not listing.pairs and not may_lack:
            thing, wrong, remedy = f"class {name} of {named(folder)}", "has no pictures", "add some"
            if listing.strange:
                wrong += f" ({listing.strange[0].name} is of a kind that is not read)"
                remedy = f"use {', '.join(SUFFIXES)}"
            raise DataError(thing, wrong, remedy)
        parts.append(listing)
    if not any(listing.pairs for listing in parts):
        raise DataError(named(folder), "has no pictures", "add some")
    with reading(folder):
        loose = sorted(p for p in folder.iterdir() if is_picture_name(p) and p.is_file())
    return _Listing.joined([*parts, _Listing(loose=tuple(loose))])


def _of_class(folder: Path, label: int) -> _Listing:
    """What is in a class's folder and in those within it, by name; nothing that is hidden."""

    def fail(error: OSError) -> None:
        raise error

    files: list[Path] = []
    inner: list[Path] = []
    seen: set[str] = set()
    with reading(folder):
        for where, folders, names in os.walk(folder, onerror=fail, followlinks=True):
            if (place := os.path.realpath(where)) in seen:  # a link to a folder that it is in
                folders.clear()
                continue
            seen.add(place)
            folders[:] = [name for name in folders if not name.startswith(".")]
            here = [Path(where, name) for name in names]
            files += here
            if where != str(folder) and any(map(is_picture_name, here)):
                inner.append(Path(where))
    files.sort()
    return _Listing(
        tuple((file, label) for file in files if is_picture_name(file)),
        tuple(filter(is_strange, files)),
        tuple(sorted(inner)),
    )


def _thing(file: Path, name: str) -> str:
    return f"{named(file)} (class {name})" if name else named(file)


def form_of(
    pairs: Sequence[tuple[Path, int]],
    classes: Sequence[str],
    size: int | None,
    channels: int | None,
) -> Form:
    """(C, H, W) for all of the pictures, from their headers."""
    colour, shapes = False, []
    for file, label in pairs:
        with open_picture(file, thing=_thing(file, classes[label])) as image:
            colour = colour or not is_grey(image)
            shapes.append((image.height, image.width))
    C = channels or (3 if colour else 1)
    if size is not None:
        return C, size, size
    if len(set(shapes)) == 1:
        return C, *shapes[0]
    middle = min(LARGEST, int(statistics.median(min(shape) for shape in shapes)))
    return C, middle, middle


def read_split(
    pairs: Sequence[tuple[Path, int]],
    classes: Sequence[str],
    form: Form,
    split: str,
    fits: int = FITS,
) -> Split:
    """Pictures with labels, decoded at once if that takes at most `fits` bytes.

    A picture of a class without a name is called by its file alone.
    """
    C, H, W = form
    files = PictureFiles(
        tuple(file for file, _ in pairs),
        tuple(_thing(file, classes[label]) for file, label in pairs),
        torch.tensor([label for _, label in pairs]),
        form,
        split,
    )
    if len(files) * C * H * W > fits:
        return files
    images = torch.empty(len(files), C, H, W, dtype=torch.uint8)

    def decode(index: int) -> None:
        images[index] = files.read(index)

    with threads() as pool:
        for _ in pool.map(decode, range(len(files))):  # asked for, so that its errors are raised
            pass
    return Pictures(images, files.labels, len(classes), split=split, names=files.names)
