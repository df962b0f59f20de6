"""Chords, segments, projections and constraints, against SciPy and solutions by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from fathom.calculus.convexity import (
    lagrangian_path,
    least_curvature,
    onto_ball,
    onto_box,
    onto_halfspace,
    onto_simplex,
    penalised,
    projected_descent,
    segments_inside,
    worst_chord,
)
from fathom.calculus.descent import newton
from fathom.calculus.expressions import parse
from fathom.calculus.landscape import grid


@pytest.mark.parametrize(
    ("text", "convex"),
    [
        ("0.5*x**2", True), ("exp(0.5*x)", True), ("abs(x)", True), ("max(x, 1 - x)", True),
        ("3 - 2*x", True), ("relu(x) + x**4", True), ("cos(pi*x)", False), ("x**3", False),
        ("-abs(x)", False), ("tanh(x)", False), ("x**4 - x**2", False),
    ],
)  # fmt: skip
def test_chords_tell_what_is_convex(text, convex):
    f, points = parse(text), grid(-2, 2, 41, 1)
    chord = worst_chord(f, points)
    assert (chord.above < 1e-9) is convex
    if not convex:  # the chord is a witness: somewhere on it f is that much above
        weights = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
        line = weights * f(chord.a[None]) + (1 - weights[:, 0, None]) * f(chord.b[None])
        above = f(weights * chord.a + (1 - weights) * chord.b) - line[:, 0]
        assert float(above.max()) >= chord.above > 1e-9


def test_chords_in_the_plane():
    points = grid(-1, 1, 7, 2)
    assert worst_chord(parse("x**2 + y**2 + x*y"), points).above < 1e-9
    saddle = worst_chord(parse("x**2 - y**2"), points)
    assert saddle.above == pytest.approx(1.0)  # over the middle of the chord along y
    assert saddle.a[0] == saddle.b[0]


@pytest.mark.parametrize(
    ("text", "least"), [("0.5*x**2", 1.0), ("cos(2*x)", -4.0), ("x**2 - 3*y**2 + x*y", None)]
)
def test_the_least_curvature_is_the_closed_form_s(text, least):
    f = parse(text)
    expected = np.linalg.eigvalsh([[2, 1], [1, -6]])[0] if least is None else least
    found = least_curvature(f, grid(-2, 2, 41, len(f.variables)))
    assert found == pytest.approx(expected, rel=1e-9)


def test_segments_of_convex_sets_stay_inside():
    points = grid(-1, 1, 21, 2)
    disc = lambda x: x.norm(dim=-1) <= 0.9  # noqa: E731
    ring = lambda x: disc(x) & (x.norm(dim=-1) > 0.5)  # noqa: E731
    assert segments_inside(disc, points) == 1
    assert segments_inside(lambda x: disc(x) & (x[..., 0] > 0), points) == 1
    assert 0.2 < segments_inside(ring, points) < 0.9


def nearest(point, constraints):
    """SciPy's nearest allowed point."""
    found = scipy.optimize.minimize(
        lambda z: ((z - point) ** 2).sum(), np.full(len(point), 0.2), constraints=constraints,
        method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    return found.x


@pytest.mark.parametrize("seed", range(4))
def test_projections_are_scipy_s_nearest_points(seed):
    point = np.random.default_rng(seed).normal(size=4) * 1.5
    x, normal = torch.from_numpy(point), torch.tensor([1.0, 2.0, -1.0, 0.5], dtype=torch.float64)
    in_ball = {"type": "ineq", "fun": lambda z: 0.49 - z @ z}
    below = {"type": "ineq", "fun": lambda z: 0.3 - normal.numpy() @ z}
    positive = {"type": "ineq", "fun": lambda z: z}
    of_sum_one = {"type": "eq", "fun": lambda z: z.sum() - 1}
    ways = [
        (onto_ball(x, 0.7), [in_ball]),
        (onto_halfspace(x, normal, 0.3), [below]),
        (onto_simplex(x), [positive, of_sum_one]),
    ]
    for ours, constraints in ways:
        np.testing.assert_allclose(ours.numpy(), nearest(point, constraints), atol=2e-5)
    assert onto_box(x, -0.5, 1.0).tolist() == np.clip(point, -0.5, 1.0).tolist()


def test_what_is_allowed_stays_where_it_is():
    x = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], dtype=torch.float64)
    normal = torch.ones(3, dtype=torch.float64)
    for project in (
        lambda p: onto_ball(p, 1.0),
        lambda p: onto_box(p, 0, 1),
        lambda p: onto_halfspace(p, normal, 1.0),
        onto_simplex,
    ):
        torch.testing.assert_close(project(x), x)


def test_a_clipped_gradient_is_torch_s():
    parameter = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.tensor([3.0, -1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    ours = onto_ball(parameter.grad, 1.0)
    torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    torch.testing.assert_close(parameter.grad, ours, rtol=1e-5, atol=0)


GOAL, BOUND = parse("(x - 2)**2 + 2*(y - 1)**2"), parse("x + y - 1")


def test_three_ways_to_a_constraint_end_where_scipy_s_does():
    oracle = scipy.optimize.minimize(
        lambda z: (z[0] - 2) ** 2 + 2 * (z[1] - 1) ** 2, [0.0, 0.0], method="SLSQP",
        constraints={"type": "ineq", "fun": lambda z: 1 - z.sum()}, options={"ftol": 1e-14},
    ).x  # fmt: skip
    normal = torch.ones(2, dtype=torch.float64)
    project = projected_descent(GOAL, lambda x: onto_halfspace(x, normal, 1.0), [3, 3], 0.1, 100)
    path, multipliers = lagrangian_path(GOAL, BOUND, [3, 3], 0.1, 400)
    dear = newton(penalised(GOAL, BOUND, 1e7), [2, 1], 4)
    for end in (project[-1], path[-1], dear[-1]):
        np.testing.assert_allclose(end.numpy(), oracle, atol=1e-6)
    assert (project.sum(1) <= 1 + 1e-12).all()
    assert multipliers[-1] == pytest.approx(8 / 3, abs=1e-9)
    assert len(multipliers) == len(path)


@pytest.mark.parametrize("price", [1.0, 10.0, 100.0])
def test_a_price_leaves_the_excess_that_is_known(price):
    end = newton(penalised(GOAL, BOUND, price), [2, 1], 4)[-1]
    assert price * float(BOUND(end)) == pytest.approx(2 / (3 / 4 + 1 / price), rel=1e-9)


def test_a_constraint_that_does_not_bind_has_no_multiplier():
    path, multipliers = lagrangian_path(GOAL, parse("x + y - 10"), [0, 0], 0.1, 300)
    assert path[-1].tolist() == pytest.approx([2, 1], abs=1e-6)
    assert multipliers[-1] == 0
