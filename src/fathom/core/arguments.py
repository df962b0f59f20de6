"""Arguments from a signature: the one list of settings of a recipe, a verb or the engine.

A function's parameters, with their types, defaults and help, become `Argument`s; text from a
command line and values from JSON are checked against them. All faults are told at once.

Types    int, float, bool, str, Literal, `X | None`, list[X], and these inside Annotated, with
         `Bounds` for numbers and a sentence for the help.
"""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fathom.core.errors import SettingError, did_you_mean


@dataclass(frozen=True)
class Bounds:
    """Numbers that make sense: `at_least` and `at_most` inclusive, `above` exclusive."""

    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf

    def fault(self, value: float) -> str | None:
        if value < self.at_least:
            return f"is less than {self.at_least:g}"
        if value > self.at_most:
            return f"is more than {self.at_most:g}"
        if value <= self.above:
            return f"is not above {self.above:g}"
        return None


Count = Annotated[int, Bounds(at_least=1)]
Rate = Annotated[float, Bounds(above=0)]
NonNegative = Annotated[float, Bounds(at_least=0)]
Fraction = Annotated[float, Bounds(at_least=0, at_most=1)]
Impl = Annotated[Literal["torch", "scratch"], "PyTorch's fastest path, or the code to read"]

COMMON = {
    "activation": "between the layers",
    "balanced": "each class counts alike in the loss, however few pictures it has",
    "batch_size": "examples in a step",
    "epochs": "times through the data",
    "lr": "learning rate",
}
REQUIRED = inspect.Parameter.empty
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Argument:
    """One setting: `kind` is int, float, bool or str; `many` says that it takes a list of them."""

    name: str
    kind: type
    default: Any
    help: str = ""
    choices: tuple[Any, ...] = ()
    optional: bool = False
    many: bool = False
    bounds: Bounds | None = None
    positional: bool = False

    @property
    def option(self) -> str:
        """As on the command line: `--batch-size`; `INPUT` for one that is told by its place."""
        if self.positional:
            return self.name.upper().removesuffix("S" if self.many else "")
        return "--" + self.name.replace("_", "-")

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def type_name(self) -> str:
        """For people: `int`, `sigmoid|relu`, `float...`, `int or none` where none is a choice."""
        name = "|".join(map(str, self.choices)) or {"str": "text"}.get(
            self.kind.__name__, self.kind.__name__
        )
        none = " or none" if self.optional and self.default is not None else ""
        return name + ("..." if self.many else "") + none

    def convert(self, value: Any) -> Any:
        """`value`, text or JSON, as this argument's type. Raises ValueError where it is not."""
        if self.optional and (value is None or value == "none"):
            return None
        if self.many:
            items = value.replace(",", " ").split() if isinstance(value, str) else value
            if not isinstance(items, list | tuple):
                raise ValueError(f"{self.option}: {value!r} is not a list of {self.kind.__name__}")
            return [self._convert_one(piece) for item in items for piece in self._pieces(item)]
        return self._convert_one(value)

    def _pieces(self, item: Any) -> list[Any]:
        """`1,2` among numbers is two of them, `a,b` among choices; a text may hold commas."""
        several = isinstance(item, str) and (self.kind is not str or self.choices)
        return item.split(",") if several else [item]

    def _convert_one(self, value: Any) -> Any:
        try:
            converted = self._typed(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"{self.option}: {value!r} is not {_A[self.kind]}") from None
        if self.choices and converted not in self.choices:
            hint = did_you_mean(str(value), map(str, self.choices), "")
            known = ", ".join(map(str, self.choices))
            raise ValueError(
                f"{self.option}: {value!r} is not one of {known}" + (f" ({hint})" if hint else "")
            )
        if self.kind is float and not math.isfinite(converted):
            raise ValueError(f"{self.option}: {value!r} is not a finite number")
        if self.bounds and (fault := self.bounds.fault(converted)):
            raise ValueError(f"{self.option}: {value!r} {fault}")
        return converted

    def _typed(self, value: Any) -> Any:
        if self.kind is bool:
            if str(value).lower() not in _WORDS:
                raise ValueError
            return _WORDS[str(value).lower()]
        if isinstance(value, bool):
            raise TypeError
        if self.kind is str:
            if not isinstance(value, str):
                raise TypeError
            return value
        if self.kind is int and isinstance(value, float):
            if value != int(value):
                raise ValueError
            return int(value)
        return self.kind(value)


_A = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def arguments(function: Callable[..., Any]) -> dict[str, Argument]:
    """The arguments of a function (or a dataclass) by name, in the order of its signature.

    A parameter that is a dict is no setting: the program fills it.
    """
    source = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(source, include_extras=True)
    described = _described(inspect.getdoc(function) or "")
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if typing.get_origin(hints[name]) is dict:
            continue
        found[name] = _argument(name, hints[name], parameter, described.get(name, ""))
    return found


def _argument(name: str, hint: Any, parameter: inspect.Parameter, described: str) -> Argument:
    bounds: Bounds | None = None
    choices: tuple[Any, ...] = ()
    optional = many = False
    words = described or COMMON.get(name, "")
    while True:
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            hint = parts[0]
            for extra in parts[1:]:
                bounds = extra if isinstance(extra, Bounds) else bounds
                words = words or (extra if isinstance(extra, str) else "")
        elif origin in (types.UnionType, typing.Union):
            optional = True
            (hint,) = (part for part in parts if part is not type(None))
        elif origin in (list, tuple):
            many, hint = True, parts[0]
        elif origin is Literal:
            choices, hint = parts, type(parts[0])
        else:
            break
    assert hint in _A, f"argument {name}: the type {hint} has no place on a command line"
    positional = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    return Argument(
        name, hint, parameter.default, words, choices, optional, many, bounds, positional
    )


def _described(docstring: str) -> dict[str, str]:
    """What a docstring's `Args:` block says of each argument: `name: sentence`."""
    match = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    found: dict[str, str] = {}
    name = ""
    for line in (match.group(1) if match else "").splitlines():
        if head := re.match(r"\s+(\w+): (.*)", line):
            name, found[head.group(1)] = head.group(1), head.group(2)
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def settle(thing: str, known: Mapping[str, Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of the recipe `thing`: what was given, checked and converted, over the defaults.

    Raises SettingError that names every unknown name, wrong type and value out of range.
    """
    settled, faults = checked(known, given)
    if faults:
        raise SettingError(thing, ", ".join(faults), f"see `fathom show {thing}`")
    return settled


def checked(
    known: Mapping[str, Argument], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The settings in the order of `known`, and a phrase for each fault; whole only without."""
    faults: list[str] = []
    settled = {name: a.default for name, a in known.items() if not a.required}
    for word, value in given.items():
        name = word.replace("-", "_")
        if name not in known:
            hint = did_you_mean(name, known, "")
            faults.append(f"unknown argument '{word}'" + (f" ({hint})" if hint else ""))
            continue
        try:
            settled[name] = known[name].convert(value)
        except ValueError as error:
            faults.append(str(error))
    faults += [_missing(a) for name, a in known.items() if name not in settled and not faults]
    return {name: settled[name] for name in known if name in settled}, faults


def _missing(argument: Argument) -> str:
    known = ", ".join(map(str, argument.choices))
    return f"{argument.option} is missing" + (f" (one of {known})" if known else "")
