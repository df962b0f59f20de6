"""Drawing the next token: trimmed distributions against their definitions, and draws counted."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fathom.text.sampling import next_token, trimmed

LOGITS = st.lists(st.floats(-5, 5), min_size=1, max_size=9)


def by_hand(logits, temperature, top_k, top_p):
    """With sorted lists: keep k, then the fewest that reach p, and make the rest add up to 1."""
    weights = [math.exp(logit / temperature) for logit in logits]
    order = sorted(range(len(weights)), key=lambda i: -logits[i])
    kept = order[: top_k or len(order)]
    total = sum(weights[i] for i in kept)
    if top_p is not None:
        chosen, reached = [], 0.0
        for i in kept:
            if reached >= top_p:
                break
            chosen.append(i)
            reached += weights[i] / total
        kept = chosen or kept[:1]
    total = sum(weights[i] for i in kept)
    return [weights[i] / total if i in kept else 0.0 for i in range(len(weights))]


@given(LOGITS, st.floats(0.2, 3), st.none() | st.integers(1, 12), st.none() | st.floats(0.01, 0.99))
def test_trimmed_is_its_definition(logits, temperature, top_k, top_p):
    expected = by_hand(logits, temperature, top_k, top_p)
    found = trimmed(
        torch.tensor(logits, dtype=torch.float64), temperature=temperature, top_k=top_k, top_p=top_p
    )
    assert float(found.sum()) == pytest.approx(1)
    # A sum that reaches p to the last bit may take one more token or not.
    close = [abs(sum(sorted(found.tolist())[-n:]) - 1) < 1e-9 for n in range(1, len(logits) + 1)]
    assert any(close)
    if top_p is None:
        assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_top_p_keeps_the_fewest_that_reach_it():
    logits = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
    assert trimmed(logits, top_p=0.5).tolist() == pytest.approx([0, 1, 0, 0], abs=1e-6)
    assert trimmed(logits, top_p=0.6).tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3], abs=1e-6)
    assert trimmed(logits, top_k=3, top_p=0.99).tolist() == pytest.approx(
        [0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9], abs=1e-6
    )


def test_temperature_0_is_the_likeliest():
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, -1.0, 1.9]])
    assert next_token(logits).tolist() == [1, 0]
    assert next_token(logits, temperature=5.0, top_k=1).tolist() == [1, 0]
    assert next_token(logits, temperature=5.0, top_p=0.01).tolist() == [1, 0]


def test_draws_are_as_frequent_as_they_are_likely():
    """Within four standard deviations of the binomial."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).expand(20_000, 4)
    expected = torch.softmax(logits[0] / 0.7, 0)
    drawn = next_token(logits, temperature=0.7, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=4) / len(logits)
    spread = (expected * (1 - expected) / len(logits)).sqrt()
    assert bool(((shares - expected).abs() < 4 * spread).all())


def test_the_same_generator_draws_the_same():
    logits = torch.randn(5, 30)
    draws = [
        next_token(logits, temperature=1.0, generator=torch.Generator().manual_seed(seed)).tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
