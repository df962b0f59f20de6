"""A picture contest's own files: what it gives is read, and what it asks for is written.

    dogs/train/000bec18.jpg      dogs/labels.csv              id,breed
    dogs/test/000621fb.jpg       dogs/sample_submission.csv   (if there is one: its order)

A folder, or a zip of it. Each row of the labels has its picture and each picture its row, or the
contest is refused in one line.

Source   Kaggle's contests of pictures; book 13.13 and 13.14.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.core.kept import unread
from fathom.core.paths import cache_dir
from fathom.data import shapes
from fathom.data.archives import extract
from fathom.data.compressed import unpacked
from fathom.data.files import named, reading, write_fault
from fathom.data.folders import form_of, read_split
from fathom.data.made_contest import made_contest
from fathom.data.picture_set import PictureKind, PictureSet, Split, keep_kind, known_kind
from fathom.data.pictures import SUFFIXES, is_picture_name
from fathom.data.splits import held_out
from fathom.data.tables import Table, read_csv

IDS = ("id",)
LABELS = ("label", "breed", "class")
LABEL_FILES = ("trainLabels.csv", "labels.csv")
Row = tuple[Path, int]


@dataclass(frozen=True)
class Contest:
    """Pictures with their classes, pictures without, and the heads of the two columns.

    `test` is in the order in which the contest wants its answers.
    """

    folder: Path
    train: tuple[Row, ...]
    classes: tuple[str, ...]
    test: tuple[Path, ...]
    id_column: str
    label_column: str

    def held_out(self, fraction: float, seed: int) -> list[bool]:
        """Which of `train` are for measuring: that share of every class."""
        labels = torch.tensor([label for _, label in self.train])
        return held_out(labels, fraction, seed).tolist()

    def pictures(
        self,
        held: Sequence[bool],
        *,
        size: int | None = None,
        channels: int | None = None,
        retrain: bool = False,
    ) -> tuple[PictureSet, Split]:
        """What is trained and measured on, and the test pictures (all of label 0).

        Training sees the `held` ones too if it is to `retrain`. Raises DataError that names the
        file of a picture which cannot be read.
        """
        unlabelled = [(file, 0) for file in self.test]
        form = form_of(self.train, self.classes, size, channels)
        form_of(unlabelled, [""], size, channels)  # what is no picture is refused now
        parts = {
            "train": [row for row, out in zip(self.train, held, strict=True) if retrain or not out],
            "valid": [row for row, out in zip(self.train, held, strict=True) if out],
        }
        train, valid = (read_split(rows, self.classes, form, name) for name, rows in parts.items())
        test = read_split(unlabelled, [""], form, "test")
        return PictureSet(str(self.folder), train, valid, self.classes), test

    def pictures_as(self, kind: PictureKind) -> tuple[PictureSet, Split]:
        """All of `train` as a model takes them that was trained elsewhere, and the test pictures.

        Raises DataError for a class that it does not know.
        """
        if strange := [name for name in self.classes if name not in kind.classes]:
            wrong = f"its classes are not those that were trained on ({', '.join(strange[:3])})"
            raise DataError(named(self.folder), wrong, "give it labels that the model knows")
        rows = [(file, kind.classes.index(self.classes[label])) for file, label in self.train]
        valid = read_split(rows, kind.classes, kind.held, "valid")
        test = read_split([(file, 0) for file in self.test], [""], kind.held, "test")
        found = PictureSet(str(self.folder), valid, valid, kind.classes, elsewhere=True)
        return found, test

    def answers(self, probabilities: Tensor) -> str:
        """The class of each test picture, as csv, from (tests, classes)."""
        names = [self.classes[guess] for guess in probabilities.argmax(1).tolist()]
        rows = [[file.stem, name] for file, name in zip(self.test, names, strict=True)]
        return _csv([self.id_column, self.label_column], rows)

    def shares(self, probabilities: Tensor) -> str:
        """The probability of each class for each test picture, as csv."""
        numbers = [[f"{value:.10g}" for value in row] for row in probabilities.tolist()]
        rows = [[file.stem, *row] for file, row in zip(self.test, numbers, strict=True)]
        return _csv([self.id_column, *self.classes], rows)


def enter(
    word: str,
    *,
    first: int | None,
    share: float,
    seed: int,
    folders: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    retrain: bool = False,
) -> tuple[Contest, PictureSet, Split]:
    """A contest (`shapes`, or as `read_contest` takes it), what is trained and measured on, and
    the test pictures.

    Held out is that `share` of every class, drawn by `seed`; `folders` are made of links there. Of
    a contest that a trained model is measured on, all labelled pictures are held out.
    """
    kind = known_kind()
    if kind is not None and unread():
        pictures = kind.stand_in(word)
        return (
            Contest(Path(word), (), kind.classes, (), IDS[0], LABELS[0]),
            pictures,
            pictures.valid,
        )
    place = made_contest() if word == shapes.SOURCE.name else word
    contest = read_contest(place, first=first if kind is None else None)
    if kind is not None:
        return (contest, *contest.pictures_as(kind))
    held = contest.held_out(share, seed)
    if folders is not None:
        link_folders(contest, held, Path(folders).expanduser())
    pictures, test = contest.pictures(held, size=size, channels=channels, retrain=retrain)
    keep_kind(pictures)
    return contest, pictures, test


def read_contest(word: str | Path, *, first: int | None = None) -> Contest:
    """A contest's folder or zip; of its labels the `first` rows alone, if that is asked.

    Raises DataError that names the row or the file that is wrong.
    """
    folder = _unpacked(Path(word).expanduser())
    table = _labels_table(folder)
    id_column, label_column = _column(table, IDS), _column(table, LABELS)
    files = _by_id(folder / "train")
    pairs = _labelled(table, id_column, label_column, files, first)
    classes = tuple(sorted({label for _, label in pairs}))
    if len(classes) < 2:
        wrong = f"holds no class but {classes[0]}"
        raise DataError(table.file, wrong, "give labels of two classes at least")
    number = {name: place for place, name in enumerate(classes)}
    train = tuple((file, number[label]) for file, label in pairs)
    return Contest(folder, train, classes, _tests(folder), id_column, label_column)


def link_folders(contest: Contest, held: Sequence[bool], folder: Path) -> None:
    """Folders train, valid and test of class folders, made of links to the contest's pictures.

    Other recipes and other systems read them. Links that are there already are left as they are.
    Raises DataError if the folder holds anything else.
    """
    wanted = {folder / "test" / "unknown" / file.name: file for file in contest.test}
    for (file, label), out in zip(contest.train, held, strict=True):
        wanted[folder / ("valid" if out else "train") / contest.classes[label] / file.name] = file
    try:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            same = path in wanted and path.exists() and path.samefile(wanted[path])
            if not (path.is_dir() or same):
                remedy = "name an empty folder"
                raise DataError(named(path), "is not of this contest and this split", remedy)
        for path, file in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _link(path, file.resolve())
    except OSError as error:
        raise write_fault(folder, error, "name another folder") from error


def _link(path: Path, file: Path) -> None:
    """A symbolic link, or where the system keeps those to itself a second name of the file."""
    try:
        path.symlink_to(file)
    except OSError:
        os.link(file, path)


def _unpacked(path: Path) -> Path:
    """The folder that holds `train`: of a zip, one in the cache with the zip's sum in its name."""
    if not path.is_dir():
        with reading(path), open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path = extract(path, cache_dir() / "contests" / f"{path.stem}-{digest[:16]}")
    inner = [child for child in path.iterdir() if child.is_dir()]
    if len(inner) == 1 and inner[0].name not in ("train", "test"):
        path = inner[0]
    for name in ("train", "test"):
        if not (path / name).is_dir():
            remedy = "a contest has train, test and a csv of labels: unpack what is packed"
            raise DataError(named(path), f"has no folder {name}", remedy)
    return path


def _labels_table(folder: Path) -> Table:
    found = {file.name: file for file in sorted(folder.glob("*.csv"))}
    samples = [name for name in found if name.lower().startswith("sample")]
    names = [name for name in LABEL_FILES if name in found]
    names = names or [name for name in found if name not in samples]
    if not names:
        raise DataError(named(folder), "has no csv of labels", "add labels.csv with id,label")
    if len(names) > 1:
        wrong = f"has {' and '.join(names[:3])}: either may hold the labels"
        raise DataError(named(folder), wrong, "keep one, or call it labels.csv")
    return _words(found[names[0]])


def _words(path: Path) -> Table:
    """A csv whose cells are all words: an id such as 007 is no number."""
    head = unpacked(path).split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return read_csv(path, words=[name.strip() for name in next(csv.reader([head]), [])], missing=())


def _column(table: Table, known: Sequence[str]) -> str:
    for name in table.columns:
        if name.lower() in known:
            return name
    wrong = f"has the columns {', '.join(list(table.columns)[:6])}, none called {known[0]}"
    raise DataError(table.file, wrong, f"name one of them {' or '.join(known)}")


def _by_id(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without suffix. Raises DataError if none, or two."""
    with reading(folder):
        files = sorted(path for path in folder.iterdir() if is_picture_name(path))
    if not files:
        raise DataError(named(folder), "holds no pictures", f"use files in {', '.join(SUFFIXES)}")
    found: dict[str, Path] = {}
    for file in files:
        other = found.setdefault(file.stem, file)
        if other != file:
            wrong = f"has the id of {other.name}"
            raise DataError(named(file), wrong, "rename or remove one")
    return found


def _labelled(
    table: Table, ids: str, labels: str, files: dict[str, Path], first: int | None
) -> list[tuple[Path, str]]:
    """Each row's picture and class."""
    if first is not None and first > len(table):
        wrong = f"is more than the {len(table):,} rows of {table.file}"
        raise SettingError(f"--first {first}", wrong, f"say {len(table)} or less")
    pairs: list[tuple[Path, str]] = []
    seen: dict[str, int] = {}
    rows = list(zip(table[ids], table[labels], table.lines, strict=True))[:first]
    for identity, label, line in rows:
        thing = f"{table.file} line {line}"
        if not label:
            raise DataError(thing, f"picture {identity} has no label", "fill in the cell")
        if identity not in files:
            remedy = f"or say --first {len(pairs)}" if pairs else "or correct the id"
            wrong = f"{identity} is labelled, and train has no such picture"
            raise DataError(thing, wrong, f"add it, {remedy}")
        if identity in seen:
            wrong = f"picture {identity} has a label on line {seen[identity]} too"
            raise DataError(thing, wrong, "keep one of the two")
        seen[str(identity)] = line
        pairs.append((files[str(identity)], str(label)))
    if first is None:
        for identity, file in files.items():
            if identity not in seen:
                wrong = f"has no label in {Path(table.file).name}"
                raise DataError(named(file), wrong, "add a row, or remove the picture")
    return pairs


def _tests(folder: Path) -> tuple[Path, ...]:
    """The pictures to be classified: as the sample of a submission has them, or by their ids."""
    files = _by_id(folder / "test")
    samples = sorted(file for file in folder.glob("*.csv") if file.name.lower()[:6] == "sample")
    if not samples:
        return tuple(files[name] for name in sorted(files, key=_counted))
    table = _words(samples[0])
    ids = [str(name) for name in table[_column(table, IDS)]]
    for name, line in zip(ids, table.lines, strict=True):
        if name not in files:
            thing = f"{table.file} line {line}"
            raise DataError(thing, f"asks for {name}, which test has not", "add the picture")
    return tuple(files[name] for name in ids)


def _counted(name: str) -> tuple[bool, int, str]:
    """2 before 10, and words after numbers."""
    number = int(name) if name.isdecimal() else 0
    return not name.isdecimal(), number, name


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
