"""Certificates of modules: the same weights and inputs give the same outputs and gradients.

Each sample is built from torch.nn and from scratch.nn, ours takes over the other's weights, both
see the same inputs after the same seed, and both are asked for the gradients of the same random
sum of their outputs. What is compared: outputs, the gradients of inputs and of parameters, the
buffers afterwards (running averages), the names and order of the state, and the printed form.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fathom.check.rows import Row, Verdict, matches
from fathom.check.samples import SEED, Sample, all_samples
from fathom.check.speed import Ratios, time_ratios
from fathom.scratch import nn as scratch_nn

FORWARD, BACKWARD = 1e-9, 1e-7  # relative errors that float64 must stay below
SMALL = 1e-3  # below this size, differences count as parts of it: noise around zero is no error


@dataclass(frozen=True)
class Errors:
    """The largest relative error of outputs, and of gradients (zero where there are none)."""

    forward: float
    backward: float


def rows(pattern: str | None, *, speed: bool) -> Iterator[Row]:
    """A row for each module whose name is meant by `pattern`."""
    for name, samples in all_samples(torch.float64):
        if matches(f"nn.{name}", pattern):
            yield certify(name, samples(), speed=speed)


def certify(name: str, samples: list[Sample], *, speed: bool) -> Row:
    """The row of one module."""
    pair, count = f"nn.{name}", len(samples)
    if not hasattr(scratch_nn, name):
        why = "scratch.nn has no such module yet"
        return Row(pair, "module", count, None, None, *Ratios(), "missing", why)
    forward = backward = 0.0
    for sample in samples:
        try:
            errors = compare(name, sample, torch.float64)
        except Exception as error:  # whatever ours raises, the certificate must say so
            why = f"{describe(sample)}: {type(error).__name__}: {error}"
            return Row(pair, "module", count, None, None, *Ratios(), "differs", why)
        forward, backward = larger(forward, errors.forward), larger(backward, errors.backward)
    verdict: Verdict = "agrees" if forward < FORWARD and backward < BACKWARD else "differs"
    why = "" if verdict == "agrees" else f"errors must be below {FORWARD:g} and {BACKWARD:g}"
    ratios = time_ratios(name) if speed else Ratios()
    return Row(pair, "module", count, forward, backward, *ratios, verdict, why)


def larger(a: float, b: float) -> float:
    """The larger error; not-a-number is the largest."""
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def describe(sample: Sample) -> str:
    """The sample, for a message."""
    words = [repr(arg) for arg in sample.args]
    words += [f"{key}={value!r}" for key, value in sample.kwargs.items()]
    return f"({', '.join(words)}) {sample.about}".strip().replace("\n", " ")[:120]


def compare(name: str, sample: Sample, dtype: torch.dtype) -> Errors:
    """Run one sample under both libraries.

    Raises:
        AssertionError: they do not even have the same parts or shapes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about what its own samples do
        theirs = sample.build(torch.nn, name, dtype)
        ours = sample.build(scratch_nn, name, dtype)
        if any(isinstance(p, torch.nn.UninitializedParameter) for p in theirs.parameters()):
            for module in (theirs, ours):  # a lazy module gets its sizes from its first input
                run(module, sample)
        ours.load_state_dict(theirs.state_dict(), strict=True)
        ours_out, our_leaves = run(ours, sample)
        their_out, their_leaves = run(theirs, sample)

    printed = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")  # the same layer
    assert repr(ours) == printed, f"printed form: {ours!r} is not {printed}"
    forward = error_of(ours_out, their_out)
    for key, value in theirs.state_dict().items():  # running averages have moved alike
        forward = larger(forward, error_of([ours.state_dict()[key]], [value]))
    our_gradients = gradients(ours_out, [*our_leaves, *ours.parameters()])
    their_gradients = gradients(their_out, [*their_leaves, *theirs.parameters()])
    return Errors(forward, error_of(our_gradients, their_gradients))


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a nest of tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in tensors_in(each)]
    return []


def run(module: torch.nn.Module, sample: Sample) -> tuple[list[Tensor], list[Tensor]]:
    """(outputs, inputs that want gradients) of one call on a copy of the sample's inputs."""
    inputs, keywords = copied((list(sample.inputs), sample.input_kwargs))
    torch.manual_seed(SEED)
    outputs = tensors_in(module(*inputs, **keywords))
    return outputs, [each for each in tensors_in((inputs, keywords)) if each.requires_grad]


def copied(value: Any) -> Any:
    """A copy with new leaves in place of all tensors: inputs may be views of one another."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copied(each) for each in value))
    if isinstance(value, tuple | list):
        return type(value)(copied(each) for each in value)
    return copy.deepcopy(value)


def gradients(outputs: list[Tensor], leaves: list[Any]) -> list[Tensor]:
    """Gradients of a fixed random sum of all outputs; zeros for what it does not depend on."""
    numbers = torch.Generator().manual_seed(SEED)
    total: Any = 0
    for output in outputs:
        if output.requires_grad:
            weight = torch.randn(output.shape, generator=numbers, dtype=torch.float64)
            total = total + (output * weight.to(output.dtype)).sum()
    if not isinstance(total, Tensor) or not leaves:
        return []
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if each is None else each
        for leaf, each in zip(leaves, found, strict=True)
    ]


def error_of(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference, relative to the largest number of the tensor it is in."""
    assert len(ours) == len(theirs), f"{len(ours)} tensors, not {len(theirs)}"
    worst = 0.0
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape, f"shape {list(our.shape)}, not {list(their.shape)}"
        assert our.dtype == their.dtype, f"type {our.dtype}, not {their.dtype}"
        a, b = our.detach().to(torch.float64), their.detach().to(torch.float64)
        same = (a == b) | (a.isnan() & b.isnan())  # infinities are equal, too
        difference = torch.where(same, 0, a - b).abs()
        size = b[b.isfinite()].abs()
        scale = max(float(size.max()) if size.numel() else 0.0, SMALL)
        worst = larger(worst, float(difference.max()) / scale if difference.numel() else 0.0)
    return worst
