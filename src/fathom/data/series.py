"""Series in time: a noisy sine, or a csv file of one's own with dates and several variables.

What is learned is to tell the next row from the last few; what is held out is the tail, since a
series shuffled would be asked what lies between what it knows.

Source   Book 8.1.
Shapes   N steps, V variables, W steps in a window: windows (N - W, W, V), next rows (N - W, V).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.core.kept import keep_facts, known_as, unread
from fathom.data.dates import dates_begin_with, years_since_2000
from fathom.data.tables import Table, read_csv

SeriesFile = Annotated[
    str, "a series: sine (made), or a .csv file, a row a step, with or without a column of dates"
]
SINE_STEPS, SINE_NOISE = 1_000, 0.2
KEPT = "series.json"


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

    def of(self, names: Sequence[str]) -> Series:
        """The same variables in the order of `names`. Raises DataError if they are others."""
        if sorted(self.names) != sorted(names):
            wrong = f"has the variables {', '.join(self.names)}"
            raise DataError(self.name, wrong, f"give those of the training, {', '.join(names)}")
        columns = [self.names.index(name) for name in names]
        return replace(self, names=list(names), values=self.values[:, columns])


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


@dataclass(frozen=True)
class Windowed:
    """A series in windows, by its scale if it has one: `inputs` (N - W, W, V) and what follows.

    The first `trained` windows are to train on. All of a series `elsewhere` are only measured on.
    """

    series: Series
    scale: Scale | None
    inputs: Tensor
    following: Tensor
    trained: int
    elsewhere: bool = False

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        last = None if self.elsewhere else self.trained
        return self.inputs[:last], self.following[:last]

    @property
    def valid(self) -> tuple[Tensor, Tensor]:
        first = 0 if self.elsewhere else self.trained
        return self.inputs[first:], self.following[first:]


def windowed(
    name_or_file: str, *, window: int, train_share: float, target: str | None, seed: int
) -> Windowed:
    """A series in windows, of which the first `train_share` are trained on and give the scale.

    The sine is not scaled. Another series than its own is scaled for a trained model as that was.

    Raises SettingError where nothing is left to train or to measure on, and as `load_series` does.
    """
    if (known := known_as(KEPT, _Known.of_facts)) is not None:
        return _elsewhere(name_or_file, known, window, target, seed)
    series = load_series(name_or_file, target=target, seed=seed)
    trained = round(train_share * len(series))
    if not 1 <= trained < len(series) - window:
        wrong = f"leaves {trained} of {len(series)} steps to train on and a window of {window}"
        raise SettingError(f"--train-share {train_share}", wrong, "give a longer series")
    scale = None if name_or_file == "sine" else scale_of(series.values[: trained + window])
    keep_facts(KEPT, _Known(series.names, scale).as_facts)
    return _in_windows(series, scale, window, trained)


class _Known(NamedTuple):
    """What a run keeps of its series."""

    names: list[str]
    scale: Scale | None

    def as_facts(self) -> dict[str, Any]:
        scale = self.scale
        told = {} if scale is None else {"mean": scale.mean.tolist(), "std": scale.std.tolist()}
        return {"variables": self.names, **told}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> _Known:
        told = [torch.tensor(facts[name]) for name in ("mean", "std") if name in facts]
        return cls(list(map(str, facts["variables"])), Scale(*told) if told else None)


def _elsewhere(
    name_or_file: str, known: _Known, window: int, target: str | None, seed: int
) -> Windowed:
    """Another series; where none is to be read, one that never changes."""
    if unread():
        values, times = torch.zeros(window + 1, len(known.names)), torch.arange(window + 1.0)
        series = Series(name_or_file, known.names, values, times, "step", [])
    else:
        series = load_series(name_or_file, target=target, seed=seed).of(known.names)
    if len(series) <= window:
        wrong = f"has {len(series)} steps, no window of {window} and one after it"
        raise DataError(series.name, wrong, "give more")
    found = _in_windows(series, known.scale, window, 0)
    return replace(found, elsewhere=True)


def _in_windows(series: Series, scale: Scale | None, window: int, trained: int) -> Windowed:
    values_NV = series.values if scale is None else scale.apply(series.values)
    return Windowed(series, scale, *windows(values_NV, window), trained)
