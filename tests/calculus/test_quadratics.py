"""Theory of descent on quadratics, against paths that were walked and other ways to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fathom.calculus.descent import descend, gradient_descent, hessian, noisy_descent
from fathom.calculus.quadratics import (
    best_momentum,
    best_rate,
    contraction,
    expected_squares,
    largest_rate,
    measured_contraction,
    momentum_contraction,
    momentum_matrix,
    noise_floor,
    quadratic,
)
from fathom.scratch import optim


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0])
def test_a_quadratic_has_the_curvatures_it_is_given(angle):
    f = quadratic([0.5, 8.0], angle=angle)
    h = hessian(f, torch.tensor([1.0, -3.0], dtype=torch.float64))
    np.testing.assert_allclose(np.linalg.eigvalsh(h.numpy()), [0.5, 8.0], rtol=1e-12)
    x = torch.tensor([1.0, -3.0], dtype=torch.float64)
    assert float(f(x)) == pytest.approx(float(x @ h @ x) / 2)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.8, 0.97])
@pytest.mark.parametrize("curvatures", [[1.0, 4.0], [0.2, 4.0], [1.0, 50.0]])
def test_measured_rates_are_the_spectral_ones_within_two_per_cent(curvatures, share):
    lr = share * largest_rate(curvatures)
    path = gradient_descent(quadratic(curvatures, angle=0.4), [2.0, 1.0], lr, 300)
    assert measured_contraction(path) == pytest.approx(contraction(lr, curvatures), rel=0.02)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("curvature", [0.2, 40.0])
def test_theory_splits_exactly_at_the_largest_rate(curvature, beta):
    edge = largest_rate([curvature], beta)
    radii = [momentum_contraction(edge * near, beta, [curvature]) for near in (1 - 1e-9, 1 + 1e-9)]
    assert radii[0] < 1 < radii[1]


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("near", "grows"), [(1 - 1e-5, False), (1 + 1e-5, True)])
def test_paths_split_there_too(beta, near, grows):
    lr = near * largest_rate([3.0], beta)
    path = descend(quadratic([3.0]), [1.0], lambda p: optim.SGD(p, lr=lr, momentum=beta), 400)
    assert bool(path[-1].abs() > path[-101].abs()) is grows


def test_no_rate_is_better_than_the_best_one():
    curvatures = [0.3, 2.0, 7.0]
    best = contraction(best_rate(curvatures), curvatures)
    condition = 7.0 / 0.3
    assert best == pytest.approx((condition - 1) / (condition + 1))
    for lr in np.linspace(1e-3, largest_rate(curvatures), 500):
        assert contraction(float(lr), curvatures) >= best - 1e-12


def test_no_momentum_is_better_than_polyak_s():
    curvatures = [1.0, 25.0]
    lr, beta = best_momentum(curvatures)
    best = momentum_contraction(lr, beta, curvatures)
    assert best == pytest.approx(math.sqrt(beta), rel=1e-6)
    assert best == pytest.approx((5 - 1) / (5 + 1), rel=1e-6)
    for other in np.linspace(0.01, 0.98, 25):
        for rate in np.linspace(0.005, largest_rate(curvatures, float(other)), 40):
            assert momentum_contraction(float(rate), float(other), curvatures) >= best - 1e-6


@pytest.mark.parametrize("condition", [4.0, 20.0, 100.0])
def test_the_best_momentum_is_measured_within_two_per_cent(condition):
    curvatures = [1.0, condition]
    lr, beta = best_momentum(curvatures)
    make = lambda p: optim.SGD(p, lr=lr, momentum=beta)  # noqa: E731
    path = descend(quadratic(curvatures), [1.0, 1.0], make, 400)
    assert measured_contraction(path) == pytest.approx(math.sqrt(beta), rel=0.02)


def test_the_matrix_of_momentum_is_a_step_of_torch_s():
    lr, beta, curvature = 0.13, 0.6, 2.5
    x = torch.tensor([1.7], dtype=torch.float64, requires_grad=True)
    rule = torch.optim.SGD([x], lr=lr, momentum=beta)
    state = torch.tensor([0.0, 1.7], dtype=torch.float64)
    for _ in range(6):
        x.grad = curvature * x.detach()
        rule.step()
        state = momentum_matrix(lr, beta, curvature) @ state
        velocity = rule.state[x]["momentum_buffer"]
        torch.testing.assert_close(state, torch.stack([velocity[0], x.detach()[0]]))


def test_a_path_that_swings_or_arrives_is_measured_too():
    steps = torch.arange(80, dtype=torch.float64)
    swings = 0.9**steps * torch.cos(steps * 1.1)
    assert measured_contraction(swings[:, None]) == pytest.approx(0.9, rel=0.02)
    assert measured_contraction(torch.tensor([[1.0], [0.0], [0.0]])) == 0


def test_noise_is_as_large_as_theory_says():
    curvatures, lr, noise = [1.0, 3.0], 0.2, 0.7
    generator = torch.Generator().manual_seed(0)
    start = torch.tensor([2.0, -1.0], dtype=torch.float64)
    path = noisy_descent(
        quadratic(curvatures), start.expand(20_000, 2), lambda t: lr, 60, noise=noise,
        generator=generator,
    )  # fmt: skip
    measured = (path**2).sum(-1).mean(-1)
    expected = expected_squares(curvatures, start.tolist(), [lr] * 60, noise)
    torch.testing.assert_close(measured, expected, rtol=0.05, atol=0)
    floor = sum(noise_floor(lr, curvature, noise) for curvature in curvatures)
    assert float(expected[-1]) == pytest.approx(floor, rel=1e-4)
