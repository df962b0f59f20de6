"""Paths down functions: the book's traces to all their digits, SciPy, torch, closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from fathom.calculus.descent import (
    BookRMSprop,
    conjugate_gradient,
    descend,
    gradient,
    gradient_descent,
    hessian,
    line_search,
    nearest_minimum,
    newton,
    noisy_descent,
    preconditioned,
    steepest_descent,
)
from fathom.calculus.expressions import parse
from fathom.calculus.quadratics import quadratic
from fathom.scratch import optim

WAVE = "x*cos(0.15*pi*x)"
FLAT = parse("0.1*x1**2 + 2*x2**2")
START = [-5.0, -2.0]


def printed(path: torch.Tensor, digits: int = 6) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in path[-1].tolist())


@pytest.mark.parametrize(
    ("text", "start", "lr", "steps", "book"),
    [
        ("x**2", [10.0], 0.2, 10, "0.060466"),
        ("x**2", [10.0], 0.05, 10, "3.486784"),
        ("x**2", [10.0], 1.1, 10, "61.917364"),
        (WAVE, [10.0], 2.0, 10, "-1.528166"),
        ("x1**2 + 2*x2**2", START, 0.1, 20, "-0.057646, -0.000073"),
        (FLAT.text, START, 0.4, 20, "-0.943467, -0.000073"),
        (FLAT.text, START, 0.6, 20, "-0.387814, -1673.365109"),
    ],
)
def test_gradient_descent_ends_where_the_book_s_does(text, start, lr, steps, book):
    path = gradient_descent(parse(text), start, lr, steps)
    assert path.shape == (steps + 1, len(start))
    assert printed(path) == book
    same = descend(parse(text), start, lambda p: torch.optim.SGD(p, lr=lr), steps)
    torch.testing.assert_close(path, same, rtol=1e-13, atol=1e-13)


def adagrad(lr):
    """The book's eps inside the root is a first value of the sum, with none outside."""
    return lambda p: optim.Adagrad(p, lr, initial_accumulator_value=1e-6, eps=0)


@pytest.mark.parametrize(
    ("make", "book"),
    [
        (lambda p: optim.SGD(p, lr=0.6, momentum=0.5), "0.007188, 0.002553"),
        (lambda p: optim.SGD(p, lr=0.6, momentum=0.25), "-0.126340, -0.186632"),
        (adagrad(0.4), "-2.382563, -0.158591"),
        (adagrad(2.0), "-0.002295, -0.000000"),
        (lambda p: BookRMSprop(p, lr=0.4, gamma=0.9), "-0.010599, 0.000000"),
    ],
)  # fmt: skip
def test_optimisers_end_where_the_book_s_do(make, book):
    assert printed(descend(FLAT, START, make, 20)) == book


@pytest.mark.parametrize(
    ("text", "lr", "digits", "book"),
    [("cosh(0.5*x)", 1.0, 6, "0.000000"), (WAVE, 1.0, 4, "26.8341"), (WAVE, 0.5, 4, "7.2699")],
)
def test_newton_ends_where_the_book_s_does(text, lr, digits, book):
    end = newton(parse(text), [10.0], 10, lr=lr)[-1:] + 0.0
    assert printed(end, digits) == book


ROSENBROCK = parse("(1 - x)**2 + 100*(y - x**2)**2")


def test_slopes_and_curvatures_are_scipy_s():
    for point in ([-1.2, 1.0], [0.3, 2.0], [1.0, 1.0]):
        x = torch.tensor(point, dtype=torch.float64)
        slopes, curvatures = scipy.optimize.rosen_der(point), scipy.optimize.rosen_hess(point)
        np.testing.assert_allclose(gradient(ROSENBROCK, x).numpy(), slopes, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(hessian(ROSENBROCK, x).numpy(), curvatures, rtol=1e-12)


def test_many_points_at_once_are_each_by_itself():
    points = torch.randn(5, 2, dtype=torch.float64)
    for alone, together in (
        (gradient, gradient(ROSENBROCK, points)),
        (hessian, hessian(ROSENBROCK, points)),
    ):
        one_by_one = torch.stack([alone(ROSENBROCK, point) for point in points])
        torch.testing.assert_close(together, one_by_one)


def test_constants_and_planes_have_no_curvature():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for text in ("3 + 0*y", "2*x - y"):
        assert hessian(parse(text), x).tolist() == [[0, 0], [0, 0]]
    assert gradient(lambda p: torch.zeros(p.shape[:-1]), x).tolist() == [0, 0]
    assert gradient(parse("2*x - y"), x).tolist() == [2, -1]


@pytest.mark.parametrize(
    ("text", "start", "lowest"),
    [("exp(x) - 2*x", 1.5, math.log(2)), ("x - log(x)", 0.4, 1.0), ("x*log(x)", 0.5, math.exp(-1))],
)
def test_newton_squares_its_error(text, start, lowest):
    f = parse(text)
    errors = [abs(float(x) - lowest) for x in newton(f, [start], 8)]
    orders = [
        math.log(c / b) / math.log(b / a)
        for a, b, c in zip(errors, errors[1:], errors[2:], strict=False)
        if c > 1e-13 and a < 0.3
    ]
    assert orders[-1] == pytest.approx(2, abs=0.15)
    assert errors[-1] < 1e-12


def test_newton_needs_one_step_on_a_quadratic_of_any_number_of_variables():
    curvatures = [0.1, 1.0, 3.0, 40.0, 1000.0]
    assert float(newton(quadratic(curvatures), [1.0, -2.0, 3.0, 4.0, 5.0], 1)[-1].norm()) < 1e-12


def test_newton_goes_to_a_saddle_and_by_sizes_of_curvatures_away_from_it():
    saddle = parse("x**2 - y**2 + y**4")
    assert newton(saddle, [0.5, 0.1], 20)[-1].abs().max() < 1e-9
    away = newton(saddle, [0.5, 0.1], 40, absolute=True)[-1]
    assert away.tolist() == pytest.approx([0, math.sqrt(0.5)], abs=1e-9)


def test_newton_stops_where_the_hessian_cannot_be_inverted():
    assert len(newton(parse("2*x - y"), [1.0, 1.0], 5)) == 1


def test_a_line_search_finds_where_the_line_turns():
    point, direction = (torch.tensor(v, dtype=torch.float64) for v in ([-1.2, 1.0], [3.0, -1.0]))
    found = line_search(ROSENBROCK, point, direction)
    oracle = scipy.optimize.minimize_scalar(
        lambda t: float(ROSENBROCK(point + t * direction)), bracket=(0, 1e-3), tol=1e-12
    )
    assert found == pytest.approx(oracle.x, rel=1e-6)
    slope = gradient(ROSENBROCK, point + found * direction) @ direction
    assert abs(float(slope)) < 1e-9 * abs(float(gradient(ROSENBROCK, point) @ direction))


@pytest.mark.parametrize("condition", [3.0, 30.0])
def test_line_search_from_its_worst_start_is_kantorovich_s(condition):
    path = steepest_descent(quadratic([1.0, condition]), [condition, 1.0], 8)
    ratios = path.norm(dim=1)[1:] / path.norm(dim=1)[:-1]
    expected = torch.full_like(ratios, (condition - 1) / (condition + 1))
    torch.testing.assert_close(ratios, expected, rtol=1e-6, atol=0)


def test_conjugate_gradients_are_done_in_as_many_steps_as_variables():
    curvatures = [1.0, 2.0, 5.0, 11.0, 30.0]
    path = conjugate_gradient(quadratic(curvatures), [1.0, -1.0, 2.0, 0.5, -0.3], 5)
    assert float(path[-1].norm()) < 1e-9
    assert float(path[-2].norm()) > 1e-4


def test_conjugate_gradients_end_where_scipy_s_do():
    ours = conjugate_gradient(ROSENBROCK, [-1.2, 1.0], 60)[-1]
    theirs = scipy.optimize.fmin_cg(
        scipy.optimize.rosen, [-1.2, 1.0], scipy.optimize.rosen_der, disp=False
    )
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


def test_preconditioning_undoes_scales_along_variables():
    path = preconditioned(quadratic([1e-3, 1.0, 1e4]), [1.0, 2.0, 3.0], 1)
    assert float(path[-1].norm()) < 1e-12
    level = preconditioned(parse("x + y**2"), [1.0, 3.0], 1)[-1]
    assert level.tolist() == pytest.approx([0, 0])


@pytest.mark.parametrize("start", [[-1.2, 1.0], [2.0, -1.0]])
def test_the_nearest_minimum_is_found(start):
    assert nearest_minimum(ROSENBROCK, start).tolist() == pytest.approx([1, 1], abs=1e-8)


def test_a_minimum_without_curvature_is_one_too():
    assert abs(float(nearest_minimum(parse("x**4"), [2.0]))) < 1e-2


@pytest.mark.parametrize("text", ["x**3", "-x**2", "x", "exp(x)", "5", "x**2 - y**2", "x**2 + 0*y"])
def test_where_there_is_no_minimum_none_is_found(text):
    assert nearest_minimum(parse(text), [1.0, 0.5][: len(parse(text).variables)]) is None


def test_a_path_ends_where_there_are_no_numbers():
    assert gradient_descent(parse("x - log(x)"), [3.0], 5.0, 50).tolist() == [[3.0]]
    short = gradient_descent(parse("x**4"), [10.0], 1.0, 50)
    assert 1 < len(short) < 51
    assert torch.isfinite(short).all()


def test_without_noise_a_noisy_path_is_the_plain_one():
    generator = torch.Generator().manual_seed(0)
    path = noisy_descent(FLAT, START, lambda t: 0.1, 20, noise=0.0, generator=generator)
    torch.testing.assert_close(path, gradient_descent(FLAT, START, 0.1, 20))


def test_noisy_slopes_are_right_on_average_and_as_noisy_as_asked():
    generator = torch.Generator().manual_seed(1)
    start = torch.tensor(START, dtype=torch.float64)
    rates = iter([0.5, 0.25])
    path = noisy_descent(
        FLAT, start.expand(40_000, 2), lambda t: next(rates), 1, noise=3.0, generator=generator
    )
    slopes = (start - path[1]) / 0.5
    expected = gradient(FLAT, start)
    torch.testing.assert_close(slopes.mean(0), expected, rtol=0, atol=6 * 3 / 200)
    torch.testing.assert_close(slopes.std(0), torch.full((2,), 3.0).double(), rtol=0.02, atol=0)
