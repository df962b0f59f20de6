"""Translating with attention: rates that warm up, beams and maps of `fathom predict`, bad words."""

from __future__ import annotations

import random

import pytest
import torch
from PIL import Image

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.data.pairs import pair_set
from fathom.models.transformer import transformer
from fathom.predictors.translation import Translator

SMALL = dict(data="dates", examples=60, held_out=0.5, num_steps=14, hidden_size=8, batch_size=7)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """Two words to their translations in the other order, learned in seconds by each model."""
    folder = tmp_path_factory.mktemp("turned")
    chance, words = random.Random(0), ["red", "blue", "green", "big", "small"]
    drawn = [(chance.choice(words), chance.choice(words)) for _ in range(400)]
    lines = [f"{one} {two}\t{two}y {one}x" for one, two in drawn]
    (folder / "mine.tsv").write_text("\n".join(lines), encoding="utf-8")
    sizes = {
        "transformer": ["--hidden-size", 32, "--dropout", 0.0, "--lr", 0.01, "--warm-up", 20],
        "attention-seq2seq": ["--hidden-size", 32, "--embedding-size", 16, "--lr", 0.02],
    }
    for recipe, words in sizes.items():
        done(
            *("run", recipe, "--data", folder / "mine.tsv", "--examples", 300, "--epochs", 15),
            *(*words, "--num-layers", 1, "--min-freq", 1, "--out", folder / recipe, "--quiet"),
            *UNMEASURED,
        )
    return folder


@pytest.mark.parametrize("recipe", ["transformer", "attention-seq2seq"])
@pytest.mark.parametrize("beam", [1, 4])
def test_the_order_is_learned_and_a_beam_finds_it_too(turned, recipe, beam):
    rows = done("predict", turned / recipe, "red blue", "big small", "--beam", beam, "--json").json
    assert [row["translation"] for row in rows] == ["bluey redx", "smally bigx"]
    assert all(0.5 < row["probability"] <= 1 for row in rows)


@pytest.mark.parametrize("recipe", ["transformer", "attention-seq2seq"])
def test_its_map_shows_that_the_order_is_turned(turned, recipe):
    """What the first written word takes most is the second that is read."""
    from fathom.cli.use import trained_model, trained_run

    prepared = trained_model(trained_run(str(turned / recipe)), "cpu")
    model, pairs = prepared.experiment.model.eval(), prepared.experiment.predictor.pairs
    numbers = pairs.numbered(pairs.train)
    source, lens = numbers.source[:40].long(), numbers.source_lens[:40]
    given = torch.cat([torch.full((40, 1), 2), numbers.target[:40, :-1].long()], 1)
    with torch.no_grad():
        weights = model.maps((source, lens, given))["source"].mean((1, 2))  # over layers and heads
    taken = weights[:, :2, :2].mean(0)
    assert taken[0, 1] > taken[0, 0]
    assert taken[1, 0] > taken[1, 1]


def test_maps_are_saved_in_the_run_or_where_it_is_said(turned, tmp_path):
    figures = turned / "transformer" / "figures"
    said = done("predict", turned / "transformer", "red blue", "big big", "--show-attention").out
    for number in (1, 2):
        for part in ("", "-encoder", "-decoder"):
            with Image.open(figures / f"attention-{number}{part}.png") as picture:
                assert min(picture.size) > 200
    assert said.count("saved ") == 6
    target = tmp_path / "map.png"
    words = ["predict", turned / "attention-seq2seq", "red blue", "--show-attention", "--save"]
    done(*words, target)
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"], "what was asked for, no more"
    done(*words, tmp_path / "said.csv")
    assert "bluey redx" in (tmp_path / "said.csv").read_text()
    assert (turned / "attention-seq2seq" / "figures" / "attention.png").is_file()


def test_words_of_both_sides_stand_beside_the_map():
    torch.manual_seed(0)
    pairs = pair_set("dates", examples=50, held_out=0, num_steps=12)
    model = transformer(len(pairs.source), len(pairs.target), num_layers=3, num_heads=2).eval()
    translator = Translator(pairs, attends=True)
    with torch.no_grad():
        figures = translator.attention(model, ["5 may 1999"])
    assert set(figures) == {"attention", "attention-encoder", "attention-decoder"}
    maps = [axes for axes in figures["attention"].axes if axes.images]
    assert len([axes for axes in maps if axes.images[0].get_array().ndim == 2]) >= 6
    columns = [label.get_text() for label in maps[0].get_xticklabels()]
    assert columns == ["5", "may", "1", "9", "9", "9", "<eos>"]
    written = translator.translated(model, [pairs.train.tokens("5 may 1999")])[0][0]
    rows = [label.get_text() for label in maps[0].get_yticklabels()]
    assert rows == [*written[:11], "<eos>"]


def test_what_does_not_apply_is_told(turned, tmp_path):
    run = turned / "transformer"
    assert "is less than 1" in call("predict", run, "red", "--beam", 0).error
    (tmp_path / "many.txt").write_text("red blue\n" * 30)
    said = call("predict", run, tmp_path / "many.txt", "--show-attention")
    assert (said.status, "draws up to 12 sentences, not 30" in said.error) == (2, True)
    done("run", "seq2seq", *(f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()),
         "--epochs", 1, "--out", tmp_path / "plain", "--quiet", *UNMEASURED)  # fmt: skip
    said = call("predict", tmp_path / "plain", "5 may 1999", "--show-attention")
    assert "--show-attention: does not apply to seq2seq" in said.error
    assert "does not go into" in call("run", "transformer", "--num-heads", 5).error


def test_the_rate_rises_and_falls_as_in_the_paper():
    experiment = load("transformer").function(**SMALL, num_heads=2, lr=0.01, warm_up=4)
    rates = []
    for _ in range(12):
        rates.append(experiment.optimizer.param_groups[0]["lr"])
        experiment.optimizer.step()
        experiment.schedule.step()
    paper = [min(step**-0.5, step * 4**-1.5) for step in range(1, 13)]  # Vaswani et al., (3)
    assert rates == pytest.approx([0.01 * rate / max(paper) for rate in paper])
    assert load("transformer").function(**SMALL, num_heads=2).schedule is None


@pytest.mark.parametrize("name", ["transformer", "attention_seq2seq"])
def test_both_libraries_train_to_the_same(name):
    losses = []
    for impl in ("torch", "scratch"):
        torch.manual_seed(0)
        sizes = dict(num_heads=2) if name == "transformer" else {}
        experiment = load(name).function(**SMALL, **sizes, impl=impl, dropout=0.0)
        model, optimizer = experiment.model.train(), experiment.optimizer
        for inputs, asked in experiment.train.epoch(0, 0):
            optimizer.zero_grad()
            loss = experiment.objective(model(inputs), asked)
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
