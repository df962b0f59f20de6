"""Softmax, its losses and its pictures, against SciPy, NumPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats

from calling import call, done, write_digits
from fathom.recipes import softmax as study


def test_both_forms_are_scipys_where_nothing_overflows():
    logits = torch.linspace(-6, 6, 24, dtype=torch.float64).reshape(4, 6).sin() * 9
    expected = special.softmax(logits.numpy(), axis=1)
    for softmax in (study.plain_softmax, study.stable_softmax):
        np.testing.assert_allclose(softmax(logits).numpy(), expected, rtol=1e-13)


def test_the_stable_form_is_scipys_where_the_plain_one_overflows():
    logits = torch.tensor([[1e4, 1e4 + 1, 0.0], [-1e4, -1e4, -1e4]], dtype=torch.float64)
    expected = special.softmax(logits.numpy(), axis=1)
    np.testing.assert_allclose(study.stable_softmax(logits).numpy(), expected, rtol=1e-13)
    assert study.plain_softmax(logits).isnan().any()


@pytest.mark.parametrize("name", study.SOURCES)
def test_entropy_is_scipys(name):
    p = study.SOURCES[name]
    assert study._entropy_bits(p) == pytest.approx(stats.entropy(p, base=2), abs=1e-12)


@pytest.mark.parametrize(
    ("p", "lengths"),
    [
        ([0.5, 0.25, 0.125, 0.125], [1, 2, 3, 3]),
        ([0.4, 0.35, 0.2, 0.05], [1, 2, 3, 3]),
        ([1 / 6] * 6, [2, 2, 3, 3, 3, 3]),
        ([0.25] * 4, [2] * 4),
    ],
)
def test_huffmans_code_has_the_lengths_it_has_by_hand(p, lengths):
    by_hand = sum(chance * length for chance, length in zip(p, lengths, strict=True))
    assert study._huffman_bits(p) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_hubers_loss_is_scipys_and_torchs(delta):
    errors = torch.linspace(-9, 9, 181, dtype=torch.float64)
    loss, gradient = study._losses(delta)["Huber's"]
    np.testing.assert_allclose(loss(errors).numpy(), special.huber(delta, errors.numpy()))
    tracked = errors.clone().requires_grad_()
    zero = torch.zeros_like(errors)
    torch.nn.functional.huber_loss(tracked, zero, reduction="sum", delta=delta).backward()
    torch.testing.assert_close(gradient(errors), tracked.grad)


def test_hubers_best_number_is_the_one_that_scipy_finds():
    values = np.array(study.OUTLIER)
    found = optimize.minimize_scalar(lambda c: special.huber(1.0, c - values).sum()).x
    loss, _ = study._losses(1.0)["Huber's"]
    assert study._best_constant(torch.tensor(values), loss) == pytest.approx(found, abs=2e-3)


@pytest.mark.parametrize("delta", [1e-3, 50])
def test_the_claims_hold_for_any_delta_and_seed(delta, tmp_path):
    words = ["--delta", delta, "--seed", 11, "--out", tmp_path / "run", "--json"]
    claims = done("try", "softmax-studies", *words).json["findings"]["claims"]
    assert len(claims) == 9
    assert all(claims.values())


def test_pictures_of_ones_own_are_counted_and_shown(tmp_path):
    labels = write_digits(tmp_path / "all", 60)
    for index, label in enumerate(labels):
        folder = tmp_path / "scans" / ("odd" if label % 2 else "even")
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / f"{index}.png").rename(folder / f"{index}.png")
    run = tmp_path / "run"
    words = ["--data", tmp_path / "scans", "--size", 16, "--out", run, "--json"]
    found = done("try", "image-data", *words).json["findings"]
    assert found["numbers"]["numbers in a picture"]["value"] == 16 * 16
    counted = {row[0]: row[1] + row[2] for row in found["tables"]["Pictures"]["rows"]}
    odd = sum(label % 2 for label in labels)
    assert counted == {"odd": odd, "even": 60 - odd}
    assert (run / "figures" / "means.png").exists()


def test_a_misspelt_set_is_told_in_one_line(tmp_path):
    said = call("try", "image-data", "--data", "digit", "--out", tmp_path / "run")
    assert said.status == 2
    assert "did you mean 'digits'" in said.error
