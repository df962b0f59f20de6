"""What is wrong is told in one line: the thing, what is wrong, what to do; with its status."""

from __future__ import annotations

import errno
import json
import os
import re

import pytest

import fathom.cli.look
from calling import call, done
from fathom.cli.output import Answer
from fathom.core.catalogue import entries

PLANNED = next(entry.recipe for entry in entries() if entry.status == "planned")

WRONG = [
    ("tri lenet", "tri: there is no verb of that name; did you mean 'try'?"),
    ("zzz", "zzz: there is no verb of that name; see `fathom --help`"),
    ("--foo", "--foo: there is no verb of that name; see `fathom --help`"),
    ("try", "fathom try: the recipe comes first; as in `fathom try lenet`"),
    ("try --epochs 3 lenet", "fathom try: the recipe comes first; as in `fathom try lenet`"),
    ("try lennet", "lennet: there is no recipe of that name; did you mean 'lenet'?"),
    ("show zzz", "zzz: there is no recipe of that name; see `fathom list`"),
    (f"run {PLANNED}", f"{PLANNED}: is planned and not written yet; see `fathom list`"),
    (f"copy {PLANNED} a.py", f"{PLANNED}: is planned and not written yet; see `fathom list`"),
    ("try lenet --lrr 3", "fathom try: unknown option '--lrr'; did you mean '--lr'?"),
    ("try lenet --zz 3", "fathom try: unknown option '--zz'; see `fathom try lenet --help`"),
    ("try lenet more", "fathom try: the word 'more' has no place; see `fathom try lenet --help`"),
    ("try lenet --lr", "fathom try: --lr needs a value; see `fathom try --help`"),
    (
        "try lenet --lr nan",
        "fathom try: --lr: 'nan' is not a finite number; see `fathom try lenet --help`",
    ),
    ("try lenet --lr=-1", "fathom try: --lr: '-1' is not above 0; see `fathom try lenet --help`"),
    (
        "try lenet --lr x --epochs 0 --seed y --activation rel --ephocs 3",
        "fathom try: --lr: 'x' is not a number, --epochs: '0' is less than 1, "
        "--activation: 'rel' is not one of sigmoid, relu (did you mean 'relu'?), "
        "--seed: 'y' is not a whole number, "
        "unknown option '--ephocs' (did you mean '--epochs'?); see `fathom try lenet --help`",
    ),
    ("try lenet --seed 4294967296", "--seed: '4294967296' is more than 4.29497e+09"),
    ("try lenet --precision fp8", "--precision: 'fp8' is not one of auto, fp32, bf16, fp16"),
    ("try lenet --device tpu", "--device tpu: there is no such device here; known: auto, cpu"),
    ("try lenet --devices 2", "--devices 2: training on several devices at once is planned"),
    ("try lenet --threads many", "--threads many: is neither auto nor a number"),
    ("try lenet --threads 0 --quiet", "--threads 0: is not in [1, 1024]"),
    ("try lenet --data no/where", "picture set 'no/where': is not known, nor a folder"),
    ("try lenet --data digit", "did you mean 'digits'?"),
    ("resume nothing", "nothing: there is no run of that name"),
    ("resume", "fathom resume: RUN is missing; see `fathom resume --help`"),
    ("predict", "fathom predict: RUN is missing, INPUT is missing"),
    ("eval no/run", "no/run: there is no run of that name"),
    ("compare", "fathom compare: RUN is missing"),
    ("compare nothing", "nothing: there is no run of that name"),
    ("export x", "fathom export: --to is missing (one of onnx, safetensors, torchscript)"),
    ("export x --to onx", "(did you mean 'onnx'?); see `fathom export --help`"),
    ("data", "fathom data: ACTION is missing (one of list, get, check, where)"),
    ("data lst", "fathom data: ACTION: 'lst' is not one of list, get, check, where"),
    ("data get", "fathom data get: needs a name; see `fathom data list`"),
    ("data get fashion-mist", "did you mean 'fashion-mnist'?"),
    ("copy lenet my.txt", "my.txt: is not a .py file; try my.py"),
    ("list --chapter 99", "--chapter 99: there is no such chapter; known: 2, 3,"),
    ("check zzz", "pattern 'zzz': no pair has a name like it"),
    ("bench zzz", "fathom bench zzz: there is no such benchmark; known: "),
    ("bench softmax --rounds 0", "--rounds 0: is less than 1"),
    ("--print-completion fsh", "--print-completion fsh: is no known shell; did you mean"),
    ("--print-completion", "--print-completion: is no known shell; known: bash"),
]


@pytest.mark.parametrize(("line", "words"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_words(line, words):
    said = call(*line.split())
    assert said.status == 2
    assert words in said.error
    assert re.fullmatch(r"error: [^;]+: .+; \S.*", said.error)
    assert said.out == ""
    assert "Traceback" not in said.err


@pytest.mark.parametrize("line", ["tri lenet", "try lenet --lr nan", "resume nothing"])
def test_as_json_an_error_is_one_document_too(line):
    said = call(*line.split(), "--json")
    assert said.json == {"error": said.error.removeprefix("error: "), "exit_status": 2}


def test_a_traceback_shows_with_debug_only():
    assert "Traceback" in call("show", "zzz", "--debug").err
    assert "Traceback" not in call("show", "zzz").err


def test_what_nobody_foresaw_is_one_line_and_our_bug(monkeypatch):
    monkeypatch.setattr(fathom.cli.look, "find", lambda name: 1 / 0)
    said = call("show", "lenet")
    assert said.status == 1
    assert said.error == (
        "error: fathom: ZeroDivisionError: division by zero; this is a bug: run again with --debug"
    )
    assert "Traceback" in call("show", "lenet", "--debug").err


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "big.bin"),
        PermissionError(errno.EACCES, "Permission denied", "big.bin"),
        MemoryError(),
    ],
)
def test_what_the_machine_refuses_is_no_bug(monkeypatch, error):
    def refused(name):
        raise error

    monkeypatch.setattr(fathom.cli.look, "find", refused)
    said = call("show", "lenet")
    assert said.status == 7
    assert "bug" not in said.error


def test_ctrl_c_between_runs_is_one_line(monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(fathom.cli.look, "find", interrupted)
    said = call("show", "lenet")
    assert said.status == 130
    assert said.error


@pytest.mark.parametrize("content", ["", "{", "[]", '{"recipe": 3}', "\x00"])
@pytest.mark.parametrize("verb", ["resume", "eval", "compare", "predict", "export"])
def test_damaged_papers(runs, verb, content):
    folder = runs / "linear-regression" / "002"
    (folder / "run.json").write_text(content)
    more = {"predict": ["1,1"], "export": ["--to", "safetensors"]}.get(verb, [])
    said = call(verb, folder, *more)
    assert said.status == 4
    assert "run.json: is not a run's papers" in said.error


def test_damaged_weights(runs):
    weights = runs / "linear-regression" / "002" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    said = call("predict", "linear-regression", "1,1")
    assert said.status == 4
    assert "model.safetensors: is damaged" in said.error


def test_a_folder_that_holds_a_run_is_kept(runs):
    folder = runs / "linear-regression" / "001"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.*")}
    said = call("try", "linear-regression", "--out", folder)
    assert said.status == 2
    assert "holds a run already; go on with `fathom resume" in said.error
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.*")} == before


def test_a_run_that_never_began_is_in_nobodys_way(tmp_path):
    folder = tmp_path / "run"
    for _ in range(2):
        said = call("run", "lenet", "--data", tmp_path / "nowhere", "--out", folder)
        assert "nowhere" in said.error
    said = call("try", "linear-regression", "--epochs", 1, "--out", folder)
    assert said.status == 0
    assert json.loads((folder / "run.json").read_text())["status"] == "done"
    assert "nowhere" in (folder / "log.txt").read_text()  # what went wrong is still told


def test_another_setting_is_no_resume(runs):
    said = call("resume", "linear-regression", "--batch-size", 7)
    assert said.status == 4
    assert "batch_size was 10 and is now 7" in said.error


def test_divergence_is_told_with_step_and_what_to_try(tmp_path):
    said = call("try", "linear-regression", "--lr", "1e30", "--out", "here", "--quiet")
    assert said.status == 5
    assert re.match(
        r"error: step \d+: loss is (inf|nan) \(lr 1e\+30, .*try --lr 1e\+29", said.error
    )
    facts = json.loads((tmp_path / "here" / "run.json").read_text())
    assert facts["status"] == "failed"
    assert "Traceback" in (tmp_path / "here" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1\n", "rows.csv line 1: has 1 of 2 columns"),
        ("x1,x2\n1,2\n\n3,x\n", "rows.csv line 4: 'x' is not a finite number"),
        ("1,nan\n", "rows.csv line 1: 'nan' is not a finite number"),
        ("x1,x2\n", "rows.csv: has no rows of numbers"),
        ("", "rows.csv: has no rows of numbers"),
        (b"\xff\xfe1", "rows.csv: is not text in UTF-8"),
        (None, "rows.csv: cannot be read (No such file or directory)"),
    ],
)
def test_bad_rows_name_file_and_line(runs, tmp_path, text, words):
    if text is not None:
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "rows.csv").write_bytes(data)
    said = call("predict", "linear-regression", "rows.csv")
    assert said.status == 3
    assert words in said.error


def test_a_kind_of_file_that_cannot_be_saved_is_told_first(runs):
    said = call("predict", "linear-regression", "1,1", "--save", "a.pngg")
    assert said.status == 2
    assert "did you mean '.png'?" in said.error


def test_an_unknown_quantity_names_the_known(runs):
    said = call("compare", "linear-regression", "--quantity", "accuracy")
    assert said.status == 2
    assert "known: loss" in said.error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    said = call("try", "linear-regression", "--out", "closed/run")
    assert said.status == 7


def test_a_word_with_line_breaks_is_still_one_line():
    assert "\n" not in call("try", "len\n\net").error


def test_numbers_that_json_has_not_become_null(monkeypatch):
    def list_recipes() -> Answer:
        return Answer({"a": float("nan"), "b": [float("inf"), 1.5]}, lambda console: None)

    monkeypatch.setattr(fathom.cli.look, "list_recipes", list_recipes)
    assert done("list", "--json").json == {"a": None, "b": [None, 1.5]}
