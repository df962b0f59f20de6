"""What undoes a shift, against closed forms: densities that are known, matrices that are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.core.errors import DataError
from fathom.data import shifts
from fathom.data.shifts import Examples


def test_the_main_direction_is_that_of_the_singular_value_decomposition():
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7)
    centred = (x - x.mean(0)).double().numpy()
    _, _, directions = np.linalg.svd(centred)
    along = centred @ directions[0]
    expected = along / along.std(ddof=1) * np.sign(directions[0].sum())
    np.testing.assert_allclose(shifts.main_direction(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_chance_of_being_new_is_the_sigmoid():
    along = torch.tensor([-2.0, 0.0, 1.0]).repeat_interleave(20_000)
    is_new = shifts.covariate_shift(along, 1.5, torch.Generator().manual_seed(0))
    found = is_new.view(3, -1).float().mean(1)
    torch.testing.assert_close(found, torch.sigmoid(torch.tensor([-3, 0, 1.5])), atol=0.01, rtol=0)


def test_exact_odds_give_the_ratio_of_two_normal_densities():
    """Source N(0, 1), three times as many as of the target N(1, 1): log p/q = x - 1/2."""
    x = torch.linspace(-3, 3, 13)
    log_odds = x - 0.5 - torch.tensor(3.0).log()
    weights = shifts.importance(log_odds, 300, 100, clip=5.0)
    torch.testing.assert_close(weights, (x - 0.5).exp().clamp(max=5.0))


def test_weights_of_densities_carry_a_mean_over():
    source = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = shifts.importance(source - 0.5, 1, 1, clip=1e9)
    assert float((weights * source).sum() / weights.sum()) == pytest.approx(1.0, abs=0.02)
    # E[w]² / E[w²] of a lognormal is 1 / e.
    assert shifts.effective_size(weights) / len(source) == pytest.approx(np.exp(-1), abs=0.02)


def test_the_effective_size_counts_equal_weights():
    assert shifts.effective_size(torch.ones(7)) == 7
    assert shifts.effective_size(torch.tensor([2.0, 0, 2, 0])) == 2


def test_shares_are_solved_exactly_where_the_confusion_is_known():
    confusion = torch.tensor(
        [[0.8, 0.1, 0.2], [0.1, 0.7, 0.3], [0.1, 0.2, 0.5]], dtype=torch.float64
    )
    true = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    found = shifts.solved_shares(confusion, confusion @ true)
    torch.testing.assert_close(found, true)
    assert shifts.distance(found, true) < 1e-12
    assert shifts.distance(confusion @ true, true) > 0.05


def test_no_share_is_below_nothing():
    found = shifts.solved_shares(torch.tensor([[0.9, 0.2], [0.1, 0.8]]), torch.tensor([0.95, 0.05]))
    assert found.tolist() == [1, 0]


def test_a_confusion_that_tells_nothing_is_refused():
    with pytest.raises(DataError, match="cannot be solved for the shares"):
        shifts.solved_shares(torch.full((2, 2), 0.5).double(), torch.tensor([0.5, 0.5]).double())


def test_the_confusion_matrix_is_scikit_learn_s():
    from sklearn.metrics import confusion_matrix

    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (200,), generator=random)
    guesses = torch.randint(0, 4, (200,), generator=random)
    expected = confusion_matrix(labels, guesses, normalize="true").T  # theirs has a row a label
    np.testing.assert_allclose(shifts.confusion(guesses, labels, 4).numpy(), expected)


def test_labels_shift_and_pictures_of_a_class_do_not():
    pool = Examples(torch.arange(6.0)[:, None], torch.tensor([0, 0, 0, 0, 1, 1]))
    wanted = torch.tensor([0.2, 0.8])
    drawn = shifts.label_shift(pool, wanted, 20_000, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(shifts.shares(drawn.y, 2).float(), wanted, atol=0.01, rtol=0)
    of_class_one = drawn.rows(drawn.y == 1).x[:, 0]
    assert float((of_class_one == 4).float().mean()) == pytest.approx(0.5, abs=0.02)
    noisy = shifts.label_shift(pool, wanted, 20_000, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(noisy.y, drawn.y)
    assert float((noisy.x - drawn.x).std()) == pytest.approx(0.5, abs=0.01)
