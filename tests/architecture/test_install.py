"""What the project pulls in: the CPU build of torch, and never torchvision."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_torch_has_a_floor_and_no_ceiling():
    (torch,) = [d for d in PROJECT["dependencies"] if d.startswith("torch")]
    assert torch == "torch>=2.10"


def test_nothing_asks_for_packages_that_replace_torch():
    extras = PROJECT["optional-dependencies"].values()
    asked = PROJECT["dependencies"] + [word for extra in extras for word in extra]
    for name in ("torchvision", "torchaudio", "timm", "fastai", "torchtext"):
        assert not any(word.startswith(name) for word in asked)
    assert not any(
        word.startswith("torch")
        for word in tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    )


@pytest.mark.timeout(300)
@pytest.mark.skipif("CI" not in os.environ, reason="needs the package index: run by CI")
def test_a_fresh_install_pulls_no_cuda(tmp_path):
    venv.create(tmp_path / "fresh", with_pip=True)
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            tmp_path / "fresh" / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--dry-run",
            "-q",
            "--report",
            report,
            "-c",
            ROOT / "constraints" / "cpu.txt",
            f"{ROOT}[dev]",
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [item["metadata"]["name"] for item in json.loads(report.read_text())["install"]]
    bad = [n for n in names if n.startswith(("nvidia", "cuda", "triton", "torchvision"))]
    assert "torch" in names
    assert not bad
