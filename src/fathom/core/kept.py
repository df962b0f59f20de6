"""What a run keeps of its data: beside its weights, so that nothing else is needed to use it.

A model knows words, classes and columns by their numbers only. Whoever reads data for a recipe
keeps here, in plain text, what makes them those numbers, and looks here before it reads:

training   nothing is known: data are read, and what was learned of them is kept
elsewhere  other data are to be read as the run knows its own: none of it was trained on
in use     no data are to be read: a stand-in of the form that is known takes their place

What is no meaning of numbers but a piece of the data, kept to show what may be written, has a name
that ends in `.txt`: it stays with the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from fathom.core.errors import CheckpointError

T = TypeVar("T")


class _Building(NamedTuple):
    known: Mapping[str, str]
    unread: bool
    kept: dict[str, str]


_BUILDING: ContextVar[_Building | None] = ContextVar("building", default=None)


@contextmanager
def keeping(
    known: Mapping[str, str] | None = None, *, unread: bool = False
) -> Iterator[dict[str, str]]:
    """While an experiment is built: what its run knows, if there is one; and what is newly kept.

    Both are texts by the names of files. If `unread`, the data themselves are not wanted.
    """
    kept: dict[str, str] = {}
    token = _BUILDING.set(_Building(known or {}, unread, kept))
    try:
        yield kept
    finally:
        _BUILDING.reset(token)


def known(name: str) -> str | None:
    """What the run has kept under that name; None in training."""
    building = _BUILDING.get()
    return None if building is None else building.known.get(name)


def known_as(name: str, make: Callable[[dict[str, Any]], T]) -> T | None:
    """What `make` makes of the facts that the run has kept.

    Raises CheckpointError where they are not what `keep_facts` wrote.
    """
    text = known(name)
    if text is None:
        return None
    try:
        return make(json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError):
        remedy = "copy it anew from where the run was made"
        raise CheckpointError(f"{name} of the run", "is damaged", remedy) from None


def unread() -> bool:
    """Whether no data are to be read: what is known of them is enough."""
    building = _BUILDING.get()
    return building is not None and building.unread


def meanings(kept: Mapping[str, str]) -> dict[str, str]:
    """Of all that a run has kept what goes with its model, wherever that goes."""
    return {name: text for name, text in kept.items() if not name.endswith(".txt")}


def keep(name: str, text: Callable[[], str]) -> None:
    """Leave what was learned of data for the run, if there is a run."""
    building = _BUILDING.get()
    if building is not None:
        building.kept[name] = text()


def keep_facts(name: str, facts: Callable[[], Mapping[str, Any]]) -> None:
    """The same of facts by name, as JSON: each on a line of its own."""

    def text() -> str:
        lines = (f"{json.dumps(key)}: {_json(value)}" for key, value in facts().items())
        return "{\n  " + ",\n  ".join(lines) + "\n}\n"

    keep(name, text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
