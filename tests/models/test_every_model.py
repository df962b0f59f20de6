"""What holds of every public model function: one network, two libraries, the same numbers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import closed_forms
import pytest
import torch
from kinds_of_input import Shape, made, sentences, some, tokens

import fathom.models
from fathom import scratch
from fathom.models.lean import lean

SCALES = [
    tuple(torch.tensor(row) for row in ([0.1, 0.0, -0.2], [1.0, 2.0, 0.5], [0.0, 1.0, 0.0]))
] * 2

# A case for each: arguments, the shape of an input (or what makes one), and the number of
# parameters in closed form.
CASES: dict[str, list[tuple[dict, Shape, int]]] = {
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
    "forecaster": [
        (dict(window=4), (5, 4, 1), (4 + 1) * 10 + (10 + 1)),
        (dict(window=3, variables=2, hidden_size=7), (5, 3, 2), (6 + 1) * 7 + (7 + 1) * 2),
    ],
    "language_model": [
        (dict(vocab_size=7, hidden_size=5), tokens(7), 5 * (7 + 5 + 2) + (5 + 1) * 7),
        (
            dict(vocab_size=7, hidden_size=5, cell="lstm", num_layers=2, embedding_size=3),
            tokens(7),
            7 * 3 + 4 * 5 * (3 + 5 + 2) + 4 * 5 * (5 + 5 + 2) + (5 + 1) * 7,
        ),
    ],
    "tagger": [
        (
            dict(tokens=7, embedding_size=3, hidden_size=5, num_layers=2),
            tokens(8),
            8 * 3 + 2 * 4 * 5 * (3 + 5 + 2) + 2 * 4 * 5 * (10 + 5 + 2) + (10 + 1) * 7,
        ),
        (
            dict(tokens=7, hidden_size=5, num_layers=1, bidirectional=False),
            tokens(8),
            8 * 32 + 4 * 5 * (32 + 5 + 2) + (5 + 1) * 7,
        ),
    ],
    "seq2seq": [
        (
            dict(sources=9, targets=8, embedding_size=3, hidden_size=5, num_layers=2),
            sentences(9, 8),
            9 * 3
            + 3 * 5 * (3 + 5 + 2 + 5 + 5 + 2)
            + 8 * 3
            + 3 * 5 * (8 + 5 + 2 + 5 + 5 + 2)
            + (5 + 1) * 8,
        ),
    ],
    "bahdanau": [
        (
            dict(sources=9, targets=8, embedding_size=3, hidden_size=5, num_layers=2),
            sentences(9, 8),
            9 * 3
            + 3 * 5 * (3 + 5 + 2 + 5 + 5 + 2)
            + 2 * 5 * 5
            + 5
            + 8 * 3
            + 3 * 5 * (8 + 5 + 2 + 5 + 5 + 2)
            + (5 + 1) * 8,
        ),
    ],
    "transformer": [
        (
            dict(sources=9, targets=8, hidden_size=6, num_layers=2, num_heads=3, ffn_size=5),
            sentences(9, 8),
            closed_forms.transformer(9, 8, 6, 2, 5),
        ),
        (
            dict(sources=9, targets=8, hidden_size=5, num_layers=1, num_heads=1, ffn_size=4),
            sentences(9, 8),
            closed_forms.transformer(9, 8, 5, 1, 4),
        ),
    ],
    "gpt": [
        (
            dict(vocab_size=7, hidden_size=6, num_layers=2, num_heads=2),
            tokens(7),
            7 * 6 + 2 * (4 * 6 * 6 + 2 * 12 + (6 + 1) * 24 + (24 + 1) * 6) + 12,
        ),
    ],
    "nadaraya_watson": [
        (dict(keys=torch.tensor([0.0, 1.5, 2.0]), values=torch.tensor([1.0, 0.0, 3.0])), (5, 1), 1)
    ],
    "fold_networks": [
        (dict(scales=SCALES, targets=[(0.5, 2.0), (0.0, 1.0)]), (5, 3), 2 * (3 + 1)),
        (
            dict(scales=SCALES, targets=[(0.5, 2.0), (0.0, 1.0)], hidden=(4,), clip=2.0),
            (5, 3),
            2 * ((3 + 1) * 4 + (4 + 1)),
        ),
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
    "batch_norm_lenet": [
        (
            dict(),
            (4, 1, 28, 28),
            (25 + 3) * 6 + (6 * 25 + 3) * 16 + (256 + 3) * 120 + (120 + 3) * 84 + (84 + 1) * 10,
        ),
    ],
    # Narrow: test_picture_networks.py counts what they hold as they are published.
    "book_alexnet": [
        (
            dict(classes=5, size=67, width=6, dropout=0.0),
            (4, 1, 67, 67),
            closed_forms.book_alexnet(6, 1, 5),
        ),
    ],
    "alexnet": [(dict(classes=5, width=2), (4, 3, 63, 63), closed_forms.alexnet(2, 5))],
    "book_vgg": [
        (
            dict(classes=5, size=33, width=2),
            (4, 1, 33, 33),
            closed_forms.vgg_maps(1, 2, (1, 1, 2, 2, 2), norm=False)
            + closed_forms.dense(16, 512, 512, 5),
        ),
    ],
    "vgg": [
        (
            dict(depth=depth, classes=5, width=1, batch_norm=norm),
            (4, 3, 32, 32),
            closed_forms.vgg_maps(3, 1, blocks, norm=norm) + closed_forms.dense(8 * 49, 64, 64, 5),
        )
        for depth, blocks, norm in ((11, (1, 1, 2, 2, 2), True), (19, (2, 2, 4, 4, 4), False))
    ],
    "nin": [
        (dict(classes=5, size=67, width=3, weights="he"), (4, 1, 67, 67), closed_forms.nin(3, 5))
    ],
    "book_googlenet": [
        (
            dict(classes=5, width=8),
            (4, 1, 32, 32),
            closed_forms.googlenet(1, 8, 5, widest=5, norm=False),
        ),
    ],
    "googlenet": [
        (
            dict(classes=5, width=8),
            (4, 3, 32, 32),
            closed_forms.googlenet(3, 8, 5, widest=3, norm=True),
        ),
    ],
    "inception_v3": [
        (dict(classes=5, width=2), (4, 3, 75, 75), closed_forms.inception_v3(3, 5, 16))
    ],
    "book_resnet": [
        (
            dict(classes=5, width=4),
            (4, 1, 32, 32),
            closed_forms.basic_resnet(1, 4, 5, biases=True),
        ),
    ],
    "resnet": [
        (
            dict(depth=18, classes=5, width=4),
            (4, 3, 32, 32),
            closed_forms.basic_resnet(3, 4, 5, biases=False),
        ),
        (
            dict(depth=50, classes=5, width=4, groups=2, width_per_group=32),
            (4, 3, 32, 32),
            closed_forms.bottlenecks(4, (3, 4, 6, 3), 2, 32, 5),
        ),
    ],
    "make_network": [
        (
            dict(name="book-resnet18", classes=5, width=4),
            (4, 1, 32, 32),
            closed_forms.basic_resnet(1, 4, 5, biases=True),
        ),
    ],
    "small_resnet": [
        (
            dict(classes=5, width=4),
            (4, 3, 12, 12),
            closed_forms.basic_resnet(3, 4, 5, biases=False) - 3 * 4 * (7 * 7 - 3 * 3),
        ),
    ],
    "book_densenet": [
        (
            dict(classes=5, width=4, layers=2),
            (4, 1, 32, 32),
            closed_forms.book_densenet(4, 2, 5),
        ),
    ],
    "densenet": [
        (dict(classes=5, width=4), (4, 3, 32, 32), closed_forms.densenet(4, (6, 12, 24, 16), 5))
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
PICTURES = [c for c in EVERY if not callable(c.values[2]) and len(c.values[2]) == 4]


def test_every_model_has_a_case():
    assert set(CASES) == set(FOUND)


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
def test_two_libraries_compute_the_same(build, arguments, shape, parameters):
    theirs = build(**arguments).double().eval()
    ours = build(**arguments, nn=scratch.nn).double().eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    inputs = made(shape, torch.float64)
    given = [inputs.requires_grad_()] if not callable(shape) else []
    results = []
    for model in (theirs, ours):
        outputs = model(inputs)
        weights = torch.cos(torch.arange(outputs.numel())).view_as(outputs).double()
        gradients = torch.autograd.grad((outputs * weights).sum(), [*given, *model.parameters()])
        results.append((outputs, gradients))
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-9)


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
    # A layer that normalises begins with a scale of one, whatever the seed.
    weights = [n for n, value in models[0].items() if n.endswith("weight") and value.dim() > 1]
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
    inputs = made(shape)
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
    inputs = made(shape, torch.float64)
    torch.testing.assert_close(model(inputs)[1:3], model(some(inputs, slice(1, 3))))


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), EVERY)
@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
def test_a_lean_twin_computes_the_same(build, arguments, shape, parameters, nn):
    model = build(**arguments, nn=nn).eval()
    inputs = made(shape)
    assert torch.equal(lean(model)(inputs), model(inputs))


@pytest.mark.parametrize(("build", "arguments", "shape", "parameters"), PICTURES)
def test_channels_last_computes_the_same(build, arguments, shape, parameters):
    model = build(**arguments).double().eval()
    inputs = torch.randn(shape, dtype=torch.float64)
    expected = model(inputs)
    last = torch.channels_last
    torch.testing.assert_close(
        model.to(memory_format=last)(inputs.to(memory_format=last)), expected
    )
