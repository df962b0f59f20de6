"""Chapter 11's experiments: the book's losses, two libraries step by step, and what is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.core.experiment import Experiment
from fathom.core.paths import data_dirs
from fathom.core.seeds import seed_everything
from fathom.data import airfoil
from fathom.engine.race import laps
from fathom.recipes import optimisers, racing
from fathom.recipes.libraries import library

BOOK = ["minibatch-sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam"]
NAMES = list(racing.optimizers(library("torch")))
LEAST, MOST = 0.242, 0.247  # of the book's published losses


def real_or_made():
    here = any((folder / "airfoil" / "airfoil_self_noise.dat").is_file() for folder in data_dirs())
    return "airfoil" if here else "made"


def experiment(name, data, **settings) -> Experiment:
    seed_everything(0)
    return load(name).function(data=data, **settings)


@pytest.mark.parametrize("name", BOOK)
def test_on_the_airfoil_data_its_loss_is_one_of_the_book_s(name):
    if real_or_made() == "made":
        pytest.skip("airfoil is not in $FATHOM_DATA")
    loss = laps(experiment(name, "airfoil"), seed=0)[-1].scores["loss"]
    assert LEAST <= loss <= MOST


@pytest.mark.parametrize("way", [(1.0, 1_500, 10), (0.005, 1, 2), (0.4, 100, 2)])
def test_so_are_those_of_one_of_all_and_of_a_hundred_examples(way):
    if real_or_made() == "made":
        pytest.skip("airfoil is not in $FATHOM_DATA")
    lr, batch_size, epochs = way
    e = experiment("minibatch-sgd", "airfoil", lr=lr, batch_size=batch_size, epochs=epochs)
    assert LEAST <= laps(e, seed=0)[-1].scores["loss"] <= MOST


@pytest.mark.parametrize("name", NAMES)
def test_scratch_and_torch_are_equal_at_every_step(name):
    """1e-6 after each of the 300 steps of two epochs, each of the nine optimisers."""
    x, y = racing.measurements(real_or_made())
    paths = []
    for impl in ("torch", "scratch"):
        lib = library(impl)
        way = racing.Way(racing.optimizers(lib)[name], 10, 2)
        seed_everything(0)
        model = racing.linear_regression(5, nn=lib.nn)
        weights = []
        e = racing.regression(x, y, model, way)
        e.optimizer.register_step_post_hook(
            lambda *_, model=model, weights=weights: weights.append(
                torch.cat([p.detach().flatten() for p in model.parameters()])
            )
        )
        laps(e, seed=0)
        paths.append(torch.stack(weights))
    assert len(paths[0]) == 300
    assert float((paths[0] - paths[1]).abs().max()) <= 1e-6


def test_the_least_loss_is_numpy_s():
    x, y = airfoil.made()
    design = np.concatenate([x.numpy(), np.ones((len(x), 1))], axis=1).astype("float64")
    _, residuals, *_ = np.linalg.lstsq(design, y.numpy().astype("float64"), rcond=None)
    assert racing.least_loss(x, y) == pytest.approx(float(residuals[0]) / len(x) / 2, rel=1e-9)


def test_what_is_made_up_is_standardised_and_close_to_what_was_measured():
    x, y = airfoil.made()
    assert x.shape == (1500, 5)
    assert y.shape == (1500, 1)
    values = torch.cat([x, y], 1)
    torch.testing.assert_close(values.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(0, correction=0), torch.ones(6), atol=1e-5, rtol=0)
    correlations = torch.tensor(airfoil.CORRELATIONS)
    torch.testing.assert_close(torch.corrcoef(x.T), correlations, atol=0.08, rtol=0)
    assert 0.23 < racing.least_loss(x, y) < 0.25
    assert torch.equal(airfoil.made()[0], x)


@pytest.mark.parametrize("impl", ["torch", "scratch"])
def test_where_adam_goes_wrong(impl):
    """A step is lr g / sqrt(v), and v is worked out here: up by the cycle for Adam, and down for a
    v that is the largest so far."""
    findings = optimisers._adversary(library(impl))
    findings.check("adam")
    beta, v, largest, adam, amsgrad = 1 / 17, 0.0, 0.0, 0.0, 0.0
    for t, g in enumerate([4.0, -1.0, -1.0] * 60, 1):
        v = beta * v + (1 - beta) * g * g
        largest = max(largest, v)
        unbiased = 1 - beta**t
        adam = min(max(adam - 0.01 * g / math.sqrt(v / unbiased), -1), 1)
        amsgrad = min(max(amsgrad - 0.01 * g / math.sqrt(largest / unbiased), -1), 1)
    adams = optimisers._walk(
        lambda p: library(impl).optim.Adam(p, lr=0.01, betas=(0.0, 1 / 17)),
        [4.0, -1.0, -1.0] * 60,
        within=1.0,
    )
    kinder = optimisers._walk(
        lambda p: library(impl).optim.Adam(p, lr=0.01, betas=(0.0, 1 / 17), amsgrad=True),
        [4.0, -1.0, -1.0] * 60,
        within=1.0,
    )
    assert adams[-1] == pytest.approx(adam, abs=1e-6)
    assert kinder[-1] == pytest.approx(amsgrad, abs=1e-6)
    assert adam > 0.3 > -0.2 > amsgrad


@pytest.mark.parametrize("impl", ["torch", "scratch"])
@pytest.mark.parametrize(
    "found",
    [
        optimisers._ill_conditioned,
        optimisers._scaled_apart,
        optimisers._in_other_units,
        lambda lib: optimisers._memories(lib, 0.9),
        lambda lib: optimisers._memories(lib, 0.0),
        lambda lib: optimisers._memories(lib, 0.9999),
    ],
)
def test_claims_hold_in_both_libraries(impl, found):
    findings = found(library(impl))
    findings.check("a section")
    assert findings.claims


def test_momentum_s_rates_are_those_of_the_book_s_formulas():
    """(k - 1) / (k + 1) and (sqrt(k) - 1) / (sqrt(k) + 1)."""
    (table,) = optimisers._ill_conditioned(library("torch")).tables.values()
    for name, theory, measured, *digits in table.rows:
        condition, way = name.split(", ")
        k = float(condition) if way == "plain" else math.sqrt(float(condition))
        assert theory == pytest.approx((k - 1) / (k + 1), rel=1e-6)
        assert math.log(measured) == pytest.approx(math.log(theory), rel=0.02)
        assert digits[0] == pytest.approx(math.log(10) / -math.log(theory), abs=0.05)


def test_any_of_them_race_on_one_axis(tmp_path):
    out = tmp_path / "run"
    words = ["--optimizer", "adagrad,yogi", "nesterov", "--epochs", 1]
    facts = done("try", "adam", *words, "--out", out, "--json", *UNMEASURED).json
    race = facts["findings"]["tables"]["Race"]
    assert [row[0] for row in race["rows"]] == ["adam", "adagrad", "yogi", "nesterov"]
    own = facts["final"]["valid"]["loss"]
    assert race["rows"][0][1] == pytest.approx(own, abs=5.1e-5)  # trained again, and rounded
    assert (out / "figures" / "race.png").exists()


def test_an_unknown_one_is_named():
    said = call("try", "adam", "--optimizer", "adagrad,yogy")
    assert said.status == 2
    assert "yogy" in said.error
    assert "did you mean 'yogi'?" in said.error


def test_the_products_of_matrices_are_products():
    """What is timed is what is claimed: each way fills the same matrix."""
    from fathom.recipes import minibatch

    seconds = minibatch._products(64)
    assert len(seconds) == 4
    assert all(value > 0 for value in seconds.values())
