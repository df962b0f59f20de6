"""What a recipe hands to the engine: a model, its data, its objective, its optimiser."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import Tensor
    from torch.optim.lr_scheduler import LRScheduler

    from fathom.core.findings import Findings

Metric = Callable[[Any, Any], "Tensor"]
Counts = Callable[[Any], "Tensor | int"]
Derived = Callable[[Mapping[str, float]], float]


class Batches(Protocol):
    """Data that is seen batch by batch, in an order that is a function of seed and epoch."""

    @property
    def batch_size(self) -> int: ...

    @property
    def examples(self) -> int:
        """How many examples an epoch sees."""
        ...

    def __len__(self) -> int:
        """How many batches an epoch has: at least one."""
        ...

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Any, Any]]:
        """(inputs, targets) from batch number `first` on; valid until the next is asked for.

        Each is a tensor or a tuple (of tuples) of them, with the batch as first dimension.
        """
        ...

    def to(self, device: torch.device, *, channels_last: bool = False) -> Batches: ...

    def limit(self, batches: int) -> Batches:
        """The same with at most that many batches an epoch."""
        ...

    def fingerprint(self) -> str:
        """sha256 of what it holds, so that a resumed run notices other data."""
        ...


class Predictor(Protocol):
    """How a trained model is used: words of a command line in, answers out."""

    @property
    def example(self) -> str:
        """What an input looks like on a command line."""
        ...

    def read(self, words: Sequence[str]) -> tuple[list[str], Any]:
        """The inputs that the words stand for: a name for each, and what the model takes."""
        ...

    def answers(self, outputs: Any) -> list[dict[str, Any]]:
        """The model's outputs as JSON, one answer for each input."""
        ...

    def draw(self, names: Sequence[str], inputs: Any, answers: Sequence[dict[str, Any]]) -> Figure:
        """Inputs and answers as a picture."""
        ...


class Writer(Protocol):
    """How a trained model that writes is used: text in, text out."""

    @property
    def example(self) -> str:
        """What an input looks like on a command line."""
        ...

    @property
    def options(self) -> Collection[str]:
        """The names of `write`'s options, of those that `fathom predict` has."""
        ...

    def write(
        self, model: torch.nn.Module, words: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        """An answer for each input that the words stand for, with the input's name first."""
        ...

    def draw(self, answers: Sequence[dict[str, Any]]) -> Figure:
        """The answers as a picture."""
        ...


@dataclass(frozen=True)
class Experiment:
    """Everything the engine needs to train, and what to make of it afterwards.

    `objective` and each of `metrics` take (outputs, targets) and give the mean over the batch as
    a 0-dim tensor, without waiting for the device. `counts` says of targets how many the mean is
    over: examples, unless told otherwise (tokens that are no padding). `derived` are functions of
    an epoch's means, such as the perplexity of its loss. `schedule` steps after each update or
    epoch. `patience` stops when the loss on `valid` has not fallen for that many epochs.

    `notes` are sentences about the data that are said before training. `examine` looks at what the
    trained model makes of `valid`, when training is over and whenever it is measured again.
    `report` is asked once, when training is over; by then `history` holds the records of all
    epochs, as they are in `metrics.jsonl`. Both get the model in evaluation mode.
    """

    model: torch.nn.Module
    train: Batches
    objective: Metric
    optimizer: torch.optim.Optimizer
    epochs: int
    valid: Batches | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    counts: Counts = len
    derived: Mapping[str, Derived] = field(default_factory=dict)
    schedule: LRScheduler | None = None
    schedule_per: Literal["step", "epoch"] = "step"
    clip: float | None = None
    accumulate: int = 1
    patience: int | None = None
    predictor: Predictor | Writer | None = None
    notes: Sequence[str] = ()
    examine: Callable[[torch.nn.Module, Batches], Findings] | None = None
    report: Callable[[torch.nn.Module], Findings] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
