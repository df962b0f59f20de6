"""A run that is lengthened goes on at the rate which the longer plan has at that place."""

from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from fathom.engine.checkpoint import Training
from fathom.engine.loop import Clock
from fathom.engine.session import _retime
from fathom.recipes.schedules import cosine
from fathom.scratch.optim import lr_scheduler as scratch


def planned(epochs, family=LambdaLR):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    return Training(model, optimizer, Clock(), family(optimizer, cosine(epochs)))


@pytest.mark.parametrize("family", [LambdaLR, scratch.LambdaLR])
def test_the_rate_is_that_of_the_longer_plan(family):
    short, long = planned(5, family), planned(10, family)
    for _ in range(5):
        for training in (short, long):
            training.optimizer.step()
            training.schedule.step()
    assert short.optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)
    resumed = planned(10, family)
    resumed.load_state_dict(short.state_dict(), "test")
    _retime(resumed)
    assert resumed.optimizer.param_groups[0]["lr"] == long.optimizer.param_groups[0]["lr"]
    assert long.optimizer.param_groups[0]["lr"] == pytest.approx(0.2)


def test_a_cosine_is_torchs():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
    for time in range(9):
        assert cosine(8)(time) == pytest.approx(oracle.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        oracle.step()
