"""The catalogue: every recipe by section and name, ready or planned.

Ready recipes are read from the decorators in `fathom/recipes/`, as text: `fathom list` imports
neither them nor torch. Planned ones stand in `planned.tsv` until their function is written.
"""

from __future__ import annotations

import ast
import csv
import importlib
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from fathom.core.errors import SettingError, did_you_mean
from fathom.core.recipe import Recipe, kind_of

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Entry:
    """A row of the catalogue. `data` is what the book uses, `sample_data` what is built in."""

    section: str
    recipe: str
    kind: str
    title: str
    zh: str
    status: Literal["ready", "planned"]
    data: str
    sample_data: str
    minutes: float | None
    module: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "module"}


def entries(chapter: str | None = None) -> list[Entry]:
    """All recipes in the book's order; of one chapter, if asked ("6", "13", "F")."""
    rows = [entry for path in sorted(_recipe_files()) for entry in _read(path)] + _planned()
    if chapter is not None:
        chapters = {row.section.split(".")[0] for row in rows}
        if chapter not in chapters:
            known = ", ".join(sorted(chapters, key=_order))
            raise SettingError(
                f"--chapter {chapter}", "there is no such chapter", f"known: {known}"
            )
        rows = [row for row in rows if row.section.split(".")[0] == chapter]
    return sorted(rows, key=lambda row: _order(row.section))


def find(name: str) -> Entry:
    """The entry of that name. Raises SettingError with the nearest name there is."""
    rows = {entry.recipe: entry for entry in entries()}
    word = name.lower().replace("_", "-")
    if word not in rows:
        remedy = did_you_mean(word, rows, "see `fathom list`")
        raise SettingError(name, "there is no recipe of that name", remedy)
    return rows[word]


def load(name: str) -> Recipe:
    """The recipe of that name, imported. Raises SettingError for unknown and planned ones."""
    entry = find(name)
    if entry.status == "planned":
        raise SettingError(entry.recipe, "is planned and not written yet", "see `fathom list`")
    module = importlib.import_module(entry.module)
    found: Recipe = getattr(module, entry.recipe.replace("-", "_")).__recipe__
    return found


def _recipe_files() -> list[Path]:
    return [path for path in (_PACKAGE / "recipes").glob("*.py") if path.name != "__init__.py"]


def _read(path: Path) -> list[Entry]:
    """The recipes of one file, read again when it has changed."""
    return _read_as_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read_as_of(path: Path, changed: int) -> list[Entry]:
    """From its syntax tree: completion asks for every recipe, and each time for all files."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "recipe":
                found.append(_entry(node, decorator, f"fathom.recipes.{path.stem}"))
    return found


def _entry(node: ast.FunctionDef, decorator: ast.Call, module: str) -> Entry:
    words = {k.arg: _literal(k.value) for k in decorator.keywords}
    names = [a.arg for a in node.args.args]
    defaults = dict(zip(reversed(names), map(_literal, reversed(node.args.defaults)), strict=False))
    data = defaults.get("data", "-")
    assert isinstance(node.returns, ast.Name), f"{node.name}: say Experiment or Findings"
    return Entry(
        section=words["section"],
        recipe=node.name.replace("_", "-"),
        kind=kind_of(node.returns.id),
        title=words["title"],
        zh=words["zh"],
        status="ready",
        data=data,
        sample_data=words.get("sample", {}).get("data", data),
        minutes=words.get("minutes", 1.0),
        module=module,
    )


def _literal(node: ast.expr) -> Any:
    """The value of a literal, of `dict(name=literal)`, or of a sum of texts."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict":
        return {k.arg: _literal(k.value) for k in node.keywords}
    return ast.literal_eval(node)


def _planned() -> list[Entry]:
    with open(Path(__file__).with_name("planned.tsv"), encoding="utf-8", newline="") as file:
        return [
            Entry(
                section=row["section"],
                recipe=row["recipe"],
                kind=row["kind"],
                title=row["title"],
                zh=row["zh"],
                status="planned",
                data=row["data"],
                sample_data=row["built-in data"],
                minutes=None,
            )
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def _order(section: str) -> tuple[bool, int, int, str]:
    """6.10 after 6.9; the lessons (F.1) after the book's chapters."""
    chapter, _, rest = section.partition(".")
    number = re.match(r"\d*", rest)
    assert number is not None
    return (
        not chapter.isdigit(),
        int(chapter) if chapter.isdigit() else 0,
        int(number.group() or 0),
        rest,
    )
