"""Verbs that are planned: they say so, and what to use until then."""

from __future__ import annotations

from fathom.cli.output import Answer
from fathom.core.errors import SettingError


def reproduce(recipe: str | None = None, /) -> Answer:
    """The book's experiments on the book's data, our result beside the book's (planned).

    Example:
        fathom reproduce lenet
    """
    wrong = "is planned and not there yet"
    raise SettingError("fathom reproduce", wrong, "docs/reproduction.md has the commands")


def lab() -> Answer:
    """The local web lab (planned).

    Example:
        fathom lab
    """
    raise SettingError("fathom lab", "is planned and not there yet", "use `fathom try RECIPE`")


def book(action: str | None = None, /) -> Answer:
    """The book's own notebooks on Fathom (planned).

    Example:
        fathom book run
    """
    raise SettingError("fathom book", "is planned and not there yet", "use `fathom try RECIPE`")
