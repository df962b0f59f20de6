"""Where a process matters: pipes that close, signals, the script of a copied recipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from calling import UNMEASURED, done

FATHOM = [sys.executable, "-m", "fathom"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_pipe_that_closes_is_no_failure(more):
    """As in `fathom list | head -1`."""
    process = subprocess.Popen(
        [*FATHOM, "list", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    with process.stderr as errors:
        assert errors.read() == b""


def test_a_narrow_alphabet_is_no_failure():
    """Titles are Chinese too; JSON keeps them whatever the stream can say."""
    ask = "import sys; from fathom.cli.main import run; sys.exit(run(sys.argv[1:]))"
    for more in ([], ["--json"]):
        ran = subprocess.run(
            [sys.executable, "-c", ask, "list", "--chapter", "6", *more],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert json.loads(ran.stdout)[-1]["zh"] == "卷积神经网络(LeNet)"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_is_saved_and_goes_on_to_the_same_weights(tmp_path, number, status):
    words = ["try", "polynomial", "--epochs", "60", "--seed", "5", *UNMEASURED]
    process = subprocess.Popen(
        [*FATHOM, *words, "--out", "cut", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    metrics = tmp_path / "cut" / "metrics.jsonl"
    until = time.monotonic() + 60
    while not metrics.is_file() or metrics.stat().st_size == 0:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert json.loads(out)["exit_status"] == status
    assert "continue with `fathom resume cut`" in err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["status"] == "stopped"

    done("resume", "cut", "--quiet")
    done(*words, "--out", "whole", "--quiet")
    cut, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("cut", "whole"))
    for key, value in whole.items():
        assert torch.equal(cut[key], value)


def test_a_copied_recipe_is_a_program(tmp_path):
    done("copy", "linear-regression", "mine.py")
    source = (tmp_path / "mine.py").read_text()
    (tmp_path / "mine.py").write_text(
        source.replace("TRUE_B = [2.0, -3.4], 4.2", "TRUE_B = [1.0, 1.0], 0.5")
    )
    words = ["--epochs", "3", "--out", "run", *UNMEASURED]
    ran = subprocess.run(
        [sys.executable, "mine.py", *words], capture_output=True, text=True, timeout=60, check=True
    )
    assert "next     fathom predict run 1.0,1.0" in ran.stdout
    (row,) = done("predict", "run", "1,1", "--json").json
    assert row["value"] == pytest.approx(2.5, abs=0.05), "it learned what the script was changed to"
    words = [sys.executable, "mine.py", "--lr", "x"]
    wrong = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: python mine.py: --lr: 'x' is not a number; see `python mine.py --help`\n"
    )
