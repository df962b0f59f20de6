"""Run contenders in turn, on one thread each; report medians and ratios.

CPU time, not wall time: what one quiet core would give, whatever else the machine does. Each
round runs every contender once, so a slow minute hits all alike, and the ratio is taken round
by round. Each contender has a process of its own: none profits from what another has set up.
"""

from __future__ import annotations

import importlib
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fathom.core.errors import FathomError, SettingError, WorkerError, did_you_mean

Epoch = Callable[[], None]
CONTENDERS = ("ours", "peer", "bare")


@dataclass(frozen=True)
class Case:
    """One benchmark: `build[name]()` makes a contender, a function that does `work` once."""

    name: str
    unit: str
    work: int
    build: dict[str, Callable[[], Epoch]]


@dataclass(frozen=True)
class Row:
    """Medians in `unit`, and the ratios with their smallest and largest round."""

    name: str
    unit: str
    ours: float
    peer: float
    bare: float
    over_peer: float
    over_peer_range: tuple[float, float]
    of_bare: float
    of_bare_range: tuple[float, float]
    rounds: int


def cases() -> dict[str, Case]:
    """The benchmarks of every file of this folder that has `CASES`, by name."""
    found: dict[str, Case] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if "\nCASES = {" in path.read_text(encoding="utf-8"):
            found |= importlib.import_module(f"{__package__}.{path.stem}").CASES
    return found


def bench(pattern: str | None = None, *, rounds: int = 5) -> Iterator[Row]:
    """Time every case whose name has `pattern` in it.

    Raises SettingError where none has, DataError where the data are not here.
    """
    known = cases()
    chosen = [case for case in known.values() if pattern is None or pattern in case.name]
    if not chosen:
        remedy = did_you_mean(pattern or "", known, f"known: {', '.join(known)}")
        raise SettingError(f"fathom bench {pattern}", "there is no such benchmark", remedy)
    if rounds < 1:
        raise SettingError(f"--rounds {rounds}", "is less than 1", "use 5 or more")
    for case in chosen:
        yield measure(case, rounds)


def measure(case: Case, rounds: int) -> Row:
    """One warm-up and `rounds` counted rounds of each contender, in turn."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with ExitStack() as stack:
        lanes = {name: stack.enter_context(Lane(case.name, name)) for name in CONTENDERS}
        for index in range(rounds + 1):
            for name, lane in lanes.items():
                seconds = lane.run()
                if index:
                    times[name].append(seconds)
    rates = {name: case.work / statistics.median(found) for name, found in times.items()}
    over_peer = [p / o for p, o in zip(times["peer"], times["ours"], strict=True)]
    of_bare = [b / o for b, o in zip(times["bare"], times["ours"], strict=True)]
    return Row(
        name=case.name,
        unit=case.unit,
        ours=rates["ours"],
        peer=rates["peer"],
        bare=rates["bare"],
        over_peer=statistics.median(over_peer),
        over_peer_range=(min(over_peer), max(over_peer)),
        of_bare=statistics.median(of_bare),
        of_bare_range=(min(of_bare), max(of_bare)),
        rounds=rounds,
    )


class Lane:
    """A contender in its process, waiting for its turn."""

    def __init__(self, case: str, contender: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = f"{case}, {contender}"
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, case, contender), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *error: object) -> None:
        self._ours.close()
        self._process.join(timeout=10)

    def run(self) -> float:
        """The CPU seconds of one turn."""
        self._ours.send("go")
        return float(self._answer())

    def _answer(self) -> Any:
        try:
            answer = self._ours.recv()
        except EOFError:
            raise WorkerError(f"bench {self.name}", "its process died", "run it again") from None
        if isinstance(answer, FathomError):
            raise answer
        return answer


def _serve(pipe: Connection, case: str, contender: str) -> None:
    """In the process: build the contender, then a turn for each word that comes."""
    import torch

    torch.set_num_threads(1)
    try:
        epoch = cases()[case].build[contender]()
    except FathomError as error:
        pipe.send(error)
        return
    pipe.send("ready")
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        began = time.process_time()
        epoch()
        pipe.send(time.process_time() - began)
