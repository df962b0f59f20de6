"""Translation: scores of a trained translator, its use, a file of one's own; the true loss."""

from __future__ import annotations

import math
import os
import random

import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.data.pair_batches import NOTHING
from fathom.data.pairs import pair_set
from fathom.engine.evaluation import evaluate
from fathom.recipes.translating import by_source, scores
from fathom.text.bleu import book_bleu

SMALL = dict(data="dates", examples=60, held_out=0.5, num_steps=14, hidden_size=8, batch_size=7)


@torch.no_grad()
def test_the_loss_is_the_mean_over_target_tokens():
    """The book's code divides by num_steps once more; and a batch's mean must weigh its tokens."""
    experiment = load("seq2seq").function(**SMALL)
    model = experiment.model.eval()
    found = evaluate(
        model,
        experiment.valid,
        {"loss": experiment.objective},
        device=torch.device("cpu"),
        counts=experiment.counts,
    )
    surprises = []
    for inputs, labels in experiment.valid.epoch(0, 0):
        log_p = model(inputs).log_softmax(-1)
        for b, t in (labels != NOTHING).nonzero().tolist():
            surprises.append(-float(log_p[b, t, labels[b, t]]))
    assert found["loss"] == pytest.approx(math.fsum(surprises) / len(surprises), rel=1e-5)


def test_scores_take_the_best_of_several_references():
    references = [[["va", "!"], ["allez", "!"]], [["il", "est", "calme", "."]]]
    found = [["allez", "!"], ["il", "est", "tard", "."]]
    numbers = scores(found, references, " ".join)
    assert numbers["exact match"].value == 0.5
    second = book_bleu(found[1], references[1][0], k=2)
    assert numbers["mean BLEU"].value == pytest.approx((1 + second) / 2)
    sacrebleu = pytest.importorskip("sacrebleu")
    streams = [["va !", "il est calme ."], ["allez !", None]]
    expected = sacrebleu.corpus_bleu(["allez !", "il est tard ."], streams).score
    assert numbers["BLEU of the corpus"].value == pytest.approx(expected)


def test_a_source_is_asked_once():
    pairs = pair_set("dates", examples=20, held_out=0, num_steps=14).train
    twice = pairs.take([0, 1, 0])
    assert list(by_source(twice).values()) == [[pairs.targets[0]] * 2, [pairs.targets[1]]]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A language of one's own, which is learned in seconds: each word has one translation."""
    folder = tmp_path_factory.mktemp("mirrored")
    chance, words = random.Random(0), ["red", "blue", "green", "big", "small"]
    lines = []
    for _ in range(400):
        one, two = chance.choice(words), chance.choice(words)
        lines.append(f"{one.title()} {two}.\t{one.upper()}X {two}y !")
    (folder / "mine.tsv").write_text("\n".join(lines), encoding="utf-8")
    run = folder / "run"
    words = ["--examples", 300, "--embedding-size", 16, "--hidden-size", 32, "--num-layers", 1]
    done(
        *("run", "seq2seq", "--data", folder / "mine.tsv", "--epochs", 25, *words, "--quiet"),
        *("--lr", 0.02, "--min-freq", 1, "--out", run, *UNMEASURED),
    )
    return folder, run


def test_a_sentence_and_a_file_are_translated(mirrored):
    folder, run = mirrored
    (row,) = done("predict", run, "Blue big.", "--json").json
    assert row["input"] == "Blue big."
    assert row["translation"] == "bluex bigy !"
    assert 0.5 < row["probability"] <= 1
    (folder / "lines.txt").write_text("red small .\n\nGreen green.\n", encoding="utf-8")
    rows = done("predict", run, folder / "lines.txt", "--json").json
    assert [row["translation"] for row in rows] == ["redx smally !", "", "greenx greeny !"]


def test_words_it_never_saw_are_told(mirrored):
    rows = done("predict", mirrored[1], "red mauve.", "red red.", "--json").json
    assert [row["unknown"] for row in rows] == ["mauve", ""]


@pytest.mark.parametrize("suffix", ["txt", "csv", "png"])
def test_translations_are_saved(mirrored, tmp_path, suffix):
    target = tmp_path / f"out.{suffix}"
    done("predict", mirrored[1], "big red.", "small blue.", "--save", target)
    if suffix == "png":
        assert target.stat().st_size > 1_000
    else:
        assert "bigx redy !" in target.read_text(encoding="utf-8")


def test_what_cannot_be_translated_is_named(mirrored, tmp_path):
    _, run = mirrored
    assert "a sentence: is empty" in call("predict", run, " ").error
    assert "does not exist" in call("predict", run, tmp_path / "no.txt").error
    (tmp_path / "bad.txt").write_bytes(b"red\n\xff\n")
    said = call("predict", run, tmp_path / "bad.txt")
    assert (said.status, "line 2" in said.error, "UTF-8" in said.error) == (3, True, True)
    said = call("predict", run, "red big.", "--temperature", "1")
    assert (said.status, "does not apply" in said.error) == (2, True)


def test_a_bad_tsv_ends_in_one_line(tmp_path):
    (tmp_path / "bad.tsv").write_text("go .\tva !\ngo on .\n", encoding="utf-8")
    said = call("run", "seq2seq", "--data", tmp_path / "bad.tsv")
    assert said.status == 3
    assert f"{tmp_path / 'bad.tsv'} line 2: has one column" in said.error


def test_settings_that_leave_nothing(tmp_path):
    (tmp_path / "one.tsv").write_text("go .\tva !\n", encoding="utf-8")
    words = ["run", "seq2seq", "--data", tmp_path / "one.tsv"]
    assert "leaves none of 1 sentences" in call(*words).error
    assert call(*words, "--num-steps", 1).status == 2


@pytest.mark.skipif("FATHOM_DATA" not in os.environ, reason="needs fra-eng")
def test_the_book_s_vocabulary_and_first_pair(tmp_path):
    facts = done("run", "translation-data", "--out", tmp_path / "run", "--json").json
    tables = facts["findings"]["tables"]
    assert tables["Vocabularies"]["rows"][0][:2] == ["source", 10_012]
    assert tables["The first pairs"]["rows"][0] == ["go .", "47 4 3 1 1 1 1 1 1 1"]
    assert facts["findings"]["numbers"]["all"]["value"] == 167_130
