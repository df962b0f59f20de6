"""Weight decay against NumPy and scikit-learn; dropout against what it promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from calling import UNMEASURED, done
from fathom.core.order import permutation
from fathom.core.seeds import seed_everything
from fathom.data import synthetic
from fathom.recipes import regularisation as study


def book(decay: float, seed: int, optimizer: str = "sgd"):
    seed_everything(seed)
    return study.weight_decay(weight_decay=decay, optimizer=optimizer)


def by_numpy(experiment, decay: float, seed: int, lr: float = 0.003) -> np.ndarray:
    """Minibatch descent on half the squared error with decay, written out."""
    x = experiment.train.inputs.double().numpy()
    y = experiment.train.targets.double().numpy()
    weight, bias = (p.detach().double().numpy().copy() for p in experiment.model.parameters())
    for epoch in range(experiment.epochs):
        for rows in permutation(len(x), seed, epoch).numpy().reshape(-1, 5):
            errors = x[rows] @ weight.T + bias - y[rows]
            weight = weight - lr * (errors.T @ x[rows] / 5 + decay * weight)
            bias = bias - lr * errors.mean()
    return weight


@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_the_run_is_what_numpy_makes_of_it(decay, tmp_path):
    words = ["--weight-decay", decay, "--out", tmp_path / "run", "--json", *UNMEASURED]
    found = done("run", "weight-decay", *words).json["findings"]
    expected = np.linalg.norm(by_numpy(book(decay, 0), decay, 0))
    norm = found["numbers"]["|w| of what was trained"]["value"]
    assert norm == pytest.approx(expected, rel=1e-4)
    low, high = (11.4, 15.1) if decay == 0 else (0.323, 0.422)  # the book's runs
    assert low < norm < high
    row = next(row for row in found["tables"]["Side by side"]["rows"] if "SGD, L2" in row[0])
    assert row[1] == pytest.approx(norm, rel=1e-4)


def test_where_it_is_heading_is_ridge_regression():
    x, y = synthetic.linear([0.01] * 30, 0.05, 20, 0.01, seed=1)
    for decay in (0.5, 3.0):
        model = Ridge(alpha=20 * decay).fit(x.double().numpy(), y.double().numpy())
        found = study.ridge(x, y, decay).numpy().T
        np.testing.assert_allclose(found.ravel(), model.coef_.ravel(), rtol=1e-8)
    wide, tall = x.double().numpy(), y.double().numpy()
    shortest = np.linalg.pinv(wide - wide.mean(0), rcond=1e-9) @ (tall - tall.mean())
    np.testing.assert_allclose(study.ridge(x, y, 0.0).numpy(), shortest, rtol=1e-7)


def test_adams_l2_is_in_the_gradient_and_adamws_is_not():
    """One step from weights w without any data to speak of: Adam moves by lr, AdamW by lr λ w."""
    experiment = {kind: book(3.0, 0, kind) for kind in ("sgd", "adam", "adamw")}
    for kind, one in experiment.items():
        weight, bias = one.model.parameters()
        before = weight.detach().clone()
        weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
        one.optimizer.step()
        moved = before - weight.detach()
        expected = 0.003 * (before.sign() if kind == "adam" else 3.0 * before)
        torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-6)
        assert not bias.any()


@pytest.mark.parametrize(
    "words",
    [
        ["--optimizer", "adamw", "--examples", 1, "--features", 1],
        ["--weight-decay", 0, "--optimizer", "adam", "--impl", "scratch"],
        ["--optimizer", "adamw", "--lr", 1.5, "--features", 40],  # where SGD diverges
    ],
)
def test_its_claims_hold_for_other_settings(words, tmp_path):
    out = tmp_path / "run"
    said = done("try", "weight-decay", *words, "--epochs", 5, "--out", out, "--json", *UNMEASURED)
    assert all(said.json["findings"]["claims"].values())


def test_dropout_leaves_nothing_out_when_the_model_is_used():
    seed_everything(0)
    experiment = study.dropout("digits", dropout1=0.0, dropout2=0.9)
    rates = [part.p for part in experiment.model.modules() if isinstance(part, torch.nn.Dropout)]
    assert rates == [0.9]
    inputs, _ = next(iter(experiment.train.epoch(0, 0)))
    model = experiment.model
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_what_is_left_out_is_made_up_for_on_average():
    seed_everything(0)
    model = study.dropout("digits", dropout1=0.0, dropout2=0.5).model
    inputs = torch.rand(1, 1, 8, 8)
    mean = torch.stack([model(inputs).detach() for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, model.eval()(inputs).detach(), rtol=0.05, atol=2e-4)
