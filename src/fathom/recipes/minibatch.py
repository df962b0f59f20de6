"""Minibatches: between one example and all of them, measured on this machine (book 11.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.stopwatch import median_seconds
from fathom.engine.race import seconds_of_a_step
from fathom.models.linear import linear_regression
from fathom.plots.scalars import bars, lines
from fathom.recipes.libraries import Library, library
from fathom.recipes.racing import Airfoil, Way, airfoil_race, measurements, regression

SIZES = (1, 3, 10, 30, 100, 300, 1_500)
STEPS = 200  # of each size are timed


@recipe(
    section="11.5",
    title="Minibatch SGD",
    zh="小批量随机梯度下降",
    sample=dict(data="made"),
    minutes=0.2,
    book="loss: all at once (10 epochs) 0.243-0.245, one at a time 0.245-0.246, batches of 100 "
    "0.243-0.246, of 10 0.243-0.244",
    ours="0.247 [0.243, 0.249], 0.244 [0.244, 0.247], 0.245 [0.244, 0.249], 0.244 [0.244, 0.247]",
)
def minibatch_sgd(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    batch_size: Count = 10,
    lr: Rate = 0.05,
    epochs: Count = 2,
    size: Annotated[int, Bounds(at_least=64, at_most=2048)] = 256,
) -> Experiment:
    """Why examples come in batches: one at a time wastes the machine, all at once wastes examples.

    Gradient descent on all 1,500 examples, on one, on 100 and on 10 of them (or `--batch-size`)
    race against examples and against time. And this machine is measured: a matrix product by
    elements, by columns, by blocks and whole; how many examples a second batches of each size
    train on.

    Args:
        size: rows and columns of the matrices that are multiplied
    """
    lib = library(impl)

    def sgd(lr: float, batch_size: int, epochs: int) -> Way:
        return Way(lambda p: lib.optim.SGD(p, lr=lr), batch_size, epochs)

    ways = {
        f"batches of {batch_size}": sgd(lr, batch_size, epochs),
        "all at once": sgd(1.0, 1_500, 10),
        "batches of 100": sgd(0.4, 100, epochs),
        "one at a time": sgd(0.005, 1, epochs),
    }
    return airfoil_race(
        data,
        lib,
        ways,
        more=lambda: _this_machine(data, lib, size),
        log_x=("examples", "milliseconds"),
    )


def _this_machine(data: str, lib: Library, size: int) -> Findings:
    """Products of matrices in four ways, and updates with batches of several sizes."""
    speeds = {name: 2 * size**3 / seconds / 1e9 for name, seconds in _products(size).items()}
    x_NK, y_N1 = measurements(data)
    steps = {}
    for B in SIZES:
        model = linear_regression(x_NK.shape[1], nn=lib.nn)
        way = Way(lambda p: lib.optim.SGD(p, lr=1e-3), B, epochs=STEPS)
        steps[B] = seconds_of_a_step(regression(x_NK, y_N1, model, way), steps=STEPS)
    rates = {B: B / seconds for B, seconds in steps.items()}
    return Findings(
        tables={
            f"A product of {size} x {size} matrices": Table(
                ["", "GFLOP/s"], [[name, round(speed, 3)] for name, speed in speeds.items()]
            ),
            "An update with batches of": Table(
                ["", "microseconds", "examples/s"],
                [[B, round(1e6 * steps[B], 1), round(rates[B])] for B in SIZES],
            ),
        },
        figures={
            "matrix-product": bars(list(speeds), list(speeds.values()), xlabel="GFLOP/s", log=True),
            "throughput": lines(
                SIZES,
                {"examples/s": list(rates.values())},
                xlabel="examples in a batch",
                ylabel="trained on in a second",
                log_x=True,
                log_y=True,
            ),
        },
        claims={
            "the whole product is at least ten times faster than element by element": (
                speeds["whole"] > 10 * speeds["by elements"]
            ),
            "examples in batches of 100 pass at least five times faster than one by one": (
                rates[100] > 5 * rates[1]
            ),
        },
    )


def _products(size: int) -> dict[str, float]:
    """Seconds of A = B C, one element at a time, one column, one block of columns, and whole."""
    B, C = torch.rand(size, size), torch.rand(size, size)
    A = torch.zeros(size, size)
    width = max(1, size // 4)

    def by_elements() -> Tensor:
        for i in range(size):
            for j in range(size):
                A[i, j] = torch.dot(B[i], C[:, j])
        return A

    def by_columns() -> Tensor:
        for j in range(size):
            A[:, j] = B @ C[:, j]
        return A

    def by_blocks() -> Tensor:
        for j in range(0, size, width):
            A[:, j : j + width] = B @ C[:, j : j + width]
        return A

    ways: dict[str, Callable[[], Tensor]] = {
        "by elements": by_elements,
        "by columns": by_columns,
        f"by blocks of {width} columns": by_blocks,
        "whole": lambda: torch.mm(B, C, out=A),
    }
    rounds = {"by elements": 1}
    return {name: median_seconds(work, rounds=rounds.get(name, 5)) for name, work in ways.items()}
