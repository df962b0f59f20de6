"""The graph of a program: what it holds, and that its picture is legible."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from fathom.scratch import autograd
from fathom.scratch.autograd import Tensor


def example():
    x, y = Tensor(2.0, requires_grad=True, name="x"), Tensor(-1.5, requires_grad=True, name="<y>")
    z = (x * y + autograd.sin(x)) * x + autograd.exp(y) / 7.0
    z.name = "z"
    return x, y, z


def test_a_graph_holds_values_and_gradients():
    x, y, z = example()
    nodes, edges = autograd.graph(z)
    z.backward()
    by_label = {node.label: node for node in nodes}
    assert [node.label for node in nodes][-1] == "z"
    assert by_label["x"].gradient == x.grad.data
    assert by_label["<y>"].gradient == y.grad.data
    assert by_label["constant"].gradient is None
    assert {node.kind for node in nodes} == {"input", "constant", "operation", "result"}
    assert len(nodes) == 10
    assert len(edges) == 12
    assert all(start < end for start, end in edges)
    labels = [(nodes[a].label, nodes[b].label) for a, b in edges]
    assert labels.count(("x", "*")) == 2
    assert ("exp", "/") in labels


def test_a_picture_is_legible():
    _, _, z = example()
    picture = ET.fromstring(autograd.svg(z))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    space = "{http://www.w3.org/2000/svg}"
    places = []
    for box in picture.iter(f"{space}g"):
        x, y = map(float, box.attrib["transform"][10:-1].split())
        assert 0 <= x <= width - 132
        assert 0 <= y <= height - 60
        places.append((x, y))
    assert len(places) == 10
    for i, (x, y) in enumerate(places):
        assert all(abs(x - a) >= 132 or abs(y - b) >= 60 for a, b in places[:i])
    words = [text.text for text in picture.iter(f"{space}text")]
    assert {"x", "<y>", "z", "sin", "2", "-1.5"} <= set(words)
    assert "∂ 1" in words


def test_pictures_of_arrays_and_of_a_lone_number():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    picture = autograd.svg((x * x).sum(0))
    assert "2 × 3" in picture
    assert ">2, 2, 2<" in picture
    assert ">∂ 1, 1, 1<" in picture
    assert "∂ 2 × 3" in picture
    ET.fromstring(autograd.svg(Tensor(1.0)))


def test_all_of_it_is_read_in_one_sitting():
    files = Path(autograd.__file__).parent.glob("*.py")
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 400
