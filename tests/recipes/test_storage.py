"""Files of weights: read by hand, by safetensors and by torch; hostile ones stay shut."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from fathom.core.errors import CheckpointError
from fathom.core.seeds import seed_everything
from fathom.engine.weights import load_plain
from fathom.models.mlp import mlp
from fathom.recipes.storage import Hostile, _contents, _lies_where_said, saving


@pytest.fixture(scope="module")
def found():
    seed_everything(0)
    return saving()


def test_the_study_holds_its_claims(found):
    found.check("saving")
    said = dict(found.tables["Refused"].rows)
    assert (
        said["a pickle that makes a folder"]
        == f"holds code ({os.mkdir.__module__}.mkdir); not loaded"
    )
    assert "numpy" in said["NumPy arrays, pickled"]
    assert said["a whole model, pickled"].startswith("holds code (torch.nn.modules.")
    assert said["half a file of torch.save"] == "cannot be read (it ends too soon)"
    assert "not a whole safetensors file" in said["half a safetensors file"]
    assert "1.bias is (256,) there and (128,) here" in said["weights of a wider layer"]
    assert "1.bias is not in this model" in said["weights of another network"]


def test_an_mlp_takes_four_bytes_a_number_and_a_header(found):
    rows = {(row[0], row[1]): row[2] for row in found.tables["Kept"].rows}
    numbers = 20 * 256 + 256 + 256 * 10 + 10
    assert 4 * numbers < rows["an MLP's weights", "safetensors"] < 4 * numbers + 500


def test_nothing_runs(tmp_path):
    torch.save([torch.ones(2), Hostile(tmp_path / "made")], tmp_path / "hostile.pt")
    with pytest.raises(CheckpointError, match="holds code"):
        load_plain(tmp_path / "hostile.pt")
    assert not (tmp_path / "made").exists()
    torch.load(tmp_path / "hostile.pt", weights_only=False)
    assert (tmp_path / "made").is_dir(), "the file is no threat: the test proves nothing"


def test_the_contents_are_those_that_safetensors_writes(tmp_path):
    path = tmp_path / "weights.safetensors"
    model = mlp(20, [256], 10)
    save_file(model.state_dict(), path)
    start, header = _contents(path.read_bytes())
    assert set(header) == set(load_file(path))
    assert max(entry["data_offsets"][1] for entry in header.values()) + start == path.stat().st_size
    assert _lies_where_said(path, model)
    assert not _lies_where_said(path, mlp(20, [256], 10))
