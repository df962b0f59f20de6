"""Batches of what does not fit in memory: samples are read by worker processes, batches ahead.

Which samples are in a batch follows from seed and epoch, so the number of workers changes nothing
that is seen, and any batch can be the first.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator

import torch
from torch import Tensor

from fathom.core.errors import WorkerError
from fathom.data.plan import Plan, Planned
from fathom.data.pool import Samples, read_ahead
from fathom.data.treatment import PLAIN, Treatment

TIMEOUT = 120.0  # seconds that one batch may take


class WorkerBatches(Planned):
    """`samples` in batches, read by `workers` processes; a `Batches` of `core.experiment`.

    As many workers as there are cores, up to eight, unless it is said how many; 0 reads here.

    They come out as from `TensorBatches`: float32 in [0, 1], after their `treatment`.
    Raises WorkerError if a worker raises, dies, gives a sample of another shape, or is silent for
    `timeout` seconds; a DataError of a sample is raised as it is.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        treatment: Treatment = PLAIN,
        workers: int | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.samples, self.timeout = samples, timeout
        self.workers = min(8, os.cpu_count() or 1) if workers is None else workers
        self.plan = Plan(len(samples), batch_size, shuffle, drop_last, samples.split)
        self.treatment = treatment
        self._device, self._channels_last = torch.device("cpu"), False

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        tasks = self.plan.batches(seed, epoch, first)

        def fail(worker: int, what: str, task: int) -> WorkerError:
            return self._error(worker, what, first + task)

        read = read_ahead(
            self.samples,
            [indices.tolist() for indices in tasks],
            workers=self.workers,
            timeout=self.timeout,
            fail=fail,
        )
        treat = self.treatment.begun()
        try:
            for indices_B, bytes_B in zip(tasks, read, strict=True):
                held_B = bytes_B.to(self._device)
                if self._channels_last and held_B.dim() == 4:
                    held_B = held_B.contiguous(memory_format=torch.channels_last)
                labels_B = self.samples.labels[indices_B].to(self._device)
                yield treat(held_B, labels_B, indices_B.to(self._device), seed, epoch)
        finally:
            read.close()

    def _error(self, worker: int, what: str, batch: int) -> WorkerError:
        start = batch * self.batch_size
        end = min(start + self.batch_size, self.plan.count) - 1
        return WorkerError(
            f"worker {worker}",
            f"{what} while reading samples {start}–{end} of '{self.plan.split}'",
            "mend the data, or see log.txt of the run",
        )

    def to(self, device: torch.device, *, channels_last: bool = False) -> WorkerBatches:
        moved = copy.copy(self)
        moved._device, moved._channels_last = device, channels_last
        return moved

    def fingerprint(self) -> str:
        return self.samples.fingerprint()
