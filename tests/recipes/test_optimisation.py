"""Gradient descent and its noise as studies: any function, any start; what is wrong in one line."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from calling import call, done
from fathom.core.seeds import seed_everything
from fathom.recipes.optimisation import gradient_descent, sgd


@pytest.fixture(autouse=True)
def seeded():
    seed_everything(0)


def rows_of(findings, words):
    (table,) = [t for title, t in findings.tables.items() if title.startswith(words)]
    return [list(row) for row in table.rows]


@pytest.fixture(scope="module")
def plain():
    seed_everything(0)
    return gradient_descent()


def test_rates_are_the_shares_of_the_edge_that_the_book_has(plain):
    rows = rows_of(plain, "Gradient descent")
    assert [row[0] for row in rows] == ["0.05", "0.2", "0.9", "1.1"]
    assert [row[-1] for row in rows] == ["crawls", "converges", "oscillates", "diverges"]
    measured = [row[3] for row in rows]
    assert measured == pytest.approx([0.9, 0.6, 0.8, 1.2], rel=1e-9)
    assert [row[4] for row in rows] == pytest.approx(measured, rel=1e-9)


def test_the_book_s_traces_stand_in_the_run_with_all_their_digits(plain):
    rows = rows_of(plain, "The book's traces")
    printed = [
        "0.060466", "3.486784", "61.917364", "-1.528166", "-0.057646, -0.000073", "0", "26.8341",
        "7.2699",
    ]  # fmt: skip
    assert [row[2] for row in rows] == printed
    for _, here, book in rows:
        digits = len(book.split(", ")[0].partition(".")[2])
        rounded = [round(float(number), digits) for number in here.split(", ")]
        assert rounded == [float(number) for number in book.split(", ")]


def test_rates_of_a_function_of_two_variables_are_those_of_its_hessian():
    matrix = np.array([[2.0, 1.0], [1.0, 6.0]])
    found = gradient_descent(
        function="x**2 + 3*y**2 + x*y", start=[1.0, 2.0], rates=[0.05, 0.2, 0.4], steps=200
    )
    expected = [abs(1 - lr * np.linalg.eigvalsh(matrix)).max() for lr in (0.05, 0.2, 0.4)]
    rows = rows_of(found, "Gradient descent")
    assert [row[4] for row in rows] == pytest.approx(expected, rel=1e-9)
    assert [row[3] for row in rows] == pytest.approx(expected, rel=0.02)
    assert rows[2][-1].startswith("diverges")
    assert len(found.figures["rates"].axes) == 3


@pytest.mark.parametrize(
    ("function", "start", "words"),
    [("x**3", [1.0], "finds no minimum"), ("x - log(x)", [3.0], "no value after step 0")],
)
def test_functions_without_a_floor_or_with_an_edge_are_told_of(function, start, words):
    rows = rows_of(gradient_descent(function=function, start=start, rates=[9.0]), "Gradient")
    assert words in rows[0][-1]


def test_walkers_are_as_far_as_closed_forms_say():
    found = sgd(function="2*x**2", start=[3.0], lr=0.1, noise=0.5, steps=40, walkers=4_000)
    constant, exponential, polynomial = rows_of(found, "4,000 walkers")
    for (_, last, measured, theory), rates in (
        (constant, [0.1] * 40),
        (exponential, [0.1 * math.exp(-0.1 * t) for t in range(800)]),
        (polynomial, [0.1 / math.sqrt(1 + 0.1 * t) for t in range(40)]),
    ):
        square = 9.0
        for rate in rates:
            square = (1 - 4 * rate) ** 2 * square + (0.5 * rate) ** 2
        assert last == pytest.approx(rates[-1])
        assert theory == pytest.approx(math.sqrt(square), rel=1e-6)
        assert measured == pytest.approx(theory, rel=0.05)


def test_of_another_function_theory_is_silent():
    found = sgd(function="log(cosh(x))", start=[2.0], steps=20, walkers=50)
    assert [row[3] for row in rows_of(found, "50 walkers")] == [None, None, None]


def test_another_seed_holds_too():
    seed_everything(1)
    assert all(sgd(walkers=10, steps=5).claims.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--function", "1/x", "--start", "0"], "1 / x divides by zero at x = 0"),
        (["--function", "log(x)", "--start", "-2"], "log(x) is not defined at x = -2"),
        (["--function", "x**2 +"], "ends too soon"),
        (["--function", "__import__('os')"], "has no place in it"),
        (["--function", "sine(x)"], "did you mean 'sin'?"),
        (["--function", "x*y", "--start", "1"], "is not a number for each of x, y; give 2"),
        (["--function", "x", "--start", "1", "2"], "is not a number for each of x; give 1"),
        (["--rates", "0"], "'0' is not above 0"),
    ],
)
@pytest.mark.parametrize("recipe", ["gradient-descent", "sgd"])
def test_what_cannot_be_is_one_line(recipe, words, said, tmp_path):
    if recipe == "sgd" and "--rates" in words:
        return
    told = call("run", recipe, *words, "--out", tmp_path / "run")
    assert told.status == 2
    assert said in told.error


def test_walkers_that_are_lost_are_told_of(tmp_path):
    told = call("run", "sgd", "--function", "x - log(x)", "--noise", 99, "--out", tmp_path)
    assert told.status == 2
    assert "has no value where a walker came to" in told.error


def test_a_function_that_begins_with_a_minus(tmp_path):
    facts = done(
        "run", "gradient-descent", "--function=-cos(x)", "--start", "1", "--out", tmp_path, "--json"
    ).json
    assert facts["arguments"]["function"] == "-cos(x)"
    (title,) = [t for t in facts["findings"]["tables"] if t.startswith("Gradient descent on")]
    assert "-cos(x) from x = 1" in title
    assert json.dumps(facts)
    assert torch.initial_seed() == 0
