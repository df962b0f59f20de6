"""A table's columns as the numbers that a network takes, learned from the training rows alone.

Numbers are standardised; words become one column each. What a table to be predicted holds
changes nothing: a mean that had seen it would leak.

Source   Book 4.10, which standardises with the test rows too.
Shapes   N rows, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.tables import Table

Missing = Literal["mean", "error"]
OTHER, EMPTY = "(other)", "(empty)"


@dataclass(frozen=True)
class Number:
    """A column of numbers: (x - mean) / std, and 0, the mean, where a cell is empty."""

    name: str
    mean: float
    std: float


@dataclass(frozen=True)
class Word:
    """A column of words: a 1 under the cell's word, under (other) if training never saw it."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Features:
    """What was learned. `notes` says what a reader of the table may want to know."""

    columns: tuple[Number | Word, ...]
    missing: Missing
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """One for each feature."""
        names = []
        for column in self.columns:
            if isinstance(column, Number):
                names.append(column.name)
            else:
                names += [f"{column.name}={word}" for word in (*column.words, EMPTY, OTHER)]
        return names

    def encode(self, table: Table) -> Tensor:
        """Float32 (N, F).

        Raises DataError for a column that is gone or of another kind and, with missing="error",
        for an empty cell, by its line.
        """
        parts = [
            _numbers(column, table, self.missing)
            if isinstance(column, Number)
            else _one_hot(column, table)
            for column in self.columns
        ]
        return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def learn(table: Table, *, missing: Missing = "mean") -> Features:
    """Features of the columns of `table`: the training rows, without target and row numbers.

    An empty cell among numbers becomes the mean of the training rows, or an error, as `missing`
    says; to drop such rows give `table.complete()`. A column that never changes has std 1.
    """
    columns: list[Number | Word] = []
    notes = []
    for name, values in table.columns.items():
        if isinstance(values, np.ndarray):
            known = values[~np.isnan(values)]
            mean, std = float(known[0]) if len(known) else 0.0, 1.0
            if len(known) and known.min() < known.max():
                # As the book's (and pandas'): the variance is divided by N - 1.
                mean, std = float(known.mean()), float(known.std(ddof=1))
            else:
                notes.append(f"{name} never changes in the training rows: its std is taken as 1")
            columns.append(Number(name, mean, std))
        else:
            columns.append(Word(name, tuple(sorted({word for word in values if word}))))
    if not columns:
        raise DataError(table.file, "has no columns left to learn from", "keep some")
    return Features(tuple(columns), missing, tuple(notes))


def _numbers(column: Number, table: Table, missing: Missing) -> np.ndarray:
    values = table[column.name]
    if not isinstance(values, np.ndarray):
        wrong = f"column {column.name} holds words, but numbers in training"
        raise DataError(table.file, wrong, "give it the same kind in both")
    empty = np.isnan(values)
    if missing == "error" and empty.any():
        line = table.lines[int(np.flatnonzero(empty)[0])]
        wrong = f"column {column.name} is empty"
        raise DataError(f"{table.file} line {line}", wrong, "fill it, or use missing='mean'")
    scaled = np.where(empty, 0.0, (values - column.mean) / column.std)
    return scaled[:, None]


def _one_hot(column: Word, table: Table) -> np.ndarray:
    values: Sequence[str | None]
    raw = table[column.name]
    if isinstance(raw, np.ndarray):  # words in training, all numbers here: the same cells
        values = [None if math.isnan(v) else f"{v:g}" for v in raw]
    else:
        values = raw
    place = {word: i for i, word in enumerate(column.words)}
    width = len(column.words)
    hot = np.zeros((len(table), width + 2))
    for row, word in enumerate(values):
        hot[row, width if word is None else place.get(word, width + 1)] = 1
    return hot
