"""The speeds of certificates: ratios of sums, round by round, and their medians."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import torch
from rich.console import Console

from fathom.check import certificates, speed
from fathom.check.rows import Row
from fathom.cli import prove
from fathom.scratch import nn as scratch_nn

# (forward, backward) in seconds: a call to warm up, one to count how often, then the rounds.
OURS = [(0, 0), (3, 1), (1, 1), (5, 5)]
THEIRS = [(0, 0), (1, 1), (1, 3), (1, 1), (1, 0.25)]


def given(readings: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    return iter([(float(there), float(back)) for there, back in readings])


def test_ratios_are_medians_of_ratios_of_one_round(monkeypatch) -> None:
    clocks = {scratch_nn: given(OURS), torch.nn: given(THEIRS)}
    monkeypatch.setattr(speed, "stopwatch", lambda library, _: lambda _: next(clocks[library]))
    found = speed.time_ratios("ReLU", rounds=3)
    # Whole: 4 / 4, 2 / 2, 10 / 1.25; forward 3, 1, 5; backward 1/3, 1, 20.
    assert found == speed.Ratios(whole=1.0, forward=3.0, backward=1.0)


def test_what_has_no_gradient_has_no_speed_backward(monkeypatch) -> None:
    monkeypatch.setattr(speed, "stopwatch", lambda *_: lambda _: (2.0, 0.0))
    assert speed.time_ratios("ReLU", rounds=1) == speed.Ratios(1.0, 1.0, None)


def test_the_table_and_the_json_show_the_whole_pass(monkeypatch, capsys) -> None:
    row = Row("nn.Toy", "module", 2, 0.0, 0.0, 1.53, 2.01, 0.87, "agrees")
    monkeypatch.setattr(certificates, "check_each", lambda *_, **__: iter([row]))
    answer = prove.check()
    assert json.loads(json.dumps(answer.document)) == [asdict(row)]
    (said,) = answer.document
    assert (said["speed"], said["speed_forward"], said["speed_backward"]) == (1.53, 2.01, 0.87)
    answer.page(Console(width=100))
    heads, line = capsys.readouterr().out.splitlines()[:2]
    assert heads.split() == ["pair", "cases", "outputs", "grads", "speed", "fwd", "bwd", "verdict"]
    assert line.split() == ["nn.Toy", "2", "0", "0", "1.53x", "2.01x", "0.87x", "agrees"]


def test_the_speed_of_an_optimiser_is_that_of_its_step() -> None:
    (row,) = certificates.check("*.sgd", speed=True)
    assert row.speed == row.speed_forward > 0
    assert row.speed_backward is None
