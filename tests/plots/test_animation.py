"""A race that moves: its frames, its end, its size, the same bytes each time."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image, ImageSequence

from fathom.plots.animation import Course, race, race_gif, steps_shown
from fathom.plots.contours import Box
from fathom.plots.style import COLOURS


def bowl(x):
    return (x**2).sum(-1)


def course(title="bowl"):
    slow = torch.stack([torch.linspace(1, 0.5, 41), torch.linspace(1, 0, 41)], dim=1).double()
    leaves = torch.stack([torch.linspace(1, 9, 41), torch.linspace(1, 1, 41)], dim=1).double()
    paths = {"slow": slow, "leaves": leaves}
    return Course(title, bowl, Box((-1.5, 1.5), (-1.5, 1.5)), paths, (0.0, 0.0))


@pytest.fixture(scope="module")
def gif():
    return race_gif([course("one"), course("two")], frames=12)


def colour_of(picture, colour):
    """How many pixels are near a colour."""
    pixels = np.asarray(picture.convert("RGB"), dtype=float) / 255
    return int((np.abs(pixels - np.array(to_rgb(colour))).max(-1) < 0.04).sum())


def test_the_trails_grow_from_frame_to_frame(gif):
    with Image.open(io.BytesIO(gif)) as picture:
        assert picture.n_frames > 8
        assert picture.info["loop"] == 0
        assert min(picture.size) > 250
        seen = [colour_of(frame, COLOURS[0]) for frame in ImageSequence.Iterator(picture)]
    assert seen[-1] > seen[0] + 100
    assert seen[-1] >= max(seen) - 40  # a marker may cover some of its trail


def test_the_last_frame_stays_longest(gif):
    with Image.open(io.BytesIO(gif)) as picture:
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(picture)]
    assert times[-1] == max(times) >= 2_000


def test_the_same_race_is_the_same_bytes_and_no_larger_than_promised(gif):
    assert race_gif([course("one"), course("two")], frames=12) == gif
    assert len(gif) < 300_000


def test_a_racer_that_leaves_waits_where_it_was_last_seen():
    figure = race([course()])
    trails = [line.get_xydata() for line in figure.axes[0].lines]
    gone = next(t for t in trails if len(t) > 1 and t[-1][1] == 1)
    assert gone[-1][0] == pytest.approx(1.4)
    stayed = next(t for t in trails if len(t) == 41)
    assert stayed[-1].tolist() == pytest.approx([0.5, 0.0])


def test_time_begins_slowly_and_comes_to_its_end():
    shown = [steps_shown(share / 10, 200) for share in range(11)]
    assert shown[0] == 0
    assert shown[-1] == 200
    assert shown == sorted(shown)
    assert shown[1] - shown[0] < shown[-1] - shown[-2]
