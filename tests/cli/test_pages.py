"""Pages on terminals of 80 and 120 columns: nothing is too wide, no word or number broken."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from rich.cells import cell_len
from rich.console import Console

import fathom.cli.main
from calling import done
from fathom.cli.output import shown, table

WIDTHS = [80, 120]


@pytest.fixture(params=WIDTHS)
def width(request, monkeypatch):
    """A terminal of that many columns."""
    monkeypatch.setattr(
        fathom.cli.main, "stdout", lambda: Console(highlight=False, width=request.param)
    )
    return request.param


PAGES = [
    ["list"],
    ["show", "lenet"],
    ["show", "vectorization"],
    ["show", "softmax-regression"],
    ["data", "list"],
    ["data", "where"],
    ["data", "check"],
    ["eval", "linear-regression"],
    ["predict", "linear-regression", "1,1", "-2,0.5"],
    ["compare", "linear-regression"],
    ["compare", "runs/linear-regression/001", "runs/linear-regression/002"],
    ["check", "nn.Flatten", "--no-speed"],
]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(width, words, runs):
    for line in done(*words).out.splitlines():
        assert cell_len(line.rstrip()) <= width or "/" in line, line


def test_titles_are_broken_between_words(width):
    out = done("list").out
    for word in ("manipulation", "differentiation", "Convolutions", "normalisation"):
        assert word in out


def test_prose_is_filled_anew(width):
    text = done("show", "lenet").out.split("\n\n")[2]
    lines = text.splitlines()
    for line, following in pairwise(lines):
        assert cell_len(line) + 1 + len(following.split()[0]) >= min(width, 100) - 1, line


def test_too_many_columns_become_rows(width, runs):
    out = done("compare", "runs/linear-regression/001", "runs/linear-regression/002").out
    for name in ("train loss", "valid loss", "examples/s"):
        assert name in out
    assert re.search(r"\b0\.03\b.*\b0\.1\b", out) or "0.03" in out


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        (0.000466725, "0.0004667"),
        (0.98886, "0.9889"),
        (3274.2, "3274"),
        (21256.4, "21,256"),
        (-1e6, "-1,000,000"),
        (1e30, "1e+30"),
        (float("nan"), "nan"),
        (3, "3"),
        (True, "True"),
        ("a", "a"),
    ],
)
def test_cells_as_people_read_them(cell, text):
    assert shown(cell) == text


def test_numbers_are_flush_right_and_whole():
    console = Console(width=40)
    rows = [["a.name.of.many.letters.that.has.no.place", 1.5], ["b", 22.25]]
    with console.capture() as captured:
        console.print(table(["", "x"], rows, right=[1]))
    lines = captured.get().splitlines()
    ends = [line.rpartition(" ")[2] for line in lines if not line.endswith(" ")]
    assert ends == ["x", "1.5", "22.25"]
