"""Choose threads and precision by a short measurement on the run's own model and data.

Only forward and backward passes are timed; weights, buffers and random states are put back, so
measuring changes nothing but the time. On a busy or small problem one thread often wins. What was
chosen is remembered: the same command gives the same numbers the next time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.devices import cores, set_threads
from fathom.core.errors import SettingError
from fathom.core.seeds import random_states, restore_random_states
from fathom.engine.carried import carried, put_back
from fathom.engine.remembered import key_of, recall, remember
from fathom.engine.updates import Gradients

SECONDS = 2.0
ROUNDS = 7
THREADS_GAIN = 1.1
BF16_GAIN = 1.3
BF16_LIKENESS = 0.99


@dataclass
class Choice:
    """What was chosen, and a sentence that says why."""

    threads: int
    precision: str
    why: list[str] = field(default_factory=list)


def choose(
    build: Callable[[torch.dtype | None], Gradients],
    model: nn.Module,
    batch: Any,
    *,
    device: torch.device,
    threads: str,
    precision: str,
    memory: Path | None = None,
) -> Choice:
    """Threads and precision; what is not `auto` is taken as given.

    `build(dtype)` gives the gradient function under autocast of that type. A choice that is in
    the file `memory` is taken from there. Raises SettingError for words that are neither `auto`
    nor a choice.
    """
    if memory is None or "auto" not in (threads, precision):
        return _measured(build, model, batch, device, threads, precision)
    key = key_of(model, batch[0], device, f"{threads} {precision}")
    known = recall(memory, key)
    if known is not None:
        set_threads(known["threads"])
        why = [f"{line}, as measured on {known['when']}" for line in known["why"]]
        return Choice(known["threads"], known["precision"], why)
    choice = _measured(build, model, batch, device, threads, precision)
    remember(memory, key, asdict(choice))
    return choice


def _measured(
    build: Callable[[torch.dtype | None], Gradients],
    model: nn.Module,
    batch: Any,
    device: torch.device,
    threads: str,
    precision: str,
) -> Choice:
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    state = carried(model)
    random = random_states()
    choice = Choice(_given_threads(threads), "fp32" if precision == "auto" else precision)
    set_threads(choice.threads)
    if threads == "auto" and device.type == "cpu" and cores() > 1:
        _choose_threads(choice, build(None), batch, device)
    if precision == "auto":
        _choose_precision(choice, build, model, batch, device)
    for parameter in model.parameters():
        parameter.grad = None
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(kept[name])
    put_back(model, state)
    restore_random_states(random)
    return choice


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


def _choose_precision(
    choice: Choice,
    build: Callable[[torch.dtype | None], Gradients],
    model: nn.Module,
    batch: Any,
    device: torch.device,
) -> None:
    """bf16 where it is clearly faster here and its gradients point the same way."""
    try:
        likeness = _likeness(build, model, batch)
        contenders = {dtype: build(dtype) for dtype in (None, torch.bfloat16)}
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        times = _race(contenders, batch, device, clock=clock)
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:80]
        choice.why.append(f"precision fp32 (bf16 does not run here: {reason})")
        return
    gain = times[None] / times[torch.bfloat16]
    if gain > BF16_GAIN and likeness > BF16_LIKENESS:
        choice.precision = "bf16"
    choice.why.append(
        f"precision {choice.precision} (bf16 gives {gain:.2f}x the speed, "
        f"cosine of its gradients {likeness:.4f})"
    )


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


def _likeness(
    build: Callable[[torch.dtype | None], Gradients], model: nn.Module, batch: Any
) -> float:
    """The cosine between all gradients in single precision and in bf16, under the same chance."""
    found = []
    random = random_states()
    for dtype in (None, torch.bfloat16):
        restore_random_states(random)
        for parameter in model.parameters():
            parameter.grad = None
        build(dtype)(batch)
        grads = [p.grad.float().flatten() for p in model.parameters() if p.grad is not None]
        found.append(torch.cat(grads))
    return float(torch.cosine_similarity(found[0], found[1], dim=0))
