"""A trained model at work: predicted with, gone on with, exported."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from calling import UNMEASURED, call, done, write_digits
from fathom.core.catalogue import load


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    """The whole sample of LeNet, as `make run` runs it."""
    folder = tmp_path_factory.mktemp("lenet") / "run"
    said = done("try", "lenet", "--out", folder, "--quiet", *UNMEASURED)
    return folder, said


def model_of(folder, name="lenet"):
    """The run's network, built as it was and loaded from the run's weights."""
    settings = json.loads((folder / "run.json").read_text())["arguments"]
    experiment = load(name).function(**settings)
    experiment.model.load_state_dict(load_file(folder / "model.safetensors"))
    return experiment, experiment.model.eval()


def test_lenet_reads_95_of_100_held_out_digits(lenet):
    folder, said = lenet
    facts = json.loads((folder / "run.json").read_text())
    assert facts["final"]["valid"]["accuracy"] >= 0.95
    assert "curves.png" in said.out
    assert "predictions.png" in said.out
    assert "next     fathom predict " in said.out
    assert "next     fathom resume " in said.out


def test_pictures_and_folders_of_them(lenet, tmp_path):
    labels = write_digits(tmp_path / "scans", 8)
    rows = done(
        "predict", lenet[0], tmp_path / "scans" / "3.png", tmp_path / "scans", "--json"
    ).json
    assert [row["input"].rpartition("/")[2] for row in rows] == [
        "3.png",
        *(f"{index}.png" for index in range(8)),
    ]
    right = sum(int(row["class"]) == label for row, label in zip(rows[1:], labels, strict=True))
    assert right >= 7
    for row in rows:
        assert row["probability"] == max(row["probabilities"].values())
        assert row["probability"] == row["probabilities"][row["class"]]
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_other_sizes_and_colours_are_brought_to_the_model_s_form(lenet, tmp_path):
    write_digits(tmp_path, 1)
    with Image.open(tmp_path / "0.png") as picture:
        picture.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / "c.jpg")
    (row,) = done("predict", lenet[0], tmp_path / "c.jpg", "--json").json
    assert row["class"] == "0"


@pytest.mark.parametrize("suffix", ["json", "csv", "txt", "png", "svg"])
def test_answers_are_saved(lenet, tmp_path, suffix):
    write_digits(tmp_path / "scans", 3)
    target = tmp_path / f"answers.{suffix}"
    rows = done("predict", lenet[0], tmp_path / "scans", "--save", target, "--json").json
    if suffix == "json":
        assert json.loads(target.read_text()) == rows
    elif suffix == "csv":
        with open(target, newline="") as file:
            found = list(csv.DictReader(file))
        assert [(r["input"], r["class"]) for r in found] == [(r["input"], r["class"]) for r in rows]
        for line, row in zip(found, rows, strict=True):
            assert {name: float(line[name]) for name in "0123456789"} == row["probabilities"]
    elif suffix == "txt":
        found = [line.split("\t")[:2] for line in target.read_text().splitlines()]
        assert found == [[r["input"], r["class"]] for r in rows]
    else:
        assert target.stat().st_size > 1000


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p.write_bytes(b"no picture"), "is not a picture that can be read"),
        (lambda p: p.write_bytes(b""), "broken.png"),
        (lambda p: None, "does not exist"),
        (lambda p: p.mkdir(), "holds no pictures"),
    ],
)
def test_a_broken_picture_is_named_in_one_line(lenet, tmp_path, make, words):
    target = tmp_path / "broken.png"
    make(target)
    said = call("predict", lenet[0], target)
    assert said.status == 3
    assert str(target) in said.error
    assert words in said.error
    assert said.out == ""


def test_a_cut_picture_among_good_ones_is_named(lenet, tmp_path):
    write_digits(tmp_path, 3)
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[: len(data) // 2])
    said = call("predict", lenet[0], tmp_path)
    assert said.status == 3
    assert "1.png" in said.error


def test_numbers(tried_once, tmp_path):
    folder = tried_once("linear-regression").folder
    _, model = model_of(folder, "linear-regression")
    rows = [[0.5, -1.2], [-3.0, 2.0], [1e-3, 0.0]]
    words = [",".join(map(str, row)) for row in rows]
    found = [row["value"] for row in done("predict", folder, *words, "--json").json]
    with torch.no_grad():
        expected = model(torch.tensor(rows)).flatten().tolist()
    assert found == pytest.approx(expected, rel=1e-6)
    (tmp_path / "rows.csv").write_text("x1,x2\n" + "\n".join(words))
    assert [r["value"] for r in done("predict", folder, tmp_path / "rows.csv", "--json").json] == (
        found
    )


def test_a_polynomial_is_asked_by_x_alone(tried_once):
    folder = tried_once("polynomial").folder
    weight = load_file(folder / "model.safetensors")
    (coefficients,) = weight.values()
    (row,) = done("predict", folder, "-1.5", "--json").json
    factorials = torch.tensor([1.0, 1.0, 2.0, 6.0])
    powers = (-1.5) ** torch.arange(4) / factorials
    assert row["value"] == pytest.approx(float(coefficients.flatten() @ powers), rel=1e-5)


def test_a_recipe_means_its_latest_run_that_has_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_RUNS", str(tmp_path))
    done("try", "linear-regression", "--epochs", 1, "--quiet", "--threads", 1)
    assert call("try", "linear-regression", "--lr", "1e30", "--quiet").status == 5
    shutil.rmtree(tmp_path / "linear-regression" / "002" / "checkpoints")
    said = done("predict", "linear-regression", "1,1", "--json")
    assert "002 has no weights" in said.err
    assert "001" in said.err


def test_more_epochs_after_the_end(tried_once, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = ["--threads", 1, "--precision", "fp32", "--json"]
    done("try", "mlp", "--epochs", 3, "--out", whole, *words)
    shutil.copytree(tried_once("mlp").folder, parts)
    facts = done("resume", parts, "--epochs", 3, "--json").json
    assert facts["status"] == "done"
    assert facts["arguments"]["epochs"] == 3
    for key, value in load_file(whole / "model.safetensors").items():
        assert torch.equal(value, load_file(parts / "model.safetensors")[key]), key


def test_safetensors_load_into_torch_s_model(lenet, tmp_path):
    target = tmp_path / "lenet.safetensors"
    facts = done("export", lenet[0], "--to", "safetensors", "--out", target, "--json").json
    experiment, model = model_of(lenet[0])
    assert facts["files"][0]["weights"] == len(model.state_dict())
    model.load_state_dict(load_file(target), strict=True)
    again = call("export", lenet[0], "--to", "safetensors", "--out", target)
    assert again.status == 2
    assert "is there already" in again.error
    done("export", lenet[0], "--to", "safetensors", "--out", target, "--force")
    assert experiment.valid is not None


@pytest.mark.parametrize("to", ["torchscript", "onnx"])
def test_a_graph_answers_as_the_model_does(lenet, tmp_path, to):
    runtime = pytest.importorskip("onnxruntime") if to == "onnx" else None
    if to == "onnx":
        pytest.importorskip("onnxscript")
    target = tmp_path / f"lenet.{to}"
    facts = done("export", lenet[0], "--to", to, "--out", target, "--json").json
    assert facts["files"][0]["largest difference"] < 1e-4
    assert facts["files"][0]["takes"] == {"inputs": "(batch, 1, 28, 28) float32"}
    _, model = model_of(lenet[0])
    inputs = torch.rand(7, 1, 28, 28)
    with torch.no_grad():
        expected = model(inputs)
    if runtime is not None:
        session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
        found = torch.from_numpy(session.run(None, {"inputs": inputs.numpy()})[0])
    else:
        found = torch.jit.load(target)(inputs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("recipe", ["lenet", "batch-norm"])
def test_a_network_from_scratch_is_exported_as_its_twin(recipe, tmp_path):
    """The graph of torch's layers, asked here, against the readable network that was trained."""
    folder, target = tmp_path / "run", tmp_path / "graph.pt"
    few = ("--impl", "scratch", "--epochs", 1, "--limit-batches", 2)
    done("try", recipe, *few, "--out", folder)
    done("export", folder, "--to", "torchscript", "--out", target)
    experiment, model = model_of(folder, recipe)
    inputs, _ = next(iter(experiment.train.epoch(0, 0)))
    with torch.no_grad():
        expected = model(inputs)
    torch.testing.assert_close(torch.jit.load(target)(inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("verb", ["eval", "predict", "export", "resume"])
def test_a_study_has_no_model(tried_once, verb):
    more = {"predict": ["1"], "export": ["--to", "onnx"]}.get(verb, [])
    said = call(verb, tried_once("vectorization").folder, *more)
    assert said.status == 2
    assert "is a study" in said.error
