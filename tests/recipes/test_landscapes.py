"""Landscapes and convexity as studies: places, risks, races, sets; what is wrong in one line."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import scipy.integrate
from PIL import Image

from calling import call
from fathom.core.seeds import seed_everything
from fathom.recipes.convexity import convexity
from fathom.recipes.landscapes import landscapes


@pytest.fixture(scope="module")
def seen():
    seed_everything(0)
    return landscapes()


def rows_of(findings, words):
    (table,) = [t for title, t in findings.tables.items() if title.startswith(words)]
    return [list(row) for row in table.rows]


def test_the_book_s_wave_has_two_minima_and_a_maximum(seen):
    rows = rows_of(seen, "Where x*cos(pi*x)")
    assert [row[-1] for row in rows] == ["minimum", "minimum", "maximum"]
    for place, value, _, _ in rows:
        x = float(place.removeprefix("x = "))
        assert value == pytest.approx(x * math.cos(math.pi * x), abs=1e-3)
        assert math.cos(math.pi * x) == pytest.approx(math.pi * x * math.sin(math.pi * x), abs=1e-2)


def test_slopes_that_vanish_are_their_closed_forms(seen):
    assert seen.numbers["slope of tanh at 4"] == pytest.approx(1 / math.cosh(4) ** 2)
    sigmoid = 1 / (1 + math.exp(-10))
    assert seen.numbers["slope of sigmoid at 10"] == pytest.approx(sigmoid * (1 - sigmoid))


def test_the_true_risk_is_the_integral(seen):
    """The line that is drawn, against SciPy's integral over the normal density."""
    (axes,) = seen.figures["risk"].axes
    drawn = axes.lines[0].get_xydata()
    for w, risk in drawn[::10]:
        integral, _ = scipy.integrate.quad(
            lambda x, w=w: (np.sin(2 * x) - np.sin(w * x)) ** 2
            * np.exp(-(x**2) / 2)
            / np.sqrt(2 * np.pi),
            -12,
            12,
        )  # fmt: skip
        assert risk == pytest.approx((integral + 0.25) / 2, abs=1e-9)
    assert drawn[drawn[:, 1].argmin(), 0] == pytest.approx(2.0)


def test_the_race_is_a_file_that_moves_and_a_figure(seen):
    with Image.open(io.BytesIO(seen.files["race.gif"])) as picture:
        assert picture.n_frames > 40
    assert len(seen.files["race.gif"]) < 400_000
    titles = [axes.get_title(loc="left") for axes in seen.figures["race"].axes]
    assert titles == ["Rosenbrock's valley", "Beale's plateau", "a saddle"]


def test_claims_hold_for_other_seeds():
    seed_everything(1)
    assert all(convexity().claims.values())
    seed_everything(3)
    found = landscapes(function="x**2 - y**2", low=-1, high=1)
    assert all(found.claims.values())
    assert [row[-1] for row in rows_of(found, "Where x**2 - y**2")] == ["saddle"]


def test_a_function_of_one_s_own_is_told_convex_or_not():
    seed_everything(0)
    rows = rows_of(convexity(function="x**4 - x**2"), "Convex from -2 to 2")
    told = {row[0]: row[-1] for row in rows}
    assert told == {
        "x**4 - x**2": "not convex",
        "0.5*x**2": "convex",
        "cos(pi*x)": "not convex",
        "exp(0.5*x)": "convex",
    }
    plane = convexity(function="x**2 + x*y + y**2", low=-1, high=1)
    assert rows_of(plane, "Convex from -1 to 1")[0][-1] == "convex"
    assert set(plane.figures) == {"plane", "chords", "constraint"}


@pytest.mark.parametrize("recipe", ["landscapes", "convexity"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--low", "1", "--high", "-1"], "--low 1: is not below --high -1"),
        (["--function", "log(x)", "--low", "-2", "--high", "-1"], "log(x) is not defined"),
        (["--function", "2x"], "write * between factors"),
        (["--low", "nan"], "is not a finite number"),
    ],
)
def test_what_cannot_be_is_one_line(recipe, words, said, tmp_path):
    told = call("run", recipe, *words, "--out", tmp_path / "run")
    assert told.status == 2
    assert said in told.error
