"""A recipe is a function: `@recipe` gives it its place in the book."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from fathom.core.arguments import Argument, arguments, settle

Kind = Literal["experiment", "study", "guide"]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Recipe:
    """One experiment or study of the book, and the function that is it.

    `sample` holds the arguments of a run on built-in data; `book` and `ours` the published
    result and the one measured here, for its page; `minutes` the time of `fathom run` on two
    CPU cores.
    """

    name: str
    section: str
    kind: Kind
    title: str
    zh: str
    function: Callable[..., Any]
    sample: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = 1.0
    book: str = ""
    ours: str = ""

    @property
    def arguments(self) -> dict[str, Argument]:
        return arguments(self.function)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every argument with its value. Raises SettingError that names all that is wrong."""
        return settle(self.name, self.arguments, given)


def recipe(
    *,
    section: str,
    title: str,
    zh: str,
    sample: Mapping[str, Any] | None = None,
    minutes: float = 1.0,
    book: str = "",
    ours: str = "",
) -> Callable[[Function], Function]:
    """Make a function a recipe; it stays an ordinary function. Its name is the recipe's.

    Give literals only: the catalogue reads them without importing the file. Whether it is an
    experiment or a study is told by the return annotation, `Experiment` or `Findings`.
    """

    def register(function: Function) -> Function:
        name = function.__name__.replace("_", "-")
        kind: Kind = kind_of(function.__annotations__["return"])
        function.__recipe__ = Recipe(  # type: ignore[attr-defined]
            name, section, kind, title, zh, function, dict(sample or {}), minutes, book, ours
        )
        return function

    return register


def kind_of(annotation: str) -> Kind:
    """The kind of a recipe from the text of its return annotation."""
    kinds: dict[str, Kind] = {"Experiment": "experiment", "Findings": "study"}
    return kinds[annotation]
