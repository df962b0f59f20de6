"""Blocks and lazy layers, against networks written out in NumPy and counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.core.seeds import seed_everything
from fathom.recipes.blocks import _lazy_cnn, _shapes, blocks, lazy, networks, tree_of
from fathom.scratch.nn import module as page

LIBRARIES = {"torch": torch.nn, "page": page}


def dense(state, name, x):
    return x @ state[f"{name}.weight"].numpy().T + state[f"{name}.bias"].numpy()


@pytest.mark.parametrize("library", LIBRARIES)
def test_outputs_are_those_of_numpy(library):
    x = torch.rand(2, 20, generator=torch.Generator().manual_seed(0))
    made = {name: make() for name, make in networks(LIBRARIES[library]).items()}
    for name, first, last in (("MLP", "hidden", "out"), ("Sequential", "0", "2")):
        state = made[name].state_dict()
        expected = dense(state, last, np.maximum(dense(state, first, x.numpy()), 0))
        assert made[name](x).detach().numpy() == pytest.approx(expected, abs=1e-5)
    state = made["FixedHidden"].state_dict()
    hidden = np.maximum(dense(state, "linear", x.numpy()) @ state["constant"].numpy() + 1, 0)
    expected = dense(state, "linear", hidden)
    while np.abs(expected).sum() > 1:
        expected = expected / 2
    assert made["FixedHidden"](x).item() == pytest.approx(expected.sum(), abs=1e-5)
    state = made["Nested"].state_dict()
    hidden = np.maximum(dense(state, "net.0", x.numpy()), 0)
    hidden = np.maximum(dense(state, "net.2", hidden), 0)
    expected = dense(state, "linear", hidden)
    assert made["Nested"](x).detach().numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_hold_their_claims(seed):
    seed_everything(seed)
    found = blocks()
    found.check("blocks")
    rows = {row[0]: row for row in found.tables["Networks"].rows}
    assert rows["MLP"][1:3] == ["(2, 10)", 7946]
    assert rows["FixedHidden"][1:3] == ["()", 420]


def test_a_tree_has_a_line_for_each_module():
    network = torch.nn.Sequential(networks(torch.nn)["Nested"](), torch.nn.Linear(16, 20))
    lines = [(b.depth, b.name, b.note) for b in tree_of(network)]
    assert lines == [
        (0, "Sequential", ""),
        (1, "0: Nested", ""),
        (2, "net: Sequential", ""),
        (3, "0: Linear", "1,344"),
        (3, "1: ReLU", ""),
        (3, "2: Linear", "2,080"),
        (3, "3: ReLU", ""),
        (2, "linear: Linear", "528"),
        (1, "1: Linear", "340"),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_lazy_holds_its_claims(seed):
    seed_everything(seed)
    lazy().check("lazy")


@pytest.mark.parametrize(("size", "channels"), [(28, 3), (32, 1), (17, 4)])
def test_lazy_shapes_are_what_arithmetic_says(size, channels):
    network = _lazy_cnn(torch.nn)
    network(torch.rand(2, channels, size, size))
    after = ((size - 2) // 2 - 3) // 2 + 1  # 3 by 3, pooled by 2, then 3 by 3 with stride 2
    shapes = _shapes(network)
    assert shapes["0.weight"] == f"8 × {channels} × 3 × 3"
    assert shapes["7.weight"] == f"10 × {16 * after**2}"
