"""Devices, threads and precisions: what this machine has, by the names a user gives them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fathom.core.errors import SettingError

if TYPE_CHECKING:
    import torch

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of <malloc.h>
_asked: dict[int, int] = {}  # of malloc, which does not tell what it was set to


def available_devices() -> list[str]:
    """`cpu` and every accelerator that torch sees: `cuda:0`, `mps`, …"""
    import torch

    found = ["cpu"]
    found += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def choose_device(word: str) -> torch.device:
    """The device of that name; `auto` is the first accelerator, else the CPU.

    Raises SettingError for a name that is none and for a device that is not there.
    """
    import torch

    there = available_devices()
    if word == "auto":
        return torch.device(there[1] if len(there) > 1 else "cpu")
    name = "cuda:0" if word == "cuda" else word
    if name not in there:
        known = ", ".join(["auto", *there])
        raise SettingError(f"--device {word}", "there is no such device here", f"known: {known}")
    return torch.device(name)


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Let torch's CPU kernels use `count` threads. Raises SettingError outside [1, 1024]."""
    import torch

    if not 1 <= count <= 1024:
        raise SettingError(
            f"--threads {count}", "is not in [1, 1024]", f"this machine has {cores()}"
        )
    torch.set_num_threads(count)


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one (glibc; elsewhere a no-op).

    By default large blocks go back to the system and come again as fresh pages, each with a
    fault: LeNet took 4,300 of them a step, and 1.4 times as long.
    """
    _mallopt(MMAP_THRESHOLD, 1 << 30)
    _mallopt(TRIM_THRESHOLD, (1 << 31) - 1)


@contextmanager
def giving_back_large_blocks() -> Iterator[None]:
    """Within, blocks of 32 MiB and more go back to the system even if freed memory is kept.

    Where sizes vary from batch to batch, what is kept falls to pieces that none fits: translations
    of 3,505 sentences were measured in 3.0 GB, and in 0.9 GB so.
    """
    kept = _asked.get(MMAP_THRESHOLD)
    if kept is None:
        yield
        return
    _mallopt(MMAP_THRESHOLD, min(kept, 32 << 20))
    try:
        yield
    finally:
        _mallopt(MMAP_THRESHOLD, kept)


def _mallopt(name: int, value: int) -> None:
    """Set a parameter of glibc's `malloc`, if that is the library."""
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(name, value)
    _asked[name] = value


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The type that autocast computes in; None for single precision."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def machine() -> dict[str, Any]:
    """This machine, for `run.json` and `doctor`."""
    import torch

    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": cores(),
        "vector": torch.backends.cpu.get_cpu_capability(),
    }
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if names:
        found["cuda"] = names
    return found


def versions() -> dict[str, str]:
    """Of all that a result depends on."""
    from importlib.metadata import version

    names = ["fathom", "torch", "numpy", "safetensors", "pillow", "scikit-learn"]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
