"""Columns of dates, told apart from other words and turned into numbers.

A date says when (in years since 2000) and where in the year (an angle, so that 31 December is
next to 1 January). `2020-03-04` and `2020年3月4日` mean one day only; of `04/03/2020` the whole
column says whether the day comes first, since a month is at most 12.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fathom.core.errors import DataError

First = Literal["year", "month", "day"]
"""What a written date begins with."""

_YEAR_FIRST = re.compile(r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: .*)?")


def dates_begin_with(
    file: str, name: str, cells: Sequence[str | None], lines: Sequence[int]
) -> First | None:
    """How the dates of column `name` are written; None if one cell is no date.

    Raises DataError, with the line, where every cell could begin with the day or the month.
    """
    given = [cell for cell in cells if cell]
    orders: tuple[First, ...] = ("year", "month", "day")
    fit = [o for o in orders if given and all(_years(cell, o) is not None for cell in given)]
    if fit == ["month", "day"]:
        if "." in given[0]:  # who writes points writes the day first
            return "day"
        line = lines[list(cells).index(given[0])]
        wrong = f"column {name} is {given[0]!r}, and no row tells whether the day comes first"
        raise DataError(f"{file} line {line}", wrong, "write dates as 2020-12-31")
    return fit[0] if fit else None


def years_since_2000(
    file: str, name: str, cells: Sequence[str | None], lines: Sequence[int], first: First
) -> NDArray[np.float64]:
    """(N,), NaN where a cell is empty. Raises DataError, with the line, for what is no date."""
    years = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        value = _years(cell, first)
        if value is None:
            wrong = f"column {name} is {cell!r}, but dates that begin with the {first} in training"
            raise DataError(f"{file} line {lines[row]}", wrong, "write it as they were written")
        years[row] = value
    return years


def seasons(years: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sine and cosine of the place in the year."""
    angles = 2 * math.pi * (years % 1)
    return np.sin(angles), np.cos(angles)


def _years(cell: str, first: First) -> float | None:
    """Years since 2000, with the part of the year that has gone by; None for 31 February."""
    match = (_YEAR_FIRST if first == "year" else _YEAR_LAST).fullmatch(cell)
    if match is None:
        return None
    a, b, c = map(int, match.groups())
    year, month, day = {"year": (a, b, c), "month": (c, a, b), "day": (c, b, a)}[first]
    try:
        place = date(year, month, day)
    except ValueError:
        return None
    begin = date(year, 1, 1)
    length = (date(year, 12, 31) - begin).days + 1
    return year - 2000 + (place - begin).days / length
