"""Language models and translators taken elsewhere: used by their files alone, as predicted."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from calling import call, done
from fathom.cli.use import model_in_use, trained_run
from fathom.data.pairs import BOS, EOS

LENGTH = 12


class Opened:
    """A file, asked by another program: what it takes by name, what it gives by name."""

    def __init__(self, path: Path, takes: list[str], gives: list[str], known: str) -> None:
        self.takes, self.gives = takes, gives
        if path.suffix == ".onnx":
            runtime = pytest.importorskip("onnxruntime")
            self.session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
            assert [each.name for each in self.session.get_inputs()] == takes
            assert [each.name for each in self.session.get_outputs()] == gives
            self.known = self.session.get_modelmeta().custom_metadata_map[known]
        else:
            texts = {known: ""}
            self.session = torch.jit.load(path, _extra_files=texts)
            self.known = texts[known].decode()

    def ask(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: given[name] for name in self.takes}
        if isinstance(self.session, torch.jit.ScriptModule):
            found = self.session(*map(torch.from_numpy, given.values()))
            found = found if isinstance(found, tuple) else (found,)
            found = [each.detach().numpy() for each in found]
        else:
            found = self.session.run(None, given)
        return dict(zip(self.gives, found, strict=True))

    def vocabulary(self) -> list[str]:
        return [row[0] for row in csv.reader(io.StringIO(self.known), delimiter="\t", quoting=3)]


def opened(run: Path, to: str, at: Path, known: list[str]) -> list[Opened]:
    if to == "onnx":
        pytest.importorskip("onnxscript")
    said = done("export", run, "--to", to, "--out", at / f"model.{to}", "--json").json
    return [
        Opened(Path(file["file"]), list(file["takes"]), file["gives"], name)
        for file, name in zip(said["files"], known, strict=True)
    ]


def after(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removesuffix("_after"): each for name, each in found.items()}


@pytest.mark.parametrize(("recipe", "to"), [("rnn", "onnx"), ("lstm", "torchscript")])
def test_a_text_goes_on_as_predicted(tried_once, tmp_path, recipe, to):
    run = tried_once(recipe).folder
    (model,) = opened(run, to, tmp_path, ["letters.tsv"])
    words = model.vocabulary()
    prefix, written = "the value of", ""
    hidden = np.zeros((1, 1, 128), np.float32)
    state: dict[str, Any] = {"hidden": hidden, "cell": hidden}
    tokens = [words.index(letter) for letter in prefix]
    for _ in range(LENGTH):
        found = model.ask({"tokens": np.array([tokens]), **state})
        state |= after(found)
        tokens = [int(found["logits"][0, -1].argmax())]
        written += words[tokens[0]]
    expected = done("predict", run, prefix, "--length", LENGTH, "--json").json
    assert written == expected[0]["continuation"]


@pytest.mark.parametrize(
    ("recipe", "to"),
    [("seq2seq", "torchscript"), ("attention-seq2seq", "onnx"), ("transformer", "onnx")],
)
def test_a_sentence_is_translated_as_predicted(tried_once, tmp_path, recipe, to):
    run = tried_once(recipe).folder
    names = ["written.tsv", "meant.tsv"]
    encoder, decoder = opened(run, to, tmp_path, names)
    reads, writes = encoder.vocabulary(), decoder.vocabulary()
    translator = model_in_use(trained_run(str(run)), "cpu").experiment.predictor
    sentence = "jul. 2, 2094"
    source = [reads.index(token) for token in translator.pairs.train.tokens(sentence)]
    state = encoder.ask({"source": np.array([[*source, EOS]])})
    tokens = [BOS]
    for _ in range(translator.pairs.num_steps):
        given = tokens if recipe == "transformer" else tokens[-1:]
        found = decoder.ask({"tokens": np.array([given]), **state})
        state |= after(found)
        tokens.append(int(found["logits"][0, -1].argmax()))
        if tokens[-1] == EOS:
            break
    written = [writes[token] for token in tokens[1:] if token != EOS]
    (expected,) = done("predict", run, sentence, "--json").json
    assert translator.pairs.train.target_text(written) == expected["translation"]
    assert written


@pytest.mark.parametrize("recipe", ["rnn", "seq2seq", "lenet"])
def test_no_piece_of_the_data_goes_with_the_weights(tried_once, tmp_path, recipe):
    run, target = tried_once(recipe).folder, tmp_path / "weights"
    done("export", run, "--to", "safetensors", "--out", target)
    with safe_open(target, "pt") as file:
        texts = file.metadata()
    expected = {"rnn": {"letters.tsv"}, "seq2seq": {"written.tsv", "meant.tsv"}}
    assert texts.keys() - {"format"} == expected.get(recipe, {"pictures.json"})
    for name in texts.keys() - {"format"}:
        assert texts[name] == (run / "kept" / name).read_text(encoding="utf-8")


def test_no_part_is_written_over_another(tried_once, tmp_path):
    run, out = tried_once("seq2seq").folder, tmp_path / "model.pt"
    (tmp_path / "model.decoder.pt").write_text("mine")
    said = call("export", run, "--to", "torchscript", "--out", out)
    assert said.status == 2
    assert "model.decoder.pt: is there already" in said.error
    assert not (tmp_path / "model.encoder.pt").exists()
