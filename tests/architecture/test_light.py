"""`fathom --help` and `fathom list` answer at once, because nothing heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "PIL", "safetensors")

PROBE = """
import json, sys
from fathom.cli.main import run
status = run(sys.argv[1:])
print(json.dumps([status, [name for name in {heavy} if name in sys.modules]]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["list", "--chapter", "6", "--json"], ["--version"], ["lsit"]]
)
def test_these_words_import_nothing_heavy(words):
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    _, heavy = json.loads(done.stderr.splitlines()[-1])
    assert heavy == []


def test_importing_fathom_imports_nothing_heavy():
    code = f"import fathom, sys; assert not [n for n in {HEAVY} if n in sys.modules]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
