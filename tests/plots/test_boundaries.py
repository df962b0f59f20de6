"""Boundaries and labelled points, read back from the axes that were drawn."""

from __future__ import annotations

import torch

from fathom.plots.boundaries import Labelled, decision_boundaries, divided, square
from fathom.plots.style import save


def test_the_grid_has_its_rows_from_below():
    places = square(2.0, 5)
    assert places[0].tolist() == [-2, -2]
    assert places[4].tolist() == [2, -2]
    assert places[-1].tolist() == [2, 2]


def test_the_line_is_where_the_probability_is_half(tmp_path):
    places = square(2.0, 41)
    field = torch.sigmoid(3 * (places[:, 0] - 0.5))  # half where x is 0.5
    points, labels = torch.tensor([[1.0, 1.0], [-1.0, 0.0]]), torch.tensor([1, 0])
    figure = decision_boundaries({"a": field, "flat": torch.zeros(41**2)}, points, labels, 2.0)
    left, right = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "flat"]
    vertices = [
        vertex
        for collection in left.collections
        for path in collection.get_paths()
        for vertex in path.vertices
        if collection.get_facecolor().size == 0
    ]
    assert vertices
    assert all(abs(x - 0.5) < 1e-3 for x, _ in vertices)
    assert len(left.lines) == len(right.lines) == 2  # a mark for each class
    assert left.lines[0].get_xydata().tolist() == [[-1, 0]]
    save(figure, tmp_path / "boundaries")


def test_a_labelling_has_its_line_or_its_joints(tmp_path):
    three = Labelled("one", [(0, 0), (4, 0), (0, 4)], [1, -1, -1], [1.0, -0.5, -0.5])
    four = Labelled("none", [(0, 0), (1, 1), (0, 1), (1, 0)], [1, 1, -1, -1])
    figure = divided([three, four], columns=2)
    lined, joined = figure.axes
    assert len(lined.lines) == 2  # the points only: the line is a contour
    assert lined.collections
    assert not joined.collections
    assert [len(line.get_xdata()) for line in joined.lines] == [3, 3, 2, 2]
    save(figure, tmp_path / "divided")
