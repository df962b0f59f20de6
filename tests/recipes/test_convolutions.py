"""Convolutions as they are defined, against SciPy and torch; what the studies say for any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from calling import UNMEASURED, call, done
from fathom.core.seeds import seed_everything
from fathom.recipes import convolutions as study


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(("h", "w"), [(1, 2), (2, 1), (3, 3), (4, 5), (6, 7)])
def test_corr2d_is_scipys(h, w):
    picture, kernel = noise(6, 7), noise(h, w)
    expected = signal.correlate2d(picture.numpy(), kernel.numpy(), mode="valid")
    np.testing.assert_allclose(study.corr2d(picture, kernel).numpy(), expected, rtol=1e-12)


def test_the_book_s_edges_to_all_digits():
    picture = torch.ones(6, 8)
    picture[:, 2:6] = 0
    edges = study.corr2d(picture, study.EDGE)
    assert edges.tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6


def test_channels_are_torchs():
    maps, kernels = noise(3, 6, 5), noise(4, 3, 3, 2)
    expected = torch.nn.functional.conv2d(maps[None], kernels)[0]
    torch.testing.assert_close(study.multi_in_out(maps, kernels), expected)


@pytest.mark.parametrize("reach", [1, 2])
def test_a_convolution_s_matrix_is_scipys_convolution(reach):
    kernel, picture = noise(2 * reach + 1, 2 * reach + 1), noise(9, 9)
    found = (study.as_matrix(kernel, 9) @ picture.flatten()).view(9, 9)
    expected = signal.correlate2d(picture.numpy(), kernel.numpy(), mode="same")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11, atol=1e-12)


def test_equivariance_tells_a_convolution_from_what_is_none():
    picture = study._blob(16)
    convolution = study.as_matrix(noise(3, 3), 16)
    assert study._equivariance(convolution, picture, 2, 1) < 1e-14
    bent = convolution + 0.01 * noise(256, 256)
    assert study._equivariance(bent, picture, 2, 1) > 1e-3


@pytest.mark.parametrize(
    "words",
    [
        "invariance --size 24 --reach 4 --shift 1 --seed 7",
        "invariance --size 12 --reach 1 --shift 3",
        "channels --in-channels 4 --out-channels 12 --size 3",
    ],
)
def test_the_claims_hold_for_other_settings(words, tmp_path):
    claims = done("try", *words.split(), "--out", tmp_path / "run", "--json").json["findings"][
        "claims"
    ]
    assert all(claims.values())
    assert len(claims) >= 5


def test_channels_that_make_no_groups_are_told_in_one_line(tmp_path):
    said = call("try", "channels", "--in-channels", 6, "--out", tmp_path / "run")
    assert said.status == 2
    assert "6 and 64 channels make no four groups; give multiples of 4" in said.error


@pytest.mark.parametrize("seed", range(3))
def test_an_edge_detector_is_learned(seed, tmp_path):
    words = ["--seed", seed, "--epochs", 60, "--out", tmp_path / "run", "--json", *UNMEASURED]
    facts = done("try", "convolution", *words).json
    rows = facts["findings"]["tables"]["The kernel"]["rows"]
    for _, true, found in rows:
        assert found == pytest.approx(true, abs=0.02)
    assert facts["final"]["valid"]["loss"] < 1e-2


def test_one_step_is_the_one_by_hand():
    """The gradient of the sum of squares: twice the correlation of the errors with the picture."""
    seed_everything(0)
    experiment = study.convolution(lr=0.01)
    (weight,) = experiment.model.parameters()
    before = weight.detach().clone()
    ((picture, edges),) = experiment.train.epoch(0, 0)
    errors = experiment.model(picture) - edges
    slope = torch.stack([(errors[..., :] * picture[..., i : i + 7]).sum() * 2 for i in (0, 1)])
    experiment.objective(experiment.model(picture), edges).backward()
    experiment.optimizer.step()
    torch.testing.assert_close(weight.detach().flatten(), before.flatten() - 0.01 * slope.detach())
