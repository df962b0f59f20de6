"""Devices, and what it costs to bring data to them (book 5.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fathom.core.devices import available_devices, choose_device, machine
from fathom.core.errors import SettingError
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.stopwatch import median_seconds
from fathom.plots.scalars import lines

SIZES = [2**n for n in range(8, 27, 2)]  # bytes: 256 to 64 million
SIDE = 512


@recipe(
    section="5.6",
    title="GPUs",
    zh="GPU",
    minutes=0.1,
    book="a tensor has a device; what is computed together must be on the same one",
    ours="the same, and what a copy costs",
)
def devices() -> Findings:
    """What computes here, and what it costs to bring data to it: with a GPU or without.

    A tensor lives on a device, a result where its inputs are, and a module's parameters move
    together. A copy takes a time to begin and a time for each byte: small ones waste the first,
    so a thousand numbers are best moved at once. The figure shows the rate by the size of a copy,
    within the host's memory (it falls where the caches end) and, where there is an accelerator,
    to it, from it and within it.
    """
    there = available_devices()
    device = choose_device("auto")
    routes = {name: _rates(route) for name, route in _routes(there).items()}
    heads = ["from, to", _kilo(SIZES[0]), _kilo(SIZES[-1]), "at best"]
    rows = [[name, rates[0], rates[-1], max(rates)] for name, rates in routes.items()]
    product, copy = _product_and_copy(device)
    host = next(iter(routes.values()))
    return Findings(
        numbers={
            "devices": len(there),
            f"product of two {SIDE} by {SIDE} matrices on {device}": Number(product * 1e3, "ms"),
            "copy of one of them": Number(copy * 1e3, "ms"),
            f"copy of {SIZES[0]} bytes within the host": Number(SIZES[0] / host[0] / 1e3, "µs"),
        },
        tables={
            "Devices": Table(["device", "what it is", "memory"], [_facts(name) for name in there]),
            "Copies, GB/s": Table(heads, rows),
        },
        figures={
            "copies": lines(
                SIZES,
                routes,
                title="how fast data move, by how much is moved at once",
                xlabel="bytes",
                ylabel="GB/s",
                log_x=True,
                log_y=True,
            )
        },
        claims={
            **_placement_claims(device),
            "many small copies are slow: the best rate is 3 times that of 256 bytes or more": max(
                host
            )
            > 3 * host[0],
        },
    )


def _facts(name: str) -> list[str]:
    """A device's name, what it is, and how much it holds."""
    if name.startswith("cuda"):
        facts = torch.cuda.get_device_properties(name)
        return [name, facts.name, f"{facts.total_memory / 1e9:.1f} GB"]
    if name == "mps":
        limit = torch.mps.recommended_max_memory()
        return [name, "Apple's Metal", f"{limit / 1e9:.1f} GB"]
    found = machine()
    return [name, f"{found['processor']}, {found['cores']} cores, {found['vector']}", _memory()]


def _memory() -> str:
    """The host's, where the system tells."""
    import os

    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB"
    except (AttributeError, ValueError, OSError):
        return "not told"


class Route(NamedTuple):
    """A way for bytes: where they are made, where they go, and how to wait for them."""

    source: Callable[[int], Tensor]
    target: Callable[[int], Tensor]
    wait: Callable[[], None]


def _routes(there: list[str]) -> dict[str, Route]:
    """Within the host and, for the first accelerator, to it, from it, within it."""
    host = lambda size: torch.ones(size, dtype=torch.uint8)  # noqa: E731
    routes = {"host to host": Route(host, host, lambda: None)}
    if len(there) == 1:
        return routes
    device = torch.device(there[1])
    on_it = lambda size: torch.ones(size, dtype=torch.uint8, device=device)  # noqa: E731
    wait = lambda: _wait_for(device)  # noqa: E731
    routes[f"host to {device}"] = Route(host, on_it, wait)
    if device.type == "cuda":
        pinned = lambda size: host(size).pin_memory()  # noqa: E731
        routes[f"pinned host to {device}"] = Route(pinned, on_it, wait)
    routes[f"{device} to host"] = Route(on_it, host, wait)
    routes[f"within {device}"] = Route(on_it, on_it, wait)
    return routes


def _wait_for(device: torch.device) -> None:
    """Copies to an accelerator are asked for and not waited for: a clock has to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _rates(route: Route) -> list[float]:
    """GB/s for each of SIZES."""
    found = []
    for size in SIZES:
        source, target = route.source(size), route.target(size)
        copy = lambda s=source, t=target: t.copy_(s, non_blocking=True)  # noqa: E731
        found.append(size / median_seconds(copy, rounds=5, wait=route.wait) / 1e9)
    return found


def _product_and_copy(device: torch.device) -> tuple[float, float]:
    a = torch.rand(SIDE, SIDE)
    there = a.to(device)
    wait = lambda: _wait_for(device)  # noqa: E731
    product = median_seconds(lambda: there @ there, rounds=5, wait=wait)
    return product, median_seconds(lambda: a.to(device, copy=True), rounds=5, wait=wait)


def _kilo(size: int) -> str:
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def _placement_claims(device: torch.device) -> dict[str, bool]:
    x = torch.ones(2, 3)
    moved = x.to(device)
    module = torch.nn.Linear(3, 1).to(device)
    shapes = torch.ones(2, 3, device="meta")  # a device that has shapes and no numbers
    return {
        "a tensor is made on the CPU if nothing else is asked": x.device.type == "cpu",
        "what is there already is not copied": moved.to(device) is moved
        and x.to("cpu") is x
        and x.to("cpu", copy=True).data_ptr() != x.data_ptr(),
        "a result is where its inputs are": (moved + moved).device == moved.device,
        "a module moves with all its parameters, and computes there": {
            p.device for p in module.parameters()
        }
        == {moved.device}
        and module(moved).device == moved.device,
        "tensors on two devices are not computed together": _fails(lambda: x + shapes),
        "a device that is not there is refused by its name": _fails(
            lambda: choose_device("cuda:1023")
        ),
    }


def _fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except (RuntimeError, SettingError):
        return True
    return False
