"""`fathom eval RUN --data`: other pairs and other texts, in the words that the model knows."""

from __future__ import annotations

import math
import shutil

import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.cli.use import trained_model, trained_run
from fathom.text.vocab import Vocab

SMALL = ["--hidden-size", 16, "--batch-size", 16, "--quiet", *UNMEASURED]
PAIRS = [
    ("go .", "va !"),
    ("i run .", "je cours ."),
    ("we go .", "nous allons ."),
    ("go !", "va ."),
]


def write_pairs(path, pairs):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return path


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    """Trained until it knows four sentences; its file is gone."""
    folder = tmp_path_factory.mktemp("translator")
    file = write_pairs(folder / "own.tsv", PAIRS * 5)
    words = ["--data", file, "--held-out", 0, "--epochs", 40, "--lr", 0.02, "--min-freq", 1]
    done("run", "seq2seq", *words, "--out", folder / "run", *SMALL)
    file.unlink()
    return folder / "run"


def told(run, data):
    return done("eval", run, "--data", data, "--json")


def numbers(answer):
    return {name: row["value"] for name, row in answer.json["findings"]["numbers"].items()}


def test_pairs_that_it_knows_in_another_order_are_translated_as_before(translator, tmp_path):
    """In a vocabulary of this file's own the words would have other numbers."""
    answer = told(translator, write_pairs(tmp_path / "turned.tsv", PAIRS[::-1]))
    assert numbers(answer)["exact match"] == 1
    assert numbers(answer)["mean BLEU"] == pytest.approx(1)
    assert list(answer.json["scores"]) == ["valid"], "none of it was trained on"
    assert "note" not in answer.err


def test_words_that_it_does_not_know_are_unk_and_counted(translator, tmp_path):
    answer = told(translator, write_pairs(tmp_path / "other.tsv", [("zebras run .", "je cours .")]))
    assert "33% of the sources' words and 0% of the targets' are not known" in answer.err
    source = Vocab.load(translator / "kept" / "source.tsv")
    changed = {"data": str(tmp_path / "other.tsv")}
    prepared = trained_model(trained_run(str(translator)), "cpu", changed)
    ((source_BS, _, _), _) = next(iter(prepared.valid.epoch(0, 0)))
    assert source_BS[0, :4].tolist() == [0, source["run"], source["."], source["<eos>"]]


def test_its_loss_is_that_of_the_logits_of_its_own_numbers(translator, tmp_path):
    file = write_pairs(tmp_path / "one.tsv", [("i run .", "je cours .")])
    prepared = trained_model(trained_run(str(translator)), "cpu", {"data": str(file)})
    target = Vocab.load(translator / "kept" / "target.tsv")
    inputs, _ = next(iter(prepared.valid.epoch(0, 0)))
    with torch.no_grad():
        log_p = prepared.experiment.model(inputs)[0].log_softmax(1)
    right = target.encode(["je", "cours", ".", "<eos>"])
    expected = -float(log_p[range(4), right].mean())
    assert told(translator, file).json["scores"]["valid"]["loss"] == pytest.approx(
        expected, abs=1e-5
    )


def test_pairs_of_which_it_knows_nothing_are_refused(translator, tmp_path):
    said = call("eval", translator, "--data", write_pairs(tmp_path / "ru.tsv", [("да", "нет")]))
    assert said.status != 0
    assert "ru.tsv: has no word that the model knows" in said.err


def test_a_run_that_has_kept_nothing_is_named(translator, tmp_path):
    run = shutil.copytree(translator, tmp_path / "run")
    shutil.rmtree(run / "kept")
    said = call("eval", run, "--data", write_pairs(tmp_path / "other.tsv", PAIRS))
    assert said.status != 0
    assert "has kept nothing to read other data by" in said.err


def test_one_of_dates_reads_a_file_of_dates_digit_by_digit(tmp_path):
    words = ["--examples", 200, "--epochs", 1, "--out", tmp_path / "run", *SMALL]
    done("try", "seq2seq", *words)
    file = write_pairs(tmp_path / "d.tsv", [("the 5th of March, 1999", "1999-03-05")])
    answer = told(tmp_path / "run", file)
    (row,) = answer.json["findings"]["tables"]["Held out"]["rows"]
    assert row[0] == "the 5th of march, 1999"
    assert row[2] == "1999-03-05"
    assert "note" not in answer.err


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A language model of cleaned text: letters and spaces."""
    run = tmp_path_factory.mktemp("writer") / "run"
    done("try", "rnn", "--tokens", 1_000, "--epochs", 4, "--out", run, *SMALL)
    return run


def test_a_text_is_cleaned_as_the_model_s_own_was(writer, tmp_path):
    loud, plain = tmp_path / "loud.txt", tmp_path / "plain.txt"
    loud.write_text("The CLASS, the method;\n\n  and -- the module!\n" * 9)
    plain.write_text("the class the method and the module " * 9)
    first, second = (told(writer, file) for file in (loud, plain))
    assert "note" not in first.err
    scores = first.json["scores"]
    assert scores == second.json["scores"]
    assert list(scores) == ["valid"]
    assert scores["valid"]["perplexity"] == pytest.approx(math.exp(scores["valid"]["loss"]))


def test_characters_that_a_model_does_not_know_are_counted(tmp_path):
    own, other, strange = (tmp_path / f"{name}.txt" for name in ("own", "other", "strange"))
    own.write_text("abab" * 400)
    other.write_text("abac" * 100)
    strange.write_text("да " * 100)
    done(
        "try",
        "rnn",
        "--data",
        own,
        "--tokens",
        1_000,
        "--epochs",
        1,
        "--out",
        tmp_path / "r",
        *SMALL,
    )
    assert (
        f"25% of {other} are characters that the model does not know"
        in told(tmp_path / "r", other).err
    )
    said = call("eval", tmp_path / "r", "--data", strange)
    assert said.status != 0
    assert "strange.txt: has no char that the model knows" in said.err


@pytest.mark.parametrize("words", [["deep-rnn"], ["deep-rnn", "--cell", "attention"], ["bi-rnn"]])
def test_a_short_text_is_measured_or_refused(words, tmp_path):
    run, enough, short = tmp_path / "run", tmp_path / "enough.txt", tmp_path / "short.txt"
    done("try", *words, "--tokens", 1_000, "--epochs", 1, "--out", run, *SMALL)
    enough.write_text("the class of the module " * 4)
    short.write_text("a")
    assert told(run, enough).json["scores"]["valid"]["loss"] > 0
    said = call("eval", run, "--data", short)
    if words == ["bi-rnn"]:
        assert "2 tokens, no window of 35" in said.err
    else:
        assert said.status == 0, "it has a letter, and a space after it"
