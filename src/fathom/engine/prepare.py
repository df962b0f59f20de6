"""Build what a recipe describes and bring it to its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from torch import nn

from fathom.core.devices import choose_device, keep_freed_memory
from fathom.core.experiment import Batches, Experiment
from fathom.core.findings import Findings
from fathom.core.kept import keeping
from fathom.core.paths import write_whole
from fathom.core.recipe import Recipe
from fathom.core.seeds import seed_everything

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Surroundings:
    """What the engine is given by whoever starts it: a voice, and two hands that draw.

    What is said is also noted, once there is a run with a log.
    """

    console: Console
    curves: Callable[[list[dict[str, Any]], str], Figure]
    save: Callable[[Figure, Path], list[Path]]
    note: Callable[[str], None] = field(default=lambda text: None)
    rates: Callable[..., Figure] | None = None

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)
        self.note(text)

    def keep(self, findings: Findings, folder: Path) -> None:
        """Leave the figures of what was found in a folder, and tables (.csv) above it."""
        for name, figure in findings.figures.items():
            self.save(figure, folder / name)
        for name, content in findings.files.items():
            write_whole((folder.parent if name.endswith(".csv") else folder) / name, content)


@dataclass(frozen=True)
class Prepared:
    """An experiment with its model and data on `device`, and what is to be kept of the data."""

    experiment: Experiment
    device: torch.device
    train: Batches
    valid: Batches | None
    channels_last: bool
    kept: Mapping[str, str]

    def data_facts(self) -> dict[str, Any]:
        """How much data there is and its sum, by split."""
        splits = {"train": self.train, "valid": self.valid}
        return {
            name: {"examples": data.examples, "sha256": data.fingerprint()}
            for name, data in splits.items()
            if data is not None
        }

    def class_facts(self) -> dict[str, Any]:
        """The names of the classes by their numbers, if that is what it tells apart."""
        classes = getattr(self.experiment.predictor, "classes", None)
        return {} if classes is None else {"classes": list(classes)}


def prepare(
    recipe: Recipe,
    settings: dict[str, Any],
    *,
    seed: int,
    device: str,
    limit: int | None = None,
    known: Mapping[str, str] | None = None,
    unread: bool = False,
) -> Prepared:
    """The recipe's experiment under its seed, at most `limit` batches an epoch.

    With what a run has kept `known`, the data are others than those that it was trained on; or, if
    they are to stay `unread`, made up in their form.

    Networks with torch's 2-d convolutions are laid out channels last, if that is safe: on the CPU
    LeNet gains 1.06 to 1.19 times the speed.
    """
    place = choose_device(device)
    keep_freed_memory()
    seed_everything(seed)
    with keeping(known, unread=unread) as kept:
        experiment: Experiment = recipe.function(**settings)
    convolutions = [m for m in experiment.model.modules() if isinstance(m, nn.Conv2d)]
    convolves = bool(convolutions) and not (
        place.type == "cpu" and any(map(_breaks_memory, convolutions))
    )
    if convolves:
        experiment.model.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    else:
        experiment.model.to(place)

    def moved(data: Batches) -> Batches:
        data = data.to(place, channels_last=convolves)
        return data if limit is None else data.limit(limit)

    valid = None if experiment.valid is None else moved(experiment.valid)
    return Prepared(experiment, place, moved(experiment.train), valid, convolves, kept)


def _breaks_memory(layer: nn.Conv2d) -> bool:
    """Whether the way back through it writes where it must not, when laid out channels last.

    So do 1x1 convolutions of stride 2 with less than 16 channels, on pictures of 48 pixels or
    more, in torch 2.13 on processors with AVX-512: some runs end in a segmentation fault.
    """
    return layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.in_channels < 16
