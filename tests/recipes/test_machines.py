"""Devices: what is said of this machine is what torch says, and rates are bytes by seconds."""

from __future__ import annotations

import pytest
import torch

from fathom.core.devices import available_devices
from fathom.recipes import machines
from fathom.recipes.machines import SIZES, Route, _facts, _kilo, _rates, _routes, devices


@pytest.fixture
def steady(monkeypatch):
    """A copy of any size takes 1 µs and a nanosecond for every ten bytes, by a made clock."""
    copied = []

    def seconds(work, *, rounds=7, wait=None):
        size = work().nbytes
        copied.append(size)
        return 1e-6 + size * 1e-10

    monkeypatch.setattr(machines, "median_seconds", seconds)
    return copied


def test_the_study_holds_its_claims(steady):
    found = devices()
    found.check("devices")
    assert [row[0] for row in found.tables["Devices"].rows] == available_devices()
    assert set(steady) >= set(SIZES)
    assert found.numbers["copy of 256 bytes within the host"].value == pytest.approx(1.0256)


def test_a_rate_is_bytes_by_seconds(steady):
    host = _routes(["cpu"])["host to host"]
    assert _rates(host) == pytest.approx([s / (1e-6 + s * 1e-10) / 1e9 for s in SIZES])


def test_bytes_arrive(steady):
    route, targets = _routes(["cpu"])["host to host"], []

    def target(size):
        targets.append(torch.zeros(size, dtype=torch.uint8))
        return targets[-1]

    _rates(Route(route.source, target, route.wait))
    assert [t.nbytes for t in targets] == SIZES
    assert all(bool((t == 1).all()) for t in targets)


def test_an_accelerator_has_ways_to_it_from_it_and_within(steady):
    """The processor under another name stands for it: it takes and gives like one."""
    routes = _routes(["cpu", "cpu:0"])
    assert list(routes) == ["host to host", "host to cpu:0", "cpu:0 to host", "within cpu:0"]
    for route in routes.values():
        assert len(_rates(route)) == len(SIZES)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_cuda_device_is_measured():
    names = _routes(available_devices())
    assert "pinned host to cuda:0" in names
    assert _facts("cuda:0")[1] == torch.cuda.get_device_name(0)


@pytest.mark.parametrize(("size", "text"), [(256, "256 B"), (4096, "4 KiB"), (2**26, "64 MiB")])
def test_sizes_are_said_as_people_say_them(size, text):
    assert _kilo(size) == text
