"""Pictures: what was trained on them is used."""

from __future__ import annotations

import io

import pytest
import torch

from calling import write_digits
from fathom.predictors.pictures import PictureClassifier


def pictures(words):
    return list(words), torch.full((len(words), 1, 2, 2), 51, dtype=torch.uint8)


def test_pictures_are_brought_to_the_unit_interval():
    names, inputs = PictureClassifier(pictures, ["a", "b"]).read(["x.png", "y.png"])
    assert names == ["x.png", "y.png"]
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs, torch.full((2, 1, 2, 2), 51 / 255))


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_the_class_is_the_likeliest_and_all_have_their_probability(classes):
    names = [f"class {index}" for index in range(classes)]
    logits = torch.randn(6, classes, generator=torch.Generator().manual_seed(classes))
    answers = PictureClassifier(pictures, names).answers(logits)
    probabilities = torch.softmax(logits, 1)
    for answer, row in zip(answers, probabilities, strict=True):
        assert answer["class"] == names[int(row.argmax())]
        assert answer["probability"] == pytest.approx(float(row.max()))
        assert list(answer["probabilities"]) == names
        assert list(answer["probabilities"].values()) == pytest.approx(row.tolist())


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


def test_what_is_left_out_of_a_folder_is_said(tmp_path):
    write_digits(tmp_path / "scans", 2)
    read = PictureClassifier(lambda words: ([], torch.zeros(0)), ["a"]).notes
    assert read([str(tmp_path / "scans"), "one.heic"]) == []
    (tmp_path / "scans" / ".cache").mkdir()
    for name in ("b.heic", "a.heic", ".hidden", "Thumbs.db", ".cache/a.bin"):
        (tmp_path / "scans" / name).write_bytes(b"no picture")
    (note,) = read([str(tmp_path / "scans" / "0.png"), str(tmp_path / "scans")])
    assert note.startswith(f"left out 2 files of {tmp_path / 'scans'}: a.heic, the first, is not")
