"""How a trained model of a few numbers is used: rows of numbers in, one number each out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.plots.scalars import bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class NumberPredictor:
    """Rows of numbers to one number: `0.5,-1.2`, or a .csv file of such rows.

    `features` turns the (N, columns) that were read into what the model takes.
    """

    def __init__(
        self, columns: Sequence[str], features: Callable[[Tensor], Tensor] = torch.clone
    ) -> None:
        self.columns, self.features = list(columns), features
        self.example = ",".join(["1.0"] * len(self.columns))

    def read(self, words: Sequence[str]) -> tuple[list[str], Tensor]:
        """Raises DataError that names the row which is not `columns` numbers."""
        rows: list[tuple[str, str]] = []
        for word in words:
            if word.endswith(".csv"):
                rows += _lines(Path(word))
            else:
                rows.append((word, word))
        numbers = [self._row(place, text) for place, text in rows]
        return [text for _, text in rows], self.features(torch.tensor(numbers))

    def _row(self, place: str, text: str) -> list[float]:
        cells = _cells(text)
        wants = f"write {len(self.columns)} numbers ({', '.join(self.columns)}) as {self.example}"
        if len(cells) != len(self.columns):
            raise DataError(place, f"has {len(cells)} of {len(self.columns)} columns", wants)
        numbers = [_number(cell) for cell in cells]
        if None in numbers:
            wrong = cells[numbers.index(None)].strip()
            raise DataError(place, f"'{wrong}' is not a finite number", wants)
        return [number for number in numbers if number is not None]

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From (N, 1): the number."""
        return [{"value": float(value)} for value in outputs.flatten()]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        return bars(list(names), [answer["value"] for answer in answers])


def _cells(row: str) -> list[str]:
    return row.replace(";", ",").split(",")


def _number(cell: str) -> float | None:
    """The finite number that a cell holds, if it holds one."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _lines(path: Path) -> list[tuple[str, str]]:
    """Each row of a file with its place; a first row of words is taken for the heads."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        wrong = f"cannot be read ({error.strerror or error})"
        raise DataError(str(path), wrong, "name another file") from None
    except UnicodeDecodeError:
        raise DataError(str(path), "is not text in UTF-8", "save it so, or name another") from None
    rows = [(f"{path} line {n}", line) for n, line in enumerate(lines, 1) if line.strip()]
    if rows and not any(_number(cell) is not None for cell in _cells(rows[0][1])):
        rows = rows[1:]
    if not rows:
        raise DataError(str(path), "has no rows of numbers", "write one row a line")
    return rows
