"""How a trained forecaster is used: the last rows of a series in, the next ones out.

A `Writer` of `core.experiment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.series import Scale, of_table
from fathom.data.tables import read_csv
from fathom.models.forecaster import rolled_out
from fathom.plots.scalars import lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Forecaster:
    """Goes on with series of the same variables, `names`, as it was trained on.

    `scale` is what was done to the values; none, to those of the sine.
    """

    options = ("length",)

    def __init__(self, names: Sequence[str], window: int, scale: Scale | None) -> None:
        self.names, self.window, self.scale = list(names), window, scale
        alone = ",".join(["0.1"] * window)
        self.example = alone if len(self.names) == 1 else "SERIES.csv"

    def write(
        self, model: Any, words: Sequence[str], *, length: int = 1, **options: Any
    ) -> list[dict[str, Any]]:
        """A row for each of the `length` next steps: how many steps ahead, and each variable."""
        given_NWV = torch.stack([self._last_rows(word) for word in words])
        device = next(model.parameters()).device
        if self.scale is not None:
            given_NWV = self.scale.apply(given_NWV)
        found_NTV = rolled_out(model, given_NWV.to(device), length).cpu()
        if self.scale is not None:
            found_NTV = self.scale.undo(found_NTV)
        return [
            {"input": word, "ahead": step, **dict(zip(self.names, row, strict=True))}
            for word, rows in zip(words, found_NTV.tolist(), strict=True)
            for step, row in enumerate(rows, 1)
        ]

    def _last_rows(self, word: str) -> Tensor:
        """(window, variables) of a .csv file, or of numbers if there is one variable.

        Raises DataError where there are too few rows, or others than were trained on.
        """
        if word.endswith((".csv", ".csv.gz")):
            series = of_table(read_csv(Path(word).expanduser()), target=self.names[0])
            rows = series.of(self.names).values
        else:
            rows = self._numbers(word)
        if len(rows) < self.window:
            wrong = f"has {len(rows)} steps, fewer than the {self.window} that are looked at"
            raise DataError(word, wrong, "give more")
        return rows[-self.window :]

    def _numbers(self, word: str) -> Tensor:
        if len(self.names) > 1:
            wrong = f"is no .csv file, and a step is {len(self.names)} numbers"
            raise DataError(f"'{word}'", wrong, f"name a file with {', '.join(self.names)}")
        try:
            values = torch.tensor([float(cell) for cell in word.split(",")])
        except ValueError:
            values = torch.tensor([torch.nan])
        if not values.isfinite().all():
            remedy = f"write {self.window} numbers or more as {self.example}, or name a .csv file"
            raise DataError(f"'{word}'", "is not a row of numbers", remedy)
        return values[:, None]

    def draw(self, answers: Sequence[dict[str, Any]]) -> Figure:
        """Forecasts of the first variable, a line for each input."""
        found: dict[str, list[float]] = {}
        for answer in answers:
            found.setdefault(answer["input"], []).append(answer[self.names[0]])
        ahead = list(range(1, max(map(len, found.values())) + 1))
        short = {name if len(name) <= 24 else f"…{name[-23:]}": v for name, v in found.items()}
        return lines(ahead, short, xlabel="steps ahead", ylabel=self.names[0], whole_x=True)
