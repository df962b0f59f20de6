"""Scores against scikit-learn's, and what they say of nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from fathom.core.errors import DataError
from fathom.metrics import (
    accuracy,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    precision,
    recall,
    root_mean_squared_error,
    top_k_accuracy,
)


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(500, 7, generator=generator)
    labels = (logits + torch.randn(500, 7, generator=generator)).argmax(1)
    return logits, labels


def test_accuracy_is_scikit_learns(answers):
    logits, labels = answers
    expected = sk.accuracy_score(labels, logits.argmax(1))
    assert accuracy(logits, labels).item() == pytest.approx(expected, abs=1e-7)


def test_accuracy_of_each_position_of_sequences(answers):
    logits, labels = answers
    sequences = logits.view(50, 10, 7).transpose(1, 2)  # (N, K, steps)
    assert torch.equal(accuracy(sequences, labels.view(50, 10)), accuracy(logits, labels))


@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_top_k_accuracy_is_scikit_learns(answers, k):
    logits, labels = answers
    expected = sk.top_k_accuracy_score(labels, logits, k=k, labels=range(7))
    assert top_k_accuracy(logits, labels, k).item() == pytest.approx(expected, abs=1e-7)


def test_with_fewer_classes_than_k_every_answer_is_right(answers):
    assert top_k_accuracy(*answers, k=9) == 1


def test_confusion_matrix_is_scikit_learns(answers):
    logits, labels = answers
    expected = sk.confusion_matrix(labels, logits.argmax(1), labels=range(7))
    assert np.array_equal(confusion_matrix(logits, labels).numpy(), expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mean_squared_error, sk.mean_squared_error),
        (mean_absolute_error, sk.mean_absolute_error),
        (root_mean_squared_error, sk.root_mean_squared_error),
    ],
)
def test_errors_are_scikit_learns(ours, theirs):
    outputs, targets = torch.randn(2, 300, 1, dtype=torch.float64).unbind()
    assert ours(outputs, targets).item() == pytest.approx(theirs(targets, outputs), rel=1e-12)


REGRESSION = [mean_squared_error, mean_absolute_error, root_mean_squared_error]


@pytest.mark.parametrize("metric", REGRESSION)
def test_error_of_nothing_is_zero(metric):
    score = metric(torch.empty(0, 1), torch.empty(0, 1))
    assert score.shape == ()
    assert score == 0


@pytest.mark.parametrize("metric", [accuracy, top_k_accuracy])
def test_accuracy_of_nothing_is_zero(metric):
    score = metric(torch.empty(0, 10), torch.empty(0, dtype=torch.int64))
    assert score.shape == ()
    assert score == 0


def test_confusion_of_nothing_counts_nothing():
    assert confusion_matrix(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)).sum() == 0


@pytest.mark.parametrize("metric", REGRESSION)
def test_a_column_against_a_row_is_an_error_not_a_table(metric):
    with pytest.raises(DataError, match=r"\(4,\).*\(4, 1\)"):
        metric(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("metric", [accuracy, top_k_accuracy, confusion_matrix])
def test_labels_in_a_column_are_an_error(metric):
    with pytest.raises(DataError, match=r"\(4, 1\)"):
        metric(torch.zeros(4, 3), torch.zeros(4, 1, dtype=torch.int64))


@pytest.mark.parametrize("metric", [accuracy, top_k_accuracy, confusion_matrix, *REGRESSION])
def test_nothing_is_read_back_from_the_device(metric):
    """On the meta device there are no values: whatever would wait for one fails."""
    outputs = torch.empty(8, 6, device="meta")
    classes = metric not in REGRESSION
    targets = torch.empty(8, dtype=torch.int64, device="meta") if classes else outputs
    assert metric(outputs, targets).device.type == "meta"


def test_accuracy_of_shares_is_that_of_the_largest():
    logits, shares = torch.randn(50, 4), torch.rand(50, 4)
    expected = (logits.argmax(1) == shares.argmax(1)).float().mean()
    assert accuracy(logits, shares) == expected


def test_recall_and_precision_are_scikit_learns_and_nan_where_there_is_nothing(answers):
    logits, labels = answers
    labels = labels % 6  # a class of none, which is still guessed
    guesses = logits.argmax(1).clamp(max=6)
    guesses[guesses == 2] = 3  # and one that is never guessed
    counts = confusion_matrix(torch.nn.functional.one_hot(guesses, 7).float(), labels)
    more = dict(labels=range(7), average=None, zero_division=np.nan)
    for ours, theirs in ((recall, sk.recall_score), (precision, sk.precision_score)):
        expected = theirs(labels, guesses, **more)
        assert np.isnan(expected).sum() == 1
        np.testing.assert_allclose(ours(counts), expected, rtol=1e-6)
