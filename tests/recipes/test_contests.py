"""Contests: what is trained, what is written for them, and that both are of the same pictures."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.utils.class_weight import compute_class_weight

from calling import UNMEASURED, call, done
from fathom.core.paths import data_dirs
from fathom.data.contest import read_contest
from fathom.data.made_contest import made_contest
from fathom.recipes.contests import kaggle_cifar10, kaggle_dogs, probabilities, treatment_of
from fathom.vision.augment import random_resized_crop

SMALL = ("--width", 4, "--lr", 0.02, "--augment", "none", "--epochs", 1, *UNMEASURED)


def rows(run: Path) -> list[list[str]]:
    with open(run / "submission.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def contest(tmp_path_factory):
    """The built-in one, smaller; its cache is this module's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FATHOM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return made_contest(700, 120)


def test_the_entry_is_what_predicting_the_test_files_says(contest, tmp_path):
    run = tmp_path / "run"
    done("run", "kaggle-cifar10", "--data", contest, *SMALL, "--out", run)
    found = rows(run)
    answers = done("predict", run, contest / "test", "--json").json
    by_id = {Path(answer["input"]).stem: answer["class"] for answer in answers}
    assert found[0] == ["id", "label"]
    assert dict(found[1:]) == by_id
    assert [row[0] for row in found[1:]] == [str(n) for n in range(1, len(by_id) + 1)]


def test_shares_are_the_frozen_network_s(contest, tmp_path):
    run = tmp_path / "run"
    settings = ("--augment", "none", "--lr", 0.03, "--epochs", 1, *UNMEASURED)
    done("run", "kaggle-dogs", "--data", contest, *settings, "--out", run)
    found = rows(run)
    classes = read_contest(contest).classes
    assert found[0] == ["id", *sorted(classes)]
    written = torch.tensor([[float(cell) for cell in row[1:]] for row in found[1:]])
    torch.testing.assert_close(written.sum(1), torch.ones(len(written)))
    experiment = kaggle_dogs(data=str(contest), augment="none")
    tuned, fresh = load_file(run / "model.safetensors"), experiment.model.state_dict()
    changed = {name for name, value in tuned.items() if not torch.equal(value, fresh[name])}
    assert changed == {"fc.0.weight", "fc.0.bias", "fc.2.weight", "fc.2.bias"}
    experiment.model.load_state_dict(tuned)
    entry = read_contest(contest)
    _, test = entry.pictures(entry.held_out(0.2, 0))
    with torch.no_grad():
        again = probabilities(experiment.model.eval(), test)
    torch.testing.assert_close(written, again, rtol=1e-4, atol=1e-6)


def test_retraining_sees_all_and_measures_nothing(contest, tmp_path):
    plain = kaggle_cifar10(data=str(contest), width=4)
    again = kaggle_cifar10(data=str(contest), width=4, retrain=True)
    assert again.valid is None
    assert again.train.examples == plain.train.examples + plain.valid.examples
    assert plain.valid.examples == pytest.approx(again.train.examples / 5, abs=11)
    run = tmp_path / "run"
    facts = done(
        "run", "kaggle-cifar10", "--data", contest, "--retrain", *SMALL,
        "--out", run, "--json",
    ).json  # fmt: skip
    assert set(facts["final"]) == {"train"}
    assert len(rows(run)) == 1 + len(read_contest(contest).test)


def test_rare_classes_count_alike_where_it_is_asked_smoothed_or_not(contest):
    """The mean of each picture's own loss by scikit-learn's weight of its class."""
    logits, settings = torch.randn(11, 11), {"data": str(contest), "width": 4}
    labels = [label for _, label in read_contest(contest).train]
    plain = kaggle_cifar10(**settings)
    order = plain.train.targets.numpy()
    assert sorted(set(order)) == sorted(set(labels)), "each class is trained on"
    weights = compute_class_weight("balanced", classes=np.arange(11), y=order)
    for smoothing in (0.0, 0.1):
        found = kaggle_cifar10(**settings, balanced=True, smoothing=smoothing)
        losses = torch.nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")
        expected = (torch.from_numpy(weights) * losses(logits, torch.arange(11))).mean()
        assert float(found.objective(logits, torch.arange(11))) == pytest.approx(float(expected))
        smoothed = kaggle_cifar10(**settings, smoothing=smoothing).objective
        plainly = losses(logits, torch.arange(11)).mean()
        assert float(smoothed(logits, torch.arange(11))) == pytest.approx(float(plainly))


def test_another_contest_is_measured_on_in_the_classes_that_are_known(contest, tmp_path):
    run, other = tmp_path / "run", shutil.copytree(contest, tmp_path / "other")
    done("run", "kaggle-cifar10", "--data", contest, "--first", 200, *SMALL, "--out", run)
    (head, *labels) = (other / "labels.csv").read_text().splitlines()
    classes = json.loads((run / "run.json").read_text())["classes"]
    few = [row for row in labels if row.split(",")[1] in classes[3:5]]
    for path in (other / "train").iterdir():
        if not any(row.startswith(f"{path.stem},") for row in few):
            path.unlink()
    (other / "labels.csv").write_text("\n".join([head, *few]) + "\n")
    said = done("eval", run, "--data", other, "--json").json
    assert list(said["scores"]) == ["valid"], "none of it was trained on"
    answers = done("predict", run, other / "train", "--json").json
    known = dict(row.split(",") for row in few)
    right = [known[Path(answer["input"]).stem] == answer["class"] for answer in answers]
    assert said["scores"]["valid"]["accuracy"] == pytest.approx(sum(right) / len(few))
    text = (other / "labels.csv").read_text().replace(f",{classes[3]}\n", ",unicorn\n")
    (other / "labels.csv").write_text(text)
    told = call("eval", run, "--data", other).error
    assert "other: its classes are not those that were trained on (unicorn); give it" in told


def test_class_folders_are_made_where_they_are_asked_for(contest, tmp_path):
    folder = tmp_path / "by-class"
    kaggle_cifar10(data=str(contest), width=4, folders=str(folder))
    experiment = kaggle_cifar10(data=str(contest), width=4)
    counts = {part: len(list((folder / part).rglob("*.png"))) for part in ("train", "valid")}
    assert counts == {"train": experiment.train.examples, "valid": experiment.valid.examples}


def test_the_book_s_settings_are_the_defaults():
    settings = {n: a.default for n, a in kaggle_cifar10.__recipe__.arguments.items()}
    assert settings["batch_size"] == 32
    assert settings["epochs"] == 20
    experiment = kaggle_cifar10(width=4)
    group = experiment.optimizer.param_groups[0]
    # The book's 2e-4 and 5e-4 are for the sum of a batch's losses, here is their mean.
    assert group["momentum"] == 0.9
    assert group["lr"] == pytest.approx(32 * 2e-4)
    assert group["weight_decay"] == pytest.approx(5e-4 / 32)
    steps, rates = len(experiment.train), []
    for _ in range(9 * steps):
        rates.append(group["lr"])
        experiment.optimizer.step()
        experiment.schedule.step()
    expected = [32 * 2e-4 * 0.9 ** (epoch // 4) for epoch in range(9)]
    torch.testing.assert_close(torch.tensor(rates[::steps]), torch.tensor(expected))


def test_the_book_s_variation_is_a_square_and_strong_ones_are_stronger():
    batch, indices = torch.rand(40, 3, 32, 32), torch.arange(40)
    varied = treatment_of("book", 32).transform(batch, indices, 0, 0)
    expected = random_resized_crop((0.64, 1.0), (1.0, 1.0), flip=True)(batch, indices, 0, 0)
    assert torch.equal(varied, expected)
    assert treatment_of("none", 32).transform is None
    strong = treatment_of("strong", 32).transform(batch, indices, 0, 0)
    assert (strong == 0).float().mean() > (varied == 0).float().mean() + 0.02


def test_bad_contests_are_one_line(tmp_path):
    for name in ("train", "test"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    for word, told in (
        (tmp_path / "empty", "has no csv of labels"),
        (tmp_path / "nothing", "does not exist"),
        (tmp_path, "has no folder train"),
    ):
        said = call("run", "kaggle-cifar10", "--data", word, *UNMEASURED)
        assert said.status == 3
        assert told in said.error


def test_the_contest_s_first_pictures_are_the_book_s_small_set():
    found = [d / "cifar10" / "kaggle_cifar10_first4000.zip" for d in data_dirs()]
    files = [file for file in found if file.is_file()]
    if not files:
        pytest.skip("no kaggle_cifar10_first4000.zip in $FATHOM_DATA/cifar10")
    contest = read_contest(files[0], first=1000)
    assert contest.classes[:3] == ("airplane", "automobile", "bird")
    names = [(file.stem, contest.classes[label]) for file, label in contest.train[:3]]
    assert names == [("1", "frog"), ("2", "truck"), ("3", "truck")]
    held = contest.held_out(0.2, 0)
    assert sum(held) == pytest.approx(200, abs=5)
    assert [file.stem for file in contest.test[:3]] == ["1", "2", "3"]
