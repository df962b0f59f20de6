"""What a model carries between batches is saved, measured around, and never a weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fathom.core.errors import CheckpointError
from fathom.engine.carried import carried, put_back
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.evaluation import evaluating
from fathom.engine.guard import Guard
from fathom.engine.loop import Clock
from fathom.engine.updates import descend, supervised

CPU = torch.device("cpu")


class Remembering(nn.Module):
    """Adds up all that it has seen, and answers in proportion."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("seen", None, persistent=False)
        self.register_buffer("known", torch.zeros(2))

    def forward(self, x):
        before = 0 if self.seen is None else self.seen
        self.seen = (before + x.sum()).detach()
        return self.weight * self.seen.expand(len(x))


def nested() -> nn.Sequential:
    return nn.Sequential(nn.Identity(), Remembering())


def squares(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def test_only_buffers_that_are_not_persistent():
    model = nested()
    assert carried(model) == {"1.seen": None}
    model(torch.ones(3))
    assert carried(model)["1.seen"] == 3
    assert "1.seen" not in model.state_dict()


def test_evaluation_leaves_no_trace():
    model = nested()
    model(torch.ones(3))
    with evaluating(model):
        model(torch.ones(4))
        assert carried(model)["1.seen"] == 7
    assert carried(model)["1.seen"] == 3
    model(torch.ones(1)).sum().backward()  # an inference tensor could not be used here


def test_a_checkpoint_carries_it(tmp_path):
    model = nested()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(3))
    kept = Checkpoints(tmp_path, {}, say=pytest.fail)
    path = kept.save(Training(model, optimizer, Clock(step=1)))
    other = nested()
    training = Training(other, torch.optim.SGD(other.parameters(), lr=0.1), Clock())
    kept.load(path, training)
    assert carried(other)["1.seen"] == 3
    put_back(other, {"1.seen": None})
    assert carried(other) == {"1.seen": None}
    bare = nn.Sequential(nn.Identity(), nn.Identity())
    with pytest.raises(CheckpointError):
        kept.load(path, Training(bare, optimizer, Clock()))


@pytest.mark.parametrize("deferred", [False, True])
def test_a_skipped_batch_is_forgotten(deferred):
    model = nested()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=True)
    guard = Guard(model, optimizer, on_nan="skip", deferred=deferred)
    update = descend(supervised(model, squares, {}, device=CPU), optimizer, guard)
    good, bad = (torch.ones(3), torch.zeros(3)), (torch.full((3,), torch.nan), torch.zeros(3))
    update(good)
    update(bad)
    assert carried(model)["1.seen"] == 3
    update(good)
    assert carried(model)["1.seen"] == 6
    assert torch.isfinite(model[1].weight)
