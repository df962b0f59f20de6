"""Arguments from a signature: every type, what is refused and in which words, JSON and back."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.core.arguments import (
    Bounds,
    Count,
    Fraction,
    NonNegative,
    Rate,
    arguments,
    checked,
    settle,
)
from fathom.core.errors import SettingError


def everything(
    words: list[str],
    /,
    *,
    count: Count = 3,
    rate: Rate = 0.1,
    share: Fraction = 0.5,
    decay: NonNegative = 0.0,
    whole: int = -1,
    flag: bool = False,
    name: str = "digits",
    activation: Literal["sigmoid", "relu"] = "relu",
    sides: Literal[1, 3] = 1,
    sizes: list[int] = [2, 3],  # noqa: B006 - a default is read, never changed
    pair: tuple[float, float] = (0.5, 1.5),
    limit: Count | None = None,
    seed: int | None = 4,
    described: Annotated[int, "from the annotation"] = 1,
) -> None:
    """A function with every type.

    Args:
        count: how many there are,
            told on two lines
        rate: its speed
    """


KNOWN = arguments(everything)


def test_the_signature_is_the_settings():
    assert list(KNOWN) == ["words", *everything.__kwdefaults__]
    assert KNOWN["words"].positional
    assert KNOWN["words"].required
    assert KNOWN["words"].option == "WORD"
    assert KNOWN["rate"].help == "its speed"
    assert KNOWN["count"].help == "how many there are, told on two lines"
    assert KNOWN["described"].help == "from the annotation"


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("count", "int"),
        ("rate", "float"),
        ("flag", "bool"),
        ("name", "text"),
        ("activation", "sigmoid|relu"),
        ("sides", "1|3"),
        ("sizes", "int..."),
        ("limit", "int"),
        ("seed", "int or none"),
    ],
)
def test_types_are_named_for_people(name, type_name):
    assert KNOWN[name].type_name == type_name


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("count", "12", 12),
        ("count", 12.0, 12),
        ("whole", "-7", -7),
        ("rate", "1e-3", 1e-3),
        ("rate", 2, 2.0),
        ("share", "1", 1.0),
        ("share", 0, 0.0),
        ("decay", "0", 0.0),
        ("flag", "yes", True),
        ("flag", "OFF", False),
        ("flag", True, True),
        ("name", "a,b", "a,b"),
        ("activation", "sigmoid", "sigmoid"),
        ("sides", "3", 3),
        ("sizes", "4, 5 6", [4, 5, 6]),
        ("sizes", ["4,5", "6"], [4, 5, 6]),
        ("sizes", [4, 5.0], [4, 5]),
        ("pair", ["1,2"], [1.0, 2.0]),
        ("words", ["0.5,-1", "b"], ["0.5,-1", "b"]),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "5", 5),
        ("seed", "none", None),
    ],
)
def test_what_is_given_becomes_its_type(name, given, value):
    found = KNOWN[name].convert(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("count", "0", "--count: '0' is less than 1"),
        ("count", "1.5", "--count: '1.5' is not a whole number"),
        ("count", 1.5, "--count: 1.5 is not a whole number"),
        ("count", math.inf, "--count: inf is not a whole number"),
        ("count", math.nan, "--count: nan is not a whole number"),
        ("count", True, "--count: True is not a whole number"),
        ("count", None, "--count: None is not a whole number"),
        ("count", [1], "--count: [1] is not a whole number"),
        ("rate", "0", "--rate: '0' is not above 0"),
        ("rate", "nan", "--rate: 'nan' is not a finite number"),
        ("rate", "-inf", "--rate: '-inf' is not a finite number"),
        ("rate", "fast", "--rate: 'fast' is not a number"),
        ("rate", "", "--rate: '' is not a number"),
        ("share", "1.01", "--share: '1.01' is more than 1"),
        ("decay", "-0.1", "--decay: '-0.1' is less than 0"),
        ("flag", "maybe", "--flag: 'maybe' is not true or false"),
        ("flag", 2, "--flag: 2 is not true or false"),
        ("name", 3, "--name: 3 is not text"),
        ("activation", "rellu", "is not one of sigmoid, relu (did you mean 'relu'?)"),
        ("activation", "x", "--activation: 'x' is not one of sigmoid, relu"),
        ("sides", "2", "--sides: '2' is not one of 1, 3"),
        ("sizes", 4, "--sizes: 4 is not a list of int"),
        ("sizes", ["4", "x"], "--sizes: 'x' is not a whole number"),
        ("limit", "0", "--limit: '0' is less than 1"),
    ],
)
def test_what_does_not_fit_is_named(name, given, words):
    with pytest.raises(ValueError, match="--") as caught:
        KNOWN[name].convert(given)
    assert words in str(caught.value)


@given(st.integers())
def test_whole_numbers_of_any_size_survive_text(number):
    assert KNOWN["whole"].convert(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0, exclude_min=True))
def test_numbers_survive_text_and_json(number):
    assert KNOWN["rate"].convert(repr(number)) == number
    assert KNOWN["rate"].convert(json.loads(json.dumps(number))) == number


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary()))
def test_no_value_does_worse_than_a_value_error(value):
    for argument in KNOWN.values():
        with suppress(ValueError):
            argument.convert(value)


def recipe(*, data: str = "digits", lr: Rate = 0.1, epochs: Count = 2, tag: str | None = None):
    """A recipe's signature."""


def test_settled_are_the_given_over_the_defaults_in_order():
    found = settle("toy", arguments(recipe), {"epochs": "5", "tag": "a"})
    assert list(found.items()) == [("data", "digits"), ("lr", 0.1), ("epochs", 5), ("tag", "a")]


def test_settings_survive_json():
    known = arguments(recipe)
    found = settle("toy", known, {"lr": 0.25, "epochs": 7})
    assert settle("toy", known, json.loads(json.dumps(found))) == found


def test_all_faults_are_told_at_once_with_near_matches():
    with pytest.raises(SettingError) as caught:
        settle("toy", arguments(recipe), {"epoch": 3, "lr": "x", "epochs": 0, "zzz": 1})
    assert str(caught.value) == (
        "toy: unknown argument 'epoch' (did you mean 'epochs'?), --lr: 'x' is not a number, "
        "--epochs: 0 is less than 1, unknown argument 'zzz'; see `fathom show toy`"
    )


def test_hyphens_and_underscores_are_one():
    def f(*, batch_size: Count = 1) -> None: ...

    assert settle("toy", arguments(f), {"batch-size": 3}) == {"batch_size": 3}


def test_what_is_missing_is_named_with_its_choices():
    def f(run: str, /, *, to: Literal["a", "b"]) -> None: ...

    _, faults = checked(arguments(f), {})
    assert faults == ["RUN is missing", "--to is missing (one of a, b)"]


def test_a_dataclass_has_arguments_too():
    @dataclass
    class Options:
        """Two.

        Args:
            size: how large
        """

        size: Count = 2
        name: str | None = None

    found = arguments(Options)
    assert [(a.name, a.kind, a.default, a.help) for a in found.values()] == [
        ("size", int, 2, "how large"),
        ("name", str, None, ""),
    ]


def test_a_type_with_no_place_on_a_command_line_is_our_mistake():
    def f(*, callback: complex = 0j) -> None: ...

    with pytest.raises(AssertionError, match="callback"):
        arguments(f)


@pytest.mark.parametrize(
    ("bounds", "value", "fault"),
    [
        (Bounds(at_least=1), 1, None),
        (Bounds(at_most=1), 1, None),
        (Bounds(above=1), 1, "is not above 1"),
        (Bounds(at_least=1), 0.5, "is less than 1"),
        (Bounds(at_most=1), 1.5, "is more than 1"),
    ],
)
def test_bounds(bounds, value, fault):
    assert bounds.fault(value) == fault
