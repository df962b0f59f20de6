"""What a checkpoint holds and which ones are kept, for every optimiser and schedule of torch."""

from __future__ import annotations

import inspect
import math
import shutil
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from fathom.core.errors import CheckpointError
from fathom.engine.checkpoint import Checkpoints, Training, best_step
from fathom.engine.loop import Clock
from fathom.engine.weights import load_safetensors, restore, to_safetensors

# SparseAdam takes sparse gradients only.
OPTIMIZERS = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind)
    and issubclass(kind, torch.optim.Optimizer)
    and name not in ("Optimizer", "SparseAdam")
)
rate = torch.optim.lr_scheduler
SCHEDULES: dict[str, Any] = {
    "lambda": lambda o: rate.LambdaLR(o, lambda epoch: 0.9**epoch),
    "multiplicative": lambda o: rate.MultiplicativeLR(o, lambda epoch: 0.9),
    "step": lambda o: rate.StepLR(o, 2),
    "milestones": lambda o: rate.MultiStepLR(o, [2, 4]),
    "constant": rate.ConstantLR,
    "linear": rate.LinearLR,
    "exponential": lambda o: rate.ExponentialLR(o, 0.9),
    "polynomial": rate.PolynomialLR,
    "cosine": lambda o: rate.CosineAnnealingLR(o, 5),
    "restarts": lambda o: rate.CosineAnnealingWarmRestarts(o, 3),
    "cyclic": lambda o: rate.CyclicLR(o, 0.01, 0.1),
    "one cycle": lambda o: rate.OneCycleLR(o, 0.1, 20),
    "warm-up": lambda o: rate.SequentialLR(o, [rate.LinearLR(o), rate.ExponentialLR(o, 0.9)], [2]),
    "chained": lambda o: rate.ChainedScheduler([rate.LinearLR(o), rate.ExponentialLR(o, 0.9)]),
}


def made(optimizer: Any, schedule: Any = None) -> Training:
    torch.manual_seed(0)
    weights = [nn.Linear(4, 6, bias=False), nn.Linear(6, 3, bias=False)]  # Muon takes matrices only
    model = nn.Sequential(weights[0], nn.Tanh(), weights[1])
    steps = optimizer(model.parameters())
    return Training(model, steps, Clock(), schedule(steps) if schedule else None)


def teach(training: Training, count: int) -> None:
    for _ in range(count):
        training.clock.step += 1
        inputs = torch.full((5, 4), 0.1 * training.clock.step)

        def closure(inputs: torch.Tensor = inputs) -> torch.Tensor:
            training.optimizer.zero_grad()
            loss = ((training.model(inputs) - 1) ** 2).sum()
            loss.backward()
            return loss

        training.optimizer.step(closure)  # type: ignore[arg-type]
        if training.schedule is not None:
            training.schedule.step()


def same_after_a_resume(folder: Any, optimizer: Any, schedule: Any = None) -> None:
    one, other = made(optimizer, schedule), made(optimizer, schedule)
    teach(one, 3)
    kept = Checkpoints(folder, {}, say=print)
    path = kept.save(one)
    assert path is not None
    kept.load(path, other)
    teach(one, 4)
    teach(other, 4)
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    rates = [[g["lr"] for g in t.optimizer.param_groups] for t in (one, other)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_bit_for_bit(tmp_path, name):
    same_after_a_resume(tmp_path, lambda weights: getattr(torch.optim, name)(weights, lr=0.01))


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_goes_on_bit_for_bit(tmp_path, name):
    same_after_a_resume(
        tmp_path, lambda w: torch.optim.SGD(w, lr=0.01, momentum=0.9), SCHEDULES[name]
    )


def test_a_state_of_other_shapes_is_refused(tmp_path):
    """torch looks at the number of parameters only, and would fail in the next step."""
    training = made(lambda w: torch.optim.Adam(w, lr=0.01))
    teach(training, 1)
    path = Checkpoints(tmp_path, {}, say=print).save(training)
    assert path is not None
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 7, bias=False), nn.Tanh(), nn.Linear(7, 3, bias=False))
    other = Training(model, torch.optim.Adam(model.parameters(), lr=0.01), Clock())
    state = torch.load(path / "trainer.pt")
    other.optimizer.load_state_dict(state["optimizer"])  # torch says nothing
    with pytest.raises(CheckpointError, match=r"shapes was \[\[6, 4\], .* is \[\[7, 4\]"):
        other.load_state_dict(state, "here")
    with pytest.raises(CheckpointError, match=r"0.weight is \(6, 4\) there and \(7, 4\) here"):
        Checkpoints(tmp_path, {}, say=print).load(path, other)


def test_the_best_is_kept(tmp_path):
    training = made(lambda w: torch.optim.SGD(w, lr=0.1))
    kept = Checkpoints(tmp_path, {}, say=print)
    for step, loss in enumerate([0.5, 0.2, math.nan, 0.3, 0.4, 0.6, 0.1, 0.7, 0.8, 0.9, 1.0], 1):
        training.clock.step = step
        row = {"step": step, "epoch": step, "split": "valid", "loss": loss}
        training.clock.history.append(row)
        kept.save(training)
        assert len(kept.steps()) <= 4
        if step >= 5:
            assert min(kept.steps()) == min(2 if step < 7 else 7, step - 2)


def test_best_step():
    rows = [
        {"split": "train", "step": 1, "loss": 0.1},
        {"split": "valid", "step": 1, "loss": 0.5},
        {"split": "valid", "step": 2, "loss": 0.4},
        {"split": "valid", "step": 3, "loss": math.nan},
        {"split": "valid", "step": 4, "accuracy": 1.0},
    ]
    assert best_step(rows, [1, 2, 3, 4]) == 2
    assert best_step(rows, [1, 3]) == 1
    assert best_step(rows[:1], [1]) == 1
    assert best_step(rows, [9]) is None


def test_a_save_asks_first_and_is_never_written_over(tmp_path):
    training = made(lambda w: torch.optim.SGD(w, lr=0.1))
    kept = Checkpoints(tmp_path, {}, say=print)
    asked = []
    kept.before = lambda: asked.append(training.clock.step)
    path = kept.save(training)
    assert path is not None
    first = (path / "trainer.pt").read_bytes()
    training.clock.seconds = 99.0
    assert kept.save(training) == path
    assert (path / "trainer.pt").read_bytes() == first
    assert asked == [0]


def test_a_reader_sets_nothing_aside(tmp_path):
    """Another process may be training in that folder now."""
    training = made(lambda w: torch.optim.SGD(w, lr=0.1))
    said: list[str] = []
    kept = Checkpoints(tmp_path, {"a": 1}, say=said.append)
    for training.clock.step in (1, 2):
        kept.save(training)
    shutil.rmtree(tmp_path / "step-00000002" / "trainer.pt", ignore_errors=True)
    (tmp_path / "step-00000002" / "trainer.pt").unlink()
    found = kept.newest(set_aside=False)
    assert found is not None
    assert found[0].name == "step-00000001"
    assert found[1]["a"] == 1
    assert "trainer.pt: is missing; not used" in said[0]
    assert (tmp_path / "step-00000002").exists()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("empty", torch.empty(0))


def test_a_tied_weight_is_kept_once(tmp_path):
    model, other = Tied(), Tied()
    (tmp_path / "w").write_bytes(to_safetensors(model))
    tensors = load_safetensors(tmp_path / "w")
    assert set(tensors) == {"embedding.weight", "empty"}
    restore(other, tensors, "w")
    assert torch.equal(other.head.weight, model.head.weight)
    assert other.head.weight is other.embedding.weight


def test_texts_go_with_weights_and_the_same_make_the_same_file(tmp_path):
    model, known = nn.Linear(3, 2), {f"{n}.tsv": f"<unk>\t{n}\né\t1\n" for n in range(9)}
    files = {to_safetensors(model, dict(some)) for some in (known, reversed(known.items()))}
    assert len(files) == 1
    (tmp_path / "w").write_bytes(files.pop())
    with safe_open(tmp_path / "w", "pt") as file:
        assert file.metadata() == {"format": "pt", **known}
        assert all(torch.equal(file.get_tensor(k), v) for k, v in model.state_dict().items())


def test_weights_that_do_not_fit_are_named():
    model = nn.Linear(3, 2)
    tensors = {"weight": torch.zeros(2, 4), "extra": torch.zeros(1)}
    with pytest.raises(CheckpointError) as error:
        restore(model, tensors, "w")
    for words in (
        "weight is (2, 4) there and (2, 3) here",
        "extra is not in this model",
        "bias is not in the file",
    ):
        assert words in str(error.value)
