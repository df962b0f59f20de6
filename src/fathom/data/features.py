"""A table's columns as the numbers that a network takes, learned from the training rows alone.

Numbers and dates are standardised; words become one column each. What a table to be predicted
holds changes nothing: a mean that had seen it would leak.

Source   Book 4.10, which standardises with the test rows too.
Shapes   N rows, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.dates import First, dates_begin_with, seasons, years_since_2000
from fathom.data.tables import Numbers, Table, Words

Missing = Literal["mean", "error"]
OTHER, EMPTY = "(other)", "(empty)"
SKEWED = 0.75  # above it the logarithm of a column is nearer to a bell than the column itself
FEW_WORDS = 20  # always taken; of more, only if rows share them


@dataclass(frozen=True)
class Number:
    """A column of numbers: (x - mean) / std, and 0, the mean, where a cell is empty.

    With `log`, log(1 + x) takes the place of x.
    """

    name: str
    mean: float
    std: float
    log: bool = False

    @property
    def features(self) -> list[str]:
        return [self.name]


@dataclass(frozen=True)
class Date:
    """A column of dates: when, standardised as a number is, and sine and cosine of the season."""

    name: str
    mean: float
    std: float
    first: First

    @property
    def features(self) -> list[str]:
        return [self.name, f"sin({self.name})", f"cos({self.name})"]


@dataclass(frozen=True)
class Word:
    """A column of words: a 1 under the cell's word, under (other) if training never saw it."""

    name: str
    words: tuple[str, ...]

    @property
    def features(self) -> list[str]:
        return [f"{self.name}={word}" for word in (*self.words, EMPTY, OTHER)]


Column = Number | Date | Word
KINDS: dict[str, type[Column]] = {"number": Number, "date": Date, "word": Word}


class Scales(NamedTuple):
    """What brings each feature to mean 0 and std 1; where `log` is 1, after log(1 + x): (F,)."""

    mean: Tensor
    std: Tensor
    log: Tensor


@dataclass(frozen=True)
class Features:
    """What was learned. `notes` says what a reader of the table may want to know.

    With `logs` skewed columns are taken as logarithms; no standardised number is further than
    `clip` from 0.
    """

    columns: tuple[Column, ...]
    missing: Missing
    notes: tuple[str, ...]
    logs: bool = False
    clip: float = math.inf

    @property
    def names(self) -> list[str]:
        """One for each feature."""
        return [name for column in self.columns for name in column.features]

    @property
    def scales(self) -> Scales:
        """Float64; a word's features stay the 0 and 1 that they are."""
        rows: list[tuple[float, float, float]] = []
        for column in self.columns:
            if isinstance(column, Word):
                rows += [(0, 1, 0)] * len(column.features)
            else:
                rows.append((column.mean, column.std, getattr(column, "log", False)))
                rows += [(0, 1, 0)] * (len(column.features) - 1)
        return Scales(*torch.tensor(rows, dtype=torch.float64).unbind(1))

    def raw(self, table: Table) -> NDArray[np.float64]:
        """(N, F) as they stand in the table, NaN where a number is missing; words as 0 and 1.

        Raises DataError for a column that is gone or of another kind and, with missing="error",
        for an empty cell, by its line.
        """
        parts = []
        for column in self.columns:
            if isinstance(column, Word):
                parts.append(_one_hot(column, table))
            elif isinstance(column, Date):
                years = _dates(column, table)
                parts.append(np.stack([years, *seasons(years)], axis=1))
            else:
                parts.append(_numbers(column, table, self.missing)[:, None])
        return np.concatenate(parts, axis=1)

    def encode(self, table: Table) -> Tensor:
        """Float32 (N, F), standardised. Raises DataError as `raw` does."""
        raw = self.raw(table)
        mean, std, log = (scale.numpy() for scale in self.scales)
        raw = np.where(log == 1, np.log1p(np.maximum(raw, 0)), raw)
        scaled = np.where(np.isnan(raw), 0.0, (raw - mean) / std).clip(-self.clip, self.clip)
        return torch.from_numpy(scaled.astype(np.float32))

    def as_facts(self) -> dict[str, Any]:
        """In plain words and numbers; `of_facts` makes the same features of them again."""
        kinds = {kind: name for name, kind in KINDS.items()}
        columns = [{"kind": kinds[type(column)], **asdict(column)} for column in self.columns]
        clip = None if math.isinf(self.clip) else self.clip
        return {"columns": columns, "missing": self.missing, "logs": self.logs, "clip": clip}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Features:
        columns: list[Column] = []
        for told in facts["columns"]:
            known = {name: value for name, value in told.items() if name != "kind"}
            if "words" in known:
                known["words"] = tuple(known["words"])
            columns.append(KINDS[told["kind"]](**known))
        clip = math.inf if facts["clip"] is None else float(facts["clip"])
        return cls(tuple(columns), facts["missing"], (), bool(facts["logs"]), clip)

    def learned_from(self, table: Table) -> Features:
        """The same features with the scales of other rows, and of theirs alone."""
        columns: list[Column] = []
        for column in self.columns:
            if isinstance(column, Number):
                values = _numbers(column, table, "mean")
                columns.append(_number(column.name, values, logs=self.logs))
            elif isinstance(column, Date):
                mean, std = _mean_and_std(_dates(column, table))
                columns.append(replace(column, mean=mean, std=std))
            else:
                columns.append(column)
        return replace(self, columns=tuple(columns))


def learn(
    table: Table, *, missing: Missing = "mean", logs: bool = False, clip: float = math.inf
) -> Features:
    """Features of the columns of `table`: the training rows, without target and row numbers.

    An empty cell among numbers becomes the mean of the training rows, or an error, as `missing`
    says; to drop such rows give `table.complete()`. A column that never changes has std 1. Words
    of which nearly every row has its own (names, remarks) tell nothing of other rows: they are
    left out. With `logs` columns without negatives that are skewed to the right (prices, areas)
    are taken as log(1 + x).
    """
    columns: list[Column] = []
    notes = []
    for name, values in table.columns.items():
        if isinstance(values, np.ndarray):
            columns.append(_number(name, values, logs=logs))
            known = values[~np.isnan(values)]
            if not len(known) or known.min() == known.max():
                notes.append(f"{name} never changes in the training rows: its std is taken as 1")
            continue
        first = dates_begin_with(table.file, name, values, table.lines)
        words = tuple(sorted({word for word in values if word}))
        if first is not None:
            years = years_since_2000(table.file, name, values, table.lines, first)
            columns.append(Date(name, *_mean_and_std(years), first))
        elif len(words) > max(FEW_WORDS, len(table) / 2):
            notes.append(f"{name} is left out: {len(words)} different words in {len(table)} rows")
        else:
            columns.append(Word(name, words))
    if not columns:
        raise DataError(table.file, "has no columns left to learn from", "keep some")
    return Features(tuple(columns), missing, tuple(notes), logs, clip)


def _number(name: str, values: Numbers, *, logs: bool) -> Number:
    log = logs and _is_skewed(values)
    mean, std = _mean_and_std(np.log1p(np.maximum(values, 0)) if log else values)
    return Number(name, mean, std, log)


def _mean_and_std(values: Numbers) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) and known.min() < known.max():
        # As the book's (and pandas'): the variance is divided by N - 1.
        return float(known.mean()), float(known.std(ddof=1))
    return float(known[0]) if len(known) else 0.0, 1.0


def _is_skewed(values: Numbers) -> bool:
    """Whether the third moment, in units of the deviation, is large; never with negatives."""
    known = values[~np.isnan(values)]
    if not len(known) or known.min() < 0 or known.min() == known.max():
        return False
    return bool((((known - known.mean()) / known.std()) ** 3).mean() > SKEWED)


def _numbers(column: Number, table: Table, missing: Missing) -> Numbers:
    values = table[column.name]
    if not isinstance(values, np.ndarray):
        row = next(i for i, word in enumerate(values) if word is not None)
        wrong = f"column {column.name} holds words ({values[row]!r}), but numbers in training"
        remedy = "give it the same kind in both"
        raise DataError(f"{table.file} line {table.lines[row]}", wrong, remedy)
    empty = np.isnan(values)
    if missing == "error" and empty.any():
        line = table.lines[int(np.flatnonzero(empty)[0])]
        wrong = f"column {column.name} is empty"
        raise DataError(f"{table.file} line {line}", wrong, "fill it, or use missing='mean'")
    return values


def _dates(column: Date, table: Table) -> Numbers:
    cells = _as_words(table[column.name])
    return years_since_2000(table.file, column.name, cells, table.lines, column.first)


def _one_hot(column: Word, table: Table) -> Numbers:
    place = {word: i for i, word in enumerate(column.words)}
    width = len(column.words)
    hot = np.zeros((len(table), width + 2))
    for row, word in enumerate(_as_words(table[column.name])):
        hot[row, width if word is None else place.get(word, width + 1)] = 1
    return hot


def _as_words(values: Numbers | Words) -> Sequence[str | None]:
    """A column of words in training may be one of numbers, or of nothing, elsewhere."""
    if isinstance(values, np.ndarray):
        return [None if math.isnan(value) else f"{value:.15g}" for value in values]
    return values
