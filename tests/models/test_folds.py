"""Networks side by side: each as it would be alone, its scales as NumPy has them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fathom.models.folds import Restore, SideBySide, Standardise, fold_networks


def test_standardise_is_numpy_s():
    x = np.array([[1.0, 5.0, 0.0], [np.nan, np.nan, 1.0], [-3.0, 400.0, 1.0]])
    mean, std, log = np.array([0.5, 2.0, 0.0]), np.array([2.0, 0.5, 1.0]), np.array([0, 1, 0])
    expected = np.where(log == 1, np.log1p(np.maximum(x, 0)), x)
    expected = np.nan_to_num((expected - mean) / std).clip(-1.5, 1.5)
    layer = Standardise(*(torch.tensor(scale) for scale in (mean, std, log)), clip=1.5)
    found = layer(torch.tensor(x).float())
    torch.testing.assert_close(found, torch.tensor(expected).float())


def test_no_logarithm_is_taken_of_what_is_below_zero():
    layer = Standardise(torch.zeros(1), torch.ones(1), torch.ones(1))
    assert layer(torch.tensor([[-5.0], [0.0]])).tolist() == [[0.0], [0.0]]


def test_members_answer_as_they_would_alone():
    scales = [
        (torch.randn(3), torch.rand(3) + 0.5, torch.tensor([0.0, 1.0, 0.0])) for _ in range(4)
    ]
    model = fold_networks(scales, [(float(k), 2.0) for k in range(4)], [5])
    x = torch.rand(6, 3)
    x[0, 1] = math.nan
    together = model(x)
    assert together.shape == (6, 4)
    for k, member in enumerate(model.members):
        first, second = (p for p in member.modules() if isinstance(p, torch.nn.Linear))
        hidden = torch.relu(first(Standardise(*scales[k])(x)))
        torch.testing.assert_close(together[:, k : k + 1], second(hidden) * 2 + k)


def test_the_scales_are_in_the_weight_file():
    scales = [(torch.tensor([7.0]), torch.tensor([3.0]), torch.tensor([0.0]))]
    state = fold_networks(scales, [(12.0, 0.4)]).state_dict()
    assert state["members.0.0.mean"].tolist() == [7.0]
    assert state["members.0.0.std"].tolist() == [3.0]
    assert [state[f"members.0.2.{n}"].item() for n in ("centre", "scale")] == pytest.approx(
        [12, 0.4]
    )


def test_restore_undoes_standardising():
    y = torch.tensor([[1.0], [5.0]])
    torch.testing.assert_close(Restore(2.0, 4.0)((y - 2) / 4), y)
    assert isinstance(fold_networks([], []), SideBySide)
