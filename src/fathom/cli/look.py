"""`fathom list` and `show`: what there is, and what it does."""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fathom.cli.layers import Layers, layers_of
from fathom.cli.output import Answer, short, shown, table
from fathom.cli.parser import Groups
from fathom.core.catalogue import entries, find, load

if TYPE_CHECKING:
    from rich.console import Console

    from fathom.core.recipe import Recipe


Given = dict[str, dict[str, Any]]
WIDE = 110  # columns of a terminal in which the catalogue shows kinds and Chinese titles too


def list_recipes(*, chapter: str | None = None) -> Answer:
    """The catalogue: every recipe of the book by section, ready or planned.

    Args:
        chapter: only that chapter (2 to 16, or F for the fast.ai lessons)

    Example:
        fathom list --chapter 6
        fathom list --json
    """
    rows = entries(chapter)

    def page(console: Console) -> None:
        heads = {"recipe": "recipe", "section": "section", "status": "status", "title": "title"}
        if console.width >= WIDE:
            heads |= {"kind": "kind", "zh": ""}
        elif os.environ.get("LANG", "").startswith("zh"):
            heads = {("zh" if name == "title" else name): head for name, head in heads.items()}
        cells = [[getattr(entry, name) for name in heads] for entry in rows]
        console.print(table(list(heads.values()), cells))
        ready = sum(e.status == "ready" for e in rows)
        console.print(
            f"\n{ready} ready, {len(rows) - ready} planned. `fathom show RECIPE` tells more."
        )

    return Answer([entry.as_json() for entry in rows], page)


def shown_groups(verb: str, words: Sequence[str]) -> Groups:
    """The arguments of the recipe that is named first: other settings make another network."""
    if not words or words[0].startswith("-"):
        return {}
    entry = find(words[0])
    if entry.status == "planned":
        return {}
    return {f"arguments of {entry.recipe}": load(entry.recipe).arguments}


def show(recipe: str, /, *, given: Given) -> Answer:
    """A recipe's documentation, its arguments with defaults, the book's result and ours.

    Of a recipe that classifies pictures the network is shown too, layer by layer: what comes out
    of each, its parameters and multiply-adds; with the arguments given, if any are.

    Args:
        recipe: its name; see `fathom list`

    Example:
        fathom show lenet
        fathom show resnet --network resnet50 --size 224
    """
    entry = find(recipe)
    settings = {name: value for group in given.values() for name, value in group.items()}
    if entry.status == "planned":
        document = entry.as_json()

        def planned(console: Console) -> None:
            console.print(f"[bold]{entry.title}[/bold]  {entry.zh}  (section {entry.section})")
            article = "An" if entry.kind[0] in "aeiou" else "A"
            console.print(f"\n{article} {entry.kind} that is planned and not written yet.")

        return Answer(document, planned)
    found = load(recipe)
    source = Path(inspect.getsourcefile(found.function) or "")
    line = inspect.getsourcelines(found.function)[1]
    document = {
        **entry.as_json(),
        "doc": inspect.getdoc(found.function),
        "arguments": [_argument(a, found) for a in found.arguments.values()],
        "sample": dict(found.sample),
        "book": found.book,
        "ours": found.ours,
        "source": f"{source}:{line}",
    }
    layers = layers_of(found, settings)
    if layers is not None:
        document["network"] = layers.as_json()

    def page(console: Console) -> None:
        _page(console, found, f"{short(source)}:{line}", layers)

    return Answer(document, page)


def _argument(argument: Any, recipe: Recipe) -> dict[str, Any]:
    return {
        "name": argument.name,
        "type": argument.type_name,
        "default": argument.default,
        "sample": recipe.sample.get(argument.name, argument.default),
        "help": argument.help,
    }


def _page(console: Console, recipe: Recipe, source: str, layers: Layers | None) -> None:
    console.print(f"[bold]{recipe.title}[/bold]  {recipe.zh}")
    console.print(f"[dim]{recipe.kind}, section {recipe.section} of the book[/dim]\n")
    doc = inspect.getdoc(recipe.function) or ""
    console.print(_filled(doc.partition("\nArgs:\n")[0], console.width), markup=False)
    rows = [
        [a.option, a.type_name, shown(a.default), _sample(recipe, a.name), a.help]
        for a in recipe.arguments.values()
    ]
    console.print("\n[bold]Arguments[/bold]")
    console.print(table(["", "type", "as in the book", "in `try`", ""], rows))
    if recipe.book or recipe.ours:
        console.print("\n[bold]Results[/bold]")
        console.print(
            table(["", ""], [["the book", recipe.book or "-"], ["here", recipe.ours or "-"]])
        )
    if layers is not None:
        layers.show(console)
    console.print("\n[bold]Commands[/bold]")
    console.print(table(["", ""], [[f"fathom {words}", what] for words, what in _commands(recipe)]))
    console.print(f"\n[bold]Source[/bold]\n{source}")


def _filled(text: str, width: int) -> str:
    """The paragraphs of a docstring for this terminal; what is indented stays as it is."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(
        p if p.startswith(" ") else textwrap.fill(" ".join(p.split()), min(width, 100) - 1)
        for p in paragraphs
    )


def _sample(recipe: Recipe, name: str) -> str:
    return shown(recipe.sample[name]) if name in recipe.sample else ""


def _time(minutes: float) -> str:
    return f"{minutes:g} min" if minutes >= 1 else f"{minutes * 60:.0f} s"


def _commands(recipe: Recipe) -> list[tuple[str, str]]:
    name = recipe.name
    commands = [
        (f"try {name}", "on built-in data, offline"),
        (f"run {name}", f"as in the book, about {_time(recipe.minutes)}"),
    ]
    if "data" in recipe.arguments:
        commands.append((f"run {name} --data PATH", "on your own data"))
    if recipe.kind == "experiment":
        commands.append((f"resume {name}", "go on with the latest run"))
        commands.append((f"predict {name} INPUT…", "use the latest run"))
    return [*commands, (f"copy {name} my_{name.replace('-', '_')}.py", "take the source")]
