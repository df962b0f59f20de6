"""Call the command line in this process, as the tests of verbs, recipes and README do."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from fathom.cli.main import run

UNMEASURED = ("--threads", "1", "--precision", "fp32")  # nothing is timed before training


@dataclass(frozen=True)
class Said:
    """What a command line gave: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of the error."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert self.err.splitlines()[-1] == lines[0], "something follows the error"
        return lines[0]


def call(*words: object) -> Said:
    """`fathom WORDS…`."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([os.fspath(w) if isinstance(w, Path) else str(w) for w in words])
    return Said(status, out.getvalue(), err.getvalue())


def done(*words: object) -> Said:
    """The same, which must succeed."""
    said = call(*words)
    assert said.status == 0, said.err
    return said


def write_digits(folder: Path, count: int = 6) -> list[int]:
    """Some of scikit-learn's digits as PNG files 0.png, 1.png, …; their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture = (found.images[index] * 255 / 16).round().astype("uint8")
        Image.fromarray(picture).save(folder / f"{index}.png")
    return [int(label) for label in found.target[:count]]
