"""Batches read by processes: the same with any number of them (T18), and six faults (T13)."""

from __future__ import annotations

import os
import signal
import time

import pytest
import torch

from fathom.core.errors import DataError, WorkerError
from fathom.core.order import uniforms
from fathom.data.batches import TensorBatches
from fathom.data.pool import _start
from fathom.data.treatment import Treatment
from fathom.data.workers import WorkerBatches

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (101, 3, 4, 4), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.arange(101) % 10


class Held:
    """Samples that are in memory after all; `trouble` is called for sample 81."""

    split = "train"
    shape = (3, 4, 4)
    labels = LABELS

    def __init__(self, trouble=None):
        self.trouble = trouble

    def __len__(self):
        return len(IMAGES)

    def read(self, index):
        changed = self.trouble() if index == 81 and self.trouble else None
        return IMAGES[index] if changed is None else changed

    def fingerprint(self):
        return "held"


def jitter(batch, indices, seed, epoch):
    return batch + uniforms(indices, seed, epoch, 1)[:, :, None, None]


def collected(batches, *words):
    return [(x.clone(), y.clone()) for x, y in batches.epoch(*words)]


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_t18_the_same_as_from_memory_with_any_number_of_workers(workers):
    treatment = Treatment(jitter, normal=((0.5,) * 3, (0.2,) * 3))
    settings = {"batch_size": 8, "treatment": treatment}
    memory = TensorBatches(IMAGES, LABELS, **settings)
    batches = WorkerBatches(Held(), workers=workers, **settings)
    assert (len(batches), batches.examples) == (len(memory), memory.examples)
    for first in (0, 1, 5, 12):
        pairs = zip(memory.epoch(3, 1, first), batches.epoch(3, 1, first), strict=True)
        for (x, y), (x_read, y_read) in pairs:
            assert torch.equal(x, x_read)
            assert torch.equal(y, y_read)
    assert collected(batches, 3, 1, 13) == []
    last = batches.to(torch.device("cpu"), channels_last=True).limit(2)
    for (x, _), (x_last, _) in zip(collected(memory.limit(2), 0, 0), last.epoch(0, 0), strict=True):
        assert torch.equal(x, x_last)
        assert x_last.is_contiguous(memory_format=torch.channels_last)


def test_workers_leave_the_global_random_state_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    collected(WorkerBatches(Held(), batch_size=8), 0, 0)
    assert torch.equal(before, torch.get_rng_state())


def raises():
    raise ValueError("no such thing\nin two lines")


FAULTS = {
    "raises": (raises, r"failed \(sample 81: ValueError: no such thing\)"),
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), r"died \(signal 9\)"),
    "leaves": (lambda: os._exit(0), r"died \(exit 0\)"),
    "hangs": (lambda: time.sleep(60), "said nothing for 1 s"),
    "other shape": (
        lambda: torch.zeros(3, 4, 5, dtype=torch.uint8),
        r"sample 81 has the shape \(3, 4, 5\), not \(3, 4, 4\)",
    ),
    "allocates": (lambda: torch.empty(2**48), "can't allocate memory|MemoryError|not enough"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_t13_a_worker_that_fails_is_named_with_cause_and_samples(fault):
    trouble, what = FAULTS[fault]
    batches = WorkerBatches(
        Held(trouble), batch_size=4, shuffle=False, workers=3, timeout=1 if fault == "hangs" else 60
    )
    seen = []
    began = time.monotonic()
    with pytest.raises(WorkerError, match=what) as error:
        seen.extend(len(y) for _, y in batches.epoch(0, 0))
    assert time.monotonic() - began < 5
    assert error.value.exit_status == 6
    text = str(error.value)
    assert text.startswith("worker 2: ")  # batch 20 of 0, 1, 2, 0, ...
    assert "while reading samples 80–83 of 'train'" in text
    assert "\n" not in text
    assert sum(seen) in range(72, 81)  # the ones before were handed over, as far as they came


def test_t13_the_samples_of_a_resumed_epoch_are_counted_from_its_start():
    batches = WorkerBatches(Held(raises), batch_size=4, shuffle=False, workers=2)
    with pytest.raises(WorkerError, match="samples 80–83 of 'train'"):
        collected(batches, 0, 0, 19)


@pytest.mark.parametrize("workers", [0, 2])
def test_d15_a_broken_sample_is_an_error_of_the_data(workers):
    def trouble():
        raise DataError("cat/7.png (class cat)", "is damaged", "replace it")

    with pytest.raises(DataError, match=r"cat/7\.png \(class cat\): is damaged; replace it"):
        collected(WorkerBatches(Held(trouble), batch_size=4, workers=workers), 0, 0)


def test_no_process_is_left_behind():
    batches = WorkerBatches(Held(), batch_size=4, workers=2)
    epoch = batches.epoch(0, 0)
    next(epoch)
    epoch.close()
    collected(batches, 0, 1)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("when", ["at work", "before they begin"])
def test_workers_end_when_their_parent_is_killed(when, tmp_path, monkeypatch):
    def parent():
        if when == "at work":
            epoch = WorkerBatches(Held(), batch_size=4, workers=2).epoch(0, 0)
            next(epoch)
        else:
            monkeypatch.setattr(torch, "set_num_threads", lambda _: time.sleep(0.5))
            for _ in range(2):
                _start(Held(), [[0]], torch.empty(2, 1, 3, 4, 4, dtype=torch.uint8))
        children = [p.pid for p in torch.multiprocessing.active_children()]
        (tmp_path / "pids").write_text(" ".join(map(str, children)))
        os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        parent()
    os.waitpid(pid, 0)
    workers = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(alive(worker) for worker in workers):
        time.sleep(0.05)
    left = [worker for worker in workers if alive(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def alive(pid):
    """Whether a process runs; one that has ended and that nobody waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
