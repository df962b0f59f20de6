"""Trees of search: every word and note is there, parents stand amid their children."""

from __future__ import annotations

import pytest

from fathom.plots.search_tree import _rows, search_tree

NODES = {
    ("a",): "0.5",
    ("b",): "0.2",
    ("a", "b"): "0.2",
    ("a", "c"): "0.15",
    ("a", "c", "$x"): "0.09",
}


def test_leaves_are_below_each_other_and_parents_amid_them():
    rows = _rows(list(NODES))
    assert rows[("a", "b")] == 0
    assert rows[("a", "c", "$x")] == rows[("a", "c")] == 1
    assert rows[("b",)] == 2
    assert rows[("a",)] == pytest.approx(0.5)
    assert rows[()] == pytest.approx((0.5 + 2) / 2)


def test_words_notes_and_paths_are_drawn():
    figure = search_tree(NODES, {"beam: 0.09": ("a", "c", "$x"), "greedy": ("a", "b")}, title="t")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert {"a", "b", "c", "$x", "0.5", "0.09", "step 1", "step 3"} <= set(texts)
    bold = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
    assert sorted(bold) == ["$x", "a", "b", "c"]
    broad = [line for line in axes.lines if line.get_linewidth() > 3]
    assert len(broad) == 3, "an edge for each word of the first path"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["beam: 0.09", "greedy"]
