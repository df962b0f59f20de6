"""Made data against the closed form."""

from __future__ import annotations

import math

import numpy as np
import torch

from fathom.data.synthetic import exclusive_or, linear, polynomial, powers, separable


def test_linear_is_the_line_and_noise_of_the_size_asked_for():
    x, y = linear([2, -3.4], 4.2, 20_000, 0.01, seed=3)
    assert x.shape == (20_000, 2)
    assert y.shape == (20_000, 1)
    design = np.concatenate([x.double().numpy(), np.ones((20_000, 1))], 1)
    solution, residual, *_ = np.linalg.lstsq(design, y.double().numpy(), rcond=None)
    np.testing.assert_allclose(solution.ravel(), [2, -3.4, 4.2], atol=5e-4)
    np.testing.assert_allclose(math.sqrt(residual[0] / 20_000), 0.01, rtol=0.03)
    exact = x @ torch.tensor([[2.0], [-3.4]]) + 4.2
    assert torch.equal(linear([2, -3.4], 4.2, 100, 0.0, seed=3)[1], exact[:100]) is False
    x0, y0 = linear([2, -3.4], 4.2, 100, 0.0, seed=3)
    torch.testing.assert_close(y0, x0 @ torch.tensor([[2.0], [-3.4]]) + 4.2)


def test_the_same_seed_gives_the_same_and_leaves_torchs_own_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two, other = (polynomial([5, 1.2], 4, 50, 0.1, seed=s) for s in (1, 1, 2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])
    assert torch.equal(before, torch.get_rng_state())


def test_powers_over_factorials():
    x = torch.linspace(-3, 3, 13)
    features = powers(x, 20)
    assert features.shape == (13, 20)
    for i in range(20):
        expected = x.double().pow(i) / math.gamma(i + 1)
        torch.testing.assert_close(features[:, i].double(), expected, rtol=1e-6, atol=1e-12)


def test_polynomial_is_the_cubic_of_the_book():
    x, y = polynomial([5, 1.2, -3.4, 5.6], 20, 5000, 0.1, seed=0)
    assert x.shape == (5000, 20)
    assert y.shape == (5000, 1)
    z = x[:, 1].double()
    noise = y[:, 0].double() - (5 + 1.2 * z - 3.4 * z**2 / 2 + 5.6 * z**3 / 6)
    assert abs(float(noise.mean())) < 0.01
    np.testing.assert_allclose(float(noise.std()), 0.1, rtol=0.05)


def test_exclusive_or_has_its_corners_in_turn():
    points, labels = exclusive_or(400, 0.1, seed=2)
    assert torch.equal(labels, (points[:, 0] * points[:, 1] < 0).long())
    for corner in range(4):
        cloud = points[corner::4].double()
        np.testing.assert_allclose(cloud.abs().mean(0).numpy(), [1, 1], atol=0.04)
        np.testing.assert_allclose(cloud.std(0).numpy(), [0.1, 0.1], rtol=0.25)


def test_separable_points_keep_their_margin():
    x, signs, normal = separable(5000, 6, 0.2, seed=4)
    distances = (signs * (x @ normal)).numpy()
    np.testing.assert_allclose(float(normal.norm()), 1, rtol=1e-12)
    assert 0.2 <= distances.min() < 0.21
    assert 0.99 < distances.max() <= 1
    assert 0.45 < float((signs > 0).double().mean()) < 0.55
    along = torch.outer(x @ normal, normal)
    np.testing.assert_allclose(float((x - along).square().sum(1).mean()), 1, rtol=0.05)
