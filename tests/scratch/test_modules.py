"""All of PyTorch's own module samples, through torch.nn and scratch.nn.

In float64 as `fathom check` has it, in float32 with the accuracy of that type; the weights that a
seed gives; what is raised where PyTorch's samples say that something must be.
"""

from __future__ import annotations

import inspect
import re
import warnings

import pytest
import torch

from fathom.check.modules import compare, describe
from fathom.check.samples import our_samples, pytorch_modules, pytorch_samples
from fathom.scratch import nn as scratch_nn

MODULES = pytorch_modules()
OTHERS = list(our_samples(torch.float64))
LIMITS = {torch.float64: (1e-9, 1e-7), torch.float32: (1e-4, 1e-3)}


def samples_of(name: str, dtype: torch.dtype):
    """All samples of a module that scratch has."""
    if not hasattr(scratch_nn, name):
        pytest.skip(f"scratch.nn has no {name} yet")
    return pytorch_samples(MODULES[name], dtype) if name in MODULES else our_samples(dtype)[name]


@pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
@pytest.mark.parametrize("name", [*MODULES, *OTHERS])
def test_outputs_gradients_and_state_agree(name: str, dtype: torch.dtype) -> None:
    forward, backward = LIMITS[dtype]
    for sample in samples_of(name, dtype):
        errors = compare(name, sample, dtype)
        assert errors.forward < forward, describe(sample)
        assert errors.backward < backward, describe(sample)


@pytest.mark.parametrize("name", [*MODULES, *OTHERS])
def test_a_seed_gives_the_same_first_weights(name: str) -> None:
    for sample in samples_of(name, torch.float64)[:3]:
        states = []
        for library in (torch.nn, scratch_nn):
            torch.manual_seed(3)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = sample.build(library, name, torch.float32)
                if "Lazy" in name:
                    module.eval()(*(each.detach().float() for each in sample.inputs))
            states.append(module.state_dict())
        assert list(states[0]) == list(states[1])
        for key, value in states[0].items():
            assert torch.equal(value, states[1][key]), key


def arguments(of) -> list[tuple[str, object]] | None:
    """Names and defaults of all arguments, if they can be known."""
    try:
        found = inspect.signature(of).parameters.values()
    except ValueError:  # written in C++
        return None
    if any(each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL) for each in found):
        return None
    named = {"min_value", "max_value"}  # deprecated for long
    return [
        (each.name, getattr(each.default, "__name__", each.default))
        for each in found
        if each.name not in named
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (scratch_nn, torch.nn),
        (scratch_nn.functional, torch.nn.functional),
        (scratch_nn.init, torch.nn.init),
        (scratch_nn.utils, torch.nn.utils),
    ],
    ids=["nn", "functional", "init", "utils"],
)
def test_arguments_and_defaults_are_torchs(ours, theirs) -> None:
    compared = 0
    for name, mine in vars(ours).items():
        yours = getattr(theirs, name, None)
        if name.startswith("_") or not callable(mine) or not callable(yours) or mine is yours:
            continue
        expected = arguments(yours)
        if expected is not None:
            assert arguments(mine) in (expected, None), name
            compared += 1
    assert compared > 3


def wrong_uses():
    """(class name, number, PyTorch's sample of something that must raise)."""
    for name, info in MODULES.items():
        if info.module_error_inputs_func is not None:
            for training in (True, False) if info.train_and_eval_differ else (True,):
                wrong = info.module_error_inputs_func(
                    info, device="cpu", dtype=torch.float32, requires_grad=False, training=training
                )
                for number, each in enumerate(wrong):
                    yield pytest.param(name, each, id=f"{name}-{training}-{number}")


@pytest.mark.parametrize(("name", "wrong"), list(wrong_uses()))
def test_what_torch_refuses_is_refused_and_names_at_least_its_numbers(name: str, wrong) -> None:
    samples_of(name, torch.float32)

    def use() -> None:
        make, call = (
            wrong.module_error_input.constructor_input,
            wrong.module_error_input.forward_input,
        )
        module = getattr(scratch_nn, name)(*make.args, **make.kwargs)
        module(*call.args, **call.kwargs)

    with pytest.raises((ValueError, TypeError, RuntimeError, IndexError)) as caught:
        use()
    numbers = r"(?<![\w.])\d+(?![\w-])"
    plain = wrong.error_regex.replace("[", "").replace("]", "")
    assert set(re.findall(numbers, plain)) <= set(re.findall(numbers, str(caught.value)))
