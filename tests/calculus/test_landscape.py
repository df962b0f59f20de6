"""Level places, found and told apart, against SymPy, and random curvatures against closed forms."""

from __future__ import annotations

import math

import pytest
import sympy
import torch

from fathom.calculus.expressions import parse
from fathom.calculus.landscape import grid, share_all_positive, stationary_points


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("x*cos(pi*x)", -1, 2), ("x**4 - x**2", -2, 2), ("sin(3*x) + x**2/4", -3, 3)],
)  # fmt: skip
def test_places_of_one_variable_are_the_roots_of_the_derivative(text, low, high):
    x = sympy.Symbol("x")
    slope = sympy.sympify(text).diff(x)
    steps = [low + (high - low) * k / 400 for k in range(401)]
    values = [float(slope.subs(x, at)) for at in steps]
    roots = sorted(
        float(sympy.nsolve(slope, (a, b), solver="bisect", verify=False)) if v * w < 0 else a
        for a, b, v, w in zip(steps, steps[1:], values, values[1:], strict=False)
        if v * w < 0 or v == 0
    )
    found = sorted(stationary_points(parse(text), low, high, 1), key=lambda place: place.point)
    assert [place.point[0] for place in found] == pytest.approx(roots, abs=1e-6)
    for place in found:
        curvature = float(slope.diff(x).subs(x, place.point[0]))
        assert place.curvatures == pytest.approx([curvature], rel=1e-6, abs=1e-6)
        assert place.kind == ("minimum" if curvature > 0 else "maximum")
    assert [p.value for p in stationary_points(parse(text), low, high, 1)] == sorted(
        p.value for p in found
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**2 - y**2", {(0, 0): "saddle"}),
        ("x**2 + 3*y**2", {(0, 0): "minimum"}),
        ("-x**2 - y**2 + x*y", {(0, 0): "maximum"}),
        ("2*x**4 - x**2 + y**2", {(-0.5, 0): "minimum", (0.5, 0): "minimum", (0, 0): "saddle"}),
        ("(1-x)**2 + 100*(y-x**2)**2", {(1, 1): "minimum"}),
        ("x + y", {}),
    ],
)  # fmt: skip
def test_places_of_two_variables_are_told_apart(text, expected):
    found = stationary_points(parse(text), -2, 2, 2)
    told = {tuple(round(v, 5) + 0.0 for v in place.point): place.kind for place in found}
    assert told == expected


def test_a_level_place_without_curvature_is_flat():
    (place,) = stationary_points(parse("x**3"), -1, 1, 1)
    assert place.kind == "flat"
    assert abs(place.point[0]) < 1e-6
    assert {p.kind for p in stationary_points(parse("2 + 0*x"), -1, 1, 1)} == {"flat"}


def test_where_a_function_is_not_defined_nothing_is_found():
    (place,) = stationary_points(parse("x - log(x)"), -2, 2, 1)
    assert place.point == pytest.approx([1.0])


def test_a_grid_is_all_points_of_a_box():
    points = grid(-1, 1, 3, 2)
    assert points.tolist() == [[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)]
    assert grid(0, 1, 2, 1).tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("size", "exactly"),
    [
        (1, 0.5),
        (2, (2 - math.sqrt(2)) / 4),
        (3, (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)),
    ],
)
def test_random_curvatures_are_positive_as_often_as_is_known(size, exactly):
    draws = 40_000
    share = share_all_positive(size, draws, torch.Generator().manual_seed(3))
    assert share == pytest.approx(exactly, abs=4 * math.sqrt(exactly * (1 - exactly) / draws))
