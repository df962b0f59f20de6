"""Least squares and cross-validation against scikit-learn and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

from calling import done
from fathom.data import synthetic
from fathom.recipes import capacity as study


def cubic(count=60, noise=0.1, seed=0):
    return synthetic.polynomial(study.TRUE_WEIGHTS, study.HIGHEST, count, noise, seed)


@pytest.mark.parametrize("terms", [1, 2, 4, 7])
def test_the_fit_is_numpys(terms):
    x, y = cubic()
    expected = np.linalg.lstsq(x[:, :terms].double().numpy(), y.double().numpy(), rcond=None)[0]
    found = study._least_squares((x, y), terms).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_errors_and_the_cross_validated_ones_are_scikit_learns():
    train, valid = cubic(seed=0), cubic(seed=1)
    errors, _ = study._errors(train, valid, 5)
    model = LinearRegression(fit_intercept=False)
    for terms in (1, 2, 3, 4, 5, 6):
        x, y = train[0][:, :terms].double().numpy(), train[1].double().numpy()
        unseen = valid[0][:, :terms].double().numpy(), valid[1].double().numpy()
        model.fit(x, y)
        fitted = ((model.predict(x) - y) ** 2).mean()
        seen = ((model.predict(unseen[0]) - unseen[1]) ** 2).mean()
        scores = cross_val_score(model, x, y, cv=KFold(5), scoring="neg_mean_squared_error")
        assert errors["on training data"][terms - 1] == pytest.approx(fitted, rel=1e-6)
        assert errors["on unseen data"][terms - 1] == pytest.approx(seen, rel=1e-6)
        assert errors["in cross-validation"][terms - 1] == pytest.approx(-scores.mean(), rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_cross_validation_finds_the_cubic(seed):
    train = cubic(100, seed=seed)
    _, chosen = study._errors(train, cubic(100, seed=seed + 100), 5)
    assert chosen in (4, 5)
    _, fewer = study._errors(cubic(100, noise=20.0, seed=seed), train, 5)
    assert fewer < 4  # what is lost in noise is not worth a term


def test_the_line_of_a_labelling_has_the_signs_for_its_heights():
    for signs in study.halfplanes.labellings(study.POINTS[:3]):
        w0, w1, w2 = study._line(signs)
        heights = [w0 + w1 * x + w2 * y for x, y in study.POINTS[:3]]
        assert heights == pytest.approx(signs, abs=1e-5)


@pytest.mark.parametrize(
    "words",
    [
        ["--terms", 1, "--examples", 1],
        ["--terms", 20, "--examples", 3, "--folds", 9],
        ["--terms", 2, "--noise", 0, "--seed", 3],
        ["--terms", 20, "--noise", 5, "--examples", 15, "--impl", "scratch"],
    ],
)
def test_its_claims_hold_for_other_settings(words, tmp_path):
    said = done("try", "polynomial", *words, "--epochs", 1, "--out", tmp_path / "run", "--json")
    assert all(said.json["findings"]["claims"].values())
    assert len(said.json["findings"]["claims"]) == 4


def test_too_few_terms_stay_off_and_enough_come_down_to_the_noise(tmp_path):
    losses = {}
    for terms in (2, 4):
        out = tmp_path / str(terms)
        said = done("try", "polynomial", "--terms", terms, "--out", out, "--json", "--threads", 1)
        losses[terms] = said.json["final"]["valid"]["loss"]
    assert losses[2] > 1
    assert losses[4] == pytest.approx(0.1**2, rel=0.5)
