"""Every verb of the contract: there, with help and an example, and one JSON document."""

from __future__ import annotations

import json
import shlex

import pytest

from calling import UNMEASURED, call, done
from fathom import __version__
from fathom.cli.main import VERBS
from fathom.core.catalogue import entries, load

CONTRACT = [
    "list",
    "show",
    "try",
    "run",
    "resume",
    "eval",
    "predict",
    "export",
    "compare",
    "data",
    "check",
    "bench",
    "reproduce",
    "doctor",
    "copy",
    "lab",
    "book",
]
NAMES = [entry.recipe for entry in entries()]


def test_the_verbs_are_the_contract_s():
    assert list(VERBS) == CONTRACT


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(words):
    out = done(*words).out
    for verb in CONTRACT:
        assert f"\n  {verb} " in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("verb", CONTRACT)
def test_each_verb_has_help_with_an_example(verb):
    out = done(verb, "--help").out
    assert out.startswith(f"usage: fathom {verb}")
    example = out.partition("example:\n")[2].splitlines()
    assert example
    for line in example:
        assert line.startswith(("    fathom ", "    python "))
    assert any(shlex.split(line)[1] == verb for line in example)
    assert out.count("\noptions:") == 1
    assert done("help", verb).out == out
    assert done(verb, "--help", "--json").json == {"help": out}


def test_help_with_a_recipe_lists_its_arguments_too():
    out = done("try", "lenet", "--help").out
    assert "arguments of lenet:" in out
    for name in load("lenet").arguments:
        assert f"--{name.replace('_', '-')} " in out
    assert "engine options:" in out
    assert "--precision {auto|fp32|bf16|fp16}" in out


def test_help_for_a_run_that_is_not_there_is_help():
    assert "usage: fathom resume" in done("resume", "lenet", "--help").out
    assert "usage: fathom eval" in done("eval", "nothing/there", "-h").out


def test_version():
    assert done("--version").out == f"{__version__}\n"
    assert done("--version", "--json").json == {"version": __version__}


def test_list_as_json_has_the_contract_s_fields():
    rows = done("list", "--json").json
    assert [row["recipe"] for row in rows] == NAMES
    wanted = {"section", "recipe", "kind", "title", "zh", "status", "data", "minutes"}
    assert all(wanted <= set(row) for row in rows)
    assert {row["status"] for row in rows} <= {"ready", "planned"}


def test_list_of_a_chapter():
    out = done("list", "--chapter", "6").out
    assert "lenet" in out
    assert "alexnet" not in out
    sections = {row["section"] for row in done("list", "--chapter", "6", "--json").json}
    assert all(section.startswith("6.") for section in sections)


@pytest.mark.parametrize("name", NAMES)
def test_show(name):
    document = done("show", name, "--json").json
    assert document["recipe"] == name
    out = done("show", name).out
    assert document["title"] in out
    assert document["zh"] in out
    if document["status"] == "planned":
        assert "planned and not written yet" in out
        return
    recipe = load(name)
    assert [a["name"] for a in document["arguments"]] == list(recipe.arguments)
    for argument in recipe.arguments.values():
        assert argument.option in out
    path, _, line = document["source"].rpartition(":")
    with open(path, encoding="utf-8") as file:
        assert "@recipe(" in file.readlines()[int(line) - 1]
    assert f"fathom try {name}" in out


@pytest.mark.parametrize("verb", ["try", "run"])
def test_a_run_as_json_is_its_papers_and_nothing_else(verb, tmp_path):
    words = ["linear-regression", "--epochs", 1, "--out", "here", "--json", *UNMEASURED]
    said = done(verb, *words)
    assert said.json == json.loads((tmp_path / "here" / "run.json").read_text())
    assert "epoch 1/1" in said.err


def test_a_run_s_page_has_scores_place_figures_and_the_next_command():
    said = done("try", "linear-regression", "--epochs", 1, "--plot", *UNMEASURED)
    assert "run      runs/linear-regression/001" in said.out
    assert "figure   runs/linear-regression/001/figures/curves.png" in said.out
    assert "next     fathom predict runs/linear-regression/001 1.0,1.0" in said.out
    assert "next     fathom resume runs/linear-regression/001 --epochs 2" in said.out
    assert "examples/s" in said.out
    for line in said.out.splitlines():
        if line.startswith("next"):
            done(*shlex.split(line)[2:])


def test_quiet_says_nothing_but_the_result():
    said = done("try", "linear-regression", "--epochs", 1, "--quiet", *UNMEASURED)
    assert said.err == ""
    assert "valid" in said.out


def test_resume_says_what_changes(runs):
    said = done("resume", "linear-regression", "--epochs", 5, "--json")
    assert "epochs: was 3, is now 5" in said.err
    assert said.json["arguments"]["epochs"] == 5
    assert said.json["seed"] == 0


def test_eval(runs):
    document = done("eval", "linear-regression", "--json").json
    facts = json.loads((runs / "linear-regression" / "002" / "run.json").read_text())
    assert document["scores"]["valid"]["loss"] == pytest.approx(
        facts["final"]["valid"]["loss"], rel=1e-6
    )
    assert "valid" in done("eval", "linear-regression").out


def test_compare(runs, tmp_path):
    words = ["runs/linear-regression/001", "runs/linear-regression/002"]
    document = done("compare", *words, "--json").json
    assert document["differing"] == ["lr"]
    assert [row["lr"] for row in document["runs"]] == [0.03, 0.1]
    for row, word in zip(document["runs"], words, strict=True):
        final = json.loads((tmp_path / word / "run.json").read_text())["final"]
        assert row["valid loss"] == final["valid"]["loss"]
    out = done("compare", *words, "--save", "side.png").out
    assert "figure   side.png" in out
    assert (tmp_path / "side.png").stat().st_size > 1000
    assert (tmp_path / "side.svg").is_file()


def test_copy_and_its_script_s_help(tmp_path):
    said = done("copy", "lenet", "mine.py")
    assert "wrote    mine.py" in said.out
    assert call("copy", "lenet", "mine.py").status == 2
    done("copy", "mlp", "mine.py", "--force", "--json")
    assert "def mlp(" in (tmp_path / "mine.py").read_text()


def test_doctor():
    document = done("doctor", "--json").json
    assert document["devices"]["cpu"]["fp32 GFLOP/s"] > 0
    assert document["versions"]["torch"]
    assert set(document["paths"]) == {"data", "cache", "runs"}
    out = done("doctor").out
    assert "Versions" in out
    assert "Speed" in out


def test_check_a_small_pattern():
    rows = done("check", "nn.Flatten", "--no-speed", "--json").json
    assert [row["pair"] for row in rows] == ["nn.Flatten"]
    assert rows[0]["verdict"] == "agrees"
    assert rows[0]["samples"] > 0
    out = done("check", "nn.Flatten", "--no-speed").out
    assert "1 pairs: agrees 1" in out


@pytest.mark.parametrize("verb", ["reproduce", "lab", "book"])
def test_planned_verbs_say_so(verb):
    said = call(verb)
    assert said.status == 2
    assert "planned" in said.error
