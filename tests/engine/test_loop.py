"""The loop: a generator of records that starts at any position and only knows time."""

from __future__ import annotations

import math

import pytest
import torch
from toy import ToyBatches, toy_data

from fathom.engine.loop import Clock, Record, Totals, train

INPUTS, TARGETS = toy_data(20)
BATCHES = ToyBatches(INPUTS, TARGETS, 8)  # 8, 8 and 4 examples


def seen_by(clock: Clock, epochs: int = 2, seed: int = 3, evaluations=None):
    """A loop whose update notes what it is given."""
    seen: list[torch.Tensor] = []

    def update(batch):
        seen.append(batch[0])
        return {"loss": batch[0].mean()}

    records = train(update, BATCHES, evaluations or {}, clock, seed=seed, epochs=epochs)
    return seen, records


def test_nothing_happens_before_it_is_asked_for():
    clock = Clock()
    seen, records = seen_by(clock)
    assert not seen
    first = next(records)
    assert len(seen) == 1
    assert (first.step, first.epoch, first.split, first.ends_epoch) == (1, 1, "step", False)
    records.close()
    assert len(seen) == 1
    assert (clock.epoch, clock.batch, clock.step) == (0, 1, 1)


def test_records_of_two_epochs():
    calls = []

    def evaluate(name):
        calls.append(name)
        return {"loss": float(len(calls))}

    clock = Clock()
    evaluations = {"valid": lambda: evaluate("valid"), "test": lambda: evaluate("test")}
    _, records = seen_by(clock, evaluations=evaluations)
    found = [(r.step, r.epoch, r.split, r.ends_epoch) for r in records]
    assert found == [
        *((step, 1, "step", False) for step in (1, 2, 3)),
        (3, 1, "train", False),
        (3, 1, "valid", False),
        (3, 1, "test", True),
        *((step, 2, "step", False) for step in (4, 5, 6)),
        (6, 2, "train", False),
        (6, 2, "valid", False),
        (6, 2, "test", True),
    ]
    assert calls == ["valid", "test", "valid", "test"]
    assert [(r["step"], r["epoch"], r["split"]) for r in clock.history] == [
        (3, 1, "train"),
        (3, 1, "valid"),
        (3, 1, "test"),
        (6, 2, "train"),
        (6, 2, "valid"),
        (6, 2, "test"),
    ]
    assert [r["loss"] for r in clock.history if r["split"] != "train"] == [1, 2, 3, 4]


def test_means_weigh_batches_by_their_examples():
    """An epoch's value is the mean over examples, the short last batch included."""
    clock = Clock()
    _, records = seen_by(clock, epochs=1)
    list(records)
    assert clock.history[0]["loss"] == pytest.approx(float(INPUTS.mean()), rel=1e-6)


@pytest.mark.parametrize("step", range(7))
def test_goes_on_from_any_step(step):
    """What is seen after a step, and all means, do not depend on where the loop was started."""
    whole_clock = Clock()
    whole, records = seen_by(whole_clock)
    list(records)

    clock = Clock()
    before, records = seen_by(clock)
    state = Clock().state_dict()
    for record in records:
        if record.split == "step" and record.step == step:
            state = clock.state_dict()
            break
    again = Clock()
    again.load_state_dict(state)
    after, records = seen_by(again)
    list(records)
    assert len(after) == 6 - step
    for one, other in zip([*before[:step], *after], whole, strict=True):
        assert torch.equal(one, other)
    timeless = [[{**row, "seconds": 0} for row in c.history] for c in (again, whole_clock)]
    assert timeless[0] == timeless[1]


def test_a_state_is_a_copy():
    """What is saved does not change when training goes on."""
    clock = Clock()
    _, records = seen_by(clock)
    next(records)
    state = clock.state_dict()
    kept = float(state["sums"]["loss"])
    list(records)
    assert float(state["sums"]["loss"]) == kept
    assert state["history"] == []


def test_seed_and_epoch_decide_the_order():
    orders = []
    for seed in (3, 3, 4):
        seen, records = seen_by(Clock(), seed=seed)
        list(records)
        orders.append(torch.cat(seen))
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0][:20], orders[0][20:])


def test_no_epochs_left():
    clock = Clock(epoch=2, step=6)
    seen, records = seen_by(clock)
    assert list(records) == []
    assert not seen


def test_totals_leave_skipped_batches_out():
    totals = Totals()
    totals.add({"loss": torch.tensor(1.0), "skipped": torch.tensor(0.0)}, 8)
    totals.add({"loss": torch.tensor(math.nan), "skipped": torch.tensor(1.0)}, 8)
    totals.add({"loss": torch.tensor(4.0), "skipped": torch.tensor(0.0)}, 4)
    assert totals.means() == {"loss": 2.0, "skipped": 1.0}
    totals.clear()
    assert totals.means() == {}


def test_an_update_keeps_its_own_values():
    """Sums are kept in place, never in the tensors that an update has handed out."""
    totals, value = Totals(), torch.tensor(2.0)
    for _ in range(3):
        totals.add({"loss": value}, 1)
    assert float(value) == 2.0
    assert totals.means() == {"loss": 2.0}


def test_a_record_cannot_be_changed():
    record = Record(1, 1, "step", {})
    with pytest.raises(AttributeError):
        record.step = 2
