"""Rows to be predicted, as people name them on a command line, and the answers as a contest asks.

`houses.csv` is a table of rows; `GrLivArea=1500,Neighborhood=NAmes` is one row, of which all else
is missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fathom.core.errors import DataError, did_you_mean
from fathom.data.features import Features
from fathom.data.tables import MISSING, Numbers, Table, Words, read_csv

COUNTED = "row"  # heads the names of rows that have none of their own


def read_rows(
    given: Sequence[str], features: Features, like: Table, names: str | None
) -> tuple[list[str], Tensor]:
    """A name for each row, and its features as they stand: float32 (N, F).

    `like` is the table that was learned from, `names` its column that names the rows. A table may
    hold further columns; they are not looked at. Raises DataError that names what is wrong.
    """
    found: list[str] = []
    parts = []
    for word in given:
        if "=" in word and not Path(word).exists():
            table = _row(word, like)
        else:
            table = read_csv(Path(word).expanduser(), like=like)
        parts.append(torch.from_numpy(features.raw(table)).float())
        found += row_labels(table, names, start=len(found))
    return found, torch.cat(parts)


def row_labels(table: Table, names: str | None, start: int = 0) -> list[str]:
    """What its rows are called: the cells of the column `names`; else their numbers from 1 on."""
    counted = [str(start + row + 1) for row in range(len(table))]
    if names is None or names not in table.columns:
        return counted
    values = table[names]
    if isinstance(values, np.ndarray):
        cells = [None if np.isnan(value) else f"{value:.15g}" for value in values]
    else:
        cells = values
    return [cell or number for cell, number in zip(cells, counted, strict=True)]


def submission(labels: Sequence[str], values: Sequence[float], names: str, target: str) -> str:
    """A table of two columns, a row for each answer, as Kaggle takes it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([names, target])
    writer.writerows(zip(labels, (f"{value:.7g}" for value in values), strict=True))
    return text.getvalue()


def _row(word: str, like: Table) -> Table:
    """`A=1,B=x` as a table of one row. Raises DataError for an unknown column or no number."""
    given: dict[str, str] = {}
    for pair in word.split(","):
        name, sign, cell = (part.strip() for part in pair.partition("="))
        if not sign:
            raise DataError(f"'{pair}'", "is not COLUMN=VALUE", "or name a .csv file of rows")
        if name not in like.columns:
            some = ", ".join(list(like.columns)[:8])
            remedy = did_you_mean(name, like.columns, f"there are {some}")
            raise DataError(f"'{pair}'", f"there is no column {name}", remedy)
        given[name] = cell
    columns: dict[str, Numbers | Words] = {}
    for name, values in like.columns.items():
        cell = given.get(name, "")
        if isinstance(values, list):
            columns[name] = [None if cell in MISSING else cell]
            continue
        try:
            columns[name] = np.array([np.nan if cell in MISSING else float(cell)])
        except ValueError:
            wrong = f"column {name} holds numbers, and '{cell}' is none"
            raise DataError(f"'{word}'", wrong, "write a number") from None
    return Table("the row", columns, [1])
