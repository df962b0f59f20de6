"""What is said of classifiers on held-out pictures, against scikit-learn and NumPy."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from fathom.data.labels import balancing_weights
from fathom.data.picture_set import Pictures, PictureSet
from fathom.recipes.held_out import MOST_CLASSES, SHOWN, class_table, examined, looked_at, mistakes
from fathom.recipes.libraries import library
from fathom.recipes.pictures import balanced_loss, unbalanced

NAMES = ("owl", "cat", "dog")


class Told(nn.Module):
    """Says of a picture the class in its first pixel, as surely as its second one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 1, 1, 1))

    def forward(self, x):
        codes = (x[:, 0, 0] * 255).round()
        logits = nn.functional.one_hot(codes[:, 0].long(), len(NAMES)).float()
        return logits * (codes[:, 1:2] / 25)


@pytest.fixture
def told():
    """90 held-out pictures whose answers are drawn, with as many names of files."""
    numbers = np.random.default_rng(4)
    labels, said = numbers.integers(0, 3, 90), numbers.integers(0, 3, 90)
    said[said == 1] = 2  # nothing is called a cat
    images = torch.zeros(90, 1, 4, 4, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.tensor(said), torch.randperm(90) + 20
    images[:, 0, 3, 3] = torch.arange(90)
    files = [f"held/{n}.png" for n in range(90)]
    labels = torch.tensor(labels)
    valid = Pictures(images, labels, 3, split="valid", names=files)
    train = Pictures(images, labels, 3, names=files)
    return PictureSet("told", train, valid, NAMES), said


def test_counts_and_scores_are_scikit_learns(told):
    pictures, said = told
    labels = pictures.valid.labels.numpy()
    with torch.inference_mode():
        seen = looked_at(Told(), pictures.valid.batches(40, shuffle=False))
    assert np.array_equal(seen.counts.numpy(), sk.confusion_matrix(labels, said))
    table = class_table(seen.counts, NAMES)
    rows = {row[0]: row[1:] for row in table.rows}
    for average, names in ((None, NAMES), ("macro", ["mean of all"])):
        more = dict(average=average, zero_division=np.nan)
        for column, score in ((1, sk.recall_score), (2, sk.precision_score)):
            expected = np.atleast_1d(score(labels, said, **more))
            for name, value in zip(names, expected, strict=True):
                found = rows[name][column]
                assert found is None if np.isnan(value) else found == pytest.approx(value, abs=1e-4)
    assert [rows[name][0] for name in NAMES] == np.bincount(labels).tolist()
    assert rows["cat"][2] is None


def test_the_worst_mistakes_are_the_most_confident_whatever_the_batches(told):
    pictures, said = told
    labels = pictures.valid.labels.numpy()
    sureness = pictures.valid.images[:, 0, 0, 1].numpy()
    wrong = np.flatnonzero(said != labels)
    expected = wrong[np.argsort(-sureness[wrong].astype(int), kind="stable")]
    for size in (7, 90):
        with torch.inference_mode():
            found = examined(pictures)(Told(), pictures.valid.batches(size, shuffle=False))
        rows = list(csv.reader(io.StringIO(found.files["mistakes.csv"].decode())))
        assert [row[0] for row in rows[1:]] == [f"held/{n}.png" for n in expected]
        for row, n in zip(rows[1:], expected, strict=True):
            assert row[1:3] == [NAMES[labels[n]], NAMES[said[n]]]
        sheet = found.figures["mistakes"].axes[0]
        shown = [np.asarray(image.get_array())[3, 3] for image in sheet.images]
        assert shown == expected[:SHOWN].tolist(), "the pictures themselves"
        assert f"{expected[0]}.png" in sheet.texts[0].get_text()


def test_a_model_that_is_never_wrong_has_no_mistakes(told):
    pictures, _ = told
    valid = pictures.valid
    valid.images[:, 0, 0, 0] = valid.labels.to(torch.uint8)
    with torch.inference_mode():
        found = examined(pictures)(Told(), valid.batches(30, shuffle=False))
    assert set(found.figures) == {"predictions", "confusion"}
    assert "Most common mistakes" not in found.tables
    assert found.files["mistakes.csv"].decode().splitlines() == ["file,is,taken for,probability"]


def test_names_go_with_their_pictures(told):
    valid = told[0].valid
    chosen = valid.chosen(torch.tensor([5, 2]))
    assert list(chosen.names) == ["held/5.png", "held/2.png"]
    for size in (2, 8):
        assert list(valid.resized(size).names) == list(valid.names)


def test_of_many_classes_the_least_known_are_in_the_table():
    known = torch.arange(30)
    counts = torch.diag(known)
    counts[:, 0] += 30 - known
    rows = class_table(counts, [f"c{n}" for n in range(30)]).rows
    assert [row[0] for row in rows[:-1]] == [f"c{n}" for n in range(1, MOST_CLASSES + 1)]
    assert mistakes(counts, [f"c{n}" for n in range(30)]).rows[0] == ["c1", "c0", 29]


def test_weights_are_scikit_learns_balanced_ones():
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert np.allclose(balancing_weights(labels, 3), expected)
    assert balancing_weights(labels, 4)[3] == 0, "a class of none"


@pytest.mark.parametrize("impl", ["torch", "scratch"])
def test_the_balanced_loss_is_scikit_learns_and_pulls_no_way_where_nothing_is_known(told, impl):
    labels = torch.tensor([0] * 70 + [1] * 15 + [2] * 5)
    images = torch.zeros(90, 1, 2, 2, dtype=torch.uint8)
    pictures = replace(told[0], train=Pictures(images, labels, 3))
    loss = balanced_loss(pictures, library(impl))
    logits = torch.randn(90, 3, dtype=torch.float64, requires_grad=True)
    shares = logits.detach().softmax(1).numpy()
    weights = balancing_weights(labels, 3)[labels].numpy()
    expected = sk.log_loss(labels.numpy(), shares, sample_weight=weights)
    assert loss(logits, labels).item() == pytest.approx(expected, rel=1e-6)
    # In batches of like size the mean of the means is the whole: no batch is weighed by itself.
    parts = [loss(logits[n::9], labels[n::9]) for n in range(9)]
    assert torch.stack(parts).mean().item() == pytest.approx(expected, rel=1e-6)
    level = torch.zeros(3, requires_grad=True)
    loss(level.expand(90, 3), labels).backward()
    torch.testing.assert_close(level.grad, torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("impl", ["torch", "scratch"])
def test_smoothed_labels_weigh_as_their_pictures_do(told, impl):
    labels = torch.tensor([0] * 70 + [1] * 15 + [2] * 5)
    images = torch.zeros(90, 1, 2, 2, dtype=torch.uint8)
    pictures = replace(told[0], train=Pictures(images, labels, 3))
    logits = torch.randn(90, 3, dtype=torch.float64)
    spread = 0.8 * np.eye(3)[labels.numpy()] + 0.2 / 3
    losses = -(spread * logits.log_softmax(1).numpy()).sum(1)
    weights = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    found = balanced_loss(pictures, library(impl), smoothing=0.2)(logits, labels)
    assert found.item() == pytest.approx((weights[labels.numpy()] * losses).mean(), rel=1e-6)


def test_what_is_only_measured_on_is_not_to_be_balanced(told):
    images = torch.zeros(40, 1, 2, 2, dtype=torch.uint8)
    uneven = Pictures(images, torch.tensor([0] * 30 + [1] * 8 + [2] * 2), 3)
    assert unbalanced(replace(told[0], train=uneven, elsewhere=True)) == []


def test_uneven_classes_are_told(told):
    images = torch.zeros(40, 1, 2, 2, dtype=torch.uint8)
    uneven = Pictures(images, torch.tensor([0] * 30 + [1] * 8 + [2] * 2), 3)
    (note,) = unbalanced(replace(told[0], train=uneven))
    assert "2 pictures of dog to learn from, and 30 pictures of owl" in note
    assert unbalanced(told[0]) == []
