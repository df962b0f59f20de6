"""Devices, threads and precisions by the names a user gives them."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys

import pytest
import torch

from fathom.core import devices
from fathom.core.devices import (
    autocast_dtype,
    available_devices,
    choose_device,
    cores,
    machine,
    set_threads,
    versions,
)
from fathom.core.errors import SettingError


def test_there_is_always_a_cpu():
    assert available_devices()[0] == "cpu"
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_is_the_first_accelerator_else_the_cpu(monkeypatch):
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu"])
    assert choose_device("auto") == torch.device("cpu")
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    assert choose_device("auto") == torch.device("cuda:0")
    assert choose_device("cuda") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu", "mps"])
    assert choose_device("auto") == torch.device("mps")


@pytest.mark.parametrize("word", ["cuda", "cuda:7", "tpu", "", "CPU "])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch, word):
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu"])
    with pytest.raises(SettingError, match="known: auto, cpu") as caught:
        choose_device(word)
    assert caught.value.exit_status == 2


def test_threads_are_torch_s():
    before = torch.get_num_threads()
    try:
        set_threads(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_a_number_of_threads_that_makes_no_sense_is_refused(count):
    with pytest.raises(SettingError, match=f"--threads {count}"):
        set_threads(count)


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("word", "dtype"), [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_precisions(word, dtype):
    assert autocast_dtype(word) is dtype


def test_the_facts_are_json():
    assert json.loads(json.dumps(machine())) == machine()
    assert versions()["torch"] == torch.__version__
    assert set(versions()) >= {"python", "fathom", "torch", "numpy", "safetensors"}


FAULTS = """
import resource, sys, torch
from fathom.core.devices import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
    keep_freed_memory()  # a second run in the same process asks again
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.ones(10_000_000)  # 40 MB: more than malloc keeps of its own accord
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_freed_memory_is_there_for_the_next_step():
    kept, returned = (
        int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, word], capture_output=True, check=True
            ).stdout
        )
        for word in ("kept", "returned")
    )
    assert kept < returned / 4


PIECES = """
import contextlib, resource, sys, torch
from fathom.core.devices import giving_back_large_blocks, keep_freed_memory

def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() >> 20

keep_freed_memory()
small = []  # one in each block that was freed: the next, a little larger, may not fit any more
first = resident()
with giving_back_large_blocks() if sys.argv[1] == "returned" else contextlib.nullcontext():
    for size in range(10_000_000, 14_000_000, 100_000):
        torch.ones(size)
        small.append(torch.ones(1_000))
grown = resident() - first
torch.ones(10_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.ones(10_000_000)
print(grown, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_large_blocks_go_back_where_sizes_vary():
    runs = (
        subprocess.run([sys.executable, "-c", PIECES, word], capture_output=True, check=True)
        for word in ("kept", "returned")
    )
    (kept, _), (returned, faults) = (map(int, run.stdout.split()) for run in runs)
    assert returned < 38 < kept  # MB: whether one block of 40 is still there
    assert faults < 50 * 10_000_000 * 4 / resource.getpagesize() / 4  # kept again, afterwards
