"""How trained models are used: words of a command line in, answers out.

A predictor knows how to read an input and how to say an output; it knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.plots.pictures import picture_grid
from fathom.plots.scalars import bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        cells = text.replace(";", ",").split(",")
        wants = f"write {len(self.columns)} numbers ({', '.join(self.columns)}) as {self.example}"
        if len(cells) != len(self.columns):
            raise DataError(place, f"has {len(cells)} numbers", wants)
        try:
            return [float(cell) for cell in cells]
        except ValueError:
            raise DataError(place, "is not all numbers", wants) from None

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From (N, 1): the number."""
        return [{"value": float(value)} for value in outputs.flatten()]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        return bars(list(names), [answer["value"] for answer in answers])


def _lines(path: Path) -> list[tuple[str, str]]:
    """Each row of a file with its place; a first row of words is taken for the heads."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"cannot be read ({error})", "name another file") from None
    rows = [(f"{path} line {n}", line) for n, line in enumerate(lines, 1) if line.strip()]
    if rows and any(character.isalpha() for character in rows[0][1].replace("e", "")):
        rows = rows[1:]
    return rows
