"""Losses and gradients that are not finite, T11 of the scorecard: no update is made of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import altered, digest, go_on, start, steps
from forked import run
from torch import nn
from toy import TOY, ToyBatches

from fathom.core.errors import FathomError
from fathom.core.recipe import Recipe
from fathom.engine import fit
from fathom.engine.guard import FUSED, MOST_SKIPPED_IN_A_ROW, Guard, NonFiniteError, fuse
from fathom.engine.updates import descend, supervised
from fathom.engine.weights import load_safetensors

BAD = 13
MODELS: list[nn.Module] = []


def spoilt(how: str, first: int = BAD, last: int = BAD, **changes: Any) -> Recipe:
    """The toy whose updates `first` to `last` are spoilt in that way."""
    count = 0

    def is_bad() -> bool:
        return first <= count <= last

    class Batches(ToyBatches):
        def epoch(self, seed: int, epoch: int, first: int = 0) -> Any:
            nonlocal count
            for number, (inputs, targets) in enumerate(super().epoch(seed, epoch, first), first):
                count = epoch * len(self) + number + 1
                if how == "pixel" and is_bad():
                    inputs = inputs.clone()  # noqa: PLW2901
                    inputs[2, 3] = math.nan
                yield inputs, targets

    def objective(outputs: Any, targets: Any) -> Any:
        loss = nn.functional.cross_entropy(outputs, targets)
        spoil = how == "loss" and torch.is_grad_enabled() and is_bad()
        return loss * math.inf if spoil else loss

    def change(toy: Any) -> Any:
        if how == "gradient":
            weight = toy.model[4].weight
            weight.register_hook(lambda g: g * math.nan if is_bad() else g)
        MODELS.append(toy.model)
        return replace(toy, train=Batches(**vars(toy.train)), objective=objective, **changes)

    return altered(change)


def weights_after(recipe: Recipe, folder: Path, deferred: bool, every: int | None) -> Any:
    """The error of a run, and the weights that the model was left with."""
    if deferred:
        fit.Guard = lambda *given, **words: Guard(*given, **{**words, "deferred": True})  # type: ignore
    try:
        start(folder, recipe, save_every=every)
    except FathomError as error:
        return error.exit_status, str(error), dict(MODELS[-1].named_parameters())
    return 0, "", dict(MODELS[-1].named_parameters())


@pytest.fixture(scope="module")
def good_weights(tmp_path_factory):
    """Those of an undisturbed run before the update that is to be spoilt."""
    folder = tmp_path_factory.mktemp("good") / "run"
    assert run(start, folder, TOY, {"epochs": 2}).status == 0
    kept = [path for step, path in steps(folder).items() if step == BAD - 1]
    if not kept:  # pruned: train again to there

        def stop() -> None:
            start(folder.with_name("short"), spoilt("loss"))

        run(stop)
        kept = [steps(folder.with_name("short"))[BAD - 1]]
    return load_safetensors(kept[0] / "model.safetensors")


WHERE = {
    "loss": r"loss is inf \(lr 0\.0\d+, grad norm nan, first non-finite: the gradient of 0\.weight",
    "gradient": r"loss is 0\.\d+ \(lr 0\.0\d+, grad norm nan, first .*: the gradient of 4\.weight",
    "pixel": r"loss is nan \(lr 0\.0\d+, grad norm nan, first non-finite: the inputs of this batch",
}


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("how", list(WHERE))
def test_t11_stops_before_the_update(quick, good_weights, how, clip):
    recipe = spoilt(how, clip=clip)
    outcome = run(weights_after, recipe, quick / "run", False, 4)
    status, error, weights = outcome.result
    assert status == 5
    import re

    assert re.match(f"step {BAD}: {WHERE[how]}", error), error
    assert "; last good step 12; try --lr 0.00" in error
    assert "--on-nan skip" in error
    if clip is None:
        for name, value in weights.items():
            assert torch.equal(value, good_weights[name]), name
    assert json.loads((quick / "run" / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("every", [1, None])
@pytest.mark.parametrize("how", ["loss", "gradient", "pixel"])
def test_t11_a_deferred_answer_stops_too(quick, good_weights, how, every):
    """As on an accelerator: later updates are held back until the answer is read."""
    status, error, weights = run(weights_after, spoilt(how), quick / "run", True, every).result
    assert status == 5
    loss = {"loss": "inf", "gradient": "0.", "pixel": "nan"}[how]
    assert error.startswith(f"step {BAD}: loss is {loss}")
    assert list(steps(quick / "run"))[-3:] == ([10, 11, 12] if every else [])
    for name, value in weights.items():
        assert torch.equal(value, good_weights[name]), name


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("how", ["loss", "gradient", "pixel"])
def test_t11_skipped_updates_are_counted(quick, how, deferred):
    recipe = spoilt(how, BAD, BAD + 1)

    def skipping() -> None:
        if deferred:
            fit.Guard = lambda *given, **words: Guard(*given, **{**words, "deferred": True})  # type: ignore
        start(quick / "run", recipe, on_nan="skip")

    outcome = run(skipping)
    assert outcome.status == 0, outcome.output
    rows = [json.loads(line) for line in (quick / "run" / "metrics.jsonl").read_text().splitlines()]
    train = [row for row in rows if row["split"] == "train"]
    assert [row["skipped"] for row in train] == [0, 2, 0]
    assert all(math.isfinite(row["loss"]) for row in rows)
    for name, value in load_safetensors(quick / "run" / "model.safetensors").items():
        assert torch.isfinite(value).all(), name  # running means included


def test_t11_skipping_has_an_end(quick):
    recipe = spoilt("loss", 3, 1000)
    outcome = run(
        start,
        quick / "run",
        recipe,
        {"epochs": 9},
    )
    assert outcome.status == 5

    def skipping() -> None:
        start(quick / "other", recipe, {"epochs": 9}, on_nan="skip")

    outcome = run(skipping)
    assert outcome.status == 5
    last = 3 + MOST_SKIPPED_IN_A_ROW
    assert f"step {last}: loss is inf" in outcome.error
    assert f"{MOST_SKIPPED_IN_A_ROW + 1} updates in a row skipped" in outcome.error


def test_t11_resume_after_the_fault_is_gone(quick, undisturbed):
    assert run(start, quick / "run", spoilt("loss")).status == 5
    assert run(go_on, quick / "run").status == 0
    assert digest(quick / "run") == undisturbed[0]


def trained(kind: str, deferred: bool, bad: set[int]) -> dict[str, torch.Tensor]:
    """A small model after 40 updates, of which `bad` are skipped."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    make: Any = getattr(torch.optim, kind)
    words = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = make(model.parameters(), lr=0.05, **words)
    fuse(optimizer)
    assert all(group["fused"] for group in optimizer.param_groups)
    guard = Guard(model, optimizer, on_nan="skip", deferred=deferred)
    loss = supervised(model, nn.functional.mse_loss, {}, device=torch.device("cpu"))
    update = descend(loss, optimizer, guard)
    skipped = 0.0
    for number in range(40):
        inputs = torch.randn(8, 4)
        targets = inputs.sum(1, keepdim=True)
        if number in bad:
            targets[0] = math.inf
        skipped += float(update((inputs, targets))["skipped"])
    guard.read()
    assert skipped == len(bad)
    return dict(model.state_dict())


@pytest.mark.parametrize("kind", [optimizer.__name__ for optimizer in FUSED])
@pytest.mark.parametrize("bad", [set(), {0}, {0, 1, 7, 39}])
def test_deferred_equals_asked_for_each_fused_optimizer(kind, bad):
    """Bad first updates included, which torch's fused SGD would remember as garbage."""
    asked, deferred = trained(kind, False, bad), trained(kind, True, bad)
    for name, value in asked.items():
        assert torch.equal(value, deferred[name]), name


def test_an_optimizer_that_cannot_defer_is_asked():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.RMSprop(model.parameters())
    fuse(optimizer)
    guard = Guard(model, optimizer, deferred=True)
    assert not guard.deferred
    with pytest.raises(NonFiniteError):
        guard.allows((), {"loss": torch.tensor(math.inf)})


def test_fuse_leaves_the_users_word():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), foreach=True)
    fuse(optimizer)
    assert not optimizer.param_groups[0]["fused"]
