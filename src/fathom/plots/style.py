"""How every figure looks, and how it is written: one style, no display, the same bytes each time.

Source   Colours of Okabe and Ito 2008, "Color universal design": told apart with every kind of
         colour vision. They are never alone: dashes, markers or signs say the same.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from fathom.core.paths import write_whole

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
# In the order in which each differs most from those before it, whoever looks: the first four are
# far apart without red, without green and without blue cones.
COLOURS = [BLUE, VERMILION, BLACK, SKY, ORANGE, PURPLE, GREEN]
DASHES: list[str | tuple[int, tuple[float, ...]]] = [
    "solid",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
    (0, (3, 1.2, 1, 1.2, 1, 1.2)),
    (0, (1, 3)),
]
MARKERS = "os^DvPX"
INK, FAINT, GRID = "#222222", "#6B6B6B", "#E3E3E3"
DOTS_PER_INCH = 144

# Whichever of these is on the machine writes Chinese titles; the first draws everything else.
FONTS = [
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
]

STYLE: dict[str, Any] = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": "#B5B5B5",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": "#B5B5B5",
    "ytick.color": "#B5B5B5",
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.9,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "savefig.facecolor": "white",
    # Identifiers in an SVG are random unless salted, and letters are shapes where a viewer
    # without the font would show others.
    "svg.hashsalt": "fathom",
    "svg.fonttype": "path",
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.09,
}


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    """Those of FONTS that this machine has: matplotlib warns of each that it looks for in vain."""
    have = set(font_manager.get_font_names())
    return [name for name in FONTS if name in have]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it: 0 is black, 1 is white."""
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@lru_cache
def readable(colour: str) -> str:
    """The colour, as dark as letters need to be on white: a contrast of 4.5 to 1 (WCAG 2, AA)."""
    while 1.05 / (luminance(colour) + 0.05) < 4.5:
        red, green, blue = to_rgb(colour)
        colour = to_hex((red * 0.96, green * 0.96, blue * 0.96))
    return colour


@contextmanager
def styled() -> Iterator[None]:
    """Within it matplotlib draws in our style; whatever its user has set is put back after."""
    style: Any = {**STYLE, "font.family": _fonts()}
    with matplotlib.rc_context(style):
        yield


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of that many inches. Draw on it under `styled()`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, x=0.012, ha="left")
    return figure


def new_axes(width: float, height: float, title: str = "") -> tuple[Figure, Axes]:
    """A figure of one chart."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def save(
    figure: Figure, path: Path | str, suffixes: Sequence[str] = (".svg", ".png")
) -> list[Path]:
    """Write `path`.svg and `path`.png, each whole or not at all; the same figure, the same bytes.

    Raises ResourceError where the disk is full or the folder may not be written.
    """
    place = Path(path)
    written = []
    # A date, or the version of matplotlib, would make two files of one figure.
    unsaid = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    for suffix in suffixes:
        content = io.BytesIO()
        with styled(), warnings.catch_warnings():
            # A machine without a font for a user's own words shows boxes, and says so once a sign.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(content, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=unsaid[suffix])
        written.append(place.with_name(place.name + suffix))
        write_whole(written[-1], content.getvalue())
    return written
