"""`fathom doctor`: what this machine has, how fast it is, what will be slow."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fathom.cli.output import Answer, table

if TYPE_CHECKING:
    import torch
    from rich.console import Console


def doctor() -> Answer:
    """This machine: devices, precisions, the speed of arithmetic and memory, what will be slow.

    Example:
        fathom doctor
        fathom doctor --json
    """
    from fathom.core.devices import available_devices, machine, versions
    from fathom.core.paths import cache_dir, data_dirs, runs_dir

    speeds = {name: _speeds(name) for name in available_devices()}
    document: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "memory_gb": _memory(),
        "disk_free_gb": round(shutil.disk_usage(".").free / 1e9, 1),
        "devices": speeds,
        "paths": {
            "data": [str(folder) for folder in data_dirs()],
            "cache": str(cache_dir()),
            "runs": str(runs_dir()),
        },
        "advice": _advice(speeds),
    }

    def page(console: Console) -> None:
        console.print("[bold]Versions[/bold]")
        console.print("  ".join(f"{k} {v}" for k, v in document["versions"].items()))
        console.print("\n[bold]Machine[/bold]")
        facts = {**document["machine"], "memory": f"{document['memory_gb']} GB"}
        facts["disk free"] = f"{document['disk_free_gb']} GB"
        console.print(table(["", ""], [[k, v] for k, v in facts.items()]))
        console.print("\n[bold]Speed[/bold] (measured now)")
        names = list(dict.fromkeys(n for found in speeds.values() for n in found))
        rows = [[device, *(found.get(n) for n in names)] for device, found in speeds.items()]
        console.print(table(["", *names], rows, right=range(1, len(names) + 1)))
        console.print("\n[bold]Places[/bold]")
        console.print(table(["", ""], _places(document["paths"])))
        if document["advice"]:
            console.print("\n[bold]Advice[/bold]")
            for line in document["advice"]:
                console.print(f"- {line}", markup=False)

    return Answer(document, page)


def _places(paths: dict[str, Any]) -> list[list[str]]:
    data = ", ".join(paths["data"]) or "- (set FATHOM_DATA to folders of your own)"
    return [["data", data], ["cache", paths["cache"]], ["runs", paths["runs"]]]


def _speeds(name: str) -> dict[str, Any]:
    """GFLOP/s of a matrix product, GB/s of a copy, microseconds of the smallest operation."""
    import torch

    device = torch.device(name)
    size = 1024 if device.type == "cpu" else 4096
    found: dict[str, Any] = {}
    for label, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        try:
            a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
            out = torch.empty(size, size, device=device, dtype=dtype)
            seconds = _best(partial(torch.mm, a, b, out=out), device)
        except RuntimeError:
            continue
        found[f"{label} GFLOP/s"] = round(2 * size**3 / seconds / 1e9)
    source = torch.ones(32_000_000, device=device)
    target = torch.empty_like(source)
    seconds = _best(lambda: target.copy_(source), device)
    found["copy GB/s"] = round(2 * source.numel() * 4 / seconds / 1e9, 1)
    small = torch.ones(4, device=device)
    found["smallest op us"] = round(_best(lambda: small.add_(1), device, 200) * 1e6, 2)
    if device.type == "cpu":
        found["threads"] = torch.get_num_threads()
    return found


def _best(work: Callable[[], Any], device: torch.device, inner: int = 1) -> float:
    """The shortest of some runs: what the machine can do when nobody disturbs it."""
    import torch

    times = []
    for _ in range(6):
        began = time.perf_counter()
        for _ in range(inner):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - began) / inner)
    return min(times)


def _memory() -> float | None:
    import os

    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, AttributeError, OSError):
        return None


def _advice(speeds: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    cpu = speeds["cpu"]
    if len(speeds) == 1:
        found.append(
            "no accelerator: chapters 7, 13 and 14 take hours as in the book; use `fathom try`"
        )
    ratio = cpu.get("bf16 GFLOP/s", 0) / max(cpu["fp32 GFLOP/s"], 1)
    if ratio > 1.5:
        found.append(
            f"bf16 has {ratio:.1f}x the arithmetic of fp32 here; --precision auto weighs it"
        )
    elif ratio < 0.9:
        found.append("bf16 is slower than fp32 on this CPU; --precision auto leaves it alone")
    if cpu["smallest op us"] > 10:
        found.append(
            "operations are slow to start: the machine is busy, or small models will crawl"
        )
    return found
