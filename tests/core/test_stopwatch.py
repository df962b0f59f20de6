"""The clock counts calls, and is not upset by one that was disturbed."""

from __future__ import annotations

import pytest

from fathom.core import stopwatch
from fathom.core.stopwatch import median_seconds


class Clock:
    """Time that passes only in calls of `work`: 1 ms each, and one interruption of a second."""

    def __init__(self, interrupted=None):
        self.now, self.calls, self.waits, self.interrupted = 0.0, 0, 0, interrupted

    def perf_counter(self):
        return self.now

    def work(self):
        self.calls += 1
        self.now += 1.0 if self.calls == self.interrupted else 1e-3

    def wait(self):
        self.waits += 1


@pytest.mark.parametrize("interrupted", [None, 20])
def test_a_call_takes_its_time(monkeypatch, interrupted):
    clock = Clock(interrupted)
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock.perf_counter)
    found = median_seconds(clock.work, rounds=5, at_least=3.5e-3, wait=clock.wait)
    assert found == pytest.approx(1e-3)
    assert clock.waits >= 6


def test_what_takes_no_time_that_a_clock_can_tell_is_called_more_often(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock.perf_counter)
    median_seconds(clock.work, rounds=1, at_least=0.5)
    assert clock.calls >= 1000
