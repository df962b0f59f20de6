"""Shell completion: a script for bash, zsh, fish or tcsh, from the same parsers as the verbs."""

from __future__ import annotations

import argparse

import shtab

from fathom.cli.main import VERBS, load
from fathom.cli.parser import Parser, build
from fathom.core.catalogue import entries
from fathom.core.errors import SettingError, did_you_mean


def script(shell: str) -> str:
    """The completion script. Raises SettingError for a shell that is not known."""
    known = shtab.SUPPORTED_SHELLS
    if shell not in known:
        remedy = did_you_mean(shell, known, f"known: {', '.join(known)}")
        raise SettingError(f"--print-completion {shell}".rstrip(), "is no known shell", remedy)
    text: str = shtab.complete(_whole(), shell)
    return text


def _whole() -> argparse.ArgumentParser:
    """One parser of all verbs, and under `try` and `run` of all recipes with their arguments."""
    whole = Parser(prog="fathom")
    verbs = whole.add_subparsers()
    ready = {entry.recipe: entry.title for entry in entries() if entry.status == "ready"}
    for name, verb in VERBS.items():
        if name in ("try", "run"):
            recipes = verbs.add_parser(name, help=verb.summary).add_subparsers()
            for recipe, title in ready.items():
                function, groups = load(name, [recipe])
                parent = build(function, "fathom", groups)
                _adopt(recipes.add_parser(recipe, help=title), parent, skip="recipe")
            continue
        function, groups = load(name, [])
        child = verbs.add_parser(name, help=verb.summary)
        _adopt(child, build(function, "fathom", groups), recipes=list(ready))
    return whole


def _adopt(
    child: argparse.ArgumentParser,
    parent: argparse.ArgumentParser,
    *,
    skip: str = "",
    recipes: list[str] | None = None,
) -> None:
    """Give `child` the arguments of `parent`, and the known names to words that are recipes."""
    for action in parent._actions:
        if action.dest in (skip, "help"):
            continue
        if action.dest in ("recipe", "run") and recipes is not None:
            action.choices = recipes
        elif isinstance(action.metavar, str) and action.metavar.startswith("{"):
            action.choices = action.metavar[1:-1].split("|")
        child._add_action(action)
