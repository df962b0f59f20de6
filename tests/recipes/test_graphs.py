"""A computation's graph as a figure: every box has its value, its gradient and a place."""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch

from fathom.recipes.graphs import drawn
from fathom.scratch import autograd
from fathom.scratch.autograd import Tensor


def example():
    x, y = Tensor(2.0, requires_grad=True, name="x"), Tensor(-1.5, requires_grad=True, name="y")
    z = (x * y + autograd.sin(x)) * x + autograd.exp(y) / 7.0
    z.name = "z"
    return x, y, z


def test_boxes_hold_values_and_gradients():
    x, y, z = example()
    figure = drawn(z, title="z")
    z.backward()
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    for expected in (f"{z.item():.4g}", f"∂ {x.grad.item():.4g}", f"∂ {y.grad.item():.4g}", "∂ 1"):
        assert expected in words
    assert words.count("constant") == 1


def test_no_box_lies_on_another():
    _, _, z = example()
    (axes,) = drawn(z).axes
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    nodes, _ = autograd.graph(z)
    assert len(boxes) == len(nodes)
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart_x = abs(one.get_x() - other.get_x()) >= one.get_width()
            apart_y = abs(one.get_y() - other.get_y()) >= one.get_height()
            assert apart_x or apart_y


def test_a_lone_number_is_one_box():
    (axes,) = drawn(Tensor(1.0)).axes
    assert [text.get_text() for text in axes.texts] == ["constant", "1"]
    assert axes.get_legend() is None, "there is no gradient to explain"
