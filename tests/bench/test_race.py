"""Benchmarks: contenders in turn, medians and ratios as they should be; the cases at work."""

from __future__ import annotations

import math
import statistics
import threading
import time
from multiprocessing import Pipe

import pytest
import torch
from learning import losses

import fathom.bench.pictures as cases
import fathom.recipes.cnn
import fathom.recipes.linear
import fathom.recipes.perceptrons
from calling import call, done
from fathom.bench import race
from fathom.bench.race import CONTENDERS, Case, Row, bench, measure
from fathom.core.errors import DataError, SettingError, WorkerError
from fathom.data.images import Pictures, PictureSet, load_pictures


class Scripted:
    """A lane whose times are known."""

    seconds = {  # noqa: RUF012 - the first is the warm-up
        "ours": [9.0, 1.0, 2.0, 4.0],
        "peer": [9.0, 10.0, 10.0, 10.0],
        "bare": [9.0, 1.0, 1.0, 2.0],
    }
    turns: list[str] = []  # noqa: RUF012

    def __init__(self, case: str, contender: str) -> None:
        self.contender, self.times = contender, iter(self.seconds[contender])

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None: ...

    def run(self) -> float:
        self.turns.append(self.contender)
        return next(self.times)


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(race, "Lane", Scripted)
    monkeypatch.setattr(cases, "CASES", {"tiny": Case("tiny", "examples/s", 100, {})})
    Scripted.turns = []


def test_medians_and_ratios_are_taken_round_by_round(scripted):
    row = measure(Case("tiny", "examples/s", 100, {}), 3)
    assert row == Row(
        *("tiny", "examples/s", 100 / 2.0, 100 / 10.0, 100 / 1.0),
        *(statistics.median([10, 5, 2.5]), (2.5, 10.0)),
        *(statistics.median([1, 0.5, 0.5]), (0.5, 1.0), 3),
    )
    assert Scripted.turns == list(CONTENDERS) * 4, "in turn, after one round to warm up"


def test_the_verb_shows_them(scripted):
    (row,) = done("bench", "tiny", "--rounds", 3, "--json").json
    assert row["name"] == "tiny"
    assert row["over_peer"] == 5
    assert row["of_bare"] == 0.5
    out = done("bench", "tiny", "--rounds", 3).out
    assert "5.00x [2.50, 10.00]" in out
    assert "examples/s; medians of 3 rounds" in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert "0.50" in out


def test_unknown_names_and_no_rounds_are_refused(scripted):
    assert call("bench", "tiny", "--rounds", 0).status == 2
    with pytest.raises(SettingError, match="did you mean 'tiny'"):
        list(bench("tinny"))


@pytest.fixture
def lane(monkeypatch):
    """A contender served as in its process, but in a thread that sees what is patched."""

    def start(build):
        monkeypatch.setattr(cases, "CASES", {"tiny": Case("tiny", "x/s", 1, {"ours": build})})
        ours, theirs = Pipe()
        thread = threading.Thread(target=race._serve, args=(theirs, "tiny", "ours"), daemon=True)
        thread.start()
        found = race.Lane.__new__(race.Lane)
        found.name, found._ours, found._process = "tiny, ours", ours, thread
        return found

    return start


def test_a_turn_is_timed_in_cpu_seconds(lane):
    turns = []

    def build():
        return lambda: (turns.append(1), time.sleep(0.2))

    found = lane(build)
    assert found._answer() == "ready"
    seconds = found.run()
    assert turns == [1]
    assert 0 <= seconds < 0.2 + 0.5, "sleeping costs no CPU time of ours"
    found.__exit__()


def test_an_error_of_a_contender_comes_with_its_words(lane):
    def build():
        raise DataError("fashion-mnist", "is not here", "fathom data get fashion-mnist")

    with pytest.raises(DataError, match="fashion-mnist: is not here; fathom data get"):
        lane(build)._answer()


def test_a_contender_that_dies_is_a_worker_error():
    ours, theirs = Pipe()
    theirs.close()
    found = race.Lane.__new__(race.Lane)
    found.name, found._ours = "tiny, ours", ours
    with pytest.raises(WorkerError, match="its process died"):
        found._answer()


@pytest.fixture
def few_pictures(monkeypatch):
    """Three hundred pictures in the place of Fashion-MNIST's sixty thousand."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(50, (300, 1, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (300,), generator=generator)
    labels[:200] = 5  # that most are of one class is soon learned
    names = load_pictures("digits").classes
    split = Pictures(images, labels, len(names))
    few = PictureSet("few", split, split, names)
    for module in (cases, fathom.recipes.cnn, fathom.recipes.linear, fathom.recipes.perceptrons):
        monkeypatch.setattr(module, "load_pictures", lambda *args, **kwargs: few)
    return images, labels


@pytest.mark.parametrize("name", ["softmax", "mlp", "lenet"])
def test_each_contender_learns_in_as_many_steps(few_pictures, name, monkeypatch):
    for contender, build in cases.CASES[name].build.items():
        epoch = build()
        turns = [losses(epoch, monkeypatch) for _ in range(4)]
        assert {len(turn) for turn in turns} == {2}, "of 256, and of the 44 that are left"
        assert turns[0][0] == pytest.approx(math.log(10), rel=0.4), "untrained, it guesses"
        means = [(256 * of_many + 44 * of_few) / 300 for of_many, of_few in turns]
        assert means[-1] < 0.95 * means[0], contender


def test_the_book_s_way_of_opening_a_picture_gives_the_same_numbers(few_pictures):
    images, labels = few_pictures
    data = cases.OneByOne(images, labels)
    assert len(data) == 300
    for index in (0, 31, 59):
        picture, label = data[index]
        assert torch.equal(picture, images[index].float() / 255)
        assert label == int(labels[index])
