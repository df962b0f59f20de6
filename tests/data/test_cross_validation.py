"""k folds side by side, against scikit-learn's and against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.model_selection import KFold

from fathom.core.errors import SettingError
from fathom.data.cross_validation import counted, folds, means


@pytest.mark.parametrize(("count", "k"), [(10, 5), (1460, 5), (9, 3), (4, 2)])
def test_blocks_are_those_of_scikit_learn(count, k):
    found = folds(count, k)
    for fold, (_, held) in enumerate(KFold(k).split(np.zeros(count))):
        assert torch.nonzero(found == fold).flatten().tolist() == held.tolist()


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize(("count", "k"), [(11, 5), (2, 2), (103, 10)])
def test_each_row_is_held_out_once_and_parts_are_alike(count, k, seed):
    found = folds(count, k, shuffle_seed=seed)
    sizes = torch.bincount(found, minlength=k)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1
    assert torch.equal(found, folds(count, k, shuffle_seed=seed))


def test_shuffled_folds_follow_the_seed():
    one, other = folds(100, 5, shuffle_seed=1), folds(100, 5, shuffle_seed=2)
    assert not torch.equal(one, other)
    assert not torch.equal(one, folds(100, 5))


@pytest.mark.parametrize(("count", "k"), [(4, 5), (1, 2), (10, 1), (0, 2)])
def test_parts_without_a_row_are_refused(count, k):
    with pytest.raises(SettingError, match=f"--folds {k}: {count} rows cannot be held out"):
        folds(count, k)


def test_means_are_those_of_loops_over_folds():
    random = torch.Generator().manual_seed(0)
    values, fold = torch.randn(30, 3, generator=random), folds(30, 3, shuffle_seed=0)
    train, valid = counted(torch.arange(30.0), fold, 3)
    assert torch.equal(train[:, 0], torch.arange(30.0))
    assert torch.equal(train[:, 1:] + valid[:, 1:], torch.ones(30, 3))
    for k in range(3):
        of_fold = values[:, k]
        assert means(values, train[:, 1:])[k] == pytest.approx(float(of_fold[fold != k].mean()))
        assert means(values, valid[:, 1:])[k] == pytest.approx(float(of_fold[fold == k].mean()))


def test_a_batch_without_a_row_that_counts_weighs_nothing():
    values = torch.ones(2, 2, requires_grad=True)
    means(values, torch.tensor([[1.0, 0.0], [1.0, 0.0]])).sum().backward()
    assert values.grad.tolist() == [[0.5, 0.0], [0.5, 0.0]]
