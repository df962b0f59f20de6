"""Records sorted into curves; values as people read them."""

from __future__ import annotations

import math

import pytest

from fathom.plots.series import Series, clock, curves, shown, spans_decades

EPOCHS = [
    {"step": 5, "epoch": 1, "split": "train", "loss": 2.0, "accuracy": 0.5, "seconds": 1.0},
    {"step": 5, "epoch": 1, "split": "valid", "loss": 3.0, "accuracy": 0.4, "seconds": 1.0},
    {"step": 10, "epoch": 2, "split": "train", "loss": 1.0, "accuracy": 0.7, "seconds": 2.0},
]


def test_curves_are_sorted_by_quantity_and_split():
    assert curves(EPOCHS, "epoch") == {
        "loss": {"train": Series([1, 2], [2.0, 1.0]), "valid": Series([1], [3.0])},
        "accuracy": {"train": Series([1, 2], [0.5, 0.7]), "valid": Series([1], [0.4])},
    }


def test_loss_and_accuracy_come_first_and_what_is_not_finite_is_left_out():
    rows = [
        {"step": 1, "epoch": 1, "split": "train", "norm": 3, "loss": math.nan, "name": "x"},
        {"step": 2, "epoch": 2, "split": "train", "norm": math.inf, "loss": 1.0, "accuracy": 0},
    ]
    found = curves(rows, "step")
    assert list(found) == ["loss", "accuracy", "norm"]
    assert found["loss"]["train"] == Series([2], [1.0])
    assert found["norm"]["train"] == Series([1], [3])


@pytest.mark.parametrize(("skipped", "told"), [(0.0, False), (3.0, True)])
def test_skipped_updates_are_told_where_there_were_any(skipped, told):
    rows = [{"step": 1, "epoch": 1, "split": "train", "loss": 1.0, "skipped": skipped}]
    assert ("skipped" in curves(rows, "epoch")) == told


def test_time_is_epochs_unless_one_was_measured_twice_or_none_was_counted():
    assert clock(EPOCHS) == "epoch"
    assert clock([*EPOCHS, EPOCHS[0]]) == "step"
    assert clock([{"step": 1, "loss": 2.0}]) == "step"


@pytest.mark.parametrize(
    ("name", "values", "logarithmic"),
    [
        ("loss", [1.0, 0.02], False),
        ("loss", [1.0, 0.009], True),
        ("loss", [1.0, 0.0], False),
        ("loss", [1.0, -0.001], False),
        ("accuracy", [0.001, 0.9], False),
        ("loss", [], False),
    ],
)
def test_a_logarithmic_axis_is_for_more_than_two_decades(name, values, logarithmic):
    assert spans_decades(name, [Series([], values)]) == logarithmic


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.61, "0.610"),
        (0.4476, "0.448"),
        (1.23456, "1.235"),
        (1234.4, "1234"),
        (12345.0, "1.23e4"),
        (5.1e-5, "5.10e-5"),
        (-0.5, "-0.500"),
        (0.0, "0.00"),
        (1e-12, "1.00e-12"),
    ],
)
def test_values_are_shown_with_the_digits_that_count(value, text):
    assert shown(value) == text
