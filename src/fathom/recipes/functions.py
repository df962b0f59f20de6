"""Functions that a study is given as text, with where to begin on them or where to look."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fathom.calculus.expressions import Expression, parse
from fathom.calculus.landscape import grid
from fathom.core.errors import SettingError


def with_start(function: str, start: Sequence[float] | None) -> tuple[Expression, list[float]]:
    """The function, and a start at which it has a value: without one 10, or -5 -2.

    Raises SettingError.
    """
    f = parse(function)
    size = len(f.variables)
    begin = list(start or ([10.0] if size == 1 else [-5.0, -2.0]))
    if len(begin) != size:
        thing = "--start " + " ".join(f"{number:g}" for number in begin)
        wrong = f"is not a number for each of {', '.join(f.variables)}"
        raise SettingError(thing, wrong, f"give {size}, such as {' '.join(['1'] * size)}")
    f.check(begin)
    return f, begin


def within(function: str, low: float, high: float) -> Expression:
    """The function, which has values somewhere between low and high. Raises SettingError."""
    f = parse(function)
    if not low < high:
        raise SettingError(f"--low {low:g}", f"is not below --high {high:g}", "exchange them")
    if not torch.isfinite(f(grid(low, high, 41, len(f.variables)))).any():
        f.check([(low + high) / 2] * len(f.variables))
    return f
