"""The vocabularies of a run: kept beside its weights, handed to what reads other data for it.

A model knows words by their numbers only. In training a source makes a vocabulary of what is
trained on, and keeps it here. Where a trained model is to be measured on other data, the source
finds it here and makes none: the same word has the same number, and none of it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_KNOWN: ContextVar[Mapping[str, str] | None] = ContextVar("known", default=None)
_KEPT: ContextVar[dict[str, str] | None] = ContextVar("kept", default=None)


@contextmanager
def vocabularies(known: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """While an experiment is built: those of the run, if there is one; and those that are made.

    Both are texts by name.
    """
    kept: dict[str, str] = {}
    tokens = _KNOWN.set(known), _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KNOWN.reset(tokens[0])
        _KEPT.reset(tokens[1])


def known(name: str) -> str | None:
    """The run's vocabulary of that name, where it is other data that are read."""
    return (_KNOWN.get() or {}).get(name)


def keep(name: str, text: Callable[[], str]) -> None:
    """Leave one that was made for the run, if there is a run."""
    kept = _KEPT.get()
    if kept is not None:
        kept[name] = text()
