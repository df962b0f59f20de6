"""Run what is shown: every command of the README, in order, on built-in data; and its links."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from calling import call

ROOT = Path(__file__).resolve().parents[1]
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [README, CHINESE, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = ("fathom ", "python ", "make ")


def lines(page: Path) -> list[str]:
    """The lines of a page's fenced code, in order."""
    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    return [line.rstrip() for block in blocks for line in block.splitlines() if line.strip()]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """Where the commands are run: a folder with what a clone has beside it, and no data."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "docs", folder / "docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("FATHOM_RUNS", "FATHOM_DATA"):
            patch.delenv(name, raising=False)
        patch.setenv("FATHOM_CACHE", str(folder / "cache"))
        patch.setenv("FATHOM_OFFLINE", "1")
        patch.setattr("fathom.engine.tuning.cores", lambda: 1)  # tests have one core each
        yield folder


@pytest.mark.timeout(300)
def test_every_command_runs(newcomer, monkeypatch):
    """In one test, since each may use what those before it have left."""
    monkeypatch.delenv("FATHOM_RUNS")
    ran = 0
    for line in lines(README):
        if "# needs a download" in line:
            continue
        if line.startswith("fathom "):
            said = call(*words(line)[1:])
            assert said.status == 0, f"{line}\n{said.err}"
            ran += 1
        elif line.startswith("python "):
            monkeypatch.setattr(sys, "argv", words(line)[1:])
            runpy.run_path(words(line)[1], run_name="__main__")
    assert ran > 10


@pytest.mark.parametrize("line", [line for line in lines(README) if "# needs a download" in line])
def test_what_needs_a_download_is_understood(newcomer, line):
    """It gets as far as asking for the data."""
    said = call(*words(line)[1:])
    assert said.status == 3, said.err
    assert "FATHOM_OFFLINE" in said.error


def make_targets() -> list[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.is_file())
    return sorted(set(re.findall(r"\bmake (?:-n )?([a-z]+)", "\n".join(FENCED.findall(text)))))


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("target", make_targets())
def test_make_knows_the_target(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=True, timeout=60)


def test_both_languages_show_the_same_commands():
    def shown(page: Path) -> list[list[str]]:
        return [words(line) for line in lines(page) if line.startswith(COMMANDS)]

    assert shown(README) == shown(CHINESE)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_what_a_page_links_to_is_there(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path = page.parent / target.partition("#")[0]
        assert path.exists(), target


@pytest.mark.parametrize("page", [README, CHINESE], ids=["en", "zh"])
def test_what_a_page_names_as_ours_is_there(page):
    """Paths in backquotes that begin with a folder of the repository."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for path in re.findall(r"`((?:src|tests|docs|constraints|\.ci)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
