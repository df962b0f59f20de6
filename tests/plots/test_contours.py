"""Pictures of functions and paths, read back from the axes that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.plots.contours import Box, box_of, chords, level_places, panels, together
from fathom.plots.style import save


def square(x):
    return (x**2).sum(-1)


def broken(x):
    """Without values left of zero."""
    return x[..., 0].log() + x[..., -1] ** 2


DOWN = torch.tensor([[2.0, 1.0], [1.0, 0.2], [0.1, 0.0]], dtype=torch.float64)
SQUARE, LINE = Box((-2, 2), (-2, 2)), Box((-2, 2))
AWAY = torch.tensor([[2.0, 1.0], [-50.0, 9.0]], dtype=torch.float64)


def test_each_path_has_a_panel_with_all_its_points():
    figure = panels(square, {"one": DOWN, "two": AWAY}, names=("x1", "x2"), title="T")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two"]
    for axes, path in zip(figure.axes, (DOWN, AWAY), strict=True):
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), path.numpy())
        assert axes.lines[1].get_xydata().tolist() == [path[0].tolist()]
        assert axes.lines[2].get_xydata().tolist() == [path[-1].tolist()]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("x1", "x2")


def test_a_path_of_one_variable_lies_on_the_curve():
    path = torch.tensor([[3.0], [-2.0], [1.0]], dtype=torch.float64)
    (axes,) = panels(square, {"one": path}).axes
    curve, walked = axes.lines[0].get_xydata(), axes.lines[1].get_xydata()
    np.testing.assert_allclose(curve[:, 1], curve[:, 0] ** 2)
    np.testing.assert_array_equal(walked, [[3, 9], [-2, 4], [1, 1]])


def test_a_path_that_runs_away_does_not_make_the_picture_larger():
    assert box_of(square, [DOWN, AWAY]) == box_of(square, [DOWN])
    (low, high), across = box_of(square, [DOWN])
    assert low < 0.1
    assert 2 < high < 4
    assert across[0] < 0
    assert 1 < across[1] < 2


def test_the_ground_is_darker_where_it_is_lower():
    (axes,) = together(square, {"a": DOWN}, box=SQUARE).axes
    (filled, *_) = axes.collections
    shades = [colour[:3].mean() for colour in filled.get_facecolor()]
    assert shades == sorted(shades)
    assert len(shades) > 8


@pytest.mark.parametrize("f", [broken, lambda x: 0 * x[..., 0], lambda x: x[..., 0] * torch.nan])
def test_functions_with_holes_and_plains_are_drawn(f, tmp_path):
    ground, curve = together(f, {"a": DOWN}, box=SQUARE), panels(f, {"a": DOWN[:, :1]}, box=LINE)
    for figure in (ground, curve):
        save(figure, tmp_path / "drawn")
    (plane,), (line,) = ground.axes, curve.axes
    np.testing.assert_array_equal(plane.lines[0].get_xydata(), DOWN.numpy())
    assert (plane.get_xlim(), plane.get_ylim()) == SQUARE
    x, y = line.lines[0].get_data()
    np.testing.assert_allclose(y, f(torch.tensor(x)[:, None]))
    assert line.get_xlim() == LINE.x
    np.testing.assert_allclose(line.lines[1].get_ydata(), f(DOWN[:, :1]))


def test_there_is_no_ground_where_there_is_no_value():
    (hole,) = together(broken, {"a": DOWN}, box=SQUARE).axes
    filled = np.concatenate([p.vertices for p in hole.collections[0].get_paths() if len(p)])
    assert filled[:, 0].min() > 0
    assert filled[:, 0].max() == 2
    (plain,) = together(lambda x: 0 * x[..., 0], {"a": DOWN}, box=SQUARE).axes
    assert not plain.collections


def test_paths_together_are_named_and_the_forbidden_is_hatched():
    forbidden = lambda x: x.sum(-1) - 1  # noqa: E731
    figure = together(square, {"a": DOWN, "b": AWAY}, box=SQUARE, forbidden=forbidden)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert any(set(c.hatches or []) == {"///"} for c in axes.collections if hasattr(c, "hatches"))


def test_level_places_have_the_mark_of_their_kind():
    box = Box((-2, 2))
    (axes,) = level_places(square, [([0.0], "minimum"), ([1.0], "flat")], box).axes
    marks = {line.get_label(): line.get_xydata().tolist() for line in axes.lines[1:]}
    assert marks == {"minimum": [[0, 0]], "flat": [[1, 1]]}
    (bare,) = level_places(square, [], Box((-1, 1), (-1, 1))).axes
    assert bare.get_legend() is None


def test_a_chord_joins_two_points_of_its_curve():
    figure = chords({"f": (square, -1.0, 2.0), "g": (square, 0.0, 1.0)}, Box((-2, 2)))
    ends = [axes.lines[1].get_xydata().tolist() for axes in figure.axes]
    assert ends == [[[-1, 1], [2, 4]], [[0, 0], [1, 1]]]
