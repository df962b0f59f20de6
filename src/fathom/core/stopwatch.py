"""How long a piece of work takes, on a machine that does other things too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def median_seconds(
    work: Callable[[], Any],
    *,
    rounds: int = 7,
    at_least: float = 2e-3,
    wait: Callable[[], Any] = lambda: None,
) -> float:
    """The median over `rounds` of the seconds that one call takes.

    Each round calls it as often as fills `at_least` seconds, so that the clock can tell; `wait`
    is called at the end of a round, for devices that work on after the call has returned.
    """
    times = 1
    while True:
        seconds = _round(work, times, wait)
        if seconds >= at_least:
            break
        times *= max(2, min(10, int(at_least / max(seconds, 1e-9))))
    return statistics.median(_round(work, times, wait) / times for _ in range(rounds))


def _round(work: Callable[[], Any], times: int, wait: Callable[[], Any]) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    wait()
    return time.perf_counter() - began
