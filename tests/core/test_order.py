"""The order of the data and each sample's chance: pure functions of seed, epoch and index."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.core.order import derive, permutation, uniforms

SEEDS = st.integers(0, 2**32 - 1)
EPOCHS = st.integers(0, 10_000)


@given(st.integers(1, 500), SEEDS, EPOCHS)
def test_a_permutation_holds_each_index_once(count, seed, epoch):
    assert permutation(count, seed, epoch).sort().values.tolist() == list(range(count))


@given(st.integers(1, 100), SEEDS, EPOCHS)
def test_a_permutation_is_a_pure_function(count, seed, epoch):
    before = torch.get_rng_state()
    first = permutation(count, seed, epoch)
    torch.rand(3)
    assert torch.equal(first, permutation(count, seed, epoch))
    torch.set_rng_state(before)
    permutation(count, seed, epoch)
    assert torch.equal(before, torch.get_rng_state()), "it drew from the common generator"


def test_seeds_and_epochs_give_other_orders():
    orders = {tuple(permutation(50, s, e).tolist()) for s in range(20) for e in range(20)}
    assert len(orders) == 400


def test_each_index_is_as_likely_in_each_place():
    count, rounds = 8, 4_000
    seen = torch.stack([permutation(count, 3, epoch) for epoch in range(rounds)])
    counts = torch.stack([(seen == index).sum(0) for index in range(count)])
    expected = rounds / count
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert chi2 < 49 + 5 * (2 * 49) ** 0.5, "five standard deviations of chi-squared, 49 freedoms"


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=20), SEEDS, EPOCHS, st.integers(1, 6))
def test_uniforms_lie_in_the_unit_interval(indices, seed, epoch, columns):
    found = uniforms(torch.tensor(indices), seed, epoch, columns)
    assert found.shape == (len(indices), columns)
    assert found.dtype == torch.float32
    assert bool((found >= 0).all())
    assert bool((found < 1).all())


@given(st.integers(2, 200), SEEDS, EPOCHS, st.integers(1, 5), st.data())
def test_a_sample_s_numbers_do_not_depend_on_its_batch(count, seed, epoch, columns, data):
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=30))
    whole = uniforms(torch.arange(count), seed, epoch, columns)
    assert torch.equal(uniforms(torch.tensor(chosen), seed, epoch, columns), whole[chosen])


@given(SEEDS, EPOCHS, st.integers(1, 4))
def test_more_columns_leave_the_first_as_they_are(seed, epoch, columns):
    indices = torch.arange(10)
    wide = uniforms(indices, seed, epoch, columns + 3)
    assert torch.equal(uniforms(indices, seed, epoch, columns), wide[:, :columns])


@settings(max_examples=20)
@given(SEEDS, EPOCHS)
def test_uniforms_are_uniform_and_not_correlated(seed, epoch):
    found = uniforms(torch.arange(4_096), seed, epoch, 4).double().numpy()
    for column in found.T:
        steps = np.arange(1, 4_097) / 4_096
        distance = np.abs(np.sort(column) - steps).max()  # Kolmogorov and Smirnov's
        assert distance * 64 < 3.0, "one in 10^7 if uniform"
    correlations = np.corrcoef(found, rowvar=False)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 6 / 64
    neighbours = np.corrcoef(found[:-1, 0], found[1:, 0])[0, 1]
    assert abs(neighbours) < 6 / 64


@pytest.mark.parametrize("word", [0, 1, 0x0123456789ABCDEF, 2**64 - 1])
def test_the_mixer_is_splitmix64_s(word):
    """Its finaliser written with NumPy's 64-bit words, which wrap as C's do."""
    with np.errstate(over="ignore"):
        z = np.uint64(word) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    assert derive(word) == int(z) >> 1


@given(SEEDS, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3))
def test_derived_seeds_are_63_bits_and_pure(seed, numbers):
    found = derive(seed, *numbers)
    assert 0 <= found < 2**63
    assert derive(seed, *numbers) == found


def test_derived_seeds_differ():
    found = {derive(seed, use) for seed in range(100) for use in range(100)}
    assert len(found) == 10_000
    assert derive(1, 2) != derive(2, 1)
