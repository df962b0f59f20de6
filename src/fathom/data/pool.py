"""Processes that read batches ahead, into memory that they share with the one that trains.

torch's DataLoader waits without end for a worker that hangs or has left, raises the death of one
from a signal handler in whatever line the training happens to be, and says neither which worker
it was nor what it read. Here every wait is for an answer, a death, or the clock, whichever comes
first, and workers answer with numbers and words only: the samples are already where they belong.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch
from torch import Tensor

from fathom.core.errors import FathomError, WorkerError

AHEAD = 2  # batches that each worker has in hand
ORPHANED = 2.0  # seconds between two looks at whether the parent still lives

Fail = Callable[[int, str, int], WorkerError]  # (worker, what it did, task number)


class Samples(Protocol):
    """What is read one by one: `read(index)` gives uint8 of `shape`."""

    @property
    def labels(self) -> Tensor: ...

    @property
    def split(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Tensor: ...

    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class Failure:
    """An error met in reading, as words: not every exception survives the way between processes."""

    cause: str
    error: tuple[type[FathomError], str, str, str] | None = None


@dataclass(frozen=True)
class _Worker:
    process: Any
    connection: Connection


def read_ahead(
    samples: Samples, tasks: Sequence[Sequence[int]], *, workers: int, timeout: float, fail: Fail
) -> Generator[Tensor, None, None]:
    """The samples of each task, uint8 (len(task), *shape), in order; each valid until the next.

    Task n is read by worker n modulo `workers`, or here if there are none. Raises the error of
    `fail` if a worker raises, dies or is silent for `timeout` seconds; a FathomError of `read` is
    raised as it is.
    """
    if not tasks:
        return
    largest = max(len(task) for task in tasks)
    count = max(1, workers * AHEAD)
    slots = _shared(count, largest, *samples.shape)
    pool = [_start(samples, tasks, slots) for _ in range(workers)]
    try:
        for number in range(min(count, len(tasks)) if pool else 0):
            pool[number % workers].connection.send(number)
        for number, task in enumerate(tasks):
            slot = slots[number % count][: len(task)]
            if pool:
                failure = _answer(pool, number, timeout, fail)
            else:
                failure = read_into(samples, task, slot)
            if failure is not None:
                if failure.error is not None:
                    kind, *words = failure.error
                    raise kind(*words)
                raise fail(number % max(1, workers), f"failed ({failure.cause})", number)
            yield slot
            if pool and number + count < len(tasks):
                pool[number % workers].connection.send(number + count)
    finally:
        for worker in pool:
            worker.process.kill()  # it only reads: there is nothing that it must finish
        for worker in pool:
            worker.process.join()
            worker.connection.close()


def read_into(samples: Samples, task: Sequence[int], slot: Tensor) -> Failure | None:
    """Read the samples of `task` into `slot`, or say why not."""
    for place, index in enumerate(task):
        try:
            sample = samples.read(index)
        except FathomError as error:
            return Failure(str(error), (type(error), error.thing, error.wrong, error.remedy))
        except Exception as error:
            first = (str(error).strip().splitlines() or ["no message"])[0]
            return Failure(f"sample {index}: {type(error).__name__}: {first}")
        if sample.shape != slot.shape[1:]:
            shapes = f"{tuple(sample.shape)}, not {tuple(slot.shape[1:])}"
            return Failure(f"sample {index} has the shape {shapes}")
        slot[place] = sample
    return None


def _shared(*shape: int) -> Tensor:
    """Memory that child processes see. /dev/shm, often small, is spared where there is fork."""
    size = torch.Size(shape).numel()
    if _method() == "fork":
        return torch.frombuffer(mmap.mmap(-1, max(1, size)), dtype=torch.uint8)[:size].view(shape)
    return torch.empty(shape, dtype=torch.uint8).share_memory_()


def _method() -> str:
    """fork where it is sound: libraries of macOS do not survive it."""
    return "fork" if sys.platform == "linux" else "spawn"


def _start(samples: Samples, tasks: Sequence[Sequence[int]], slots: Tensor) -> _Worker:
    context: Any = torch.multiprocessing.get_context(_method())
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_work, args=(samples, tasks, slots, theirs, os.getpid()), daemon=True
    )
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(
    samples: Samples,
    tasks: Sequence[Sequence[int]],
    slots: Tensor,
    connection: Connection,
    parent: int,
) -> None:
    """A worker's life: asked for a task by number, it answers None or a Failure.

    It is told who its `parent` is: one killed before this line would be someone else by now.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act on
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    while True:
        try:
            while not connection.poll(ORPHANED):
                if os.getppid() != parent:
                    return
            number = connection.recv()
            task = tasks[number]
            connection.send(read_into(samples, task, slots[number % len(slots)][: len(task)]))
        except (EOFError, OSError):
            return


def _answer(pool: Sequence[_Worker], number: int, timeout: float, fail: Fail) -> Failure | None:
    """What the worker of task `number` says of it. Raises if it, or another, cannot say a word."""
    worker = number % len(pool)
    mine, deadline = pool[worker], time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise fail(worker, f"said nothing for {timeout:g} s", number)
        ready = wait([mine.connection, *(each.process.sentinel for each in pool)], left)
        if mine.connection in ready:
            try:
                answer: Failure | None = mine.connection.recv()
                return answer
            except (EOFError, OSError):
                mine.process.join(1)
        for i, each in enumerate(pool):
            if not each.process.is_alive():
                raise fail(i, f"died ({_how(each.process.exitcode)})", _reading(pool, i, number))


def _how(exitcode: int | None) -> str:
    return f"signal {-exitcode}" if exitcode is not None and exitcode < 0 else f"exit {exitcode}"


def _reading(pool: Sequence[_Worker], dead: int, number: int) -> int:
    """The task that a dead worker was at: the first of its own, from `number` on, unanswered."""
    task = number + (dead - number) % len(pool)
    connection = pool[dead].connection
    try:
        while connection.poll():
            connection.recv()
            task += len(pool)
    except (EOFError, OSError):
        pass
    return task
