"""Runs: numbers, names, locks, papers, and a trained model back from its files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from driving import go_on, start, steps
from forked import Child, run
from toy import TOY, surroundings

from fathom.core.errors import CheckpointError, SettingError
from fathom.core.findings import Findings, Number
from fathom.core.recipe import recipe
from fathom.engine import session
from fathom.engine.options import Options
from fathom.engine.runs import Run, create, json_line, killed_before, open_run, plain
from fathom.engine.trained import measure, trained


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def papers(folder: Path, **facts: object) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"recipe": "toy", **facts}))


def test_numbers_count_up(runs):
    first, second = create("toy", None), create("toy", None)
    assert [first.folder, second.folder] == [runs / "toy" / "001", runs / "toy" / "002"]
    (runs / "toy" / "041").mkdir()
    (runs / "toy" / "notes").mkdir()
    assert create("toy", None).folder.name == "042"
    (runs / "toy" / "999").mkdir()
    assert create("toy", None).folder.name == "1000"


def make_ten(folder: Path) -> list[str]:
    kept = [create("toy", None) for _ in range(10)]
    return [made.folder.name for made in kept]


def test_processes_never_get_the_same_number(runs):
    children = [Child(make_ten, runs) for _ in range(4)]
    names = [name for child in children for name in child.wait().result]
    assert len(set(names)) == 40


def test_the_latest_is_the_one_with_papers(runs):
    papers(runs / "toy" / "002")
    papers(runs / "toy" / "1000")
    papers(runs / "toy" / "999")
    (runs / "toy" / "1001").mkdir()
    assert open_run("toy").folder == runs / "toy" / "1000"
    assert open_run(str(runs / "toy" / "002")).folder == runs / "toy" / "002"


@pytest.mark.parametrize("word", ["tyo", "toy/003", "../toy", "", "nothing at all"])
def test_a_run_that_is_not_there(runs, word):
    papers(runs / "toy" / "001")
    with pytest.raises(SettingError, match="there is no run of that name") as error:
        open_run(word)
    if word == "tyo":
        assert "did you mean 'toy'?" in str(error.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"recipe": 3}', "\udcff"])
def test_papers_that_are_none(runs, content):
    papers(runs / "toy" / "001")
    path = runs / "toy" / "001" / "run.json"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(CheckpointError, match="is not a run's papers"):
        open_run("toy")


def test_an_older_run_is_not_written_over(quick):
    assert run(start, quick / "run", TOY, {"epochs": 1}).status == 0
    before = (quick / "run" / "run.json").read_bytes()
    outcome = run(start, quick / "run")
    assert outcome.status == 2
    assert "holds a run already; go on with `fathom resume " in outcome.error
    assert (quick / "run" / "run.json").read_bytes() == before


def test_a_lock_within_one_process(tmp_path):
    held = create("toy", str(tmp_path / "run"))
    other = Run(held.folder, {"recipe": "toy"})
    assert other.in_use()
    with pytest.raises(SettingError, match="already in use by pid"):
        other.lock()
    held.unlock()
    assert not other.in_use()
    other.lock()
    other.unlock()


def test_killed_before_looks_at_papers_and_lock(runs):
    held = create("toy", None)
    assert killed_before("toy") is None  # no papers yet
    held.begin()
    assert killed_before("toy") is None  # at work
    held.unlock()
    found = killed_before("toy")
    assert found is not None
    assert found.folder == held.folder
    held.write(status="stopped")
    assert killed_before("toy") is None


def test_sweeping_takes_only_what_is_ours(tmp_path):
    folder = tmp_path / "run"
    for name in ("run.json", "metrics.jsonl", "model.safetensors", "notes.txt"):
        (folder / f"{name}.tmp-12").parent.mkdir(exist_ok=True)
        (folder / f"{name}.tmp-12").touch()
    (folder / "checkpoints" / "step-00000001.tmp-12").mkdir(parents=True)
    (folder / "checkpoints" / "step-00000001").mkdir()
    create("toy", str(folder)).unlock()
    left = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert left == {"lock", "notes.txt.tmp-12", "checkpoints", "checkpoints/step-00000001"}


def test_plain_values():
    values = {1: (math.nan, math.inf, 1.5), "path": Path("a"), "tensor": torch.tensor(2)}
    assert plain(values) == {"1": [None, None, 1.5], "path": "a", "tensor": 2}
    assert json_line({"loss": math.nan, "名": "字"}) == '{"loss": null, "名": "字"}\n'


def test_a_metrics_line_cut_short_is_left_out(tmp_path):
    found = create("toy", str(tmp_path / "run"))
    found.append_metrics({"step": 1})
    with open(found.folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 2, "lo')
    assert found.metrics() == [{"step": 1}]


def test_the_papers_of_a_run(quick):
    assert run(start, quick / "run").status == 0
    facts = open_run(str(quick / "run")).facts
    assert facts["recipe"] == "toy"
    assert facts["status"] == "done"
    assert facts["arguments"]["lr"] == 0.01
    assert facts["seed"] == 0
    assert facts["data"]["train"]["examples"] == 48
    assert len(facts["data"]["valid"]["sha256"]) == 64
    assert facts["chosen"]["threads"] == 1
    assert set(facts["final"]) == {"train", "valid"}
    assert set(facts["final"]["valid"]) == {"loss", "accuracy"}
    assert {"python", "torch", "numpy"} <= set(facts["versions"])
    rows = open_run(str(quick / "run")).metrics()
    assert [(row["step"], row["split"]) for row in rows] == [
        (step, split) for step in (8, 16, 24) for split in ("train", "valid")
    ]


def say(text: str) -> None:
    raise AssertionError(text)


def test_a_trained_model_measures_as_in_training(quick):
    assert run(start, quick / "run").status == 0
    found = open_run(str(quick / "run"))
    prepared = trained(found, TOY, {}, device="cpu", say=say)
    assert not prepared.experiment.model.training
    assert measure(prepared)["valid"] == pytest.approx(found.facts["final"]["valid"], rel=1e-6)


def test_damaged_weights_are_named_and_mended_by_a_resume(quick):
    folder = quick / "run"
    assert run(start, folder).status == 0
    whole = (folder / "model.safetensors").read_bytes()
    for place in range(0, len(whole), len(whole) // 20):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        (folder / "model.safetensors").write_bytes(flipped)
        with pytest.raises(CheckpointError, match=r"model\.safetensors: is damaged"):
            trained(open_run(str(folder)), TOY, {}, device="cpu", say=say)
    assert run(go_on, folder).status == 0
    assert (folder / "model.safetensors").read_bytes() == whole
    trained(open_run(str(folder)), TOY, {}, device="cpu", say=say)


def test_an_unfinished_run_is_measured_from_its_checkpoint(quick):
    folder = quick / "run"
    assert run(start, folder).status == 0
    found = open_run(str(folder))
    found.write(status="stopped")
    trained(found, TOY, {}, device="cpu", say=say)
    for path in steps(folder).values():
        (path / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint is usable"):
        trained(found, TOY, {}, device="cpu", say=lambda text: None)
    assert not list((folder / "checkpoints").glob("*.bad"))


@recipe(section="0.1", title="Study", zh="研究")
def study(*, size: int = 3) -> Findings:
    """Count to a number."""
    return Findings({"sum": Number(sum(range(size)), "apples")}, claims={"it is odd": size == 3})


def test_a_study_is_carried_out_and_kept(tmp_path):
    around, _ = surroundings()
    options = Options(out=str(tmp_path / "run"))
    found = session.start(study.__recipe__, {}, options, around)
    assert found.facts["status"] == "done"
    assert found.facts["findings"]["numbers"]["sum"] == {"value": 3, "unit": "apples"}
    for function in (
        lambda: session.resume(found, study.__recipe__, {}, {}, around),
        lambda: trained(found, study.__recipe__, {}, device="cpu", say=say),
    ):
        with pytest.raises(SettingError, match="is a study"):
            function()
    assert open_run(str(found.folder)).facts["status"] == "done"
    assert not found.in_use()


def test_a_claim_that_does_not_hold(tmp_path):
    around, _ = surroundings()
    options = Options(out=str(tmp_path / "run"))
    with pytest.raises(Exception, match="this does not hold here: it is odd"):
        session.start(study.__recipe__, {"size": 4}, options, around)
    facts = open_run(str(tmp_path / "run")).facts
    assert facts["status"] == "failed"
    assert facts["findings"]["numbers"]["sum"]["value"] == 6
