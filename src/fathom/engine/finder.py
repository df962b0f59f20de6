"""The learning rate range test: train a little at ever higher rates, and look where the loss falls.

Source   Smith 2017, arXiv:1506.01186, section 3.3; Gugger 2018, "How do you find a good learning
         rate" (the running mean, when to stop, a tenth of the minimum); fastai's `valley`.
Differs  The rules look at the descent that ends in the least loss, and not at the first steps,
         where the running mean is of few and jumps. It lags behind the losses by about a decade
         of rates, and the rules are made for that: at once, a tenth of the minimum would be timid.

Any suggestion is one of several rules, and now and then a bad one: look at the curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fathom.core.devices import autocast_dtype, set_threads
from fathom.core.experiment import Batches, Experiment
from fathom.core.findings import Findings
from fathom.engine.guard import Guard, NonFiniteError, fuse
from fathom.engine.options import Options
from fathom.engine.prepare import Prepared, Surroundings
from fathom.engine.runs import Run
from fathom.engine.trial import endless, kept
from fathom.engine.updates import descend, gradients_of

FIRST, LAST, STEPS = 1e-6, 10.0, 150
KEPT = 0.95  # of the running mean of the loss a step
TOO_HIGH = 4.0  # times the least loss so far: then the test is over
WARM = 10  # steps whose running means are of too few losses


@dataclass(frozen=True)
class RangeTest:
    """What the test saw, step by step: rates, losses of batches, their running mean."""

    rates: list[float]
    losses: list[float]
    means: list[float]
    ended: str

    def suggestions(self) -> dict[str, float]:
        """Rates by rule: where the loss falls fastest, a tenth of where it is least, the middle
        of its longest descent. Empty where it never fell."""
        curve, rates = self.means[WARM:], self.rates[WARM:]
        least = min(range(len(curve)), key=curve.__getitem__, default=0)
        top = max(range(least), key=curve.__getitem__, default=0)  # whence it falls
        if least - top < 2:  # two points have no slope
            return {}
        slopes = _slopes([math.log(rate) for rate in rates], curve)
        start, end = longest_descent(curve[top : least + 1])
        return {
            "valley": rates[top + start + (end - start) * 2 // 3],
            "steepest": rates[min(range(top, least + 1), key=slopes.__getitem__)],
            "minimum / 10": rates[least] / 10,
        }


def find_rate(run: Run, prepared: Prepared, options: Options, around: Surroundings) -> None:
    """Make the range test the whole of a run: its figure, what the rules suggest, no training."""
    experiment, device = prepared.experiment, prepared.device
    set_threads(int(options.threads) if options.threads.isdigit() else 1)
    fuse(experiment.optimizer)
    dtype = autocast_dtype("bf16" if options.precision == "bf16" else "fp32")
    test = range_test(experiment, prepared.train, seed=options.seed, device=device, dtype=dtype)
    found = test.suggestions()
    if around.rates is not None and test.rates:
        figure = around.rates(test.rates, test.losses, test.means, found)
        around.save(figure, run.figures / "lr-finder")
    around.say(f"range test: {len(test.rates)} steps from {FIRST:g}, ended {test.ended}")
    findings = Findings(numbers={f"lr by {rule}": rate for rule, rate in found.items()}).as_json()
    suggested = float(f"{found['valley']:.2g}") if found else None
    run.write(status="done", findings=findings, final=findings, suggested_lr=suggested)


def range_test(
    experiment: Experiment,
    batches: Batches,
    *,
    seed: int,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
    first: float = FIRST,
    last: float = LAST,
    steps: int = STEPS,
) -> RangeTest:
    """Raise the rate from `first` to `last` over `steps` updates, or until the loss runs away.

    The model, its optimiser, gradients and all sources of chance are left as they were found,
    bit for bit. Of groups with rates of their own, the highest runs from `first` to `last`; the
    proportions stay.
    """
    model, optimizer = experiment.model, experiment.optimizer
    with kept(model, optimizer):
        model.train()
        # A schedule may have begun by lowering them: what it lowers is `initial_lr`.
        own = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
        shares = [rate / (max(own) or 1.0) for rate in own]
        gradients = gradients_of(experiment, device=device or torch.device("cpu"), dtype=dtype)
        update = descend(gradients, optimizer, Guard(model, optimizer), clip=experiment.clip)
        rates: list[float] = []
        losses: list[float] = []
        means: list[float] = []
        ended = f"at the last rate, {last:g}"
        for step, batch in zip(range(steps), endless(batches, seed), strict=False):
            rate = first * (last / first) ** (step / (steps - 1))
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                set_rate(group, rate * share)
            try:
                loss = float(update(batch)["loss"])
            except NonFiniteError:
                ended = f"at {rate:.2g}: the loss is no longer finite"
                break
            rates.append(rate)
            losses.append(loss)
            means.append(running_mean(losses, means))
            if step > WARM and runs_away(means):
                ended = f"at {rate:.2g}: the loss runs away"
                break
    return RangeTest(rates, losses, means, ended)


def running_mean(losses: Sequence[float], before: Sequence[float], beta: float = KEPT) -> float:
    """The running mean of `losses`, corrected for its start at zero; `before` are those so far."""
    t = len(losses)
    mean = before[-1] * (1 - beta ** (t - 1)) if before else 0.0
    return (beta * mean + (1 - beta) * losses[-1]) / (1 - beta**t)


def runs_away(means: Sequence[float]) -> bool:
    """Whether the loss is four times its least.

    One that may be negative is judged by how far it fell: four times as far above its start.
    """
    start, least, now = means[WARM], min(means[WARM:]), means[-1]
    if least > 0:
        return now > TOO_HIGH * least
    return now > start + TOO_HIGH * max(start - least, abs(start) / 10)


def longest_descent(values: Sequence[float]) -> tuple[int, int]:
    """First and last place of the longest falling subsequence: quadratic in their number."""
    length = [1] * len(values)
    came_from = list(range(len(values)))
    for i, value in enumerate(values):
        for j in range(i):
            if values[j] > value and length[j] + 1 > length[i]:
                length[i], came_from[i] = length[j] + 1, j
    end = start = max(range(len(values)), key=length.__getitem__)
    while came_from[start] != start:
        start = came_from[start]
    return start, end


def _slopes(x: Sequence[float], y: Sequence[float], reach: int = 5) -> list[float]:
    """How y rises over the `reach` places to both sides: between neighbours is mostly noise."""
    last = len(x) - 1
    spans = [(max(i - reach, 0), min(i + reach, last)) for i in range(len(x))]
    return [(y[end] - y[start]) / (x[end] - x[start]) for start, end in spans]


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set a group's rate, also where it is a tensor."""
    if isinstance(group["lr"], torch.Tensor):
        group["lr"] = torch.full_like(group["lr"], rate)
    else:
        group["lr"] = rate
