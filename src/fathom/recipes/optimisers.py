"""Optimisers on the airfoil data, raced against each other (book 11.6 to 11.10)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import torch

from fathom.calculus.descent import descend
from fathom.calculus.quadratics import (
    best_momentum,
    best_rate,
    contraction,
    measured_contraction,
    momentum_contraction,
    quadratic,
)
from fathom.core.arguments import Bounds, Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.plots.scalars import lines
from fathom.recipes.libraries import Library, library
from fathom.recipes.racing import Airfoil, Optimizer, Way, airfoil_race, rivals

Decay = Annotated[float, Bounds(at_least=0, at_most=0.9999)]
SGD: list[Optimizer] = ["sgd"]
SGD_MOMENTUM: list[Optimizer] = ["sgd", "momentum"]
ADAGRAD: list[Optimizer] = ["sgd", "adagrad"]
RMSPROP: list[Optimizer] = ["adagrad", "rmsprop"]
ADAM_KIN: list[Optimizer] = ["rmsprop", "amsgrad", "yogi"]


@recipe(
    section="11.6",
    title="Momentum",
    zh="动量法",
    sample=dict(data="made"),
    minutes=0.1,
    book="loss: lr 0.02, momentum 0.5 0.246-0.247; lr 0.005, momentum 0.9 0.245",
    ours="0.244 [0.243, 0.246]; 0.244 [0.243, 0.247]",
)
def momentum(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    optimizer: list[Optimizer] = SGD,
    batch_size: Count = 10,
    lr: Rate = 0.005,
    momentum: Decay = 0.9,
    epochs: Count = 2,
) -> Experiment:
    """Go down along a leaky average of the gradients: v <- beta v + g, x <- x - lr v.

    Across a long valley gradients point to and fro and cancel in the average; along it they add
    up. Theory says by how much: on quadratics of growing condition the distance to the minimum is
    measured to shrink by (sqrt(k) - 1) / (sqrt(k) + 1) a step, not by (k - 1) / (k + 1).

    Args:
        optimizer: raced against it, each with the book's settings
        momentum: beta, what is kept of the average a step
    """
    lib = library(impl)
    own = Way(lambda p: lib.optim.SGD(p, lr=lr, momentum=momentum), batch_size, epochs)
    ways = rivals("momentum", own, optimizer, lib)
    return airfoil_race(data, lib, ways, more=lambda: _ill_conditioned(lib))


@recipe(
    section="11.7",
    title="AdaGrad",
    zh="AdaGrad算法",
    sample=dict(data="made"),
    minutes=0.1,
    book="loss 0.242-0.243",
    ours="0.243 [0.242, 0.244]",
)
def adagrad(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    optimizer: list[Optimizer] = SGD_MOMENTUM,
    batch_size: Count = 10,
    lr: Rate = 0.1,
    epochs: Count = 2,
) -> Experiment:
    """Give each weight a rate of its own: lr over the root of all its squared gradients so far.

    A weight whose feature is rare, or small, has seen little gradient and keeps a high rate. The
    table shows it on features that are scaled apart by a thousand, where one rate serves none.

    Args:
        optimizer: raced against it, each with the book's settings
    """
    lib = library(impl)
    own = Way(lambda p: lib.optim.Adagrad(p, lr=lr), batch_size, epochs)
    ways = rivals("adagrad", own, optimizer, lib)
    return airfoil_race(data, lib, ways, more=lambda: _scaled_apart(lib))


@recipe(
    section="11.8",
    title="RMSProp",
    zh="RMSProp算法",
    sample=dict(data="made"),
    minutes=0.1,
    book="loss 0.245-0.247; concise 0.243-0.244",
    ours="0.244 [0.243, 0.246]",
)
def rmsprop(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    optimizer: list[Optimizer] = ADAGRAD,
    batch_size: Count = 10,
    lr: Rate = 0.01,
    gamma: Decay = 0.9,
    epochs: Count = 2,
) -> Experiment:
    """AdaGrad that forgets: the mean of recent squared gradients, not the sum of all.

    Rates need not go to zero, and are a setting again.

    Args:
        optimizer: raced against it, each with the book's settings
        gamma: what is kept of the mean square a step
    """
    lib = library(impl)
    own = Way(lambda p: lib.optim.RMSprop(p, lr=lr, alpha=gamma), batch_size, epochs)
    ways = rivals("rmsprop", own, optimizer, lib)
    return airfoil_race(data, lib, ways, more=lambda: _memories(lib, gamma))


@recipe(
    section="11.9",
    title="Adadelta",
    zh="Adadelta",
    sample=dict(data="made"),
    minutes=0.1,
    book="loss 0.243-0.244",
    ours="0.243 [0.242, 0.244]",
)
def adadelta(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    optimizer: list[Optimizer] = RMSPROP,
    batch_size: Count = 10,
    lr: Rate = 1.0,
    rho: Decay = 0.9,
    epochs: Count = 2,
) -> Experiment:
    """No learning rate to choose: a step is as large as recent steps were.

    Both are remembered, squared gradients and squared steps; their ratio has the unit of a
    weight. So the same settings do for a loss in any unit: shown with one a thousand times as
    large.

    Args:
        optimizer: raced against it, each with the book's settings
        lr: a factor for every step, 1 in the paper
        rho: what is kept of both means a step
    """
    lib = library(impl)
    own = Way(lambda p: lib.optim.Adadelta(p, lr=lr, rho=rho, eps=1e-5), batch_size, epochs)
    ways = rivals("adadelta", own, optimizer, lib)
    return airfoil_race(data, lib, ways, more=lambda: _in_other_units(lib))


@recipe(
    section="11.10",
    title="Adam and Yogi",
    zh="Adam算法",
    sample=dict(data="made"),
    minutes=0.2,
    book="loss: Adam 0.244-0.245, concise 0.247-0.254, Yogi 0.244-0.245",
    ours="Adam 0.243 [0.242, 0.246], Yogi 0.243 [0.242, 0.246]",
)
def adam(
    data: Airfoil = "airfoil",
    *,
    impl: Impl = "torch",
    optimizer: list[Optimizer] = ADAM_KIN,
    batch_size: Count = 10,
    lr: Rate = 0.01,
    beta1: Decay = 0.9,
    beta2: Decay = 0.999,
    eps: Rate = 1e-6,
    epochs: Count = 2,
) -> Experiment:
    """Momentum and a rate for each weight together, both corrected for their start at zero.

    And where it fails (Reddi et al. 2018, theorem 1): of three gradients a large one points the
    right way and two small ones the wrong way. An Adam that has forgotten the large one when the
    next comes brings all to one size and goes where two of three point: to the worst place there
    is. AMSGrad and Yogi do not.

    Args:
        optimizer: raced against it, each with the book's settings
        beta1: what is kept of the mean gradient a step
        beta2: what is kept of the mean square a step
        eps: added to the root of the mean square
    """
    lib = library(impl)
    own = Way(lambda p: lib.optim.Adam(p, lr=lr, betas=(beta1, beta2), eps=eps), batch_size, epochs)
    ways = rivals("adam", own, optimizer, lib)
    return airfoil_race(data, lib, ways, more=lambda: _adversary(lib))


def _ill_conditioned(lib: Library) -> Findings:
    """Steepest curvature over flattest, and how fast descent with the best settings comes down."""
    rows, agree, paths = [], True, {}
    for condition in (10.0, 100.0, 1000.0):
        curvatures = [1.0, condition]
        lr, (heavy_lr, beta) = best_rate(curvatures), best_momentum(curvatures)
        # At its best, momentum falls as t times a power: what the power is shows late.
        late = round(60 * math.sqrt(condition))
        plain = ("plain", lr, 0.0, contraction(lr, curvatures), 150)
        theory = momentum_contraction(heavy_lr, beta, curvatures)
        for name, rate, keep, factor, steps in (plain, ("momentum", heavy_lr, beta, theory, late)):
            sgd = partial(lib.optim.SGD, lr=rate, momentum=keep)
            path = descend(quadratic(curvatures), (1.0, 1.0), sgd, steps)
            measured = measured_contraction(path)
            digits = [math.log(10) / -math.log(each) for each in (factor, measured)]
            agree = agree and abs(digits[1] / digits[0] - 1) < 0.02
            rows.append(
                [f"{condition:g}, {name}", factor, measured, *(round(d, 1) for d in digits)]
            )
            if condition == 100:
                paths[name] = path.norm(dim=1)[:151].tolist()
    return Findings(
        tables={
            "Condition of a quadratic, and what a step multiplies the distance by": Table(
                ["", "theory", "measured", "steps for a digit", "measured"], rows
            )
        },
        figures={
            "condition-100": lines(
                range(151),
                paths,
                title="on a quadratic of condition 100, both at their best",
                xlabel="step",
                ylabel="distance to the minimum",
                log_y=True,
            )
        },
        claims={"a digit takes as many steps as the spectral radius says, within 2%": agree},
    )


def _scaled_apart(lib: Library) -> Findings:
    """A quadratic whose curvatures differ by a million: features that differ by a thousand."""
    f, start, steps = quadratic([1.0, 1e-6]), (1.0, 1.0), 500
    ways = {
        "sgd, lr 1": lambda p: lib.optim.SGD(p, lr=1.0),
        "adagrad, lr 0.1": lambda p: lib.optim.Adagrad(p, lr=0.1, eps=0.0),
    }
    paths = {name: descend(f, start, make, steps) for name, make in ways.items()}
    rows = [[name, float(path[-1, 0]), float(path[-1, 1])] for name, path in paths.items()]
    steep, flat = paths["adagrad, lr 0.1"].T
    return Findings(
        tables={
            f"Distance left after {steps} steps": Table(
                ["", "along the steep feature", "along the flat one"], rows
            )
        },
        claims={
            "AdaGrad comes down along both alike, whatever their scale": torch.allclose(
                steep, flat, rtol=1e-6, atol=1e-9
            )
        },
    )


def _memories(lib: Library, gamma: float) -> Findings:
    """The steps that a gradient of 1, and after 100 steps of 0.1, makes in units of lr."""
    gradients = [1.0] * 100 + [0.1] * 200
    steps = {
        "adagrad": _steps(lambda p: lib.optim.Adagrad(p, lr=1.0), gradients),
        "rmsprop": _steps(lambda p: lib.optim.RMSprop(p, lr=1.0, alpha=gamma), gradients),
    }
    first = range(1, 101)
    forgets = [1 / math.sqrt(1 - gamma**t) for t in first]
    return Findings(
        figures={
            "steps": lines(
                range(1, 301),
                steps,
                title="a gradient of 1, and after 100 steps of 0.1",
                xlabel="step",
                ylabel="its length, in lr",
            )
        },
        claims={
            "under a constant gradient AdaGrad's steps fall as 1 / sqrt(t)": _close(
                steps["adagrad"][:100], [t**-0.5 for t in first]
            ),
            "RMSProp's become lr, as 1 / sqrt(1 - gamma^t)": _close(
                steps["rmsprop"][:100], forgets
            ),
        },
    )


def _in_other_units(lib: Library) -> Findings:
    """One path on a loss and on a thousand times that loss, at the same settings."""
    ways = {
        "adadelta": lambda p: lib.optim.Adadelta(p, eps=1e-9),
        "sgd, lr 0.1": lambda p: lib.optim.SGD(p, lr=0.1),
    }
    ends = {}
    for name, make in ways.items():
        for scale in (1.0, 1000.0):
            path = descend(quadratic([scale, 4 * scale]), (1.0, 1.0), make, 60)
            ends[name, scale] = path[-1].tolist()
    rows = [[f"{name}, loss x {scale:g}", *end] for (name, scale), end in ends.items()]
    same = _close(ends["adadelta", 1.0], ends["adadelta", 1000.0], within=1e-3)
    return Findings(
        tables={"Where 60 steps from (1, 1) lead": Table(["", "x1", "x2"], rows)},
        claims={"Adadelta's path does not depend on the unit of the loss": same},
    )


def _adversary(lib: Library) -> Findings:
    """x in [-1, 1], and gradients C, -1, -1, C, ...: their sum is positive, so -1 is best."""
    from fathom.scratch.optim import Yogi

    C, steps = 4.0, 1_500
    # Of theorem 1: no momentum, and a memory of 1 / (1 + C²).
    settings: dict[str, Any] = {"lr": 0.01, "betas": (0.0, 1 / (1 + C**2)), "eps": 1e-8}
    ways = {
        "Adam": lambda p: lib.optim.Adam(p, **settings),
        "AMSGrad": lambda p: lib.optim.Adam(p, amsgrad=True, **settings),
        "Yogi": lambda p: Yogi(p, **settings),
    }
    gradients = [C if t % 3 == 0 else -1.0 for t in range(steps)]
    paths = {name: _walk(make, gradients, within=1.0) for name, make in ways.items()}
    return Findings(
        tables={
            f"Where {steps:,} steps from 0 lead (best -1, worst 1)": Table(
                ["", "x"], [[name, round(path[-1], 3)] for name, path in paths.items()]
            )
        },
        figures={
            "adam-diverges": lines(
                range(steps + 1),
                paths,
                title=f"gradients {C:g}, -1, -1 again and again: the best x is -1",
                xlabel="step",
                ylabel="x",
            )
        },
        claims={
            "Adam goes to the worst point": paths["Adam"][-1] > 0.9,
            "AMSGrad goes to the best": paths["AMSGrad"][-1] < -0.9,
            "Yogi goes to the best": paths["Yogi"][-1] < -0.9,
        },
    )


def _walk(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer],
    gradients: Sequence[float],
    *,
    within: float = math.inf,
) -> list[float]:
    """The places of one weight from 0 on under given gradients, kept in [-within, within]."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make([x])
    places = [0.0]
    for gradient in gradients:
        x.grad = torch.full_like(x, gradient)
        optimizer.step()
        with torch.no_grad():
            x.clamp_(-within, within)
        places.append(x.item())
    return places


def _steps(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer], gradients: Sequence[float]
) -> list[float]:
    places = _walk(make, gradients)
    return [before - after for before, after in itertools.pairwise(places)]


def _close(found: Sequence[float], expected: Sequence[float], within: float = 1e-6) -> bool:
    return all(math.isclose(f, e, rel_tol=within) for f, e in zip(found, expected, strict=True))
