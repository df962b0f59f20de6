"""A run's folder is all that is needed to use it: its data may be gone, and it may have moved."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from calling import UNMEASURED, call, done
from fathom.cli.use import model_in_use, trained_model, trained_run

QUICK = ("--quiet", *UNMEASURED)
LENET = ("lenet", "--activation", "relu", "--lr", "0.05", "--batch-size", "8", "--epochs", "1")
DAYS = [f"2020-{month:02}-{day:02}" for month in range(1, 5) for day in range(1, 29)]


def picture(path: Path, level: int, size: tuple[int, int] = (12, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(level).integers(0, 40, (*size, 3))
    Image.fromarray((noise + level).astype(np.uint8)).save(path)


def class_folders(where: Path, classes: tuple[str, ...] = ("dusk", "night", "день")) -> Path:
    for label, name in enumerate(classes):
        for number in range(8):
            picture(where / name / f"{number}.png", 90 * label + number)
    return where


def contest(where: Path) -> Path:
    rows = [(f"{n}", ("eel", "cat", "dog")[n % 3]) for n in range(24)]
    for name, label in rows:
        picture(where / "train" / f"{name}.png", 80 * ["cat", "dog", "eel"].index(label), (16, 16))
    picture(where / "test" / "a.png", 90, (16, 16))
    text = "id,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
    (where / "labels.csv").write_text(text)
    return where


def houses(path: Path, rows: int = 40, seed: int = 0) -> Path:
    chance = np.random.default_rng(seed)
    lines = ["number,area,kind,built,price"]
    for n in range(rows):
        area, kind = chance.uniform(50, 200), chance.choice(["flat", "house", ""])
        built = f"20{chance.integers(10, 20)}-0{chance.integers(1, 9)}-11"
        lines.append(f"{n + 7},{area:.1f},{kind},{built},{1000 * area + 9000 * len(kind):.0f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def weather(path: Path, shift: float = 0.0, days: int = len(DAYS)) -> Path:
    rows = [
        f"{day},{15 + math.cos(n / 5) + shift:.3f},{400 + math.sin(n / 3):.3f}"
        for n, day in enumerate(DAYS[:days])
    ]
    path.write_text("date,warmth,air\n" + "\n".join(rows) + "\n")
    return path


def text(path: Path, words: str, times: int = 60) -> Path:
    path.write_text(words * times)
    return path


def pairs(path: Path, count: int = 30) -> Path:
    lines = [("go .", "va !"), ("i run .", "je cours ."), ("we go .", "nous allons .")]
    path.write_text("".join(f"{a}\t{b}\n" for a, b in lines) * count)
    return path


class Kind(NamedTuple):
    """Data of one's own, other data of the kind, and the words that train on them and ask."""

    own: Any
    other: Any
    run: str
    asked: tuple[str, ...]
    exports: str = "torchscript"


FOX, OTHER_FOX = "The quick brown fox. ", "The brown fox, quick! "
TEXTS = lambda at: text(at / "own.txt", FOX), lambda at: text(at / "other.txt", OTHER_FOX)
TABLES = lambda at: houses(at / "own.csv"), lambda at: houses(at / "other.csv", 9, seed=1)
KINDS = {
    "folder": Kind(
        lambda at: class_folders(at / "own"),
        lambda at: class_folders(at / "other", ("dusk", "день")),
        "lenet --activation relu --lr 0.05 --batch-size 8 --epochs 3",
        ("{other}",),
    ),
    "folder, in the form that it has": Kind(
        lambda at: class_folders(at / "own"),
        lambda at: class_folders(at / "other"),
        "mlp --epochs 2 --batch-size 8 --balanced",
        ("{other}/dusk",),
    ),
    "contest": Kind(
        lambda at: contest(at / "own"),
        lambda at: contest(at / "other"),
        "kaggle-cifar10 --width 4 --epochs 2 --retrain --folders {at}/links",
        ("{other}/test",),
    ),
    "zip of a contest, and a network that has learned": Kind(
        lambda at: Path(shutil.make_archive(str(at / "own"), "zip", contest(at / "unpacked"))),
        lambda at: contest(at / "other"),
        "kaggle-dogs --weights shapes --epochs 1 --balanced",
        ("{other}/test",),
        "safetensors",
    ),
    "table": Kind(
        *TABLES,
        "house-prices --target price --epochs 5",
        ("{other}", "area=100,kind=house"),
    ),
    "table, as in the book": Kind(
        *TABLES,
        "house-prices --target price --epochs 5 --encoding book --leak --test {own} --model mlp "
        "--lr 0.01",
        ("{other}",),
    ),
    "series": Kind(
        lambda at: weather(at / "own.csv"),
        lambda at: weather(at / "other.csv", 2.0, 30),
        "sequence --target air --epochs 2",
        ("{other}", "--length", "3"),
    ),
    "text": Kind(
        *TEXTS,
        "rnn --hidden-size 16 --batch-size 4 --epochs 2 --tokens 900",
        ("The quick", "--temperature", "0.8", "--length", "20"),
        "safetensors",
    ),
    "words of a text": Kind(
        *TEXTS,
        "deep-rnn --cell attention --unit word --hidden-size 16 --lr 0.01 --order random "
        "--batch-size 4 --num-steps 8 --epochs 2 --tokens 200",
        ("The quick", "--length", "5"),
        "safetensors",
    ),
    "text with gaps": Kind(
        *TEXTS,
        "bi-rnn --hidden-size 8 --batch-size 8 --epochs 1 --tokens 900",
        ("The qu_ck",),
        "safetensors",
    ),
    "pairs": Kind(
        lambda at: pairs(at / "own.tsv"),
        lambda at: pairs(at / "other.tsv", 2),
        "seq2seq --held-out 0 --epochs 3 --hidden-size 16 --examples 60",
        ("i run .", "we go !"),
        "safetensors",
    ),
}


class Used(NamedTuple):
    """A run that has moved, whose data are gone, and what was said of it before they were."""

    at: Path
    run: Path
    kind: Kind
    answers: Any
    scores: Any
    exported: bytes
    measured: Any


def words(kind: Kind, at: Path, given: Iterable[str]) -> list[str]:
    own, other = kind.own(at), kind.other(at)
    return [word.format(at=at, own=own, other=other) for word in given]


def told(kind: Kind, at: Path, run: Path) -> tuple[Any, Any, bytes]:
    """What predicting, measuring on other data and exporting give."""
    asked = words(kind, at / "asked", kind.asked)
    answers = done("predict", run, *asked, "--json").json
    other = kind.other(at / "asked")
    scores = done("eval", run, "--data", other, "--json").json
    target = run / "exported"
    done("export", run, "--to", kind.exports, "--out", target, "--force")
    content = target.read_bytes() if kind.exports == "safetensors" else b""
    return answers, (scores["scores"], scores["findings"]), content


@pytest.fixture(scope="module", params=list(KINDS))
def used(request, tmp_path_factory) -> Used:
    at = tmp_path_factory.mktemp("used")
    for place in ("data", "asked"):
        (at / place).mkdir()
    kind = KINDS[request.param]
    recipe, *more = words(kind, at / "data", kind.run.split())
    own = kind.own(at / "data")
    done("run", recipe, "--data", own, *more, "--out", at / "run", *QUICK)
    # Built of the data themselves, as it was for training.
    measured = trained_model(trained_run(str(at / "run")), "cpu").experiment
    before = told(kind, at, at / "run")
    shutil.rmtree(at / "data")
    (at / "run").rename(at / "moved")
    return Used(at, at / "moved", kind, *before, measured)


def test_it_predicts_is_measured_on_other_data_and_exported_as_before(used):
    answers, scores, exported = told(used.kind, used.at, used.run)
    assert answers == used.answers
    assert scores == used.scores
    assert exported == used.exported


def test_its_model_is_the_one_that_is_built_of_the_data(used):
    """The same layers with the same settings, and what its predictor answers with them."""
    with torch.inference_mode():
        found = model_in_use(trained_run(str(used.run)), "cpu").experiment
        _are_the_same(
            found, used.measured, words(used.kind, used.at / "asked", used.kind.asked[:1])
        )


def _are_the_same(found: Any, measured: Any, asked: list[str]) -> None:
    assert str(found.model) == str(measured.model)
    ours, theirs = found.model.state_dict(), measured.model.state_dict()
    assert list(ours) == list(theirs)
    assert all(bool((ours[name] == theirs[name]).all()) for name in ours)
    predictor, other = found.predictor, measured.predictor
    if hasattr(predictor, "write"):
        found.model.eval()
        assert predictor.write(found.model, asked) == other.write(measured.model, asked)
    else:
        (names, inputs), (same, expected) = predictor.read(asked), other.read(asked)
        assert names == same
        torch.testing.assert_close(inputs, expected, rtol=0, atol=0, equal_nan=True)
        outputs = found.model.eval()(inputs)
        assert predictor.answers(outputs) == other.answers(outputs)


def test_where_its_data_are_needed_the_place_and_what_to_do_are_told(used):
    said = call("eval", used.run)
    assert said.status == 3
    assert str(used.at / "data" / "own") in said.error
    assert "is gone, and " in said.error
    assert "put it back, or measure on other data with --data" in said.error
    said = call("resume", used.run, "--epochs", 9)
    assert str(used.at / "data" / "own") in said.error
    assert "put it back, or say where it is now with --data" in said.error
    assert json.loads((used.run / "run.json").read_text())["status"] == "done"


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A run on a folder that was named from the one that it is in."""
    at = tmp_path_factory.mktemp("one")
    class_folders(at / "own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        done("run", *LENET, "--data", "own", "--out", "run", *QUICK)
    return at


@pytest.fixture
def small(one, tmp_path) -> tuple[Path, Path]:
    """A run like that of one's own, and the folder that it was trained on."""
    folder, run = shutil.copytree(one / "own", tmp_path / "own"), tmp_path / "run"
    shutil.copytree(one / "run", run)
    facts = json.loads((run / "run.json").read_text())
    facts["arguments"]["data"] = facts["files"]["data"] = str(folder)
    (run / "run.json").write_text(json.dumps(facts))
    return run, folder


def test_data_that_are_elsewhere_now_are_gone_on_with(small, tmp_path):
    run, folder = small
    folder.rename(tmp_path / "there")
    facts = done("resume", run, "--epochs", 2, "--data", tmp_path / "there", "--json").json
    assert facts["arguments"]["data"] == facts["files"]["data"] == str(tmp_path / "there")
    assert list(done("eval", run, "--json").json["scores"]) == ["train", "valid"]
    picture(tmp_path / "there" / "dusk" / "0.png", 200)
    said = call("resume", run, "--epochs", 3, "--data", tmp_path / "there")
    assert said.status == 4
    assert "its data are not those that it saw before" in said.error


def test_a_place_that_was_told_from_another_folder_is_found(one, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(one / "run", tmp_path / "run")
    before = done("eval", run, "--json").json["scores"]
    final = json.loads((run / "run.json").read_text())["final"]
    assert before["valid"] == pytest.approx(final["valid"], rel=1e-6)
    facts = done("resume", run, "--epochs", 2, "--json").json
    assert facts["files"]["data"] == str(one / "own")


def test_a_run_that_has_kept_nothing_reads_its_data_and_says_so_if_it_cannot(small):
    run, folder = small
    kept = done("predict", run, folder / "dusk", "--json").json
    shutil.rmtree(run / "kept")
    assert done("predict", run, folder / "dusk", "--json").json == kept
    asked = folder.parent / "asked.png"
    picture(asked, 3)
    shutil.rmtree(folder)
    said = call("predict", run, asked)
    assert said.status == 3
    assert f"{folder}: is gone, and {run} was trained with it; put it back" in said.error


def test_an_older_run_with_vocabularies_alone_needs_no_text(tmp_path):
    own, run = text(tmp_path / "own.txt", "The quick brown fox. "), tmp_path / "run"
    sizes = ["--hidden-size", 8, "--batch-size", 4, "--tokens", 900, "--epochs", 1]
    done("run", "rnn", "--data", own, *sizes, "--out", run, *QUICK)
    before = done("predict", run, "The fox", "--json").json
    (run / "vocabularies").mkdir()
    (run / "kept" / "text.tsv").rename(run / "vocabularies" / "text.tsv")
    shutil.rmtree(run / "kept")
    own.unlink()
    assert done("predict", run, "The fox", "--json").json == before


def test_what_was_kept_and_is_damaged_is_named(small):
    run, folder = small
    form = '{"classes": ["a", "b"], "held": [3, 28, 28], "form": [3, 0, 28]}'
    for content in ("", "{}", '{"classes": 3, "held": [], "form": 1}', "\0", form):
        (run / "kept" / "pictures.json").write_text(content)
        said = call("predict", run, folder)
        assert said.status == 4
        assert "pictures.json of the run: is damaged; copy it anew" in said.error


def test_kept_classes_that_are_not_the_run_s_are_refused(small):
    run, folder = small
    kept = run / "kept" / "pictures.json"
    facts = json.loads(kept.read_text())
    kept.write_text(json.dumps({**facts, "classes": facts["classes"][::-1]}))
    shutil.rmtree(folder)
    said = call("predict", run, run)
    assert said.status == 4
    assert "what it has kept is of other classes than its run.json says" in said.error


def test_kept_bytes_that_are_no_text_are_named(small):
    run, folder = small
    (run / "kept" / "pictures.json").write_bytes(b"\xff\xfe\x00")
    assert "pictures.json: cannot be read; copy it anew" in call("predict", run, folder).error


def test_a_network_of_a_run_that_is_gone_is_made_again(small, tmp_path):
    run, folder = small
    tuned = ["run", "fine-tuning", "--weights", run, "--data", folder, "--no-compare"]
    done(*tuned, "--epochs", 1, "--batch-size", 8, "--out", tmp_path / "tuned", *QUICK)
    picture(asked := tmp_path / "asked.png", 100)
    before = done("predict", tmp_path / "tuned", asked, "--json").json
    shutil.rmtree(run)
    shutil.rmtree(folder)
    assert done("predict", tmp_path / "tuned", asked, "--json").json == before


def test_other_rows_are_scored_by_every_fold_as_its_answers_are(tmp_path):
    """The root mean squared error of logarithms, from what `predict` says of one fold's model."""
    own, other, run = houses(tmp_path / "own.csv"), tmp_path / "other.csv", tmp_path / "run"
    houses(other, 12, seed=3)
    words = ["--target", "price", "--epochs", 3, "--folds", 2, "--out", run, *QUICK]
    done("run", "house-prices", "--data", own, *words)
    found = trained_model(trained_run(str(run)), "cpu", {"data": str(other)})
    inputs, targets = next(iter(found.valid.epoch(0, 0)))
    with open(other, newline="") as file:
        prices = np.array([float(row["price"]) for row in csv.DictReader(file)])
    guesses = found.experiment.model(inputs).detach().double().numpy()
    errors = np.sqrt(((guesses - np.log(prices)[:, None]) ** 2).mean(0))
    (scores,) = done("eval", run, "--data", other, "--json").json["scores"].values()
    assert scores["log_rmse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert targets.shape == (12, 3)
    other.write_text(other.read_text().replace(f"{prices[4]:.0f}", "0"))
    said = call("eval", run, "--data", other)
    assert "other.csv line 6: column price is 0, where it was always above 0" in said.error
