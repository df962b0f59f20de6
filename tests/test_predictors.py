"""How trained models are used: words in, answers out."""

from __future__ import annotations

import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fathom.core.errors import DataError
from fathom.predictors import NumberPredictor, PictureClassifier, RowPredictor

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def pictures(words):
    return list(words), torch.full((len(words), 1, 2, 2), 51, dtype=torch.uint8)


def test_pictures_are_brought_to_the_unit_interval():
    names, inputs = PictureClassifier(pictures, ["a", "b"]).read(["x.png", "y.png"])
    assert names == ["x.png", "y.png"]
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs, torch.full((2, 1, 2, 2), 51 / 255))


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_the_class_is_the_likeliest_and_so_are_the_next(classes):
    names = [f"class {index}" for index in range(classes)]
    logits = torch.randn(6, classes, generator=torch.Generator().manual_seed(classes))
    answers = PictureClassifier(pictures, names).answers(logits)
    probabilities = torch.softmax(logits, 1)
    for answer, row in zip(answers, probabilities, strict=True):
        order = sorted(range(classes), key=lambda i: -float(row[i]))[:3]
        assert answer["class"] == names[order[0]]
        assert answer["probability"] == pytest.approx(float(row.max()))
        assert list(answer["best"]) == [names[i] for i in order]
        assert list(answer["best"].values()) == pytest.approx([float(row[i]) for i in order])


def test_half_precision_answers_are_probabilities_too():
    answers = PictureClassifier(pictures, ["a", "b"]).answers(torch.tensor([[0.0, 9.0]]).bfloat16())
    assert answers[0]["probability"] == pytest.approx(float(torch.sigmoid(torch.tensor(9.0))))


def test_pictures_and_answers_are_drawn():
    predictor = PictureClassifier(pictures, ["a", "b"])
    names, inputs = predictor.read(["x.png", "y.png"])
    figure = predictor.draw(names, inputs, predictor.answers(torch.tensor([[0.0, 9.0]] * 2)))
    texts = " ".join(text.get_text() for axes in figure.axes for text in [axes.title, *axes.texts])
    assert "b 100%" in texts
    figure.savefig(io.BytesIO())


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


def test_the_members_of_an_ensemble_answer_by_their_mean():
    predictor = RowPredictor(
        lambda words: (list(words), torch.ones(len(words), 3)), torch.exp, names="Id", target="y"
    )
    names, inputs = predictor.read(["1", "2"])
    assert inputs.shape == (2, 3)
    answers = predictor.answers(torch.tensor([[0.0, 2.0], [3.0, 3.0]]))
    assert [answer["y"] for answer in answers] == pytest.approx([math.e, math.e**3], rel=1e-6)
    figure = predictor.draw(names * 100, inputs, answers * 100)
    assert len(figure.axes[0].patches) == 30
