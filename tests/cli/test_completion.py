"""Shell completion: the script is a shell's, and knows verbs, recipes and options."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from calling import done
from fathom.cli.main import VERBS


@pytest.fixture(scope="module")
def bash():
    return done("--print-completion", "bash").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_script_knows_verbs_recipes_and_options(shell):
    text = done("--print-completion", shell).out
    for word in (*VERBS, "lenet", "softmax-regression"):
        assert word in text
    for option in ("batch-size", "activation", "limit-batches", "rounds", "chapter"):
        assert option in text
    assert done("--print-completion", shell, "--json").json["script"].strip() == text.strip()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_accepts_it(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    text = done("--print-completion", shell).out
    subprocess.run([shell, "-n"], input=text, text=True, check=True, timeout=30)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["fathom", "pre"], "predict"),
        (["fathom", "try", "len"], "lenet"),
        (["fathom", "try", "lenet", "--act"], "--activation"),
        (["fathom", "show", "poly"], "polynomial"),
        (["fathom", "data", "wh"], "where"),
        (["fathom", "try", "lenet", "--activation", "sig"], "sigmoid"),
        (["fathom", "export", "lenet", "--to", "on"], "onnx"),
    ],
)
def test_bash_offers(bash, words, offered):
    line = " ".join(words)
    ask = f"""{bash}
COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}
$(complete -p fathom | sed 's/.*-F \\([^ ]*\\).*/\\1/') fathom '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done_ = subprocess.run(
        ["bash"], input=ask, capture_output=True, text=True, timeout=30, check=False
    )
    assert offered in done_.stdout.split(), done_.stderr
