"""What every recipe keeps: its sample runs offline and leaves a run as the contract has it."""

from __future__ import annotations

import json
import runpy
import sys
import xml.etree.ElementTree as ET
from dataclasses import fields

import pytest
import torch
from PIL import Image
from ready import EPOCHS, READY
from safetensors.torch import load_file

from calling import UNMEASURED, done
from fathom.cli.output import shown
from fathom.core.arguments import arguments
from fathom.core.catalogue import load
from fathom.core.seeds import seed_everything
from fathom.engine.guard import Guard
from fathom.engine.nested import each
from fathom.engine.options import Options
from fathom.engine.runs import open_run
from fathom.engine.trained import trained
from fathom.engine.updates import descend, gradients_of

EXPERIMENTS = [name for name in READY if load(name).kind == "experiment"]
STUDIES = [name for name in READY if load(name).kind == "study"]
SCRATCH = [name for name in EXPERIMENTS if "impl" in load(name).arguments]


@pytest.mark.parametrize("name", READY)
def test_it_has_words_for_its_page(name):
    recipe = load(name)
    assert recipe.function.__doc__
    assert recipe.title
    assert recipe.zh
    assert not set(recipe.arguments) & set(arguments(Options)), "an argument and an engine option"


@pytest.mark.parametrize("name", READY)
def test_its_sample_and_its_defaults_are_valid_settings(name):
    recipe = load(name)
    settings = recipe.settings(recipe.sample)
    assert {key: settings[key] for key in recipe.sample} == dict(recipe.sample)
    defaults = {key: a.default for key, a in recipe.arguments.items()}
    assert recipe.settings(defaults) == defaults


@pytest.mark.parametrize("name", READY)
def test_its_papers_are_whole(name, tried_once):
    tried = tried_once(name)
    facts = json.loads((tried.folder / "run.json").read_text(encoding="utf-8"))
    assert tried.said.json == facts, "--json prints the run's papers"
    assert facts["recipe"] == name
    assert facts["status"] == "done"
    assert facts["seed"] == 0
    expected = tried.recipe.settings(tried.recipe.sample)
    expected |= {"epochs": EPOCHS} if "epochs" in expected else {}
    assert facts["arguments"] == expected
    assert set(facts["options"]) == {field.name for field in fields(Options)}
    assert {"python", "torch", "numpy", "fathom"} <= set(facts["versions"])
    assert facts["machine"]["cores"] >= 1
    assert facts["final"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_data_have_their_sums(name, tried_once):
    facts = tried_once(name).said.json
    for split in facts["final"]:
        assert facts["data"][split]["examples"] > 0
        assert len(bytes.fromhex(facts["data"][split]["sha256"])) == 32


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_metrics_are_a_record_an_epoch_and_split(name, tried_once):
    tried = tried_once(name)
    facts = tried.said.json
    lines = (tried.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for split, final in facts["final"].items():
        rows = [row for row in records if row["split"] == split]
        assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
        steps = [row["step"] for row in rows]
        assert steps == sorted(set(steps))
        assert {key: rows[-1][key] for key in final} == final
        assert "loss" in final


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_weights_have_torch_s_names_and_fit(name, tried_once):
    tried = tried_once(name)
    settings = tried.said.json["arguments"]
    model = tried.recipe.function(**{**settings, "impl": "torch"}).model
    model.load_state_dict(load_file(tried.folder / "model.safetensors"), strict=True)


@pytest.mark.parametrize("name", READY)
def test_its_figures_are_svg_and_png(name, tried_once):
    tried = tried_once(name)
    figures = tried.folder / "figures"
    stems = {path.stem for path in figures.iterdir()}
    assert stems >= ({"curves"} if tried.recipe.kind == "experiment" else set())
    assert stems, "a recipe is seen"
    for stem in stems:
        assert ET.parse(figures / f"{stem}.svg").getroot().tag.endswith("svg")
        with Image.open(figures / f"{stem}.png") as picture:
            picture.load()
            assert min(picture.size) > 100


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_measuring_it_again_gives_its_final_scores(name, tried_once):
    tried = tried_once(name)
    scores = done("eval", tried.folder, "--json").json["scores"]
    assert scores["valid"] == pytest.approx(tried.said.json["final"]["valid"], rel=1e-6)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_using_it_needs_what_it_has_kept_of_its_data_and_no_more(name, tried_once):
    """A reader of data that finds what a run has kept keeps nothing anew."""
    tried = tried_once(name)
    run = open_run(str(tried.folder))
    if not run.facts.get("predicts"):
        pytest.skip("there is nothing to predict")
    prepared = trained(run, tried.recipe, {}, device="cpu", say=pytest.fail, unread=True)
    assert not prepared.kept
    data = tried.recipe.arguments.get("data")
    if data is not None and not data.choices:
        assert run.kept(), "where the data may be a user's own, they may be gone"


@pytest.mark.parametrize("name", SCRATCH)
def test_from_scratch_an_epoch_ends_with_the_same_weights(name):
    """In double precision, where no last bit turns a kink; of a long epoch, its beginning."""
    torchs, ours = (after_an_epoch(name, impl) for impl in ("torch", "scratch"))
    assert list(ours) == list(torchs)
    for key, value in torchs.items():
        assert value.shape == ours[key].shape
        assert float((ours[key] - value).abs().max()) < 1e-6, key


def after_an_epoch(name, impl):
    """The weights after one epoch of the recipe's sample, from the first seed."""
    recipe = load(name)
    seed_everything(0)
    experiment = recipe.function(**recipe.settings({**recipe.sample, "impl": impl}))
    model = experiment.model.double().train()
    guard = Guard(model, experiment.optimizer)
    gradients = gradients_of(experiment, device=torch.device("cpu"))
    update = descend(gradients, experiment.optimizer, guard, clip=experiment.clip)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    weights = sum(parameter.numel() for parameter in model.parameters())
    most = max(5, min(150, 4_000_000 // weights))  # the larger the network, the fewer tell
    for batch in experiment.train.limit(most).epoch(0, 0):
        update(each(double, batch))
    assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    return model.state_dict()


def double(tensor):
    return tensor.double() if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_s_claims_hold(name, tried_once):
    facts = tried_once(name).said.json
    assert facts["final"]["claims"]
    assert all(facts["final"]["claims"].values())
    assert facts["findings"] == facts["final"]


@pytest.mark.parametrize("name", READY)
def test_its_source_is_a_script_that_runs_and_can_be_gone_on_with(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done("copy", name, "mine.py")
    recipe = load(name)
    sample = {**recipe.sample, **({"epochs": 1} if "epochs" in recipe.arguments else {})}
    typed = {k: shown(v) if isinstance(v, list) else str(v) for k, v in sample.items()}
    words = [word for k, v in typed.items() for word in (f"--{k.replace('_', '-')}", v)]
    folder = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["mine.py", *words, "--out", str(folder), *UNMEASURED])
    runpy.run_path("mine.py", run_name="__main__")
    run = open_run(str(folder))
    assert run.facts["status"] == "done"
    assert run.facts["script"] == str(tmp_path / "mine.py")
    if recipe.kind == "study":
        return
    done("resume", folder, "--epochs", 2)
    assert run.metrics()[-1]["epoch"] == 2
    assert done("eval", folder, "--json").json["scores"]
