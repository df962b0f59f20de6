"""How a trained regressor of tables is used: rows in, one number each out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from fathom.plots.scalars import bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 30


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
