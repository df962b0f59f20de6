"""Pictures of small things, read back from the figure: every number, none over another."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from fathom.plots.cells import Cells, side_by_side
from fathom.plots.planes import outlines, slopes
from fathom.plots.trees import Branch, trees


def drawn_cells(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_every_cell_holds_its_number():
    figure = side_by_side(
        [
            [Cells("a", [[1, 2.5], [True, "word"]], then="+"), Cells("b", [[127500.0]])],
            [Cells("c", [["Σ"]])],
        ],
        title="t",
    )
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["1", "2.5", "yes", "word", "a", "+", "127500", "b", "Σ", "c"]


def test_no_cell_lies_on_another_and_none_outside():
    figure = side_by_side(
        [
            [Cells("a long title\nof two lines", [[1] * 3] * 4), Cells("b", [["a long text"] * 2])],
            [Cells("c", [[1]]), Cells("d", [[2]] * 5)],
        ]
    )
    boxes = [cell.get_bbox() for cell in drawn_cells(figure)]
    right, top = figure.axes[0].get_xlim()[1], figure.axes[0].get_ylim()[1]
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= right
        assert -1e-9 <= one.y0 < one.y1 <= top
        for other in boxes[:i]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(wide, high) < 1e-9


def test_marked_and_copied_cells_differ_in_more_than_colour():
    marked, copied = frozenset({(0, 0)}), frozenset({(0, 1)})
    cells = drawn_cells(side_by_side([[Cells("a", [[1, 2, 3]], marked, copied)]]))
    assert len({cell.get_facecolor() for cell in cells}) == 3
    assert len({str(cell.get_linestyle()) for cell in cells}) == 2


def test_a_tree_is_indented_by_depth():
    tree = [Branch(0, "root"), Branch(1, "a", "1"), Branch(2, "b", "2", 0), Branch(1, "c", "", 1)]
    figure = trees([("one", tree), ("two", [Branch(0, "other")])], groups=["x", "y"], title="t")
    texts = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    steps = [texts[name][0] for name in ("root", "a", "b")]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1])
    assert texts["c"][0] == steps[1]
    assert texts["root"][1] > texts["a"][1] > texts["b"][1] > texts["c"][1]
    assert {"one", "two", "x", "y"} <= set(texts)


def test_planes_have_one_scale_on_both_axes():
    circle = np.linspace(0, 7, 200)
    figure = outlines({"circle": (np.cos(circle).tolist(), np.sin(circle).tolist())})
    assert figure.axes[0].get_aspect() == 1
    grid = np.linspace(-1, 1, 21)
    height = grid[:, None] ** 2 + grid**2
    figure = slopes(grid, grid, height, [(0.5, 0.0, 0.1, 0.0)])
    assert figure.axes[0].get_aspect() == 1
    (arrows,) = [c for c in figure.axes[0].collections if hasattr(c, "U")]
    assert (arrows.U[0], arrows.V[0]) == (0.1, 0.0)
