"""Probability against exact fractions and SciPy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from fathom.core.seeds import seed_everything
from fathom.recipes.chance import _counted, _shares_so_far, bayes, probability


def test_bayes_rule_in_fractions():
    prior, first, second = Fraction(15, 10_000), (1, Fraction(1, 100)), (0.98, 0.03)
    once = prior * first[0] / (prior * first[0] + (1 - prior) * first[1])
    assert bayes(0.0015, (1.0, 0.01)) == pytest.approx(float(once), rel=1e-14)
    assert f"{float(once):.4f}" == "0.1306"
    both = Fraction(98, 100) * once
    twice = both / (both + Fraction(3, 100) * (1 - once))
    assert bayes(float(once), second) == pytest.approx(float(twice), rel=1e-14)
    assert f"{float(twice):.4f}" == "0.8307"


def test_the_study_s_numbers():
    seed_everything(0)
    found = probability()
    found.check("probability")
    die = stats.randint(1, 7)
    assert found.numbers["expectation of a throw"] == pytest.approx(die.mean())
    assert found.numbers["its variance"] == pytest.approx(die.var())
    assert found.numbers["P(positive)"] == pytest.approx(0.011485, rel=1e-12)


@pytest.mark.parametrize("throws", [1, 7, 60_000])
def test_any_number_of_throws(throws):
    seed_everything(throws)
    probability(throws=throws).check("probability")


def test_shares_are_numpy_s():
    thrown = torch.tensor([0, 5, 5, 2, 0, 0])
    shares = _shares_so_far(thrown).numpy()
    for n in range(1, 7):
        counts = np.bincount(thrown[:n].numpy(), minlength=6)
        assert shares[n - 1] == pytest.approx(counts / n)


def test_counting_agrees_with_a_binomial_test():
    seed_everything(3)
    once, twice, errors = _counted()
    for share, error, truth in ((once, errors[0], 0.13060), (twice, errors[1], 0.83073)):
        n = round(truth * (1 - truth) / error**2)
        assert stats.binomtest(round(share * n), n, truth).pvalue > 1e-6


def test_a_wrong_rule_is_noticed(monkeypatch):
    """The healthy who test positive forgotten: whoever counts people sees it."""
    from fathom.recipes import chance

    monkeypatch.setattr(chance, "bayes", lambda prior, positives: positives[0])
    seed_everything(0)
    assert not all(chance.probability().claims.values())
