"""Truncated gradients compared: what the table says, against the links' own statistics."""

from __future__ import annotations

import pytest
import torch

from fathom.core.catalogue import load


def study(seed=0, **settings):
    torch.manual_seed(seed)
    recipe = load("bptt")
    return recipe.function(**recipe.settings(settings))


@pytest.mark.parametrize("seed", range(6))
def test_its_claims_hold_whatever_the_seed_and_size(seed):
    found = study(seed, steps=5 + 7 * seed, hidden=4 + 3 * seed, radius=0.6 + 0.15 * seed)
    assert all(found.claims.values()), found.claims


def test_fixed_is_biased_and_random_is_spread():
    rows = study(samples=4_000).tables["Truncated gradients, beside the whole one"].rows
    fixed = {row[1]: row for row in rows if row[0] == "fixed"}
    drawn = {row[1]: row for row in rows if row[0] == "random"}
    assert rows[0][1:] == [35, 1.0, 0.0, 0.0, 1.0]
    for window in (4, 8, 16):
        assert fixed[window][4] == 0
        # The mean of n draws is off by a spread of 1/sqrt(n), however it is biased.
        assert drawn[window][3] < 4 * drawn[window][4] / 4_000**0.5
        assert drawn[window][3] < fixed[window][3]
    assert drawn[4][4] > drawn[8][4] > drawn[16][4] > 0
