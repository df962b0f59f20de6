"""Resuming with other settings, T15, and settings that go round, T23 of the scorecard."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import altered, digest, go_on, start, steps
from forked import run
from toy import TOY, ToyBatches, toy_data

from fathom.core.arguments import arguments, settle
from fathom.core.errors import SettingError
from fathom.engine.options import Options
from fathom.engine.runs import open_run


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run of two epochs, to be copied."""
    folder = tmp_path_factory.mktemp("done") / "run"
    assert run(start, folder, TOY, {"epochs": 2}).status == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Everything of a run but its log and lock."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p): p.read_bytes() for p in files if p.name not in ("log.txt", "lock")}


def resumed(folder: Path, given: dict[str, Any], options: dict[str, Any]) -> None:
    go_on(folder, TOY, given, **options)


@pytest.mark.parametrize(
    ("given", "options", "told"),
    [
        ({"width": 9}, {}, "width was 8 and is now 9"),
        ({"words": 7}, {}, "words was 6 and is now 7"),
        ({"data_seed": 8}, {}, "data_seed was 7 and is now 8"),
        ({"optimizer": "sgd"}, {}, "optimizer was adamw and is now sgd"),
        ({"batch_size": 12, "lr": 0.1}, {}, "batch_size was 6 and is now 12"),
        ({}, {"seed": 3}, "seed was 0 and is now 3"),
        ({}, {"limit_batches": 3}, "limit_batches was None and is now 3"),
    ],
)
def test_t15_changes_that_make_another_run(quick, done, given, options, told):
    folder = quick / "run"
    shutil.copytree(done, folder)
    before = contents(folder)
    outcome = run(resumed, folder, given, options)
    assert outcome.status == 4, outcome.output
    assert told in outcome.error
    for name, value in {**given, **options}.items():
        assert f"{name}: was " in outcome.output
        assert f", is now {value}" in outcome.output
    assert contents(folder) == before


def test_t15_other_data_under_the_same_settings(quick, done):
    folder = quick / "run"
    shutil.copytree(done, folder)
    before = contents(folder)
    other = altered(lambda toy: replace(toy, train=ToyBatches(*toy_data(seed=9), 6)))
    outcome = run(go_on, folder, other, {"epochs": 3})
    assert outcome.status == 4
    assert "its data are not those that it saw before" in outcome.error
    assert contents(folder) == before


def test_t15_another_optimizer_in_the_code(quick, done):
    folder = quick / "run"
    shutil.copytree(done, folder)
    before = contents(folder)

    def change(toy: Any) -> Any:
        adam = torch.optim.Adam(toy.model.parameters())
        return replace(toy, optimizer=adam, schedule=None)

    outcome = run(go_on, folder, altered(change), {"epochs": 3})
    assert outcome.status == 4
    assert "its optimiser does not fit: kind was AdamW and is Adam" in outcome.error
    assert contents(folder) == before


def test_t15_more_and_fewer_epochs(quick, done, undisturbed):
    folder = quick / "run"
    shutil.copytree(done, folder)
    outcome = run(go_on, folder, TOY, {"epochs": 1})
    assert outcome.status == 0, outcome.output
    assert "epochs: was 2, is now 1" in outcome.output
    assert "nothing to do" in outcome.output
    assert list(steps(folder))[-1] == 16
    outcome = run(go_on, folder, TOY, {"epochs": 3})
    assert outcome.status == 0, outcome.output
    assert digest(folder) == undisturbed[0]


def rates(folder: Path) -> list[float]:
    """The learning rates in the newest checkpoint, and where its schedule starts from."""
    state = torch.load(list(steps(folder).values())[-1] / "trainer.pt")
    (group,) = state["optimizer"]["param_groups"]
    return [group["lr"], group["initial_lr"], state["schedule"]["base_lrs"][0]]


def test_t15_another_learning_rate(quick, done):
    """It holds from the step of the resume on, wherever the schedule stands."""
    shutil.copytree(done, quick / "same")
    shutil.copytree(done, quick / "other")
    assert run(go_on, quick / "same", TOY, {"epochs": 3}).status == 0
    outcome = run(go_on, quick / "other", TOY, {"epochs": 3, "lr": 0.05})
    assert outcome.status == 0, outcome.output
    assert "lr: was 0.01, is now 0.05" in outcome.output
    for one, five in zip(rates(quick / "same"), rates(quick / "other"), strict=True):
        assert five == pytest.approx(5 * one, rel=1e-12)
    assert digest(quick / "same") != digest(quick / "other")


def die_after_the_papers(folder: Path) -> None:
    """Take the other rate, and be killed before a checkpoint knows it."""

    class Dying(ToyBatches):
        def epoch(self, *given: Any) -> Any:
            papers = json.loads((folder / "run.json").read_text())
            if papers["arguments"]["lr"] == 0.05:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().epoch(*given)

    recipe = altered(lambda toy: replace(toy, train=Dying(**vars(toy.train))))
    go_on(folder, recipe, {"epochs": 3, "lr": 0.05})


def test_t15_another_learning_rate_outlives_a_kill(quick, done):
    shutil.copytree(done, quick / "killed")
    shutil.copytree(done, quick / "whole")
    assert run(die_after_the_papers, quick / "killed").status == 137
    assert run(go_on, quick / "killed").status == 0
    assert run(go_on, quick / "whole", TOY, {"epochs": 3, "lr": 0.05}).status == 0
    assert digest(quick / "killed") == digest(quick / "whole")


def test_t15_another_learning_rate_before_the_first_checkpoint(quick):
    """Starting again from step 0, the recipe has taken it already."""
    folder = quick / "run"
    assert run(start, folder).status == 0
    shutil.rmtree(folder / "checkpoints")
    assert run(go_on, folder, TOY, {"lr": 0.05}).status == 0
    assert run(start, quick / "new", TOY, {"lr": 0.05}).status == 0
    assert digest(folder) == digest(quick / "new")


def test_t15_a_difference_of_the_machine_is_said(quick, done):
    folder = quick / "run"
    shutil.copytree(done, folder)
    papers = json.loads((folder / "run.json").read_text())
    papers["versions"]["torch"], papers["machine"]["processor"] = "2.9.0", "an abacus"
    (folder / "run.json").write_text(json.dumps(papers))
    outcome = run(resumed, folder, {"epochs": 3}, {"threads": "2"})
    assert outcome.status == 0, outcome.output
    for before in ("torch: was 2.9.0", "processor: was an abacus", "threads: was 1, is now 2"):
        assert before in outcome.output
    assert outcome.output.count("last bits may differ") == 3


def test_t23_saved_settings_make_the_run_again(quick, done):
    papers = open_run(str(done)).facts
    assert TOY.settings(papers["arguments"]) == papers["arguments"]
    known = arguments(Options)
    assert Options(**settle("options", known, papers["options"])) == Options(**papers["options"])
    given = {**papers["arguments"], "epochs": 3}
    assert run(start, quick / "again", TOY, given).status == 0
    shutil.copytree(done, quick / "run")
    assert run(go_on, quick / "run", TOY, {"epochs": 3}).status == 0
    assert digest(quick / "again") == digest(quick / "run")


def test_t23_all_faults_at_once(quick):
    given = {"optmizer": "sgd", "lr": float("nan"), "width": "wide", "optimizer": "adam"}
    outcome = run(start, quick / "run", TOY, given)
    assert outcome.status == 2
    for words in (
        "unknown argument 'optmizer' (did you mean 'optimizer'?)",
        "--lr: nan is not a finite number",
        "--width: 'wide' is not a whole number",
        "--optimizer: 'adam' is not one of adamw, sgd (did you mean 'adamw'?)",
    ):
        assert words in outcome.error
    assert not (quick / "run").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"devices": 2}, "--devices 2"),
        ({"device": "tpu"}, "--device tpu"),
        ({"threads": "many"}, "--threads many"),
    ],
)
def test_t23_options_out_of_range(quick, options, told):
    def wrong() -> None:
        start(quick / "run", **options)

    outcome = run(wrong)
    assert outcome.status == 2
    assert told in outcome.error
    assert not (quick / "run").exists()


def test_t23_an_unknown_option():
    with pytest.raises(SettingError, match=r"did you mean 'seed'.*less than 1"):
        settle("run", arguments(Options), {"sead": 1, "save_every": 0})
