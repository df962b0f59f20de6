"""`fathom try`, `run` and `resume`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fathom.cli.downloads import shown_downloads
from fathom.cli.output import Answer, short, shown, stderr, table
from fathom.cli.parser import Groups
from fathom.core.arguments import arguments
from fathom.core.catalogue import find, load
from fathom.core.errors import FathomError, SettingError
from fathom.core.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from fathom.engine.prepare import Surroundings
    from fathom.engine.runs import Run

Given = dict[str, dict[str, Any]]
MOST_COLUMNS = 6  # of a table that is still read at once


def recipe_groups(verb: str, words: Sequence[str]) -> Groups:
    """The arguments of the recipe that is named first, and the engine's options."""
    from fathom.engine.options import Options

    groups = {"engine options": arguments(Options)}
    if words and not words[0].startswith("-"):
        recipe = load(words[0])
        return {f"arguments of {recipe.name}": recipe.arguments, **groups}
    if not wants_help(words):
        example = f"`fathom {verb} lenet`"
        raise SettingError(f"fathom {verb}", "the recipe comes first", f"as in {example}")
    return groups


def run_groups(verb: str, words: Sequence[str]) -> Groups:
    """The same for `resume`, whose first word is a run."""
    from fathom.engine.options import Options
    from fathom.engine.runs import open_run

    groups = {"engine options": arguments(Options)}
    if words and not words[0].startswith("-"):
        with suppress(FathomError) if wants_help(words) else nullcontext():
            recipe = recipe_of(open_run(words[0]))
            return {f"arguments of {recipe.name}": recipe.arguments, **groups}
    return groups


def wants_help(words: Sequence[str]) -> bool:
    """Whether they ask for help: then the first need not be the name of anything yet."""
    return bool({"-h", "--help"} & set(words))


def recipe_of(run: Run) -> Recipe:
    """The recipe that a run is of; one from a script of the user's is read from there."""
    script = run.facts.get("script")
    if script:
        from fathom.cli.copy import recipe_in

        return recipe_in(script, run.recipe)
    return load(run.recipe)


def try_(recipe: str, /, *, given: Given) -> Answer:
    """Run a recipe on data that ships with Fathom: no network, about a minute on two cores.

    Args:
        recipe: its name (see `fathom list`); with --help its own arguments are listed too

    Example:
        fathom try lenet
        fathom try lenet --batch-size 16 --epochs 5
        fathom try lenet --find-lr
    """
    found = load(recipe)
    settings, options = _split(given)
    return _start(found, {**found.sample, **settings}, options)


def run(recipe: str, /, *, given: Given) -> Answer:
    """Run a recipe as in the book; every argument of the function is an option.

    Args:
        recipe: its name (see `fathom list`); with --help its own arguments are listed too

    Example:
        fathom run lenet --lr 0.1 --activation relu --seed 1
        fathom run lenet --data my/pictures --epochs 20
    """
    settings, options = _split(given)
    return _start(load(recipe), settings, options)


def resume(run: str, /, *, given: Given) -> Answer:
    """Go on where a run stopped: on the CPU, bit for bit as if it had not.

    Only --lr, --epochs and --patience may differ, and --data if the same data are elsewhere now;
    everything else comes from the run.

    Args:
        run: a run's folder, or a recipe for its latest run

    Example:
        fathom resume lenet
        fathom resume runs/lenet/003 --epochs 20
    """
    from fathom.engine import session
    from fathom.engine.runs import open_run

    found = open_run(run)
    settings, options = _split(given)
    around = surroundings()
    with shown_downloads():
        done = session.resume(found, recipe_of(found), settings, options, around)
    return answer(done, plot=bool(options.get("plot")))


def _split(given: Given) -> tuple[dict[str, Any], dict[str, Any]]:
    options = given.get("engine options", {})
    settings = next((group for title, group in given.items() if title.startswith("arguments")), {})
    return settings, options


def _start(recipe: Recipe, settings: dict[str, Any], options: dict[str, Any]) -> Answer:
    from fathom.engine import session
    from fathom.engine.options import Options
    from fathom.engine.runs import killed_before

    around = surroundings()
    before = killed_before(recipe.name)
    if before is not None and "out" not in options:
        around.say(
            f"note: {short(before.folder)} was killed (out of memory?); "
            f"go on with it by `fathom resume {short(before.folder)}`"
        )
    with shown_downloads():
        done = session.start(recipe, settings, Options(**options), around)
    return answer(done, plot=bool(options.get("plot")))


def surroundings() -> Surroundings:
    """A console on stderr, and the hands that draw."""
    from fathom.engine.prepare import Surroundings
    from fathom.plots.curves import training_curves
    from fathom.plots.rates import range_test
    from fathom.plots.style import save

    return Surroundings(stderr(), training_curves, save, rates=range_test)


def answer(run: Run, *, plot: bool = False) -> Answer:
    """A finished run: its papers, or a table, its place, its figures and the next command."""

    def page(console: Console) -> None:
        _results(run, console)
        if plot and run.metrics():
            from fathom.plots.terminal import terminal_curves

            console.print(terminal_curves(run.metrics(), width=min(console.width, 100), height=16))
        console.print(f"\nrun      {short(run.folder)}")
        for figure in _figures(run):
            console.print(f"figure   {short(figure)}")
        for file in sorted(run.folder.glob("*.csv")):
            console.print(f"file     {short(file)}")
        for line in _next(run):
            console.print(f"next     {line}")

    return Answer(run.facts, page)


def _figures(run: Run) -> list[Path]:
    """What a run left to be seen; of a figure in two forms the picture."""
    files = sorted(run.figures.iterdir()) if run.figures.is_dir() else []
    return [f for f in files if f.suffix != ".svg" or f.with_suffix(".png") not in files]


def _results(run: Run, console: Console) -> None:
    final = run.facts.get("final") or {}
    if run.facts.get("kind") != "study" and final:
        names = list(dict.fromkeys(name for values in final.values() for name in values))
        heads = [name.replace("_", " ") for name in names]
        if len(names) <= MOST_COLUMNS:
            columns = ["", *heads]
            rows = [[split, *map(values.get, names)] for split, values in final.items()]
        else:
            columns = ["", *final]
            pairs = zip(heads, names, strict=True)
            rows = [[head, *(v.get(name) for v in final.values())] for head, name in pairs]
        console.print(table(columns, rows, right=range(1, len(columns))))
        rate, seconds = run.facts.get("examples_per_second"), run.facts.get("seconds")
        console.print(f"{rate:,.0f} examples/s, {seconds:.1f} s")
    show_findings(run.facts.get("findings") or {}, console)


def show_findings(findings: dict[str, Any], console: Console) -> None:
    """Numbers, tables and claims, as they are kept in `run.json`."""
    if numbers := findings.get("numbers"):
        rows = [[name, entry["value"], entry.get("unit", "")] for name, entry in numbers.items()]
        console.print()
        console.print(table(["", "value", "unit"], rows, right=[1]))
    for title, found in findings.get("tables", {}).items():
        console.print(f"\n[bold]{title}[/bold]")
        console.print(table(found["columns"], found["rows"], right=range(1, len(found["columns"]))))
    for claim, holds in findings.get("claims", {}).items():
        console.print(f"{'holds' if holds else 'FAILS'}    {claim}", markup=False)


def _next(run: Run) -> list[str]:
    place = short(run.folder)
    if "suggested_lr" in run.facts:
        return [_with_rate(run, run.facts["suggested_lr"])]
    if run.facts.get("kind") == "study":
        entry = find(run.recipe)
        return [f"fathom show {entry.recipe}"]
    arguments_ = run.facts.get("arguments", {})
    more = arguments_.get("epochs")
    lines = [f"fathom resume {place} --epochs {shown(more * 2)}"] if isinstance(more, int) else []
    if run.facts.get("predicts"):
        lines.insert(0, f"fathom predict {place} {run.facts['predicts']}")
    return lines


def _with_rate(run: Run, rate: float | None) -> str:
    """What to do with a rate that was found: the same command with it, where it takes one."""
    recipe = recipe_of(run)
    command = (
        f"python {short(Path(run.facts['script']))}"
        if "script" in run.facts
        else (f"fathom run {recipe.name}")
    )
    given = {
        name: value
        for name, value in run.facts["arguments"].items()
        if value != recipe.arguments[name].default and name != "lr"
    }
    if rate is not None and "lr" in recipe.arguments:
        given["lr"] = rate
    words = [f" --{name.replace('_', '-')} {_word(value)}" for name, value in given.items()]
    return command + "".join(words) + ("" if rate is not None else "  (the loss never fell)")


def _word(value: Any) -> str:
    """A setting as it is written on the command line."""
    return ",".join(map(str, value)) if isinstance(value, list) else shlex.quote(shown(value))
