"""The one loop: it knows time and nothing else.

What a batch teaches is a function handed to it. Whoever wants to see, save or stop looks at the
records that it yields: a watcher is a generator over them, early stopping is a `break`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from fathom.core.experiment import Batches, Counts, Derived

Values = dict[str, Tensor]
Update = Callable[[Any], Values]
Evaluate = Callable[[], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Record:
    """What happened: after an update (split `step`) or, at an epoch's end, of each split.

    `values` are tensors on the device after an update, and plain numbers at an epoch's end.
    """

    step: int
    epoch: int
    split: str
    values: Mapping[str, Any]
    ends_epoch: bool = False


@dataclass
class Totals:
    """Running sums over an epoch, on the device: adding does not wait for it."""

    sums: Values = field(default_factory=dict)
    weight: Tensor | float = 0.0

    def add(self, values: Values, count: Tensor | int) -> None:
        """Add means over `count` things each; where `skipped` is 1 the batch is left out.

        Of `skipped` itself the sum is kept: how many updates were.
        """
        weight = count.float() if isinstance(count, Tensor) else count
        if "skipped" in values:
            weight = weight * (1 - values["skipped"])
            values = {name: value.nan_to_num() for name, value in values.items()}
        for name, value in values.items():
            times = 1 if name == "skipped" else weight
            if name not in self.sums:
                self.sums[name] = value * times
            elif self.sums[name].device != value.device:  # back from a checkpoint, on the CPU
                self.sums[name] = self.sums[name].to(value.device) + value * times
            elif isinstance(times, int):
                self.sums[name].add_(value, alpha=times)
            else:
                self.sums[name].addcmul_(value, times)
        self.weight = self.weight + weight

    def means(self, derived: Mapping[str, Derived] | None = None) -> dict[str, float]:
        """The mean of each value over the epoch so far, then what is derived. This does wait."""
        weight = max(float(self.weight), 1.0)
        found = {name: float(value) / weight for name, value in self.sums.items()}
        if "skipped" in found:
            found["skipped"] = float(self.sums["skipped"])
        return found | {name: function(found) for name, function in (derived or {}).items()}

    def clear(self) -> None:
        self.sums, self.weight = {}, 0.0


@dataclass
class Clock:
    """Where a run is: epochs done, batches done in this one, and all that was measured so far."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    totals: Totals = field(default_factory=Totals)
    history: list[dict[str, Any]] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        """Plain Python and tensors: `torch.load(weights_only=True)` takes it back."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "seconds": self.seconds,
            "sums": {name: value.clone() for name, value in self.totals.sums.items()},
            "weight": self.totals.weight,
            "history": [dict(record) for record in self.history],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.batch, self.step = state["epoch"], state["batch"], state["step"]
        self.seconds, self.history = state["seconds"], [dict(r) for r in state["history"]]
        sums = {name: value.clone() for name, value in state["sums"].items()}
        self.totals = Totals(sums, state["weight"])


def train(
    update: Update,
    batches: Batches,
    evaluations: Mapping[str, Evaluate],
    clock: Clock,
    *,
    seed: int,
    epochs: int,
    counts: Counts = len,
    derived: Mapping[str, Derived] | None = None,
) -> Iterator[Record]:
    """Train from where `clock` stands to the end of `epochs`, yielding a `Record` at each event.

    `counts` and `derived` are those of `core.experiment`.

    The clock is already past the event when its record is yielded, so that whatever is saved
    on seeing one is a point to go on from.
    """
    started = time.perf_counter() - clock.seconds
    while clock.epoch < epochs:
        for batch in batches.epoch(seed, clock.epoch, clock.batch):
            values = update(batch)
            clock.totals.add(values, counts(batch[1]))
            clock.batch, clock.step = clock.batch + 1, clock.step + 1
            clock.seconds = time.perf_counter() - started
            yield Record(clock.step, clock.epoch + 1, "step", values)
        found = {"train": clock.totals.means(derived)}
        found |= {split: evaluate() for split, evaluate in evaluations.items()}
        clock.epoch, clock.batch = clock.epoch + 1, 0
        clock.seconds = time.perf_counter() - started
        clock.totals.clear()
        for split, means in found.items():
            clock.history.append(
                {"step": clock.step, "epoch": clock.epoch, "split": split, **means}
                | {"seconds": round(clock.seconds, 3)}
            )
        for split, means in found.items():
            last = split == list(found)[-1]
            yield Record(clock.step, clock.epoch, split, means, ends_epoch=last)
