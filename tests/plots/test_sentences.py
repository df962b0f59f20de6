"""Pictures of sentences: all words are there, each where it belongs."""

from __future__ import annotations

import numpy as np

from fathom.plots.lengths import MOST, length_histogram
from fathom.plots.translations import COLUMN, side_by_side


def test_every_word_is_in_its_column():
    long = " ".join(["word"] * 30)
    figure = side_by_side([("go .", "va !"), (long, "$mot_$"), ("", "")])
    (axes,) = figure.axes
    texts = [(t.get_position()[0], t.get_text()) for t in axes.texts if t.get_text() != "→"]
    left, right = ([text for x, text in texts if (x == 0) == first] for first in (True, False))
    assert [" ".join(text.split()) for text in left] == ["go .", long, ""]
    assert right == ["va !", "$mot_$", ""]
    assert max(len(line) for text in left for line in text.split("\n")) <= COLUMN
    assert sum(t.get_text() == "→" for t in axes.texts) == 3


def test_bars_count_sentences():
    lengths = {"sources": [1, 2, 2, 5, 90], "targets": [3, 3, 3, 40, 41]}
    (axes,) = length_histogram(lengths, limit=4).axes
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(2, MOST)
    assert heights[0, [0, 1, 4, MOST - 1]].tolist() == [1, 2, 1, 1]
    assert heights[1, [2, MOST - 1]].tolist() == [3, 2]
    assert heights.sum() == 10
