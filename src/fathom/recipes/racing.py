"""What all optimisers of chapter 11 share: their data, their model, and the race between them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.kept import unread
from fathom.core.seeds import current_seed
from fathom.data import airfoil
from fathom.data.batches import TensorBatches
from fathom.engine.race import Lap, race
from fathom.models.linear import linear_regression
from fathom.objectives import half_squared_error
from fathom.plots.racing import race_curves
from fathom.predictors.numeric import NumberPredictor
from fathom.recipes.libraries import Library

Airfoil = Literal["airfoil", "made"]
Optimizer = Literal[
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "amsgrad",
    "yogi",
]
Make = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]
EVERY = 200  # examples between two measurements, as in the book


@dataclass(frozen=True)
class Way:
    """A way to train: an optimiser, how many examples it is shown at a time, and how often all."""

    optimizer: Make
    batch_size: int
    epochs: int


def optimizers(lib: Library) -> dict[str, Make]:
    """Each with the book's settings for the airfoil data and batches of 10 (11.5 to 11.10).

    torch has no Yogi: both libraries take the one that is there to be read.
    """
    from fathom.scratch.optim import Yogi

    optim = lib.optim
    return {
        "sgd": lambda p: optim.SGD(p, lr=0.05),
        "momentum": lambda p: optim.SGD(p, lr=0.005, momentum=0.9),
        "nesterov": lambda p: optim.SGD(p, lr=0.005, momentum=0.9, nesterov=True),
        "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
        "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9),
        "adadelta": lambda p: optim.Adadelta(p, rho=0.9, eps=1e-5),
        "adam": lambda p: optim.Adam(p, lr=0.01, eps=1e-6),
        "amsgrad": lambda p: optim.Adam(p, lr=0.01, eps=1e-6, amsgrad=True),
        "yogi": lambda p: Yogi(p, lr=0.01, eps=1e-3),
    }


def rivals(own: str, way: Way, others: Iterable[str], lib: Library) -> dict[str, Way]:
    """`own` with its settings, and the others with the book's, on the same batches."""
    known = optimizers(lib)
    rest = {name: replace(way, optimizer=known[name]) for name in others if name != own}
    return {own: way, **rest}


def airfoil_race(
    data: str,
    lib: Library,
    ways: Mapping[str, Way],
    *,
    more: Callable[[], Findings] = Findings,
    log_x: tuple[str, ...] = (),
) -> Experiment:
    """Linear regression by the first of `ways`; the report races it against the others.

    All begin with the same weights. The loss is that of all 1,500 examples, as the book has it:
    nothing is held out, since the question is how fast a minimum is found. `more` finds out what
    is particular to a section.
    """
    x_NK, y_N1 = measurements(data)
    model = linear_regression(x_NK.shape[1], nn=lib.nn)
    contenders = {
        name: regression(x_NK, y_N1, copy.deepcopy(model), way) for name, way in ways.items()
    }
    least = least_loss(x_NK, y_N1)
    seed = current_seed()

    def report(trained: torch.nn.Module) -> Findings:
        with torch.inference_mode(False), torch.enable_grad():
            found = _raced(race(contenders, seed=seed, every=EVERY), least, log_x)
            special = more()
        return Findings(
            numbers={"least loss of any line": Number(least), **special.numbers},
            tables={"Race": found.tables["Race"], **special.tables},
            figures={**found.figures, **special.figures},
            claims={**found.claims, **special.claims},
        )

    return replace(
        regression(x_NK, y_N1, model, next(iter(ways.values()))),
        predictor=NumberPredictor(list(airfoil.COLUMNS[:-1])),
        report=report,
    )


def measurements(data: str) -> tuple[Tensor, Tensor]:
    """Features (1500, 5) and levels (1500, 1): measured, or made up alike.

    A trained model in use needs none that were measured.
    """
    return airfoil.standardised() if data == "airfoil" and not unread() else airfoil.made()


def regression(x_NK: Tensor, y_N1: Tensor, model: torch.nn.Module, way: Way) -> Experiment:
    """Train `model` that way; its loss is measured on all examples at once."""
    return Experiment(
        model,
        TensorBatches(x_NK, y_N1, batch_size=min(way.batch_size, len(x_NK))),
        half_squared_error,
        way.optimizer(model.parameters()),
        way.epochs,
        valid=TensorBatches(x_NK, y_N1, batch_size=len(x_NK), shuffle=False),
    )


def least_loss(x_NK: Tensor, y_N1: Tensor) -> float:
    """Half the mean squared error of the best line, in closed form."""
    design = torch.cat([x_NK, torch.ones(len(x_NK), 1)], dim=1).double()
    best = torch.linalg.lstsq(design, y_N1.double()).solution
    return float(half_squared_error(design @ best, y_N1.double()))


def _raced(laps: Mapping[str, list[Lap]], least: float, log_x: tuple[str, ...]) -> Findings:
    """Losses over examples and seconds, what each ended with, and when it was near the end."""
    losses = {name: [lap.scores["loss"] for lap in found] for name, found in laps.items()}
    examples = {name: [lap.examples for lap in found] for name, found in laps.items()}
    milliseconds = {name: [1e3 * lap.seconds for lap in found] for name, found in laps.items()}
    near = 1.02 * least
    rows: list[list[Any]] = []
    for name, found in laps.items():
        there = next((lap for lap in found if lap.scores["loss"] <= near), None)
        rows.append(
            [
                name,
                round(losses[name][-1], 4),
                there.examples if there else "never",
                round(1e3 * there.seconds, 1) if there else "never",
                round(milliseconds[name][-1], 1),
            ]
        )
    heads = ["", "final loss", "examples to 2% of least", "ms to it", "ms in all"]
    against: dict[str, Mapping[str, Sequence[float]]] = {
        "examples": examples,
        "milliseconds": milliseconds,
    }
    figure = race_curves(losses, against, least=least, log_x=log_x)
    never_below = all(min(values) > least * (1 - 1e-5) for values in losses.values())
    return Findings(
        tables={"Race": Table(heads, rows)},
        figures={"race": figure},
        claims={"none gets below the least loss that a line can have": never_below},
    )
