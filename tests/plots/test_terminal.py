"""Curves in letters: where the dots are, how wide the lines, what a poor terminal gets."""

from __future__ import annotations

import pytest

from fathom.plots.terminal import BITS, BRAILLE, MARGIN, terminal_curves


def records(ys: list[float], **more: float) -> list[dict]:
    return [
        {"step": e, "epoch": e, "split": "train", "loss": y, **more} for e, y in enumerate(ys, 1)
    ]


def dots(row: str) -> list[tuple[int, int]]:
    """(x, y) of the dots in a row of Braille."""
    return [
        (2 * column + x, y)
        for column, letter in enumerate(row)
        for y, pair in enumerate(BITS)
        for x, bit in enumerate(pair)
        if 0x2800 <= ord(letter) < 0x2900 and (ord(letter) - BRAILLE) & bit
    ]


@pytest.mark.parametrize("width", [30, 59, 70, 101])
@pytest.mark.parametrize("height", [8, 16])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_keeps_to_its_width_and_height(width, height, encoding):
    rows = records([3.0, 2.0, 2.5, 1.0], accuracy=0.5)
    rows += [{**row, "split": "a very long name of a split"} for row in rows]
    text = terminal_curves(rows, width=width, height=height, encoding=encoding).plain
    lines = text.split("\n")
    assert max(map(len, lines)) <= width
    assert len(lines) == (height if width >= 70 else 2 * height)


def test_a_straight_line_falls_from_the_first_corner_to_the_last():
    text = terminal_curves(records([2.0, 1.0]), width=40, height=13, encoding="utf-8").plain
    chart = text.split("\n")[1:-2]
    found = [
        (x, 4 * number + y) for number, row in enumerate(chart) for x, y in dots(row[MARGIN + 1 :])
    ]
    assert (0, 0) in found
    right, bottom = 2 * (40 - MARGIN - 1) - 1, 4 * len(chart) - 1
    assert (right, bottom) in found
    assert all(abs(y - x * bottom / right) <= 0.5 + 1e-9 for x, y in found)
    assert {x for x, _ in found} == set(range(right + 1))


def test_the_scale_names_the_largest_and_the_least():
    lines = terminal_curves(records([8.0, 2.0]), width=40, height=10, encoding="utf-8").plain
    rows = lines.split("\n")
    assert rows[1].startswith("    8.000┤")
    assert rows[-3].startswith("    2.000┤")
    assert rows[-1].split() == ["1", "2", "epoch"]


def test_a_loss_that_spans_decades_is_straight_on_its_logarithmic_scale():
    text = terminal_curves(
        records([10.0**-e for e in range(5)]), width=40, height=12, encoding="utf-8"
    ).plain
    assert "1.00e-4" in text
    assert "0.0100" in text


def test_the_head_names_each_split_with_its_last_value():
    rows = records([2.0, 1.0])
    rows += [{**row, "split": "valid", "loss": row["loss"] + 0.5} for row in rows]
    head = terminal_curves(rows, width=60, height=8, encoding="utf-8").plain.split("\n")[0]
    assert head == "  loss  ━━ train 1.000  ╍╍ valid 1.500"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk"])
def test_other_encodings_than_utf_8_get_plain_ascii(encoding):
    rows = records([2.0, 1.0])
    rows += [{**row, "split": "valid", "loss": 3.0} for row in rows]
    text = terminal_curves(rows, width=60, height=8, encoding=encoding).plain
    assert text.isascii()
    assert {"o", "x"} <= set(text.split("\n", 1)[1])


def test_lines_differ_without_colour():
    rows = records([2.0, 2.0])
    rows += [{**row, "split": "valid", "loss": 1.0} for row in rows]
    chart = terminal_curves(rows, width=60, height=8, encoding="utf-8").plain.split("\n")[1:-2]
    solid, dashed = ({x for x, _ in dots(row[MARGIN + 1 :])} for row in (chart[0], chart[-1]))
    assert len(dashed) < 0.75 * len(solid)


def test_one_epoch_and_none():
    text = terminal_curves(records([2.0]), width=40, height=8, encoding="utf-8").plain
    assert text.split("\n")[-1].split() == ["1", "epoch"]
    assert terminal_curves([], encoding="utf-8").plain == "nothing measured yet"


def test_it_draws_without_matplotlib():
    import subprocess
    import sys

    code = "import sys, fathom.plots.terminal; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
