"""Classes made from functions: what a function is told by keyword, its class is told at birth.

torch writes most things twice, as a function and as a class that keeps the function's settings.
Here the function's signature is the only place where the settings and their defaults stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, Signature, signature
from typing import Any


def settings_of(function: Callable[..., Any], skip: Iterable[str] = ()) -> list[Parameter]:
    """What `function` is told, but for what it must be given by position, or is named in `skip`."""
    found = signature(function).parameters.values()
    return [p for p in found if p.kind is not Parameter.POSITIONAL_ONLY and p.name not in skip]


def made(name: str, base: type, takes: Iterable[Parameter], **members: Any) -> Any:
    """A subclass of `base` whose constructor hands all that it `takes` on by name, with defaults.

    `members` must hold the `__module__` in which the class will stand, so that it can be pickled.
    """
    whole = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *takes])

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            given = whole.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        given.apply_defaults()
        base.__init__(**given.arguments)  # type: ignore[misc]

    begin.__signature__ = whole  # type: ignore[attr-defined]
    return type(name, (base,), {"__init__": begin, **members})
