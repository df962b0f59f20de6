"""Distribution shift: what is claimed holds for each seed; solutions against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from calling import UNMEASURED, done, write_digits
from fathom.core.catalogue import load
from fathom.core.seeds import seed_everything
from fathom.data.shifts import Examples
from fathom.engine.evaluation import evaluating
from fathom.recipes.libraries import library
from fathom.recipes.shift import PENALTY, _fitted, _importance


def build(seed, **given):
    seed_everything(seed)
    recipe = load("distribution-shift")
    return recipe.function(**recipe.settings(given))


@pytest.mark.parametrize(("seed", "epochs"), [(0, 1), (1, 10), (2, 1), (3, 10)])
def test_the_claims_hold_for_each_seed(seed, epochs):
    experiment = build(seed)
    for epoch in range(epochs):
        for inputs, targets in experiment.train.epoch(seed, epoch):
            experiment.optimizer.zero_grad()
            experiment.objective(experiment.model(inputs), targets).backward()
            experiment.optimizer.step()
    with evaluating(experiment.model) as model:
        found = experiment.report(model)
    assert all(found.claims.values()), found.claims
    assert len(found.claims) == 5


@pytest.mark.parametrize("impl", ["torch", "scratch"])
def test_what_is_fitted_in_one_go_is_scikit_learn_s(impl):
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(80, 5, generator=random), torch.randint(0, 3, (80,), generator=random)
    weights = torch.rand(80, generator=random)
    model = _fitted(Examples(x, y), 3, weights, library(impl))
    total = float(weights.sum())  # it adds up where we average
    oracle = LogisticRegression(C=1 / (2 * PENALTY * total), tol=1e-10, max_iter=10_000)
    oracle.fit(x.double().numpy(), y.numpy(), sample_weight=weights.double().numpy())
    found = torch.softmax(model(x.double()), 1).numpy()
    np.testing.assert_allclose(found, oracle.predict_proba(x.double().numpy()), atol=1e-6)


def test_a_discriminator_finds_the_ratio_of_two_normal_densities():
    """Means -1/2 and 1/2 in one of two directions, variance 1: the ratio is exp(x)."""
    random = torch.Generator().manual_seed(0)
    source, new = torch.randn(2, 20_000, 2, generator=random)
    source[:, 0] -= 0.5
    new[:, 0] += 0.5
    weights = _importance(source, new[:10_000], 1e9, library("torch"))
    slope, start = np.polyfit(source[:, 0].numpy(), weights.log().numpy(), 1)
    assert slope == pytest.approx(1, abs=0.1)
    assert start == pytest.approx(0, abs=0.05)


def test_each_classifier_learns_from_its_own_examples():
    """New labels are for the third alone: turned over, they change nothing for the others."""
    models = []
    for turned in (False, True):
        experiment = build(0)
        targets = experiment.train.targets
        new = targets[:, 1] == 0
        assert torch.equal(
            targets[new][:, 2:], torch.tensor([[0.0, 1.0]]).expand(int(new.sum()), 2)
        )
        assert (targets[~new][:, [1, 3]] == torch.tensor([1.0, 0.0])).all()
        assert targets[:, 2].max() <= 20
        if turned:
            targets[new, 0] = 1 - targets[new, 0]
        for inputs, labels in experiment.train.epoch(0, 0):
            experiment.optimizer.zero_grad()
            experiment.objective(experiment.model(inputs), labels).backward()
            experiment.optimizer.step()
        models.append(experiment.model.state_dict())
    for key, value in models[0].items():
        assert torch.equal(value, models[1][key]) == (not key.startswith("members.2.")), key


def test_pictures_are_answered_by_the_corrected_classifier(tmp_path):
    run = tmp_path / "run"
    done("try", "distribution-shift", "--epochs", 10, "--out", run, "--quiet", *UNMEASURED)
    labels = write_digits(tmp_path / "scans", 30)
    rows = done("predict", run, tmp_path / "scans", "--json").json
    places = [int(row["input"].rpartition("/")[2].removesuffix(".png")) for row in rows]
    right = [
        (row["class"] == "five or more") == (labels[place] >= 5)
        for place, row in zip(places, rows, strict=True)
    ]
    assert sum(right) >= 24


def test_a_quick_look_need_not_bear_its_claims_out(tmp_path):
    few = ("--epochs", 1, "--limit-batches", 3, "--out", tmp_path / "run")
    facts = done("try", "distribution-shift", *few, *UNMEASURED, "--json").json
    assert facts["status"] == "done"
    assert not all(facts["findings"]["claims"].values())
