"""How trained models are used: words of a command line in, answers out.

A predictor knows how to read an input and how to say an output; it knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.plots.pictures import picture_grid
from fathom.plots.scalars import bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 30
ReadPictures = Callable[[Sequence[str]], tuple[list[str], Tensor]]


class PictureClassifier:
    """Pictures to classes: `read` opens files and folders in the form that the model was given."""

    example = "PICTURE.png"

    def __init__(self, read: ReadPictures, classes: Sequence[str]) -> None:
        self._read, self.classes = read, list(classes)

    def read(self, words: Sequence[str]) -> tuple[list[str], Tensor]:
        """(N, C, H, W) in [0, 1], from files and folders of pictures."""
        names, pictures = self._read(words)
        return names, pictures.float() / 255

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From logits (N, classes): the class, its probability, and those of the next best."""
        probabilities = torch.softmax(outputs.float(), dim=-1).cpu()
        count = min(3, len(self.classes))
        top = probabilities.topk(count, dim=-1)
        return [
            {
                "class": self.classes[int(order[0])],
                "probability": float(values[0]),
                "best": {
                    self.classes[int(i)]: float(v) for i, v in zip(order, values, strict=True)
                },
            }
            for values, order in zip(top.values, top.indices, strict=True)
        ]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        titles = [f"{answer['class']} {answer['probability']:.0%}" for answer in answers]
        pictures = (inputs.cpu() * 255).round().to(torch.uint8)
        return picture_grid(pictures, titles)


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


class RowPredictor:
    """Rows of a table to one number each, by the mean of what the members of an ensemble say.

    `read` opens tables and single rows; `values` brings outputs to the unit of the `target`. When
    answers are saved as a table, `names` heads the column of what the rows are called.
    """

    example = "ROWS.csv"

    def __init__(
        self,
        read: Callable[[Sequence[str]], tuple[list[str], Tensor]],
        values: Callable[[Tensor], Tensor],
        *,
        names: str,
        target: str,
    ) -> None:
        self._read, self._values = read, values
        self.names, self.target = names, target

    def read(self, words: Sequence[str]) -> tuple[list[str], Tensor]:
        """(N, features), NaN where a number is missing, from .csv files and `COLUMN=VALUE,...`."""
        return self._read(words)

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From (N, members): the value of the mean, to the seven digits that it has."""
        values = self._values(outputs.float().mean(dim=1))
        return [{self.target: float(f"{value:.7g}")} for value in values.tolist()]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        values = [answer[self.target] for answer in answers]
        title = self.target if len(names) <= MOST_BARS else f"{self.target}, the first {MOST_BARS}"
        return bars(list(names)[:MOST_BARS], values[:MOST_BARS], title=title)


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
