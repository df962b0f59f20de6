"""Optimisers racing down functions of two variables: a picture that moves, and its last frame.

Time runs faster as the race goes on, since most of what differs happens in the first steps. The
ground is drawn once; each frame adds the trails, and is stored as what differs from the one
before, with one palette for all: a few hundred kB.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from fathom.plots.contours import LAND, Box, land
from fathom.plots.style import BLACK, COLOURS, FAINT, INK, MARKERS, new_figure, styled

PANEL = 3.1, 3.3  # inches
GIF_DOTS = 96
FRAMES, HUNDREDTHS, PAUSE = 60, 8, 250  # of a second: a frame, and the last one


@dataclass(frozen=True)
class Course:
    """A function, the piece of it that is shown, its goal, and a path (T + 1, 2) for each name.

    A racer that leaves the piece waits where it was last seen.
    """

    title: str
    f: Callable[[Tensor], Tensor]
    box: Box
    paths: Mapping[str, Tensor]
    goal: Sequence[float] | None = None


def race(courses: Sequence[Course]) -> Figure:
    """The race at its end, as a figure."""
    with styled():
        figure, move = _scene(courses)
        move(1.0)
    return figure


def race_gif(courses: Sequence[Course], frames: int = FRAMES) -> bytes:
    """The race as an animated GIF that repeats; the same race, the same bytes."""
    with styled():
        figure, move = _scene(courses)
        figure.set_dpi(GIF_DOTS)
        canvas = FigureCanvasAgg(figure)
        for artist in move(0.0):
            artist.set_animated(True)
        canvas.draw()
        ground = canvas.copy_from_bbox(figure.bbox)
        pictures = []
        for frame in range(frames):
            canvas.restore_region(ground)
            for artist in move(frame / (frames - 1)):
                figure.draw_artist(artist)
            pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    palette = _palette()
    indexed = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    content = io.BytesIO()
    indexed[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[10 * HUNDREDTHS] * (frames - 1) + [10 * PAUSE],
        loop=0,
    )
    return content.getvalue()


def steps_shown(share: float, steps: int) -> int:
    """How many of a race's steps are done at a share of its time: few at first, then more."""
    return round(steps * share**2)


def _scene(courses: Sequence[Course]) -> tuple[Figure, Callable[[float], list[Artist]]]:
    """The figure, and a function that moves its racers to a share of the time."""
    names = list(dict.fromkeys(name for course in courses for name in course.paths))
    figure = new_figure(PANEL[0] * len(courses), PANEL[1])
    racers: list[tuple[Any, Any, Tensor]] = []
    counters: list[tuple[Any, int]] = []
    for number, course in enumerate(courses):
        axes = figure.add_subplot(1, len(courses), number + 1)
        axes.set_title(course.title)
        land(axes, course.f, course.box)
        axes.set(xlabel="", ylabel="")
        start = next(iter(course.paths.values()))[0]
        ring: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": BLACK}
        axes.plot(*start.tolist(), "o", markersize=6.5, zorder=4, **ring)
        if course.goal is not None:
            axes.plot(*course.goal, "*", color=INK, markersize=13, markeredgecolor="white")
        for name, path in course.paths.items():
            look = names.index(name)
            colour, marker = COLOURS[look % len(COLOURS)], MARKERS[look % len(MARKERS)]
            (trail,) = axes.plot([], [], color=colour, linewidth=1.4)
            head: dict[str, Any] = {"markersize": 7.5, "markeredgecolor": "white", "zorder": 6}
            (dot,) = axes.plot([], [], marker, color=colour, **head)
            racers.append((trail, dot, _within(path, course.box)))
        steps = max(len(path) for path in course.paths.values()) - 1
        place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "top"}
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
        text = axes.text(0.97, 0.97, "", color=FAINT, fontsize=8.5, bbox=box, **place)
        counters.append((text, steps))
    entries = [(COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k in range(len(names))]
    handles = [
        figure.axes[0].plot([], [], marker, color=colour, linestyle="-", linewidth=1.4)[0]
        for colour, marker in entries
    ]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))

    def move(share: float) -> list[Artist]:
        for (trail, dot, path), longest in zip(racers, _longest(courses), strict=True):
            done = path[: steps_shown(share, longest) + 1]
            trail.set_data(done[:, 0].tolist(), done[:, 1].tolist())
            dot.set_data(done[-1:, 0].tolist(), done[-1:, 1].tolist())
        for text, steps in counters:
            text.set_text(f"step {steps_shown(share, steps)}")
        return [artist for racer in racers for artist in racer[:2]] + [t for t, _ in counters]

    return figure, move


def _palette() -> Image.Image:
    """The shades of the ground, and each colour blended with them as edges of lines are.

    Pillow would choose colours by area, and give all of them to the ground.
    """
    ground = [LAND(k / 31)[:3] for k in range(32)] + [(k / 23,) * 3 for k in range(24)]
    edges = [
        tuple(share * c + (1 - share) * g for c, g in zip(*map(to_rgb, pair), strict=True))
        for pair in itertools.product(COLOURS, (FAINT, "white"))
        for share in (1.0, 0.75, 0.5, 0.25)
    ]
    picture = Image.new("P", (1, 1))
    picture.putpalette([round(255 * part) for shade in [*ground, *edges] for part in shade])
    return picture


def _within(path: Tensor, box: Box) -> Tensor:
    """A path as far as it stays in a box."""
    assert box.y is not None
    low, high = torch.tensor([box.x, box.y], dtype=path.dtype).T
    inside = ((path >= low) & (path <= high)).all(-1)
    return path[: max(1, int(inside.cumprod(0).sum()))]


def _longest(courses: Sequence[Course]) -> list[int]:
    """For each racer the steps of its course."""
    return [
        max(len(path) for path in course.paths.values()) - 1
        for course in courses
        for _ in course.paths
    ]
