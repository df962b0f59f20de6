"""How long our modules take against torch's: CPU time on one thread, in turn, in one run."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fathom.check.workloads import workload
from fathom.core.devices import keep_freed_memory
from fathom.scratch import nn as scratch_nn

ROUNDS = 7
AT_LEAST = 0.005  # seconds in one reading, so that the ticks of the clock do not matter

Seconds = tuple[float, float]  # forward, backward


class Ratios(NamedTuple):
    """Our time over torch's: forward and backward together, and each by itself."""

    whole: float | None = None
    forward: float | None = None
    backward: float | None = None  # None for what has no gradient


def time_ratios(name: str, *, rounds: int = ROUNDS) -> Ratios:
    """The medians of readings taken in turn, ours and torch's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()  # as training does
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours, theirs = stopwatch(scratch_nn, name), stopwatch(torch.nn, name)
            ours(1), theirs(1)  # what is done once, such as the sizes of lazy modules
            times = 1 + int(AT_LEAST / max(sum(theirs(1)), 1e-6))
            readings = [(ours(times), theirs(times)) for _ in range(rounds)]
    finally:
        torch.set_num_threads(threads)
    whole = statistics.median(sum(our) / sum(their) for our, their in readings)
    forward = statistics.median(our[0] / their[0] for our, their in readings)
    if not readings[0][1][1]:
        return Ratios(whole, forward)
    backward = statistics.median(our[1] / their[1] for our, their in readings)
    return Ratios(whole, forward, backward)


def stopwatch(library: Any, name: str) -> Callable[[int], Seconds]:
    """A function that runs the module so many times, and says how long each way took."""
    torch.manual_seed(0)
    load = workload(name)
    module = load.build(library, name, torch.float32)
    inputs = load.inputs

    def run(times: int) -> Seconds:
        forward = backward = 0.0
        for turn in range(-1, times):
            if turn == 0:  # the call before found caches and heap as the other library left them
                forward = backward = 0.0
            start = time.process_time()
            output = module(*inputs, **load.input_kwargs)
            forward += time.process_time() - start
            first = first_tensor(output)
            if first.requires_grad:
                gradient = torch.ones_like(first)
                start = time.process_time()
                first.backward(gradient)
                backward += time.process_time() - start
        return forward, backward

    return run


def first_tensor(output: Any) -> Tensor:
    """The output, or the first of several (a packed sequence's data)."""
    return output if isinstance(output, Tensor) else first_tensor(output[0])
