"""Tables of one's own: csv files read with the standard library, every fault by line and column.

A column whose cells are all numbers is a column of numbers; any other is one of words.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from fathom.core.errors import DataError, SettingError, did_you_mean
from fathom.data.compressed import unpacked
from fathom.data.files import named

TableFile = Annotated[str, "a .csv file whose first row holds the names of the columns"]
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
MOST_COLUMNS = 20_000
ALMOST_ALL = 0.9  # of the cells being numbers, the others are thought mistakes and not words

Numbers = NDArray[np.float64]
Words = list[str | None]


@dataclass(frozen=True)
class Table:
    """Columns by name, each an array of numbers (NaN where missing) or a list of words (None).

    `lines` says for each row on which line of `file` it begins.
    """

    file: str
    columns: dict[str, Numbers | Words]
    lines: list[int]
    sha256: str = field(default="", compare=False)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, name: str) -> Numbers | Words:
        """Raises DataError with the near match if there is no such column."""
        if name not in self.columns:
            some = ", ".join(list(self.columns)[:8])
            remedy = did_you_mean(name, self.columns, f"it has {some}")
            raise DataError(self.file, f"has no column {name}", remedy)
        return self.columns[name]

    def is_numeric(self, name: str) -> bool:
        return isinstance(self[name], np.ndarray)

    def target(self, name: str) -> Numbers:
        """A column of numbers, none missing. Raises DataError that names the line."""
        values = self[name]
        if not isinstance(values, np.ndarray):
            line = self.lines[0]
            wrong = f"column {name} holds words ({values[0]!r}), not numbers"
            raise DataError(f"{self.file} line {line}", wrong, "choose another target")
        missing = np.flatnonzero(np.isnan(values))
        if len(missing):
            thing = f"{self.file} line {self.lines[missing[0]]}"
            raise DataError(thing, f"column {name}, the target, is empty", "fill or drop the row")
        return values

    def rows(self, which: Sequence[int] | NDArray[np.intp]) -> Table:
        """The rows of these numbers."""
        chosen = [int(i) for i in which]
        columns: dict[str, Numbers | Words] = {}
        for name, values in self.columns.items():
            if isinstance(values, np.ndarray):
                columns[name] = values[chosen]
            else:
                columns[name] = [values[i] for i in chosen]
        return replace(self, columns=columns, lines=[self.lines[i] for i in chosen], sha256="")

    def without(self, *names: str) -> Table:
        """The other columns. Raises DataError if one of `names` is not there."""
        for name in names:
            self[name]
        kept = {name: values for name, values in self.columns.items() if name not in names}
        return replace(self, columns=kept, sha256="")

    def above(self, other: Table) -> Table:
        """These rows and then those of `other`, of the columns of this one.

        Raises DataError if a column is not there, or holds words in one and numbers in the other.
        """
        columns: dict[str, Numbers | Words] = {}
        for name, values in self.columns.items():
            more = other[name]
            if isinstance(values, np.ndarray) and isinstance(more, np.ndarray):
                columns[name] = np.concatenate([values, more])
            elif isinstance(values, list) and isinstance(more, list):
                columns[name] = [*values, *more]
            else:
                wrong = f"column {name} holds words in one table and numbers in the other"
                raise DataError(other.file, wrong, "give it the same kind in both")
        return replace(self, columns=columns, lines=[*self.lines, *other.lines], sha256="")

    def row_names(self) -> str | None:
        """The column that only tells rows apart: called id, or numbers that count up by one."""
        for name, values in self.columns.items():
            if name.lower() == "id":
                return name
            counts = isinstance(values, np.ndarray) and len(values) > 2
            if counts and (np.diff(np.asarray(values, dtype=float)) == 1).all():
                return name
        return None

    def complete(self) -> Table:
        """The rows in which nothing is missing. Raises DataError if there are none."""
        lacking = np.zeros(len(self), dtype=bool)
        for values in self.columns.values():
            if isinstance(values, np.ndarray):
                lacking |= np.isnan(values)
            else:
                lacking |= np.array([word is None for word in values])
        if lacking.all():
            raise DataError(self.file, "has no row without an empty cell", "fill them instead")
        return self.rows(np.flatnonzero(~lacking))

    def fingerprint(self) -> str:
        """sha256 of the file's bytes, or of the values of a table that was made or cut down."""
        if self.sha256:
            return self.sha256
        parts = [(name, list(values)) for name, values in self.columns.items()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def read_csv(
    path: Path,
    *,
    delimiter: str = ",",
    header: Sequence[str] = (),
    words: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    like: Table | None = None,
) -> Table:
    """A csv file, plain or gzipped, in UTF-8, with the names of the columns in its first row.

    Args:
        header: the names of the columns, if the file does not hold them
        words: columns that hold words although all their cells are numbers (codes, years)
        missing: cells that stand for nothing
        like: a table whose columns of words hold words here too, whatever their cells are

    Raises DataError that names the line, and the column, of what is wrong.
    """
    file = named(path)
    data = unpacked(path)
    names, rows = _rows(file, _text(file, data), delimiter, header)
    for name in words:
        if name not in names:
            remedy = did_you_mean(name, names, f"see the first line of {file}")
            raise SettingError(f"column {name}", "is not in the table", remedy)
    lines = [line for line, _ in rows]
    columns: dict[str, Numbers | Words] = {}
    empty = frozenset(missing)
    kinds = {} if like is None else like.columns
    worded = {*words, *(name for name, values in kinds.items() if isinstance(values, list))}
    for place, name in enumerate(names):
        cells: Words = [None if (cell := row[place].strip()) in empty else cell for _, row in rows]
        columns[name] = cells if name in worded else _typed(file, name, cells, lines)
    return Table(file, columns, lines, hashlib.sha256(data).hexdigest())


def _text(file: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1)
        wrong = f"byte {column} (0x{data[error.start]:02x}) is not UTF-8"
        raise DataError(f"{file} line {line}", wrong, "save the file as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{file} line {line}", "holds a NUL", "save the file as plain text")
    return text


def _rows(
    file: str, text: str, delimiter: str, given: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with the line that it begins on; rows of nothing are left out."""
    numbered = _numbered(file, text, delimiter)
    first, header = (0, list(given)) if given else next(numbered, (1, []))
    header = [name.strip() for name in header]
    if not any(header):
        raise DataError(file, "is empty", "give it a first row with the names of the columns")
    if len(header) > MOST_COLUMNS:
        wrong = f"has {len(header):,} columns, more than {MOST_COLUMNS:,}"
        raise DataError(f"{file} line {first}", wrong, "split the table")
    seen: set[str] = set()
    for place, name in enumerate(header):
        if not name:
            raise DataError(f"{file} line {first}", f"column {place + 1} has no name", "name it")
        if name in seen:
            wrong = f"the column {name} is there twice"
            raise DataError(f"{file} line {first}", wrong, "rename one")
        seen.add(name)
    rows = []
    for line, row in numbered:
        if len(row) != len(header):
            wrong = f"has {len(row)} columns, the header has {len(header)}"
            raise DataError(f"{file} line {line}", wrong, "mend the row or quote the delimiter")
        if [cell.strip() for cell in row] == header:
            raise DataError(f"{file} line {line}", "is the header once more", "remove it")
        rows.append((line, row))
    if not rows:
        raise DataError(file, "has a header and no rows", "add some")
    return header, rows


def _numbered(file: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong = f"is not csv ({error})"
            raise DataError(f"{file} line {line}", wrong, "look for a quote too many") from None
        if row:
            yield line, row


def _typed(file: str, name: str, cells: Words, lines: Sequence[int]) -> Numbers | Words:
    """The cells as numbers if they are. Raises DataError at inf, and at mistakes among numbers."""
    values = np.full(len(cells), np.nan)
    bad: list[int] = []
    given = 0
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        given += 1
        number = _number(cell)
        if number is None:
            bad.append(row)
        elif math.isinf(number):
            raise DataError(
                f"{file} line {lines[row]}", f"column {name} is {cell}", "write a finite number"
            )
        else:
            values[row] = number
    if given == 0 or not bad:
        return values
    first = cells[bad[0]] or ""
    where = f"{file} line {lines[bad[0]]}"
    if all(_number((cells[row] or "").replace(",", ".", 1)) is not None for row in bad):
        wrong = f"column {name} is {first!r}, with a decimal comma"
        raise DataError(where, wrong, "write it with a point")
    if given - len(bad) >= max(ALMOST_ALL * given, 2):
        wrong = f"column {name} is {first!r}, {given - len(bad)} of its {given} cells are numbers"
        raise DataError(where, wrong, "mend it, or name the column among those of words")
    return cells


def _number(cell: str) -> float | None:
    """float() also takes `1_000` and Arabic digits; a table does not mean those."""
    if "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None
