"""Attention's studies and kernel regression, against sums and closed forms written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calling import call, done
from fathom.core.catalogue import load
from fathom.core.seeds import seed_everything
from fathom.models.nadaraya_watson import nadaraya_watson
from fathom.recipes.self_attention import _exponent, _kept


def study(name, seed=0, **settings):
    seed_everything(seed)
    recipe = load(name)
    return recipe.function(**recipe.settings(settings))


def test_kernel_regression_is_the_book_s_training_by_hand():
    """NumPy, with every point hidden from itself: five steps on the sum of squared errors."""
    seed_everything(0)
    recipe = load("kernel-regression")
    experiment = recipe.function(**recipe.settings({}))
    model = experiment.model.double().train()
    w = model.scale.weight.item()
    x, y = model.keys.numpy(), model.values[:, 0].numpy()
    apart = x[:, None] - x

    def loss_of(w):
        kernel = np.exp(-((apart * w) ** 2) / 2) * (1 - np.eye(50))
        return (((kernel / kernel.sum(1, keepdims=True)) @ y - y) ** 2).sum()

    for _ in range(5):
        inputs, targets = model.keys[:, None], model.values
        loss = experiment.objective(model(inputs), targets)
        assert loss.item() == pytest.approx(loss_of(w), rel=1e-9)
        slope = (loss_of(w + 1e-5) - loss_of(w - 1e-5)) / 2e-5
        experiment.optimizer.zero_grad()
        loss.backward()
        experiment.optimizer.step()
        w -= 0.5 * slope
        assert model.scale.weight.item() == pytest.approx(w, rel=1e-5, abs=1e-5)
    assert experiment.counts(targets) == 1
    inputs, truth = (part.numpy() for part in next(experiment.valid.epoch(0, 0)))
    np.testing.assert_allclose(truth, 2 * np.sin(inputs) + inputs**0.8, rtol=1e-5)


def test_in_use_a_point_sees_itself_and_a_narrow_kernel_finds_the_nearest():
    model = nadaraya_watson(torch.tensor([0.0, 1.0, 3.0]), torch.tensor([5.0, 7.0, 9.0]))
    torch.nn.init.constant_(model.scale.weight, 50.0)
    asked = torch.tensor([[0.1], [1.0], [2.5]])
    torch.testing.assert_close(model.eval()(asked), torch.tensor([[5.0], [7.0], [9.0]]))
    hidden = model.train()(torch.tensor([[1.0]]))
    torch.testing.assert_close(hidden, torch.tensor([[5.0]]))


def test_kernel_regression_reports_three_ways_and_predicts(tmp_path):
    said = done("try", "kernel-regression", "--json", "--out", tmp_path / "run", "--threads", 1,
                "--precision", "fp32")  # fmt: skip
    rows = dict(said.json["findings"]["tables"]["Squared errors"]["rows"])
    mean, fixed, learned = rows.values()
    assert learned == pytest.approx(said.json["final"]["valid"]["loss"], rel=1e-4)
    assert fixed < mean
    assert done("predict", tmp_path / "run", "1.0", "--json").json


def test_scores_give_the_book_s_numbers():
    (table,) = study("attention-scoring").tables.values()
    assert [list(row) for row in table.rows] == [
        [2, "2 3 4 5", "2 3 4 5"],
        [6, "10 11 12 13", "10 11 12 13"],
    ]


@pytest.mark.parametrize("seed", range(3))
def test_scores_whatever_is_asked(seed):
    found = study("attention-scoring", seed, valid_lens=[0, 1, 3, 9], num_keys=3, hidden_size=2)
    assert all(found.claims.values()), found.claims
    (table,) = found.tables.values()
    assert [row[1] for row in table.rows] == ["0 0 0 0", "0 1 2 3", "4 5 6 7", "4 5 6 7"]


def test_a_wrong_length_is_told():
    said = call("run", "attention-scoring", "--valid-lens", "-1")
    assert said.status == 2
    assert "is less than 0" in said.error


@pytest.mark.parametrize(
    "settings",
    [
        dict(lengths=[16]),
        dict(lengths=[64, 16, 32], size=16, kernel=4),
        dict(lengths=[32], kernel=33),
    ],
    ids=str,
)
def test_costs_of_short_sequences_are_no_failure(settings):
    found = study("self-attention", **settings)
    assert all(found.claims.values()), found.claims


def test_what_is_kept_is_counted_to_the_byte():
    """A product keeps its two factors, an exponential its result."""

    def mixer(x):
        return (x * x.detach().clone()).exp()

    assert _kept(mixer, 10, 3) == 4 * 10 * 3 * 2
    assert _exponent([1, 10, 20, 40], [99, 100, 400, 1600]) == pytest.approx(2)
    assert math.isnan(_exponent([5], [3]))
