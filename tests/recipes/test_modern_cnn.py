"""The networks of chapter 7 as recipes: their choices, their pages, and that they learn."""

from __future__ import annotations

import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.core.seeds import seed_everything

NETWORKS = ["alexnet", "vgg", "nin", "googlenet", "batch-norm", "resnet", "densenet"]
BOOK = {  # size, batch size, learning rate, parameters of the network at the book's size
    "alexnet": (224, 128, 0.01, 46_764_746),
    "vgg": (224, 128, 0.05, 43_093_322),
    "nin": (224, 128, 0.1, 1_992_166),
    "googlenet": (96, 128, 0.1, 5_977_530),
    "batch-norm": (28, 256, 1.0, 44_426 + 456),
    "resnet": (96, 256, 0.05, 11_178_378),
    "densenet": (96, 256, 0.1, 758_226),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_defaults_are_the_book_s_and_the_page_shows_the_network(name):
    size, batch_size, lr, parameters = BOOK[name]
    page = done("show", name, "--json").json
    defaults = {a["name"]: a["default"] for a in page["arguments"]}
    assert defaults["batch_size"] == batch_size
    assert defaults["lr"] == lr
    assert defaults["epochs"] == 10
    assert defaults["data"] == "fashion-mnist"
    assert page["network"]["input"] == [1, size, size]
    if name != "batch-norm":
        assert page["network"]["parameters"] == parameters
    assert (
        sum(layer["parameters"] for layer in page["network"]["layers"])
        == (page["network"]["parameters"])
    )


def test_a_page_of_other_settings():
    page = done("show", "resnet", "--network", "resnet34", "--size", 64, "--json").json
    assert page["network"]["input"] == [1, 64, 64]
    # Of one channel and ten classes.
    assert page["network"]["parameters"] == 21_797_672 - 2 * 64 * 49 - 990 * 513
    out = done("show", "vgg", "--network", "vgg11_bn", "--width", 8, "--size", 32).out
    assert "BatchNorm2d" in out
    assert "multiply-adds a picture" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("vgg --size 31", "size 31: is too small for book-vgg11; use 32"),
        ("nin --size 66", "size 66: is too small for book-nin; use 67"),
        ("googlenet --network inception_v3 --size 74", "too small for inception_v3; use 75"),
        ("alexnet --network alexnet --weights he", "weights he: alexnet has its own"),
        ("resnet --network resnet51", "did you mean"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(words, told, tmp_path):
    said = call("try", *words.split(), "--out", tmp_path / "run")
    assert said.status == 2
    assert told in said.error or "is not one of" in said.error


@pytest.mark.parametrize("name", ["nin", "googlenet"])
def test_a_step_moves_every_layer_where_the_book_s_stand_still(name):
    """The smallest share of a layer's weights that one step moves, by ours and by Xavier's."""
    recipe = load(name)
    moved = {}
    for weights in (None, "xavier"):
        seed_everything(0)
        settings = recipe.settings({**recipe.sample, "weights": weights, "lr": 1.0})
        experiment = recipe.function(**settings)
        inputs, labels = next(iter(experiment.train.epoch(0, 0)))
        experiment.objective(experiment.model.eval()(inputs), labels).backward()
        slopes = [
            float(p.grad.norm() / p.detach().norm())
            for p in experiment.model.parameters()
            if p.dim() > 1
        ]
        moved[weights] = min(slopes)
    assert moved[None] > 20 * moved["xavier"]


def test_batch_norm_may_be_left_out(tmp_path):
    words = ["--norm", "none", "--epochs", 1, "--limit-batches", 2, *UNMEASURED]
    done("try", "batch-norm", *words, "--out", tmp_path / "run", "--quiet")
    experiment = load("batch-norm").function(data="digits", norm="none")
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in experiment.model.modules())


@pytest.mark.parametrize("name", ["batch-norm", "resnet", "densenet"])
def test_means_are_taken_anew_once_the_weights_are_found(name, tmp_path):
    words = ["--epochs", 1, *UNMEASURED, "--out", tmp_path / "run", "--quiet", "--json"]
    facts = done("try", name, *words).json
    numbers = {name: found["value"] for name, found in facts["findings"]["numbers"].items()}
    running = numbers["held-out accuracy by running means"]
    assert running == pytest.approx(facts["final"]["valid"]["accuracy"], abs=1e-9)
    assert numbers["held-out accuracy by means taken anew"] != running, "after one epoch they lag"


@pytest.mark.parametrize("name", ["resnet", "batch-norm"])
def test_a_sample_reads_97_of_100_held_out_digits(name, tmp_path):
    """Of the quickest two: what all reach is in docs/reproduction.md."""
    run = tmp_path / "run"
    facts = done("try", name, "--out", run, "--quiet", "--json", *UNMEASURED).json
    assert facts["final"]["valid"]["accuracy"] >= 0.97
