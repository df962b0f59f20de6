"""Arrays: what is shown is what NumPy and SciPy compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from scipy.spatial import distance

from fathom.plots.cells import MARKED
from fathom.recipes.arrays import _evaluated, linear_algebra, tensors


def results(findings):
    (table,) = findings.tables.values()
    return {row[0]: row[1] for row in table.rows}


def test_tensors_are_the_book_s():
    found = tensors()
    found.check("tensors")
    shown = results(found)
    p, q = np.array([1.0, 2, 4, 8]), np.full(4, 2.0)
    pieces = shown["x + y, x - y, x * y, x / y, x ** y"].split("; ")
    for piece, expected in zip(pieces, (p + q, p - q, p * q, p / q, p**q), strict=True):
        assert np.array_equal(np.array(eval(piece)), expected)
    exps = np.array(eval(shown["torch.exp(x)"]))
    assert np.allclose(exps, np.exp(p), rtol=2e-7)
    assert shown["X.shape, X.numel(), X.sum()"] == "(3, 4); 12; 66"
    a, b = np.arange(3)[:, None], np.arange(2)[None]
    assert eval(shown["a + b"]) == (a + b).tolist()
    Y = np.array([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    assert eval(shown["X == Y"]) == (np.arange(12).reshape(3, 4) == Y).tolist()


def test_an_expression_is_evaluated_as_it_stands():
    assert _evaluated(["z * 2"], {"z": torch.tensor([1.5, 2.0])}) == [["z * 2", "[3, 4]"]]


def test_coloured_cells_are_those_that_numpy_picks():
    X = np.arange(12).reshape(3, 4)
    picks = [X[-1], X[1:3], X[:, 1], X[::2, 1::2], X[[0, 2], [3, 0]], X[X > 6]]
    (axes,) = tensors().figures["indexing"].axes
    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    coloured = [cell.get_facecolor() == to_rgba(MARKED) for cell in cells]
    marked = torch.tensor(coloured).reshape(6, 12)
    for row, expected in zip(marked, picks, strict=True):
        assert row.nonzero().flatten().tolist() == sorted(expected.ravel().tolist())


def test_linear_algebra_is_the_book_s():
    found = linear_algebra()
    found.check("linear-algebra")
    assert list(found.numbers.values()) == [6, 5, 7, 6]
    A, x = np.arange(20.0).reshape(5, 4), np.arange(4.0)
    shown = results(found)
    assert eval(shown["A.sum(0)"]) == A.sum(0).tolist() == [40, 45, 50, 55]
    assert eval(shown["A.sum(1)"]) == A.sum(1).tolist() == [6, 22, 38, 54, 70]
    assert eval(shown["A @ x"]) == (A @ x).tolist() == [14, 38, 62, 86, 110]
    assert shown["A.sum(), A.mean()"] == "190; 9.5"


@pytest.mark.parametrize(
    ("label", "scipys"),
    [("L1", distance.cityblock), ("L2", distance.euclidean), ("largest |x|", distance.chebyshev)],
)
def test_outlines_lie_at_distance_one(label, scipys):
    (axes,) = linear_algebra().figures["norms"].axes
    names = [text.get_text() for text in axes.texts]
    line = axes.lines[names.index(label)]
    for point in zip(*line.get_data(), strict=True):
        assert math.isclose(scipys(point, (0, 0)), 1, rel_tol=1e-12)
