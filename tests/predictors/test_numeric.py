"""Rows of numbers: how they are read, and what is said of those that are none."""

from __future__ import annotations

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fathom.core.errors import DataError
from fathom.predictors.numeric import NumberPredictor

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_rows_of_numbers_are_read_exactly(rows):
    words = [f"{a!r},{b!r}" for a, b in rows]
    names, inputs = NumberPredictor(["x1", "x2"]).read(words)
    assert names == words
    assert inputs.tolist() == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("x1,x2\n1,2\n", [[1, 2]]),
        ("x1;x2\r\n1;2\r\n\r\n3;4", [[1, 2], [3, 4]]),
        ("\ufeff1, 2\n", [[1, 2]]),
        ("1e3,-2.5E-1\n", [[1000, -0.25]]),
        ("e,ee\n1,2\n", [[1, 2]]),
    ],
)
def test_files_of_rows(tmp_path, text, rows):
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode())
    names, inputs = NumberPredictor(["x1", "x2"]).read([str(file), "9,9"])
    assert inputs.tolist() == [*rows, [9, 9]]
    assert len(names) == len(rows) + 1


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,x", "nan,1", "inf,1", "1,", ",", ""])
def test_a_row_that_is_none_is_named(row):
    with pytest.raises(DataError, match=r"write 2 numbers \(x1, x2\) as 1.0,1.0"):
        NumberPredictor(["x1", "x2"]).read([row])


def test_features_are_what_the_model_takes():
    predictor = NumberPredictor(["x"], lambda x: torch.cat([x, x**2], 1))
    _, inputs = predictor.read(["3", "-2"])
    assert inputs.tolist() == [[3, 9], [-2, 4]]
    assert predictor.answers(torch.tensor([[1.5], [2.0]])) == [{"value": 1.5}, {"value": 2.0}]
    predictor.draw(["3"], inputs, [{"value": 1.0}]).savefig(io.BytesIO())
