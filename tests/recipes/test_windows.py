"""Padding and pooling: definitions against NumPy and torch, and the pages of the studies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from calling import call, done
from fathom.recipes import windows as study


@pytest.mark.parametrize("window", [(1, 1), (2, 2), (2, 3), (4, 1), (5, 5)])
def test_pooling_is_numpys_over_windows(window):
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    parts = sliding_window_view(x.numpy(), window)
    np.testing.assert_array_equal(study.pool2d(x, window, "max").numpy(), parts.max((2, 3)))
    np.testing.assert_allclose(
        study.pool2d(x, window, "mean").numpy(), parts.mean((2, 3)), rtol=1e-5, atol=1e-7
    )


def test_what_does_not_move_does_not_change_and_what_has_no_edges_is_not_asked():
    pictures = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    changes = study._changes(pictures, [0, 1, 2], 2)
    assert {values[0] for values in changes.values()} == {0}
    # A move by the window moves pooled maps by one place: the sum of all values stays.
    assert all(0 < value < 2 for values in changes.values() for value in values[1:])


def test_a_change_of_every_other_value_is_worked_out_by_hand():
    """One bright column: its two edges move from columns that are kept to ones that are not."""
    picture = torch.zeros(1, 1, 8, 8)
    picture[..., 3] = 1
    changes = study._changes(picture, [1], 2)
    # Edges stand at two neighbouring places; moved by one, each map differs at two of three.
    assert changes["as they are"][0] == pytest.approx(1.0)
    assert changes["every other value"][0] == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("network", ["book-lenet", "book-googlenet", "resnet18"])
def test_fields_of_any_network_of_the_catalogue(network, tmp_path):
    words = ["--network", network, "--out", tmp_path / "run", "--json"]
    findings = done("try", "padding", *words).json["findings"]
    assert all(findings["claims"].values())
    rows = findings["tables"][f"Receptive fields of {network}, in pixels a side"]["rows"]
    sides = [int(row[2].split()[0]) for row in rows]
    assert sides == sorted(sides), "deeper layers see more"
    assert findings["numbers"]["sizes compared with torch's"]["value"] > 1000
    if network == "book-lenet":
        assert sides == [5, 6, 14, 16]


def test_one_s_own_window_is_in_the_table(tmp_path):
    window = {"size": 30, "kernel": 4, "stride": 3, "padding": 2, "dilation": 2}
    words = [word for name, value in window.items() for word in (f"--{name}", value)]
    words += ["--network", "book-lenet"]
    findings = done("try", "padding", *words, "--out", tmp_path / "run", "--json").json["findings"]
    table = findings["tables"]["Sizes of the output (of 8 x 8 pixels, but yours)"]
    weight = torch.zeros(1, 1, 4, 4)
    expected = torch.nn.functional.conv2d(torch.zeros(1, 1, 30, 30), weight, None, 3, 2, 2).shape
    assert table["rows"][-1] == ["yours", f"{expected[2]} x {expected[3]}"]


def test_a_network_that_is_not_known_is_told_in_one_line(tmp_path):
    said = call("try", "padding", "--network", "resnet51", "--out", tmp_path / "run")
    assert said.status == 2
    assert "--network resnet51: is not known; did you mean 'resnet50'?" in said.error


@pytest.mark.parametrize("window", [2, 3])
def test_pooling_forgives_on_any_pictures_and_windows(window, tmp_path):
    words = ["--window", window, "--pictures", 64, "--out", tmp_path / "run", "--json"]
    findings = done("try", "pooling", *words).json["findings"]
    assert all(findings["claims"].values())
