"""What layers do to variances, against theory and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calling import done
from fathom.core.seeds import seed_everything
from fathom.recipes import stability as study


def test_growth_of_products_is_what_newman_1986_gives():
    """The rate is E log |A u| for a unit u: of a normal vector's length, by NumPy."""
    numbers = np.random.default_rng(0).standard_normal((400_000, study.SIDE))
    expected = np.log(np.linalg.norm(numbers, axis=1)).mean()
    sizes = study._products(1.0, torch.Generator().manual_seed(1))
    rate = float((sizes[-1].log() - sizes[19].log()).mean()) / (study.FACTORS - 20)
    assert rate == pytest.approx(expected, abs=0.04)
    assert expected == pytest.approx(0.5 * (math.log(2) + 1 - np.euler_gamma), abs=0.005)


def test_products_are_numpys():
    generator = torch.Generator().manual_seed(2)
    sizes = study._products(0.7, generator)
    generator.manual_seed(2)
    shape = (study.TRIALS, study.SIDE, study.SIDE)
    product = np.eye(study.SIDE)
    for size in sizes:
        matrix = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
        product = np.einsum("...ij,...jk->...ik", product, 0.7 * matrix)
        np.testing.assert_allclose(size.numpy(), np.abs(product).max((1, 2)), rtol=1e-9)


@pytest.mark.parametrize("weights", study.WEIGHTS)
def test_relu_halves_what_no_activation_passes(weights):
    seed_everything(3)
    plain, halved = (
        study._factors(study._moments(study.ACTIVATIONS[name], study.WEIGHTS[weights], 12))
        for name in ("none", "ReLU")
    )
    gain = study.WIDTH * study.VARIANCES[weights]
    assert plain == pytest.approx((gain, gain), rel=0.12)
    assert halved == pytest.approx((gain / 2, gain / 2), rel=0.15)


def test_first_weights_have_the_variances_that_are_reckoned_with():
    seed_everything(0)
    for name, fill in study.WEIGHTS.items():
        weight = torch.empty(study.WIDTH, study.WIDTH)
        fill(weight)
        assert float(weight.var()) == pytest.approx(study.VARIANCES[name], rel=0.03)


def test_only_chance_tells_alike_units_apart():
    seed_everything(5)
    assert study._spread(study._units(0.0, False)) < 1e-12
    assert study._spread(study._units(0.5, False)) > 1e-3


@pytest.mark.parametrize("words", [["--depth", 2], ["--depth", 50, "--seed", 6]])
def test_its_claims_hold_at_any_depth(words, tmp_path):
    found = done("try", "initialization", *words, "--out", tmp_path / "run", "--json").json
    assert all(found["findings"]["claims"].values())
