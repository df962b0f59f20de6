"""Certificates of optimisers and schedules: the same steps as torch's, on torch's own samples.

Source   torch.testing._internal.common_optimizers.optim_db: arguments that nobody here chose.
Differs  torch has no Yogi and no slanted triangular rates: those are compared with the formulas of
         the book and of the paper, the first in NumPy.
Shapes   A problem has parameters of all numbers of dimensions from 0 to 3; Muon's are matrices.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from fathom.check.rows import Row, matches
from fathom.core.errors import ResourceError
from fathom.scratch import optim
from fathom.scratch.optim import lr_scheduler

STEPS = 20
TOLERANCE = 1e-12  # in float64: the same sums, perhaps in another order
Settings = dict[str, Any]
Schedule = Callable[[Any, torch.optim.Optimizer], Any]  # (a library of schedules, an optimiser)


def rows(pattern: str | None, *, speed: bool) -> Iterator[Row]:
    """A row for each optimiser and each schedule whose name is meant by `pattern`."""
    yield from optimiser_rows(pattern, speed=speed)
    yield from schedule_rows(pattern)


def optimiser_rows(pattern: str | None, *, speed: bool) -> list[Row]:
    """Twenty steps on one problem under both libraries, for each sample of each optimiser."""
    found = []
    for name, settings in optimiser_samples().items():
        pair = f"optim.{name}"
        if not matches(pair, pattern):
            continue
        if not hasattr(optim, name):
            why = "it is for sparse gradients, which scratch does not make; torch.optim has it"
            found.append(_row(pair, "optimiser", len(settings), None, None, "missing", why))
            continue
        ours, theirs = getattr(optim, name), reference(name)
        errors = [
            relative_error(train(ours, one), train(theirs, one | plain_loop(name)))
            for one in settings
        ]
        ratio = step_time_ratio(name) if speed else None
        found.append(_judged(pair, "optimiser", errors, ratio))
    return found


def schedule_rows(pattern: str | None) -> list[Row]:
    """The rates and momenta of thirty-five steps under both libraries, for each sample."""
    found = []
    for name, samples in schedule_samples().items():
        pair = f"optim.lr_scheduler.{name}"
        if matches(pair, pattern):
            errors = [_schedule_error(name, sample) for sample in samples]
            found.append(_judged(pair, "schedule", errors, None))
    return found


def _judged(pair: str, kind: str, errors: list[float], ratio: float | None) -> Row:
    worst = max(errors)
    if worst <= TOLERANCE:
        return _row(pair, kind, len(errors), worst, ratio, "agrees")
    why = f"relative error {worst:.1e} is above {TOLERANCE:.0e}"
    return _row(pair, kind, len(errors), worst, ratio, "differs", why)


def _row(
    pair: str, kind: str, samples: int, error: float | None, ratio: float | None, verdict: Any,
    why: str = "",
) -> Row:  # fmt: skip
    return Row(pair, kind, samples, error, None, ratio, ratio, None, verdict, why)


# Optimisers


def optimiser_samples() -> dict[str, list[Settings]]:
    """Constructor arguments by optimiser: torch's own samples, and ours for Yogi.

    Raises:
        ResourceError: torch's samples cannot be imported, for want of a small package.
    """
    try:
        from torch.testing._internal.common_optimizers import optim_db
    except ImportError as error:
        raise ResourceError(
            "PyTorch's samples", f"cannot be imported ({error})", "pip install expecttest"
        ) from None
    samples = {
        info.optim_cls.__name__: [sample.kwargs for sample in info.optim_inputs_func(device="cpu")]
        for info in cast("list[Any]", optim_db)
    }
    decayed = dict(betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, maximize=True)
    samples["Yogi"] = [{}, dict(lr=1e-3), dict(weight_decay=0.1), decayed]
    return samples


def reference(name: str) -> type[torch.optim.Optimizer]:
    """The optimiser that ours of this name is compared with."""
    return BookYogi if name == "Yogi" else getattr(torch.optim, name)


def plain_loop(name: str) -> Settings:
    """What makes torch go through the parameters one by one, as we do."""
    return {} if name in ("LBFGS", "Muon", "Yogi") else {"foreach": False}


class BookYogi(torch.optim.Optimizer):
    """Yogi in NumPy, by the equations of the book's section 11.10.3."""

    def __init__(self, params: Any, **settings: Any) -> None:
        defaults = dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.0, maximize=False)
        super().__init__(params, defaults | settings)

    def step(self, closure: Any = None) -> Any:
        """v = b1 v + (1 - b1) g;  s = s + (1 - b2) sign(g^2 - s) g^2;  x = x - lr v' / sqrt(s')."""
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                x = p.detach().numpy()
                g = (-1 if group["maximize"] else 1) * p.grad.numpy() + group["weight_decay"] * x
                v, s, t = self.state[p].get("all", (np.zeros_like(x), np.zeros_like(x), 0))
                v = b1 * v + (1 - b1) * g
                s = s + (1 - b2) * np.sign(g**2 - s) * g**2
                t += 1
                self.state[p]["all"] = v, s, t
                root = np.sqrt(s / (1 - b2**t)) + group["eps"]
                x -= group["lr"] * (v / (1 - b1**t)) / root


def problem(dtype: torch.dtype = torch.float64, *, matrices: bool = False) -> list[Tensor]:
    """Parameters to be optimised: the same at each call."""
    numbers = torch.Generator().manual_seed(0)
    shapes: list[tuple[int, ...]] = [(5, 4), (3, 7)] if matrices else [(5, 4), (3,), (2, 3, 4), ()]
    tensors = (torch.randn(shape, generator=numbers, dtype=dtype) for shape in shapes)
    return [tensor.requires_grad_() for tensor in tensors]


def loss_of(params: list[Tensor]) -> Tensor:
    """A loss that is no quadratic, and curved differently in each parameter."""
    terms = []
    for i, p in enumerate(params, start=1):
        size = (p * p.conj()).real
        terms.append(i * size.sum() + (p.real.sin() * (i - 0.5)).sum())
    return torch.stack(terms).sum()


def closure_of(params: list[Tensor], optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """What computes the loss and the gradients."""

    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        return loss

    return closure


def advance(optimizer: torch.optim.Optimizer, params: list[Tensor], steps: int) -> None:
    """Let the optimiser make so many steps."""
    closure = closure_of(params, optimizer)
    for _ in range(steps):
        if type(optimizer).__name__ == "LBFGS":
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()


def train(
    kind: type[torch.optim.Optimizer],
    settings: Settings,
    dtype: torch.dtype = torch.float64,
    *,
    steps: int = STEPS,
) -> list[Tensor]:
    """The parameters after so many steps."""
    params = problem(dtype, matrices=kind.__name__ == "Muon")
    advance(kind(params, **copy.deepcopy(settings)), params, steps)
    return params


def relative_error(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference, in units of the largest entry of the tensor it is in."""
    pairs = zip(ours, theirs, strict=True)
    errors = [((a - b).abs().max() / b.abs().max()).item() for a, b in pairs]
    return math.nan if any(map(math.isnan, errors)) else max(errors)


def step_time_ratio(name: str, *, rounds: int = 15) -> float:
    """Our CPU time for a step over torch's loop, in one run on one thread; Yogi's over Adam's."""
    theirs = torch.optim.Adam if name == "Yogi" else getattr(torch.optim, name)
    settings: Settings = {"lr": 1e-3} if name == "LBFGS" else {}  # or it has soon arrived
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        our_time = _timed_step(getattr(optim, name), settings)
        their_time = _timed_step(theirs, settings | plain_loop(name))
        for step in (our_time, their_time) * 3:
            step()
        return statistics.median(our_time() / their_time() for _ in range(rounds))
    finally:
        torch.set_num_threads(threads)


def _timed_step(kind: Any, settings: Settings) -> Callable[[], float]:
    """A function that makes one step on forty matrices and says how long it took."""
    numbers = torch.Generator().manual_seed(0)
    params = [torch.randn(64, 64, generator=numbers).requires_grad_() for _ in range(40)]
    optimizer = kind(params, **settings)
    closure = closure_of(params, optimizer)
    closure()
    arguments = [closure] if kind.__name__ == "LBFGS" else []

    def step() -> float:
        start = time.process_time()
        optimizer.step(*arguments)
        return time.process_time() - start

    return step


# Schedules


def slow_start(t: int) -> float:
    """A function of time as users write them."""
    return min(1.0, (t + 1) / 8)


def paper_triangle(t: int, total: int = 30, cut_frac: float = 0.1, ratio: float = 32) -> float:
    """Slanted triangular rates by equation 3 of Howard & Ruder 2018."""
    cut = math.floor(total * cut_frac)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
    return (1 + p * (ratio - 1)) / ratio


def schedule_samples() -> dict[str, list[Schedule]]:
    """How to build each schedule, in several ways, from either library."""
    simple: dict[str, list[Settings]] = {
        "LambdaLR": [dict(lr_lambda=slow_start), dict(lr_lambda=[slow_start, lambda t: 0.9**t])],
        "MultiplicativeLR": [dict(lr_lambda=lambda t: 0.95), dict(lr_lambda=slow_start)],
        "StepLR": [dict(step_size=3), dict(step_size=4, gamma=0.5)],
        "MultiStepLR": [dict(milestones=[15, 30]), dict(milestones=[7, 3, 7, 12], gamma=0.3)],
        "ConstantLR": [{}, dict(factor=0.5, total_iters=4), dict(factor=1.0)],
        "LinearLR": [
            {},
            dict(start_factor=0.2, end_factor=0.7, total_iters=9),
            dict(start_factor=1.0, end_factor=0.0, total_iters=6),
        ],
        "ExponentialLR": [dict(gamma=0.9)],
        "PolynomialLR": [{}, dict(total_iters=10, power=2.0), dict(total_iters=40, power=0.5)],
        "CosineAnnealingLR": [
            dict(T_max=10),
            dict(T_max=7, eta_min=0.01),
            dict(T_max=40, eta_min=1e-3),
        ],
        "CosineAnnealingWarmRestarts": [
            dict(T_0=4),
            dict(T_0=1),
            dict(T_0=2, T_mult=2, eta_min=0.005),
        ],
        "CyclicLR": [
            dict(base_lr=0.01, max_lr=0.1, step_size_up=4),
            dict(base_lr=0.01, max_lr=[0.1, 0.2], step_size_up=3, step_size_down=5,
                 mode="triangular2"),
            dict(base_lr=0.01, max_lr=0.1, step_size_up=4, mode="exp_range", gamma=0.97,
                 cycle_momentum=False),
            dict(base_lr=0.01, max_lr=0.1, step_size_up=4, scale_fn=slow_start,
                 scale_mode="iterations"),
        ],
        "OneCycleLR": [
            dict(max_lr=0.1, total_steps=40),
            dict(max_lr=0.1, total_steps=36, cycle_momentum=False, pct_start=0.25),
            dict(max_lr=[0.1, 0.2], epochs=6, steps_per_epoch=7, anneal_strategy="linear",
                 three_phase=True),
        ],
        "ReduceLROnPlateau": [
            dict(patience=2),
            dict(mode="max", factor=0.5, patience=1, threshold=0.05, threshold_mode="abs"),
            dict(mode="max", patience=0, cooldown=3, min_lr=[1e-3, 1e-2]),
        ],
    }  # fmt: skip

    def build(name: str, settings: Settings) -> Schedule:
        return lambda library, o: getattr(library, name)(o, **copy.copy(settings))

    samples = {name: [build(name, one) for one in many] for name, many in simple.items()}
    samples["SequentialLR"] = [
        lambda lib, o: lib.SequentialLR(
            o, [lib.LinearLR(o, 0.1, total_iters=5), lib.CosineAnnealingLR(o, 25)], [5]
        ),
        lambda lib, o: lib.SequentialLR(
            o,
            [lib.ConstantLR(o, 0.5, 10), lib.CosineAnnealingWarmRestarts(o, 6), lib.StepLR(o, 4)],
            milestones=[3, 18],
        ),
    ]
    samples["ChainedScheduler"] = [
        lambda lib, o: lib.ChainedScheduler([lib.ConstantLR(o, 0.1, 4), lib.ExponentialLR(o, 0.9)]),
        lambda lib, o: lib.ChainedScheduler(
            [lib.LinearLR(o), lib.MultiStepLR(o, [9]), lib.CosineAnnealingLR(o, 40)], optimizer=o
        ),
    ]
    samples["SlantedTriangularLR"] = [
        lambda lib, o: _slanted(lib, o, 30),
        lambda lib, o: _slanted(lib, o, 40, cut_frac=0.25, ratio=8),
    ]
    return samples


def _slanted(library: Any, o: torch.optim.Optimizer, total: int, **shape: Any) -> Any:
    if library is lr_scheduler:
        return lr_scheduler.SlantedTriangularLR(o, total, **shape)
    # after the last step the paper says nothing, and ours stays where it is
    return library.LambdaLR(o, lambda t: paper_triangle(min(t, total), total, **shape))


def schedule_optimizer() -> torch.optim.Optimizer:
    """An optimiser with momentum and two groups of different rates."""
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups: list[dict[str, Any]] = [{"params": [first]}, {"params": [second], "lr": 0.03}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def advance_schedule(scheduler: Any, t: int) -> None:
    """Make step t; a schedule that asks for a metric is given one that wanders."""
    if "Plateau" in type(scheduler).__name__:
        scheduler.step(1 / (1 + 0.2 * t) + 0.3 * math.sin(2.0 * t))
    else:
        scheduler.step()


def trace(library: Any, sample: Schedule, *, steps: int = 35) -> np.ndarray:
    """Rates and momenta of both groups at each step: (steps, 4)."""
    optimizer = schedule_optimizer()
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the optimiser has made no step
        scheduler = sample(library, optimizer)
        for t in range(steps):
            groups = optimizer.param_groups
            values.append([float(group[key]) for group in groups for key in ("lr", "momentum")])
            advance_schedule(scheduler, t)
    return np.array(values)


def _schedule_error(name: str, sample: Schedule) -> float:
    """The largest difference relative to the value itself; of what is nearly nothing, to 1e-9."""
    ours = trace(lr_scheduler, sample)
    theirs = trace(torch.optim.lr_scheduler, sample)
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-9)).max())
