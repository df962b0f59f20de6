"""`fathom compare`: runs side by side."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.measure import Measurement

from fathom.cli.output import Answer, short, table
from fathom.core.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from fathom.engine.runs import Run


def compare(runs: list[str], /, *, quantity: str = "loss", save: str | None = None) -> Answer:
    """Runs side by side: the settings in which they differ, their results, their curves.

    Runs that differ in nothing but their seed get a row of medians.

    Args:
        runs: folders of runs, or recipes for their latest runs
        quantity: what the curves show
        save: the figure's file (.svg and .png are written); else compare beside the first run

    Example:
        fathom compare runs/lenet/001 runs/lenet/002 --quantity accuracy
    """
    from fathom.engine.runs import open_run

    found = [open_run(word) for word in runs]
    names = _names(found)
    differing = _differing(found)
    rows = []
    for name, run in zip(names, found, strict=True):
        final = run.facts.get("final") or {}
        scores = {
            f"{split} {key.replace('_', ' ')}": value
            for split, values in final.items()
            if isinstance(values, dict)
            for key, value in values.items()
            if isinstance(value, int | float)
        }
        rows.append(
            {
                "run": name,
                **{key: run.facts.get("arguments", {}).get(key) for key in differing},
                "seed": run.facts.get("seed"),
                "status": run.facts.get("status"),
                **scores,
                "seconds": run.facts.get("seconds"),
                "examples/s": run.facts.get("examples_per_second"),
            }
        )
    if not differing and len(rows) > 2:
        rows.append({"run": "median", **_medians(rows)})
    figure = _figure(dict(zip(names, found, strict=True)), quantity, save)
    last = ["seconds", "examples/s"]
    columns = list(dict.fromkeys(c for row in rows for c in row if c not in last)) + last

    def page(console: Console) -> None:
        cells = [[row.get(column) for column in columns] for row in rows]
        found = table(columns, cells, right=range(len(differing) + 3, len(columns)))
        unbound = console.options.update(width=10_000)
        if Measurement.get(console, unbound, found).maximum > console.width:
            heads, *sides = zip(columns, *cells, strict=True)  # too wide: a column for each run
            found = table(list(map(str, heads)), sides, right=range(1, len(heads)))
        console.print(found)
        if figure is not None:
            console.print(f"\nfigure   {short(figure)}")

    document = {"runs": rows, "differing": differing, "figure": str(figure) if figure else None}
    return Answer(document, page)


def _medians(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of each number, over runs that differ in their seed only."""
    numbers = [n for n, v in rows[0].items() if n != "seed" and isinstance(v, int | float)]
    return {n: statistics.median(r[n] for r in rows if r.get(n) is not None) for n in numbers}


def _names(runs: list[Run]) -> list[str]:
    """Short and distinct: `lenet/001`, or the whole path where that is not enough."""
    names = [f"{run.recipe}/{run.folder.name}" for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _differing(runs: list[Run]) -> list[str]:
    """Arguments, in order, that are not the same in all runs."""
    settings = [run.facts.get("arguments", {}) for run in runs]
    names = dict.fromkeys(name for found in settings for name in found)
    return [n for n in names if any(found.get(n) != settings[0].get(n) for found in settings)]


def _figure(runs: dict[str, Run], quantity: str, save: str | None) -> Path | None:
    """The curves of `quantity`, in one figure. None where no run has any."""
    from fathom.plots.curves import compare_curves
    from fathom.plots.style import save as save_figure

    records: dict[str, list[dict[str, Any]]] = {n: run.metrics() for n, run in runs.items()}
    known = {key for rows in records.values() for row in rows for key in row}
    if not known:
        return None
    if quantity not in known:
        choices = sorted(known - {"step", "epoch", "split", "seconds"})
        wrong = "is in none of these runs"
        raise SettingError(f"--quantity {quantity}", wrong, f"known: {', '.join(choices)}")
    if save is not None and Path(save).suffix in (".svg", ".png"):
        save = save[:-4]
    place = Path(save) if save else next(iter(runs.values())).folder / "figures" / "compare"
    return save_figure(compare_curves(records, quantity), place)[-1]
