"""Evaluation gives means over examples and leaves the model as it was found."""

from __future__ import annotations

import pytest
import torch
from toy import TOY, accuracy

from fathom.engine.evaluation import evaluate, evaluating

CPU = torch.device("cpu")


@pytest.fixture
def toy():
    return TOY.function(batch_size=7)  # 48 examples: the last batch is short


def test_means_equal_those_of_one_batch(toy):
    found = evaluate(
        toy.model, toy.train, {"loss": toy.objective, "accuracy": accuracy}, device=CPU
    )
    toy.model.eval()
    with torch.no_grad():
        outputs = toy.model(toy.train.inputs)
    assert found["loss"] == pytest.approx(toy.objective(outputs, toy.train.targets).item(), 1e-6)
    assert found["accuracy"] == pytest.approx(accuracy(outputs, toy.train.targets).item(), 1e-6)


def test_each_modules_mode_is_put_back(toy):
    """A frozen batch norm stays in evaluation mode, also where the model raises."""
    toy.model.train()
    toy.model[1].eval()
    modes = [module.training for module in toy.model.modules()]
    buffers = {name: value.clone() for name, value in toy.model.named_buffers()}
    evaluate(toy.model, toy.train, {"loss": toy.objective}, device=CPU)
    assert [module.training for module in toy.model.modules()] == modes
    with pytest.raises(ZeroDivisionError), evaluating(toy.model) as model:
        fail_in_evaluation(model)
    assert [module.training for module in toy.model.modules()] == modes
    assert torch.is_grad_enabled()
    for name, value in toy.model.named_buffers():
        assert torch.equal(value, buffers[name])


def fail_in_evaluation(model):
    assert not any(module.training for module in model.modules())
    assert not torch.is_grad_enabled()
    raise ZeroDivisionError


def test_the_random_state_is_not_touched(toy):
    before = torch.get_rng_state()
    evaluate(toy.model, toy.train, {"loss": toy.objective}, device=CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_under_autocast_scores_are_taken_in_single_precision(toy):
    kinds = []

    def score(outputs, targets):
        kinds.append(outputs.dtype)
        return toy.objective(outputs, targets)

    half = evaluate(toy.model, toy.train, {"loss": score}, device=CPU, dtype=torch.bfloat16)
    whole = evaluate(toy.model, toy.train, {"loss": score}, device=CPU)
    assert set(kinds) == {torch.float32}
    assert half["loss"] == pytest.approx(whole["loss"], rel=0.02)
    assert half["loss"] != whole["loss"]
