"""Series in time: a noisy sine, or a csv file of one's own with dates and several variables.

What is learned is to tell the next row from the last few; what is held out is the tail, since a
series shuffled would be asked what lies between what it knows.

Source   Book 8.1.
Shapes   N steps, V variables, W steps in a window: windows (N - W, W, V), next rows (N - W, V).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.data.dates import dates_begin_with, years_since_2000
from fathom.data.tables import Table, read_csv

SeriesFile = Annotated[
    str, "a series: sine (made), or a .csv file, a row a step, with or without a column of dates"
]
SINE_STEPS, SINE_NOISE = 1_000, 0.2


@dataclass(frozen=True)
class Series:
    """`values` (N, V) of the variables `names`, at `times` (N,), which `clock` names.

    The first variable is the one that is shown. `dates` are the times as they were written.
    """

    name: str
    names: list[str]
    values: Tensor
    times: Tensor
    clock: str
    dates: list[str]

    def __len__(self) -> int:
        return len(self.values)


def sine(seed: int) -> Series:
    """sin(0.01 t) with normal noise of standard deviation 0.2, t = 1 … 1,000."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.arange(1, SINE_STEPS + 1, dtype=torch.float32)
    values = torch.sin(0.01 * times) + SINE_NOISE * torch.randn(SINE_STEPS, generator=generator)
    return Series("sine", ["x"], values[:, None], times, "time", [])


def load_series(name_or_file: str, *, target: str | None = None, seed: int = 0) -> Series:
    """The sine, or a file; `target` is the variable that is shown, or else the first.

    Raises SettingError if there is neither, DataError that names the line of what is wrong.
    """
    if name_or_file == "sine":
        if target is not None:
            raise SettingError(f"--target {target}", "does not apply to the sine", "leave it out")
        return sine(seed)
    path = Path(name_or_file).expanduser()
    if not path.name.endswith((".csv", ".csv.gz")) and not path.is_file():
        raise SettingError(f"series '{name_or_file}'", "is not known", "name sine or a .csv file")
    return of_table(read_csv(path), target=target)


def of_table(table: Table, *, target: str | None = None) -> Series:
    """Every column of numbers is a variable; a column of dates says when, and must go forward.

    Raises DataError that names the line on which a number is missing or a date goes back, and a
    column of words that are no dates.
    """
    names = [name for name in table.columns if table.is_numeric(name)]
    words = [name for name in table.columns if name not in names]
    if len(words) > 1:
        wrong = f"has {len(words)} columns that are no numbers ({', '.join(words)})"
        raise DataError(table.file, wrong, "one column of dates is enough")
    if not names:
        raise DataError(table.file, "has no column of numbers", "add the variables")
    if target is not None:
        table.target(target)
        names = [target, *(name for name in names if name != target)]
    values = np.stack([table.target(name) for name in names], axis=1)
    times, clock, dates = np.arange(1.0, len(table) + 1), "step", list[str]()
    if words:
        clock = words[0]
        times, dates = _times(table, clock)
    return Series(
        table.file,
        names,
        torch.from_numpy(values).float(),
        torch.from_numpy(times),
        clock,
        dates,
    )


def _times(table: Table, name: str) -> tuple[np.ndarray, list[str]]:
    """Years (N,) and the dates as they were written."""
    cells = table[name]
    assert isinstance(cells, list)
    first = dates_begin_with(table.file, name, cells, table.lines)
    if first is None:
        wrong = f"column {name} holds words that are no dates ({cells[0]!r})"
        raise DataError(f"{table.file} line {table.lines[0]}", wrong, "write them as 2020-12-31")
    years = years_since_2000(table.file, name, cells, table.lines, first)
    lacking = np.flatnonzero(np.isnan(years))
    if len(lacking):
        place = f"{table.file} line {table.lines[lacking[0]]}"
        raise DataError(place, f"column {name} is empty", "fill it in or drop the row")
    back = np.flatnonzero(np.diff(years) < 0)
    if len(back):
        place = f"{table.file} line {table.lines[back[0] + 1]}"
        wrong = f"column {name} goes back, from {cells[back[0]]} to {cells[back[0] + 1]}"
        raise DataError(place, wrong, "sort the rows by date")
    return 2000 + years, [str(cell) for cell in cells]


@dataclass(frozen=True)
class Scale:
    """What brings each variable to mean 0 and standard deviation 1, and back; (V,) each."""

    mean: Tensor
    std: Tensor

    def apply(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def undo(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean


def scale_of(values_NV: Tensor) -> Scale:
    """That of these rows; a variable that never changes is only shifted."""
    std_V = values_NV.std(0, correction=0)
    return Scale(values_NV.mean(0), torch.where(std_V > 0, std_V, 1.0))


def windows(values_NV: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The `width` rows before each row, (N - width, width, V), and the row itself."""
    inputs = values_NV.unfold(0, width, 1)[:-1].transpose(1, 2)
    return inputs.contiguous(), values_NV[width:].contiguous()
