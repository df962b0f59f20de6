"""Learning rates over time, and how to find one (book 11.11; fast.ai's lessons)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.experiment import Experiment, Metric
from fathom.core.findings import Findings
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.images import Images, load_pictures
from fathom.engine.finder import range_test
from fathom.engine.race import race
from fathom.metrics import accuracy
from fathom.models.averaged import Averaged
from fathom.models.lanes import Lanes
from fathom.models.lenet import lenet
from fathom.plots.curves import compare_curves
from fathom.plots.rates import range_test as draw_test
from fathom.plots.rates import rates_over_time
from fathom.recipes import schedules as shapes
from fathom.recipes.libraries import library

Schedule = Literal[
    "constant",
    "square-root",
    "factor",
    "multi-factor",
    "cosine",
    "warm-up",
    "cosine-warm-up",
    "restarts",
    "slanted",
    "one-cycle",
    "averaged",
]
ALL: list[Schedule] = list(Schedule.__args__)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Plan:
    """A rate over epochs: `lr` times `factor`; `momentum` where it is cycled."""

    lr: float
    factor: shapes.Factor
    momentum: shapes.Factor | None = None


def plan(name: Schedule, epochs: int) -> Plan:
    """The book's settings, for any number of epochs: what it has at 30 is here at 30."""
    third, sixth = epochs / 3, epochs / 6
    falling = shapes.cosine(epochs / 2, final=1 / 30)
    return {
        "constant": Plan(0.3, shapes.constant()),
        "square-root": Plan(0.1, shapes.square_root()),
        "factor": Plan(0.3, shapes.factor(0.9, least=0.02)),
        "multi-factor": Plan(0.5, shapes.multi_factor([epochs / 2, epochs])),
        "cosine": Plan(0.3, shapes.cosine(2 * third, final=1 / 30)),
        "warm-up": Plan(0.3, shapes.warmed_up(sixth, falling)),
        "cosine-warm-up": Plan(0.3, shapes.warmed_up(sixth, falling, along_cosine=True)),
        "restarts": Plan(0.3, shapes.warm_restarts(epochs / 7, times=2)),
        "slanted": Plan(0.3, shapes.slanted_triangle(epochs)),
        "one-cycle": Plan(0.1, shapes.one_cycle(epochs), shapes.one_cycle_momentum(epochs)),
        "averaged": Plan(0.3, shapes.cosine(2 * third, final=0.5)),
    }[name]


@recipe(
    section="11.11",
    title="Learning rate schedules",
    zh="学习率调度器",
    sample=dict(data="digits", batch_size=32, lr=0.05, epochs=6),
    minutes=30,
    book="LeNet with ReLU, 30 epochs, test accuracy: constant 0.885, square root 0.876, "
    "multi-factor 0.889, cosine 0.892, warm-up and cosine 0.878",
    ours="constant, 10 epochs 0.882 [0.865, 0.891]; one-cycle, 5 epochs 0.897 [0.895, 0.900]",
)
def schedules(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    schedule: list[Schedule] = ALL,
    activation: Literal["sigmoid", "relu"] = "relu",
    batch_size: Count = 256,
    lr: Rate | None = None,
    epochs: Count = 30,
) -> Experiment:
    """Train LeNet under several learning rate schedules at once, on one axis.

    Each schedule has a LeNet of its own. All begin with the same weights and see the same
    batches in one run: what tells them apart is the rate alone. The figure `rates` shows it
    over time, the curves what came of it.

    Args:
        schedule: those to race
        activation: between the layers; relu brings max pooling and He's first weights
        lr: the highest rate of all; without it each has its own, that of the book where it has it
    """
    lib = library(impl)
    pictures = load_pictures(data, size=28)
    train = pictures.train.batches(batch_size)
    first = lenet(
        len(pictures.classes), in_channels=pictures.form[0], activation=activation, nn=lib.nn
    )
    plans: dict[str, Plan] = {name: plan(name, epochs) for name in schedule}
    lanes = Lanes({name: copy.deepcopy(first) for name in plans})
    optimizer = lib.optim.SGD(
        [
            {"params": list(lanes[name].parameters()), "lr": lr or plan.lr}
            for name, plan in plans.items()
        ]
    )
    if "averaged" in plans:
        lanes["averaged"] = _averaged(lanes["averaged"], optimizer, len(train), epochs)
    over_steps = [_over_steps(plan.factor, len(train)) for plan in plans.values()]
    stepped = lib.optim.lr_scheduler.LambdaLR(optimizer, over_steps)
    momenta = [plan.momentum and _over_steps(plan.momentum, len(train)) for plan in plans.values()]
    shapes.cycle_momentum(optimizer, stepped, momenta)
    return Experiment(
        lanes,
        train,
        _side_by_side(lib.cross_entropy, len(plans)),
        optimizer,
        epochs,
        schedule=stepped,
        valid=pictures.valid.batches(1_000, shuffle=False),
        metrics={f"accuracy, {name}": _of(accuracy, lane) for lane, name in enumerate(plans)},
        report=lambda model: _drawn(plans, epochs, lr),
    )


def _over_steps(rate: shapes.Factor, in_an_epoch: int) -> shapes.Factor:
    return lambda step: rate(step / in_an_epoch)


def _averaged(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, in_an_epoch: int, epochs: int
) -> Averaged:
    """The mean of the weights at the ends of the last quarter of the epochs."""
    start = max(1, epochs - epochs // 4) * in_an_epoch
    averaged = Averaged(model, start=start, every=in_an_epoch)
    optimizer.register_step_post_hook(averaged.after_step)
    return averaged


def _side_by_side(objective: Metric, lanes: int) -> Metric:
    """The mean loss of all lanes, (B, lanes, classes), with the gradients of their sum."""

    def mean(outputs: Tensor, targets: Tensor) -> Tensor:
        total = torch.stack([objective(outputs[:, i], targets) for i in range(lanes)]).sum()
        # No lane may learn more slowly because others run beside it.
        return total - total.detach() * (1 - 1 / lanes)

    return mean


def _of(metric: Metric, lane: int) -> Metric:
    return lambda outputs, targets: metric(outputs[:, lane], targets)


def _drawn(plans: Mapping[str, Plan], epochs: int, lr: float | None) -> Findings:
    """The rates, and where one is cycled the momentum, over all epochs."""
    times = [epochs * i / 600 for i in range(600)]
    rates = {
        name: [(lr or plan.lr) * plan.factor(time) for time in times]
        for name, plan in plans.items()
    }
    momenta = {
        name: [plan.momentum(time) for time in times]
        for name, plan in plans.items()
        if plan.momentum
    }
    return Findings(figures={"rates": rates_over_time(times, rates, momenta)})


@recipe(
    section="F.3",
    title="Learning rate finder and 1cycle",
    zh="学习率查找与1cycle",
    sample=dict(data="digits", batch_size=32, lr=0.1, peak=0.05),
    minutes=4,
    ours="in runs of `schedules`: 1cycle of 5 epochs, test accuracy 0.897 [0.895, 0.900]; the "
    "best of 10 epochs at the constant rate 0.886 [0.880, 0.891]",
)
def lr_finder(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    batch_size: Count = 256,
    lr: Rate = 0.3,
    peak: Rate = 0.1,
    cycle: Count = 5,
) -> Findings:
    """Find a learning rate in a minute, and train LeNet in half the epochs with one cycle of it.

    The range test raises the rate from step to step until the loss runs away; what the rules make
    of its curve is marked. `fathom run RECIPE --find-lr` makes the same test for any experiment.

    Then a LeNet learns at one constant rate for twice the epochs that another has for one cycle:
    up to a rate that would not do for long, the momentum down against it, and far down again.

    Args:
        lr: the constant rate
        peak: the highest rate of the cycle
        cycle: its epochs; the constant rate has twice as many
    """
    lib = library(impl)
    pictures = load_pictures(data, size=28)
    train = pictures.train.batches(batch_size)
    first = lenet(len(pictures.classes), in_channels=pictures.form[0], activation="relu", nn=lib.nn)

    def experiment(rate: float, epochs: int, factor: shapes.Factor) -> Experiment:
        model = copy.deepcopy(first)
        optimizer = lib.optim.SGD(model.parameters(), lr=rate)
        stepped = lib.optim.lr_scheduler.LambdaLR(optimizer, _over_steps(factor, len(train)))
        return Experiment(
            model,
            train,
            lib.cross_entropy,
            optimizer,
            epochs,
            schedule=stepped,
            valid=pictures.valid.batches(1_000, shuffle=False),
            metrics={"accuracy": accuracy},
        )

    tested = experiment(lr, 1, shapes.constant())
    test = range_test(tested, train, seed=current_seed())
    constant = experiment(lr, 2 * cycle, shapes.constant())
    cycled = experiment(peak, cycle, shapes.one_cycle(cycle))
    momentum = _over_steps(shapes.one_cycle_momentum(cycle), len(train))
    assert cycled.schedule is not None
    shapes.cycle_momentum(cycled.optimizer, cycled.schedule, [momentum])
    laps = race({"constant": constant, "1cycle": cycled}, seed=current_seed())
    accuracies = {name: [lap.scores["accuracy"] for lap in found] for name, found in laps.items()}
    same = zip(tested.model.parameters(), first.parameters(), strict=True)
    return Findings(
        numbers={
            **{f"lr by {rule}": rate for rule, rate in test.suggestions().items()},
            **{f"{name}, accuracy at the end": found[-1] for name, found in accuracies.items()},
            "constant, best accuracy on the way": max(accuracies["constant"]),
        },
        figures={
            "lr-finder": draw_test(test.rates, test.losses, test.means, test.suggestions()),
            "super-convergence": compare_curves(
                {name: _records(found) for name, found in accuracies.items()}, "accuracy"
            ),
        },
        claims={
            "the range test leaves the model as it was, bit for bit": all(
                torch.equal(after, before) for after, before in same
            ),
        },
    )


def _records(accuracies: Sequence[float]) -> list[dict[str, Any]]:
    """As a run's journal has them: what was measured at the end of each epoch."""
    return [
        {"step": epoch, "epoch": epoch, "split": "valid", "accuracy": found}
        for epoch, found in enumerate(accuracies)
        if epoch
    ]
