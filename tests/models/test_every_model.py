"""What holds of every public model function: one network, two libraries, the same numbers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest
import torch

import fathom.models
from fathom import scratch

# A case for each: arguments, the shape of an input, and the number of parameters in closed form.
CASES: dict[str, list[tuple[dict, tuple[int, ...], int]]] = {
    "linear_regression": [
        (dict(inputs=3), (5, 3), 3 + 1),
        (dict(inputs=20, bias=False), (5, 20), 20),
    ],
    "softmax_regression": [(dict(inputs=784), (4, 1, 28, 28), 784 * 10 + 10)],
    "mlp": [
        (dict(inputs=784), (4, 1, 28, 28), (784 + 1) * 256 + (256 + 1) * 10),
        (
            dict(inputs=6, hidden=(8, 5), classes=3, activation="tanh", dropout=(0.2, 0.5)),
            (4, 6),
            (6 + 1) * 8 + (8 + 1) * 5 + (5 + 1) * 3,
        ),
        (dict(inputs=6, hidden=(), classes=2), (4, 6), (6 + 1) * 2),
    ],
    "lenet": [
        (
            dict(),
            (4, 1, 28, 28),
            (25 + 1) * 6 + (6 * 25 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10,
        ),
        (
            dict(classes=7, in_channels=3, size=33, activation="relu"),
            (4, 3, 33, 33),
            (75 + 1) * 6 + (6 * 25 + 1) * 16 + (576 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 7,
        ),
    ],
}


def public_models() -> dict[str, Callable[..., torch.nn.Module]]:
    """Functions of fathom.models that take a layer library."""
    found = {}
    for entry in pkgutil.walk_packages(fathom.models.__path__, "fathom.models."):
        module = importlib.import_module(entry.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            library = inspect.signature(function).parameters.get("nn")
            if own and library is not None and library.default is torch.nn:
                found[name] = function
    return found


FOUND = public_models()
EVERY = [
    pytest.param(FOUND[name], *case, id=f"{name}-{number}")
    for name in sorted(FOUND)
    for number, case in enumerate(CASES.get(name, []))
]
PICTURES = [case for case in EVERY if len(case.values[2]) == 4]


def test_every_model_has_a_case():
    assert set(CASES) == set(FOUND)


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_two_libraries_compute_the_same(build, arguments, shape, parameters):
    theirs = build(**arguments).double().eval()
    ours = build(**arguments, nn=scratch.nn).double().eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    inputs = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    results = []
    for model in (theirs, ours):
        outputs = model(inputs)
        weights = torch.cos(torch.arange(outputs.numel())).view_as(outputs).double()
        gradients = torch.autograd.grad((outputs * weights).sum(), [inputs, *model.parameters()])
        results.append((outputs, gradients))
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_parameters_are_as_many_as_the_closed_form_says(build, arguments, shape, parameters):
    assert sum(p.numel() for p in build(**arguments).parameters()) == parameters


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
def test_one_seed_is_one_model_and_another_seed_another(build, arguments, shape, parameters, nn):
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(build(**arguments, nn=nn).state_dict())
    weights = [name for name in models[0] if name.endswith("weight")]
    assert weights
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert not any(torch.equal(models[0][name], models[2][name]) for name in weights)


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_the_library_is_the_one_that_was_asked_for(build, arguments, shape, parameters):
    ours = build(**arguments, nn=scratch.nn)
    assert {type(part).__module__.split(".")[0] for part in ours.modules()} == {"fathom"}


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_an_update_lowers_the_loss(build, arguments, shape, parameters):
    torch.manual_seed(0)
    model = build(**arguments).eval()
    inputs = torch.randn(shape)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        losses.append((model(inputs) - 1).square().mean())
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[1] < losses[0]


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_examples_do_not_see_each_other(build, arguments, shape, parameters):
    model = build(**arguments).double().eval()
    inputs = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(model(inputs)[1:3], model(inputs[1:3]))


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), PICTURES)
def test_channels_last_computes_the_same(build, arguments, shape, parameters):
    model = build(**arguments).double().eval()
    inputs = torch.randn(shape, dtype=torch.float64)
    expected = model(inputs)
    last = torch.channels_last
    torch.testing.assert_close(
        model.to(memory_format=last)(inputs.to(memory_format=last)), expected
    )
