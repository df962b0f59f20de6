"""What the records of a run hold, sorted into curves: quantity, split, points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

NOT_MEASURED = {"step", "epoch", "split", "seconds"}
FIRST = ["loss", "accuracy"]


class Series(NamedTuple):
    """One curve. Values that are not finite are left out of it."""

    xs: list[float]
    ys: list[float]


def clock(records: Iterable[Mapping[str, Any]]) -> str:
    """What the curves run over: "epoch", or "step" where an epoch was measured more than once."""
    seen = [(row.get("split"), row.get("epoch")) for row in records]
    return "epoch" if len(set(seen)) == len(seen) and None not in dict(seen).values() else "step"


def curves(records: Iterable[Mapping[str, Any]], over: str) -> dict[str, dict[str, Series]]:
    """{quantity: {split: curve}}, loss and accuracy first, splits in the order of the records.

    Of a quantity of one of several models, "accuracy, cosine", what was held out is a curve
    `cosine` beside those of the others: {"accuracy of each": {"cosine": curve}}.
    """
    found: dict[str, dict[str, Series]] = {name: {} for name in FIRST}
    for row in records:
        for name, value in row.items():
            number = isinstance(value, int | float) and math.isfinite(value)
            if name in NOT_MEASURED or not number or over not in row:
                continue
            quantity, _, model = name.partition(", ")
            split = str(row.get("split", ""))
            if model:
                if split != "valid":
                    continue
                quantity, split = f"{quantity} of each", model
            line = found.setdefault(quantity, {}).setdefault(split, Series([], []))
            line.xs.append(row[over])
            line.ys.append(value)
    return {name: splits for name, splits in found.items() if splits and _tells(name, splits)}


def _tells(name: str, splits: Mapping[str, Series]) -> bool:
    """Updates that were held back are worth a panel only where there were any."""
    return name != "skipped" or any(any(line.ys) for line in splits.values())


def spans_decades(name: str, lines: Iterable[Series], decades: float = 2.0) -> bool:
    """Whether a logarithmic axis shows more: positive values, the largest 10**decades times the
    least. Never for an accuracy, whose scale everybody knows."""
    values = [y for line in lines for y in line.ys]
    if "accuracy" in name or not values or min(values) <= 0:
        return False
    return max(values) / min(values) > 10**decades


def shown(value: float) -> str:
    """A value as people read it: three or four digits, 1.20e-5 only where it must be."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:#.{3 if abs(value) < 1 else 4}g}".rstrip(".")
    return f"{value:.2e}".replace("e-0", "e-").replace("e+0", "e")
