"""The forward-backward algorithm against sums over every path."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from fathom.text.hmm import chain_of, forward_backward, seen


def model(states, seed=0):
    generator = torch.Generator().manual_seed(seed)
    initial, transition = (
        torch.rand(*shape, states, generator=generator, dtype=torch.float64)
        for shape in ((), (states,))
    )
    return initial / initial.sum(), transition / transition.sum(1, keepdim=True)


def by_every_path(initial, transition, likelihood, upto):
    """(T, S) beliefs given the likelihoods of the steps t < upto(t), and the log of their sum."""
    T, S = likelihood.shape
    found = np.zeros((T, S))
    for t in range(T):
        for path in itertools.product(range(S), repeat=T):
            p = initial[path[0]] * math.prod(transition[a, b] for a, b in itertools.pairwise(path))
            p *= math.prod(likelihood[step, path[step]] for step in range(upto(t)))
            found[t, path[t]] += p
    return found / found.sum(1, keepdims=True), math.log(found[-1].sum())


@pytest.mark.parametrize(("states", "steps"), [(2, 1), (2, 6), (3, 5)])
def test_it_is_the_sum_over_every_path(states, steps):
    initial, transition = model(states)
    likelihood = torch.rand(4, steps, states, dtype=torch.float64)
    likelihood[1, steps // 2] = 1  # nothing seen there
    beliefs = forward_backward(initial, transition, likelihood)
    for b in range(4):
        words = initial.numpy(), transition.numpy(), likelihood[b].numpy()
        filtered, log_sum = by_every_path(*words, lambda t: t + 1)
        smoothed, _ = by_every_path(*words, lambda t: steps)
        np.testing.assert_allclose(beliefs.filtered[b], filtered, rtol=1e-12)
        np.testing.assert_allclose(beliefs.smoothed[b], smoothed, rtol=1e-12)
        assert float(beliefs.log_likelihood[b]) == pytest.approx(log_sum, rel=1e-12)


def test_long_sequences_do_not_underflow():
    initial, transition = model(4)
    beliefs = forward_backward(initial, transition, torch.full((1, 5_000, 4), 1e-3).double())
    assert float(beliefs.log_likelihood) == pytest.approx(5_000 * math.log(1e-3))
    torch.testing.assert_close(beliefs.smoothed.sum(2), torch.ones(1, 5_000).double())


def test_a_gap_in_a_cycle_is_known_from_either_side():
    """0 1 2 0 1 2 …: a hidden state follows from the one before as from the one after."""
    numbers = torch.arange(300) % 3
    initial, transition = chain_of(numbers, 3, added=0)
    hidden = torch.zeros(1, 9, dtype=torch.bool)
    hidden[0, [0, 4]] = True
    beliefs = forward_backward(initial, transition, seen(numbers[None, :9], 3, hidden))
    assert torch.equal(beliefs.smoothed[0].argmax(1), numbers[:9])
    assert beliefs.filtered[0, 0].max() < 0.5  # nothing stands before the first
    assert beliefs.smoothed[0, 0].max() == pytest.approx(1)


def test_a_chain_is_counted():
    initial, transition = chain_of(torch.tensor([0, 0, 1, 0, 2]), 3, added=1)
    counts = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]) + 1
    torch.testing.assert_close(transition, (counts / counts.sum(1, keepdim=True)).double())
    torch.testing.assert_close(initial, torch.tensor([4, 2, 2]).double() / 8)
