"""Choose threads and precision by a short measurement on the run's own model and data.

All that measuring changes is put back, so it costs nothing but the time. On a busy or small problem
one thread often wins. What was chosen is remembered: the same command gives the same numbers the
next time.

Whether bf16 is precise enough is asked of the gradient. The first of a fresh residual network is a
bad witness: its last layers answer to sums that nearly cancel. So where the first gradients are
not alike, a few steps are taken in bf16, and what rounding changes in the gradient is compared
with what the next batch would change: training lives with that anyway.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.devices import cores, set_threads
from fathom.core.errors import SettingError
from fathom.core.seeds import random_states, restore_random_states
from fathom.engine.nested import each
from fathom.engine.remembered import key_of, recall, remember
from fathom.engine.trial import kept
from fathom.engine.updates import Gradients

SECONDS = 2.0
ROUNDS = 7
THREADS_GAIN = 1.1
BF16_GAIN = 1.3
BF16_LIKENESS = 0.99
TRIAL_STEPS = 8
BF16_CHANGE = 0.25  # of what another batch changes in the gradient: a sixteenth of its variance


@dataclass
class Choice:
    """What was chosen, and a sentence that says why."""

    threads: int
    precision: str
    why: list[str] = field(default_factory=list)


def choose(
    build: Callable[[torch.dtype | None], Gradients],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[Any],
    *,
    device: torch.device,
    threads: str,
    precision: str,
    memory: Path | None = None,
) -> Choice:
    """Threads and precision; what is not `auto` is taken as given.

    `build(dtype)` gives the gradient function under autocast of that type. Of `batches` more than
    the first are asked for only where bf16 has to be tried. A choice that is in the file `memory`
    is taken from there. Raises SettingError for words that are neither `auto` nor a choice.
    """
    given = Choice(_given_threads(threads), "fp32" if precision == "auto" else precision)
    set_threads(given.threads)
    if "auto" not in (threads, precision):
        return given
    batch = each(Tensor.clone, next(batches))  # the next may be written into the same place
    bounds = THREADS_GAIN, BF16_GAIN, BF16_LIKENESS, BF16_CHANGE
    key = key_of(model, batch[0], device, f"{threads} {precision} {bounds}")
    known = None if memory is None else recall(memory, key)
    if known is not None:
        set_threads(known["threads"])
        why = [f"{line}, as measured on {known['when']}" for line in known["why"]]
        return Choice(known["threads"], known["precision"], why)
    with kept(model, optimizer):
        if threads == "auto" and device.type == "cpu" and cores() > 1:
            _choose_threads(given, build(None), batch, device)
        if precision == "auto":
            trial = _Trial(build, model, optimizer, batches)
            _choose_precision(given, trial, batch, device)
    if memory is not None:
        remember(memory, key, asdict(given))
    return given


def _given_threads(word: str) -> int:
    if word == "auto":
        return 1
    if not word.isdigit():
        raise SettingError(f"--threads {word}", "is neither auto nor a number", "try --threads 1")
    return int(word)


def _choose_threads(choice: Choice, gradients: Gradients, batch: Any, device: torch.device) -> None:
    times = _race({count: _with_threads(gradients, count) for count in (1, cores())}, batch, device)
    gain = times[1] / times[cores()]
    choice.threads = cores() if gain > THREADS_GAIN else 1
    set_threads(choice.threads)
    choice.why.append(f"threads {choice.threads} ({cores()} give {gain:.2f}x the speed of 1)")


def _with_threads(gradients: Gradients, count: int) -> Gradients:
    def timed(batch: Any) -> dict[str, Tensor]:
        torch.set_num_threads(count)
        return gradients(batch)

    return timed


@dataclass(frozen=True)
class _Trial:
    """What bf16 is tried on."""

    build: Callable[[torch.dtype | None], Gradients]
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Iterator[Any]


def _choose_precision(choice: Choice, trial: _Trial, batch: Any, device: torch.device) -> None:
    """bf16 where it is clearly faster here and its gradients are as good."""
    try:
        likeness = _likeness(trial, batch)
        contenders = {dtype: trial.build(dtype) for dtype in (None, torch.bfloat16)}
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        times = _race(contenders, batch, device, clock=clock)
        gain = times[None] / times[torch.bfloat16]
        told = f"bf16 gives {gain:.2f}x the speed, cosine of its gradients {likeness:.4f}"
        good = likeness > BF16_LIKENESS
        if gain > BF16_GAIN and not good:
            change = _change(trial)
            good = change < BF16_CHANGE
            told += (
                f" at first; after {TRIAL_STEPS} steps it changes them {change:.2f} times as much"
            )
            told += " as another batch does"
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:80]
        choice.why.append(f"precision fp32 (bf16 does not run here: {reason})")
        return
    if gain > BF16_GAIN and good:
        choice.precision = "bf16"
    choice.why.append(f"precision {choice.precision} ({told})")


def _race(
    contenders: dict[Any, Gradients],
    batch: Any,
    device: torch.device,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Any, float]:
    """Median seconds of each, in turn, for at most `SECONDS` altogether.

    CPU time (`time.process_time`) is what another program on the machine disturbs least; how
    much two threads gain is only seen on the wall.
    """
    times: dict[Any, list[float]] = {name: [] for name in contenders}
    started = time.perf_counter()
    for index in range(ROUNDS + 1):
        for name, gradients in contenders.items():
            began = clock()
            gradients(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if index:  # the first round warms up
                times[name].append(clock() - began)
        if index and time.perf_counter() - started > SECONDS:
            break
    return {name: max(statistics.median(found), 1e-9) for name, found in times.items()}


def _likeness(trial: _Trial, batch: Any) -> float:
    """The cosine between all gradients in single precision and in bf16."""
    exact, rounded = (_gradient(trial, dtype, batch) for dtype in (None, torch.bfloat16))
    return float(torch.cosine_similarity(exact, rounded, dim=0))


def _change(trial: _Trial) -> float:
    """After a few steps in bf16: how much rounding changes the gradient, of how much a batch does.

    The quotient of the differences' norms; infinite where batches do not differ.
    """
    learn = trial.build(torch.bfloat16)
    for _ in range(TRIAL_STEPS):
        trial.optimizer.zero_grad()
        learn(next(trial.batches))
        trial.optimizer.step()
    batch = each(Tensor.clone, next(trial.batches))
    exact, rounded = (_gradient(trial, dtype, batch) for dtype in (None, torch.bfloat16))
    other = _gradient(trial, None, next(trial.batches))
    return float((rounded - exact).norm() / (other - exact).norm())


def _gradient(trial: _Trial, dtype: torch.dtype | None, batch: Any) -> Tensor:
    """All gradients of a batch in one row, under a chance that is always the same."""
    random = random_states()
    trial.optimizer.zero_grad()
    trial.build(dtype)(batch)
    restore_random_states(random)
    grads = [p.grad.float().flatten() for p in trial.model.parameters() if p.grad is not None]
    return torch.cat(grads)
