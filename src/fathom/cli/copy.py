"""`fathom copy`: a recipe's source as a script of one's own, which runs as it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fathom.cli.output import Answer, print_error, short, stdout
from fathom.cli.parser import parse
from fathom.core.arguments import arguments
from fathom.core.catalogue import find, load
from fathom.core.errors import CheckpointError, FathomError, SettingError
from fathom.core.paths import write_whole
from fathom.core.recipe import Recipe

HEAD = '''"""{title} (section {section}), a copy of Fathom's recipe to change.

    python {file} --help
    python {file}{sample}

What it leaves in `runs/` is a run like any other: `fathom resume`, `predict`, `export` take it.
"""
'''

TAIL = """

if __name__ == "__main__":
    from fathom.cli.copy import run_script

    run_script({function}, __file__)
"""


def copy(recipe: str, file: str, /, *, force: bool = False) -> Answer:
    """Hand over a recipe's source as a script that runs, for you to change.

    Args:
        recipe: its name; see `fathom list`
        file: the script to write
        force: write over a file that is there

    Example:
        fathom copy lenet my_lenet.py
        python my_lenet.py --epochs 3
    """
    target = Path(file)
    if target.suffix != ".py":
        raise SettingError(file, "is not a .py file", f"try {target.with_suffix('.py')}")
    if target.exists() and not force:
        raise SettingError(file, "is there already", "choose another name, or say --force")
    found = load(recipe)
    module = importlib.import_module(find(recipe).module)
    source = script(inspect.getsource(module), found, target.name)
    write_whole(target, source)

    def page(console: Any) -> None:
        console.print(f"wrote    {short(target)}")
        console.print(f"next     python {short(target)} --help")

    return Answer({"file": str(target), "recipe": found.name}, page)


def script(module: str, recipe: Recipe, file: str) -> str:
    """The recipe's function, what it uses of its module, and the imports these need."""
    tree = ast.parse(module)
    lines = module.splitlines()
    name = recipe.function.__name__
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    others = {word: n for n in tree.body if n not in imports for word in _defined(n)}
    wanted: list[ast.stmt] = []
    queue, seen = [name], set()
    while queue:
        word = queue.pop()
        if word in seen or word not in others:
            continue
        seen.add(word)
        wanted.append(others[word])
        queue += _used(others[word])
    words = {word for node in wanted for word in _used(node)}
    kept = [text for node in imports if (text := _import(node, words))]
    ours = next((i for i, text in enumerate(kept) if text.startswith("from fathom")), len(kept))
    if 0 < ours < len(kept) and not kept[ours - 1].endswith("\n"):
        kept[ours - 1] += "\n"
    pieces = [
        "\n".join(lines[_first_line(n) - 1 : n.end_lineno])
        for n in sorted(set(wanted), key=lambda n: n.lineno)
    ]
    sample = "".join(f" --{k.replace('_', '-')} {v}" for k, v in recipe.sample.items())
    head = HEAD.format(title=recipe.title, section=recipe.section, file=file, sample=sample)
    body = "\n\n\n".join(pieces)
    return f"{head}\n{chr(10).join(kept)}\n\n\n{body}\n{TAIL.format(function=name)}"


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        names = [n for target in node.targets for n in ast.walk(target)]
        return [n.id for n in names if isinstance(n, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _used(node: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _import(node: ast.stmt, words: set[str]) -> str:
    """The import with only the names that are used; empty if none is."""
    assert isinstance(node, ast.Import | ast.ImportFrom)
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return ast.unparse(node) + "\n"
    names = [a for a in node.names if (a.asname or a.name).split(".")[0] in words]
    if not names:
        return ""
    return ast.unparse(
        ast.ImportFrom(node.module, names, node.level)
        if isinstance(node, ast.ImportFrom)
        else ast.Import(names)
    )


def run_script(function: Callable[..., Any], file: str) -> None:
    """Run a copied recipe with the words of the command line, and leave the process."""
    import sys

    from fathom.cli.train import answer, surroundings
    from fathom.engine import session
    from fathom.engine.options import Options

    recipe: Recipe = function.__recipe__  # type: ignore[attr-defined]
    groups = {"engine options": arguments(Options)}
    try:
        prog = f"python {Path(file).name}"
        settings, given = parse(function, prog, sys.argv[1:], groups)
        options = Options(**given["engine options"])
        place = str(Path(file).resolve())
        run = session.start(recipe, settings, options, surroundings(), script=place)
        answer(run, plot=options.plot).page(stdout())
    except FathomError as error:
        print_error(str(error))
        sys.exit(error.exit_status)


def recipe_in(file: str, name: str) -> Recipe:
    """The recipe of a script that a run was made by. Raises CheckpointError where it is gone."""
    if not Path(file).is_file():
        raise CheckpointError(file, "the script of this run is gone", "put it back")
    for value in runpy.run_path(file, run_name="fathom_script").values():
        found = getattr(value, "__recipe__", None)
        if isinstance(found, Recipe) and found.name == name:
            return found
    raise CheckpointError(file, f"has no recipe '{name}' any more", "put it back")
