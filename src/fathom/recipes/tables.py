"""From a table to tensors (book 2.2): missing cells filled, words made columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.data.features import EMPTY, OTHER, Features, Number, Word, learn
from fathom.data.tables import Numbers, TableFile, Words, read_csv
from fathom.data.tables import Table as Sheet
from fathom.plots.cells import Cells, side_by_side

TINY_CSV = """NumRooms,Alley,Price
NA,Pave,127500
2,NA,106000
4,NA,178100
NA,NA,140000
"""
BOOK_X = [[3, 1, 0], [2, 0, 1], [4, 0, 1], [3, 0, 1]]
BOOK_Y = [127500, 106000, 178100, 140000]
SHOWN = 6  # rows and columns of a table in a figure
LOOKED_AT = 1_000  # rows, for some with missing cells
LETTERS = 14  # of a cell


@recipe(
    section="2.2",
    title="Data preprocessing",
    zh="数据预处理",
    minutes=0.1,
    book="X = [[3, 1, 0], [2, 0, 1], [4, 0, 1], [3, 0, 1]]",
    ours="the same, to all digits",
)
def tables(data: TableFile = "made", *, target: str | None = None) -> Findings:
    """Read a csv, fill what is missing, turn words into columns: from a file to tensors.

    A missing number becomes the mean of its column. A column of words becomes a column for each
    word, 1 where the cell holds it, and one more where the cell is empty. Without `--data` the
    table is the book's, of four houses.

    Args:
        data: a .csv file of your own, or `made` for the book's table
        target: the column to predict; the last one if it is not named
    """
    sheet = _made_sheet() if data == "made" else read_csv(Path(data))
    name = target or list(sheet.columns)[-1]
    y = torch.from_numpy(sheet.target(name))
    inputs = sheet.without(name)
    features = learn(inputs)
    X, origins = _to_numbers(inputs, features)
    missing = {column: _missing(values) for column, values in inputs.columns.items()}
    rows = [
        [
            column,
            "numbers" if inputs.is_numeric(column) else "words",
            missing[column],
            ", ".join(o.name for o in origins if o.column == column)[:60] or "left out",
        ]
        for column in list(inputs.columns)[:12]
    ]
    claims = _preprocessing_claims(inputs, X, origins, features)
    if data == "made" and name == "Price":
        found = [X.tolist(), y.tolist()]
        claims["X and y are the book's, to all digits"] = found == [BOOK_X, BOOK_Y]
    return Findings(
        numbers={
            "rows": len(inputs),
            "columns of the table": len(inputs.columns),
            "columns of X": X.shape[1],
            "cells that were missing": sum(missing.values()),
        },
        tables={"Columns": Table(["column", "holds", "missing", "becomes"], rows)},
        figures={"table-to-tensors": _sheet_picture(inputs, X, origins, name, y)},
        claims=claims,
    )


def _made_sheet() -> Sheet:
    with TemporaryDirectory() as folder:
        path = Path(folder, "house_tiny.csv")
        path.write_text(TINY_CSV, encoding="utf-8")
        return read_csv(path)


def _missing(values: Numbers | Words) -> int:
    return sum(map(_is_empty, values))


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


class _Origin(NamedTuple):
    """What a column of X was made of: `name` is its own, `column` the table's."""

    name: str
    column: str


def _to_numbers(inputs: Sheet, features: Features) -> tuple[Tensor, list[_Origin]]:
    """X (N, F) in double precision, means for what is missing, and where each column is from.

    No cell of the table from which words are learned holds another word: no column for those.
    """
    raw = features.raw(inputs)
    known = ~np.isnan(raw)
    sums = np.where(known, raw, 0).sum(0)
    X = np.where(known, raw, sums / known.sum(0).clip(1))
    origins = [
        _Origin(name, column.name)
        for column in features.columns
        for name in replace(features, columns=(column,)).names
    ]
    words = {column.name for column in features.columns if isinstance(column, Word)}
    kept = [i for i, o in enumerate(origins) if o.column not in words or not o.name.endswith(OTHER)]
    return torch.from_numpy(X[:, kept]), [origins[i] for i in kept]


def _preprocessing_claims(
    inputs: Sheet, X: Tensor, origins: list[_Origin], features: Features
) -> dict[str, bool]:
    ones, scaled = [], []
    for column in features.columns:
        ours = X[:, [origin.column == column.name for origin in origins]]
        if isinstance(column, Word):
            ones.append(bool((ours.sum(1) == 1).all()))
        elif isinstance(column, Number):
            theirs = replace(features, columns=(column,)).encode(inputs)
            shifted = (ours - ours.mean()).float()
            scaled.append(torch.allclose(shifted, theirs * column.std, rtol=1e-4, atol=1e-6))
    return {
        "nothing is missing in X": bool(torch.isfinite(X).all()),
        "every cell of words became exactly one 1": all(ones),
        "less its mean, by its deviation, a column is what our networks are given": all(scaled),
    }


def _sheet_picture(
    inputs: Sheet, X: Tensor, origins: list[_Origin], target: str, y: Tensor
) -> Figure:
    """Some rows and columns, those with missing cells first, and what became of them."""
    heads = list(inputs.columns)[:SHOWN]
    lacking = [
        {name for name in heads if _is_empty(inputs[name][row])}
        for row in range(min(len(inputs), LOOKED_AT))
    ]
    rows = _first([bool(names) for names in lacking])
    # A cell of X that stands for a missing one: the mean, or the 1 of a word's own column.
    stands = [
        {
            row
            for row in rows
            if o.column in lacking[row] and o.name in (o.column, f"{o.column}={EMPTY}")
        }
        for o in origins
    ]
    columns = _first([bool(which) for which in stands])
    in_table = {
        (r, c) for r, row in enumerate(rows) for c, n in enumerate(heads) if n in lacking[row]
    }
    in_x = {(r, c) for r, row in enumerate(rows) for c, j in enumerate(columns) if row in stands[j]}
    shown = [
        ["" if name in lacking[row] else _brief(inputs[name][row]) for name in heads]
        for row in rows
    ]
    names = "\n".join(f"{j + 1}: {name}" for j, name in enumerate(heads))
    line = [
        Cells(names, shown, frozenset(in_table), then="→"),
        Cells("some of X", X[rows][:, columns].tolist(), frozenset(in_x)),
        Cells("its columns", [[f"{j + 1}: {origins[j].name}"] for j in columns]),
        Cells(f"y: {target}", y[rows, None].tolist()),
    ]
    title = "in colour: what was missing" if in_table else "the table, and its tensors"
    return side_by_side([line], title=title)


def _first(preferred: Sequence[bool]) -> list[int]:
    """SHOWN places, the preferred ones before others, in their order."""
    return sorted(sorted(range(len(preferred)), key=lambda i: not preferred[i])[:SHOWN])


def _brief(cell: object) -> object:
    return cell[:LETTERS] if isinstance(cell, str) else cell
