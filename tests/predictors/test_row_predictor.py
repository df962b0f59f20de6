"""Rows of a table: the members of an ensemble answer as one."""

from __future__ import annotations

import math

import pytest
import torch

from fathom.predictors.tabular import RowPredictor


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
