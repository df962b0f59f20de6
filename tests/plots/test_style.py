"""Figures on disk: the same bytes each time, whole, of the promised size; colours that differ."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from fathom.core.errors import ResourceError
from fathom.plots.style import COLOURS, DASHES, INK, MARKERS, luminance, readable, save, styled

DRAW = """
import sys
from fathom.plots.scalars import bars
from fathom.plots.style import save
save(bars(["a", "b"], [1.0, 2.0], title="two"), sys.argv[1])
print("pyplot" if "matplotlib.pyplot" in sys.modules else "no display")
"""


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.add_subplot().plot([1, 2])
    return drawn


def test_two_processes_write_the_same_bytes_without_a_display(tmp_path):
    for name in ("one", "two"):
        command = [sys.executable, "-c", DRAW, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert (done.stdout, done.stderr) == ("no display\n", "")
    for suffix in (".svg", ".png"):
        one, two = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert one == two


def test_files_are_an_svg_without_a_date_and_a_png_at_144_dots_an_inch(tmp_path):
    written = save(figure(), tmp_path / "v1.2")
    assert written == [tmp_path / "v1.2.svg", tmp_path / "v1.2.png"]
    assert b"<svg" in written[0].read_bytes()
    assert b"<dc:date>" not in written[0].read_bytes()
    with Image.open(written[1]) as picture:
        assert picture.size == (288, 144)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="could not be written"):
        save(figure(), tmp_path / "file" / "figure")


def test_the_users_own_settings_are_put_back():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with styled():
        assert matplotlib.rcParams["text.color"] == INK
    assert dict(matplotlib.rcParams) == before


# Machado, Oliveira and Fernandes 2009: what is seen without the red, green or blue cones.
CONE_LOSS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("loss", CONE_LOSS)
def test_the_first_four_colours_differ_for_every_kind_of_colour_vision(loss):
    def seen(colour: str) -> np.ndarray:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
        there = np.clip(np.array(CONE_LOSS[loss]) @ linear, 0, 1)
        return np.where(there > 0.0031308, 1.055 * there ** (1 / 2.4) - 0.055, 12.92 * there)

    for one, other in combinations(COLOURS[:4], 2):
        assert np.linalg.norm(seen(one) - seen(other)) > 0.3


def test_no_line_differs_by_colour_alone():
    assert len(COLOURS) == len(set(map(str, DASHES))) == len(set(MARKERS))


@pytest.mark.parametrize("colour", COLOURS)
def test_letters_have_the_contrast_that_wcag_asks_for(colour):
    assert 1.05 / (luminance(readable(colour)) + 0.05) >= 4.5


@pytest.mark.parametrize(("colour", "expected"), [("#ffffff", 1.0), ("#000000", 0.0)])
def test_luminance_of_white_and_black(colour, expected):
    assert luminance(colour) == pytest.approx(expected)
