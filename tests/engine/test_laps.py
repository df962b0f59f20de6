"""A race counts examples, measures at its marks, and trains as the engine does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from toy import ToyBatches, toy_data

from fathom.core.experiment import Experiment
from fathom.engine.race import laps, race, seconds_of_a_step


def experiment(lr=0.1, *, epochs=3, batch_size=10, objective=nn.functional.cross_entropy):
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    return Experiment(
        model,
        ToyBatches(*toy_data(), batch_size),
        objective,
        torch.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=ToyBatches(*toy_data(20, seed=8), 20, shuffle=False),
    )


def test_laps_are_taken_at_their_marks_and_at_the_end():
    found = laps(experiment(), seed=0, every=20)
    assert [lap.examples for lap in found] == [0, 20, 40, 68, 88, 116, 136, 144]
    assert [lap.epochs for lap in found] == [lap.examples / 48 for lap in found]
    assert [lap.examples for lap in laps(experiment(), seed=0)] == [0, 48, 96, 144]


def test_it_trains_as_a_loop_by_hand_does():
    by_hand, raced = experiment(), experiment()
    losses = []
    inputs, targets = next(by_hand.valid.epoch(0, 0))
    for epoch in range(3):
        for batch in by_hand.train.epoch(5, epoch):
            by_hand.optimizer.zero_grad()
            by_hand.objective(by_hand.model(batch[0]), batch[1]).backward()
            by_hand.optimizer.step()
        with torch.no_grad():
            losses.append(float(by_hand.objective(by_hand.model(inputs), targets)))
    found = laps(raced, seed=5)
    assert [lap.scores["loss"] for lap in found[1:]] == pytest.approx(losses, rel=1e-6)
    torch.testing.assert_close(raced.model.weight, by_hand.model.weight)


def test_time_is_that_of_training_and_never_runs_back():
    seconds = [lap.seconds for lap in laps(experiment(), seed=0, every=20)]
    assert seconds[0] == 0
    assert seconds == sorted(seconds)
    assert seconds_of_a_step(experiment(epochs=2), steps=20) > 0


def test_one_that_diverges_stops_alone():
    calls = []

    def breaks(outputs, targets):
        calls.append(1)
        loss = nn.functional.cross_entropy(outputs, targets)
        return loss * (float("nan") if len(calls) > 7 else 1.0)

    found = race({"bad": experiment(objective=breaks), "good": experiment()}, seed=0)
    # Measured, five steps, measured: the next step is the first that has no number.
    assert [lap.examples for lap in found["bad"]] == [0, 48]
    assert [lap.examples for lap in found["good"]] == [0, 48, 96, 144]


def test_contenders_do_not_touch_each_other():
    alone = laps(experiment(), seed=0)
    beside = race({"other": experiment(lr=1.0), "one": experiment()}, seed=0)["one"]
    assert [lap.scores for lap in alone] == [lap.scores for lap in beside]
