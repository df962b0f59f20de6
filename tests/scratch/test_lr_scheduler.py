"""Our schedules give torch's rates, first, later and after a resume; states move both ways."""

from __future__ import annotations

import copy
import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.check import optimisers as certificates
from fathom.scratch import optim
from fathom.scratch.optim import lr_scheduler as ours

theirs = torch.optim.lr_scheduler
NAMES = sorted(set(theirs.__all__) - {"LRScheduler"})
SAMPLES = [
    (name, number)
    for name, samples in certificates.schedule_samples().items()
    for number in range(len(samples))
]


def sample(case):
    name, number = case
    return certificates.schedule_samples()[name][number]


def label(case):
    return f"{case[0]}-{case[1]}"


@pytest.fixture(autouse=True)
def no_warning_of_order():
    """These optimisers make no steps, and say so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of", category=UserWarning)
        yield


def test_all_of_torchs_schedules_are_here_and_agree():
    rows = certificates.schedule_rows(None)
    assert {row.pair.split(".")[-1] for row in rows} == {*NAMES, "SlantedTriangularLR"}
    assert [row.pair for row in rows if row.verdict != "agrees"] == []


@pytest.mark.parametrize("name", NAMES)
def test_constructors_take_the_same_arguments(name):
    def arguments(kind):
        parameters = inspect.signature(kind.__init__).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert arguments(getattr(ours, name)) == arguments(getattr(theirs, name))


def rates(optimizer):
    return [float(g[key]) for g in optimizer.param_groups for key in ("lr", "momentum")]


def interrupted(first, second, case, *, before, after):
    """Rates of a run that changes libraries: two state dicts are all that is carried over."""
    optimizer = certificates.schedule_optimizer()
    scheduler = sample(case)(first, optimizer)
    seen = []
    for t in range(before):
        seen.append(rates(optimizer))
        certificates.advance_schedule(scheduler, t)
    states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    optimizer = certificates.schedule_optimizer()
    scheduler = sample(case)(second, optimizer)
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(states[1])
    assert scheduler.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
    for t in range(before, before + after):
        seen.append(rates(optimizer))
        certificates.advance_schedule(scheduler, t)
    return np.array(seen)


@pytest.mark.parametrize(
    "case", [case for case in SAMPLES if case[0] != "SlantedTriangularLR"], ids=label
)
def test_states_move_both_ways(case):
    whole = certificates.trace(theirs, sample(case), steps=28)
    for first, second in ((ours, theirs), (theirs, ours), (ours, ours)):
        for before in (1, 6, 11):
            seen = interrupted(first, second, case, before=before, after=28 - before)
            np.testing.assert_allclose(seen, whole, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize(
    "case",
    [case for case in SAMPLES if case[0] not in ("SlantedTriangularLR", "ReduceLROnPlateau")],
    ids=label,
)
def test_states_are_laid_out_alike(case):
    states = []
    for library in (ours, theirs):
        scheduler = sample(case)(library, certificates.schedule_optimizer())
        for t in range(5):
            certificates.advance_schedule(scheduler, t)
        states.append(scheduler.state_dict())
    assert states[0].keys() == states[1].keys()
    for key, value in states[1].items():
        if "lr" not in key and key != "_schedulers":
            assert states[0][key] == value


@pytest.mark.parametrize(
    "build",
    [
        lambda lib, o, **last: lib.LambdaLR(o, lambda t: 0.9**t, **last),
        lambda lib, o, **last: lib.MultiplicativeLR(o, lambda t: 0.9, **last),
        lambda lib, o, **last: lib.StepLR(o, 4, **last),
        lambda lib, o, **last: lib.LinearLR(o, total_iters=12, **last),
        lambda lib, o, **last: lib.ExponentialLR(o, 0.9, **last),
        lambda lib, o, **last: lib.PolynomialLR(o, 12, **last),
        lambda lib, o, **last: lib.CosineAnnealingLR(o, 12, **last),
        lambda lib, o, **last: lib.CosineAnnealingWarmRestarts(o, 3, **last),
        lambda lib, o, **last: lib.CyclicLR(o, 0.01, 0.1, 4, **last),
        lambda lib, o, **last: lib.OneCycleLR(o, 0.1, 30, **last),
    ],
)
def test_a_schedule_built_with_last_epoch_goes_on(build):
    runs = []
    for library in (ours, theirs):
        optimizer = certificates.schedule_optimizer()
        scheduler, seen = build(library, optimizer), []
        for _ in range(5):
            scheduler.step()
        scheduler = build(library, optimizer, last_epoch=4)
        for _ in range(9):
            seen.append(rates(optimizer))
            scheduler.step()
        runs.append(seen)
    np.testing.assert_allclose(*runs, rtol=1e-12)


def test_last_epoch_asks_for_the_first_rates():
    with pytest.raises(KeyError, match="initial_lr"):
        ours.StepLR(certificates.schedule_optimizer(), 3, last_epoch=2)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda lib, o: lib.ConstantLR(o, factor=1.5), ValueError, "between 0 and 1"),
        (lambda lib, o: lib.LinearLR(o, start_factor=0.0), ValueError, "greater than 0"),
        (lambda lib, o: lib.LinearLR(o, end_factor=1.1), ValueError, "between 0 and 1"),
        (lambda lib, o: lib.LambdaLR(o, [abs]), ValueError, "lr_lambda"),
        (lambda lib, o: lib.MultiplicativeLR(o, 0.9), TypeError, "should be a function"),
        (lambda lib, o: lib.StepLR("Adam", 3), TypeError, "str is not an Optimizer"),
        (lambda lib, o: lib.CyclicLR(o, 0.1, [1.0]), ValueError, "max_lr"),
        (lambda lib, o: lib.CyclicLR(o, 0.1, 1.0, mode="square"), ValueError, "mode is invalid"),
        (lambda lib, o: lib.OneCycleLR(o, 0.1), ValueError, "You must define either"),
        (lambda lib, o: lib.OneCycleLR(o, 0.1, 0), ValueError, "total_steps, but got 0"),
        (lambda lib, o: lib.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=-1), ValueError, "-1"),
        (lambda lib, o: lib.OneCycleLR(o, 0.1, 9, pct_start=1.5), ValueError, "pct_start"),
        (lambda lib, o: lib.OneCycleLR(o, 0.1, 9, anneal_strategy="x"), ValueError, "'cos' or"),
        (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer T_0"),
        (lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 3, 0), ValueError, "integer T_mult"),
        (lambda lib, o: lib.ReduceLROnPlateau(o, factor=1.0), ValueError, "should be < 1.0"),
        (lambda lib, o: lib.ReduceLROnPlateau(o, "mean"), ValueError, "mode mean is unknown"),
        (lambda lib, o: lib.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "min_lr"),
        (lambda lib, o: lib.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
        (lambda lib, o: lib.SequentialLR(o, [lib.StepLR(o, 3)], [4]), ValueError, "one more than"),
        (lambda lib, o: lib.ChainedScheduler([]), ValueError, "at least one scheduler"),
        (
            lambda lib, o: lib.ChainedScheduler([lib.ReduceLROnPlateau(o)]),
            ValueError,
            "does not support `ReduceLROnPlateau`",
        ),
        (
            lambda lib, o: lib.SequentialLR(
                certificates.schedule_optimizer(), [lib.StepLR(o, 3)], []
            ),
            ValueError,
            "belong to the same optimizer",
        ),
    ],
)
def test_bad_settings_are_refused_as_torch_refuses_them(build, error, message):
    for library in (ours, theirs):
        with pytest.raises(error, match=message):
            build(library, certificates.schedule_optimizer())


def test_momentum_schedules_ask_for_a_momentum():
    plain = torch.optim.Adagrad([torch.nn.Parameter(torch.ones(1))])
    with pytest.raises(ValueError, match="Adagrad does not"):
        ours.OneCycleLR(plain, 0.1, 9)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_momentum_of_adam_is_its_first_beta(name):
    runs = []
    for library in (ours, theirs):
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])
        scheduler = {
            "CyclicLR": lambda lib=library, o=optimizer: lib.CyclicLR(o, 0.01, 0.1, 4),
            "OneCycleLR": lambda lib=library, o=optimizer: lib.OneCycleLR(o, 0.1, 20),
        }[name]()
        seen = []
        for _ in range(15):
            seen.append(optimizer.param_groups[0]["betas"])
            scheduler.step()
        runs.append(seen)
    np.testing.assert_allclose(*runs, rtol=1e-13)


def test_one_cycle_ends():
    scheduler = ours.OneCycleLR(certificates.schedule_optimizer(), 0.1, 3)
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="Tried to step 4 times"):
        scheduler.step()


def test_warm_restarts_at_fractions_of_an_epoch():
    runs = []
    for library in (ours, theirs):
        optimizer = certificates.schedule_optimizer()
        scheduler, seen = library.CosineAnnealingWarmRestarts(optimizer, 2, 2), []
        for t in [0.5, 1.0, 1.75, 2.0, 3.3, 6.0, 13.9, 14.0, None, None, 0.25]:
            scheduler.step(t)
            seen.append([*rates(optimizer), scheduler.T_cur, scheduler.T_i, scheduler.last_epoch])
        runs.append(seen)
        with pytest.raises(ValueError, match="non-negative epoch"):
            scheduler.step(-1)
    np.testing.assert_allclose(*runs, rtol=1e-12)


def test_warm_restarts_begin_where_a_cycle_begins():
    """Cycles of 1, 3, 9, 27, 81: torch's logarithm is off by one at the start of the sixth."""
    optimizer = certificates.schedule_optimizer()
    scheduler = ours.CosineAnnealingWarmRestarts(optimizer, 1, 3)
    scheduler.step(1 + 3 + 9 + 27 + 81)
    assert (scheduler.T_cur, scheduler.T_i) == (0, 243)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_rate_in_a_tensor_is_changed_in_place():
    for library in (ours, theirs):
        lr = torch.tensor(0.1)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr)
        warm = library.LinearLR(optimizer, 0.5, total_iters=2)
        assert lr.item() == pytest.approx(0.05)
        warm.step()
        assert lr.item() == pytest.approx(0.075)
        assert warm.get_last_lr()[0].item() == pytest.approx(0.075)
        plateau = library.ReduceLROnPlateau(optimizer, patience=0)
        plateau.step(1.0)
        plateau.step(2.0)
        assert lr.item() == pytest.approx(0.0075)
        assert optimizer.param_groups[0]["lr"] is lr


def test_a_plateau_of_nan_lowers_the_rate():
    seen = []
    for library in (ours, theirs):
        optimizer = certificates.schedule_optimizer()
        scheduler = library.ReduceLROnPlateau(optimizer, patience=1)
        for metric in (1.0, math.nan, math.nan, math.nan):
            scheduler.step(metric)
        seen.append((rates(optimizer), scheduler.best, scheduler.num_bad_epochs))
    assert seen[0] == seen[1]


def test_a_constant_schedule_from_zero_ends_at_the_rate():
    optimizer = certificates.schedule_optimizer()
    scheduler = ours.ConstantLR(optimizer, factor=0.0, total_iters=2)
    seen = []
    for _ in range(4):
        seen.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    assert seen == [0.0, 0.0, 0.1, 0.1]


class Remembering:
    """A schedule as an object, which has something to remember."""

    def __init__(self, power):
        self.power = power

    def __call__(self, t):
        return (1 + t) ** -self.power


@pytest.mark.parametrize(
    "build",
    [
        lambda lib, o, f: lib.LambdaLR(o, f),
        lambda lib, o, f: lib.CyclicLR(o, 0.01, 0.1, 3, scale_fn=f, scale_mode="iterations"),
    ],
)
def test_objects_are_remembered_in_a_state(build):
    for first, second in ((ours, theirs), (theirs, ours)):
        state = build(first, certificates.schedule_optimizer(), Remembering(0.5)).state_dict()
        function = Remembering(2.0)
        build(second, certificates.schedule_optimizer(), function).load_state_dict(state)
        assert function.power == 0.5


@settings(max_examples=50, deadline=None)
@given(
    total=st.integers(1, 400),
    cut_frac=st.floats(0.01, 0.9),
    ratio=st.floats(1, 100),
)
def test_slanted_triangular_rates_rise_fall_and_stay(total, cut_frac, ratio):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.01)
    scheduler = ours.SlantedTriangularLR(optimizer, total, cut_frac, ratio)
    seen = []
    for _ in range(total + 3):
        seen.append(scheduler.get_last_lr()[0])
        scheduler.step()
    cut = max(1, math.floor(total * cut_frac))
    lowest = pytest.approx(0.01 / ratio, rel=1e-9)
    assert seen[0] == lowest
    assert seen[cut] == pytest.approx(0.01, rel=1e-9)
    assert np.argmax(np.array(seen) * (1 - 1e-12 * np.arange(len(seen)))) in (cut, 0)
    if total > cut:
        assert seen[total] == seen[total + 2] == lowest
    assert min(seen) >= 0.01 / ratio * (1 - 1e-9)


@pytest.mark.parametrize(
    "options", [dict(total_steps=0), dict(cut_frac=1.0), dict(cut_frac=0.0), dict(ratio=0.5)]
)
def test_slanted_triangular_settings_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ours.SlantedTriangularLR(
            certificates.schedule_optimizer(), **({"total_steps": 10} | options)
        )


def trained(optimizers, schedules, *, interrupt=None):
    """Weights after ten updates of a small network; after `interrupt`, all is made anew."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(32, 8, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 4, (32,), generator=generator)

    def build():
        torch.manual_seed(3)
        layers = torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4)
        net = torch.nn.Sequential(*layers).double()
        optimizer = optimizers.SGD(net.parameters(), lr=0.5, momentum=0.9)
        warm = schedules.LinearLR(optimizer, 0.1, total_iters=3)
        down = schedules.CosineAnnealingLR(optimizer, 7)
        return net, optimizer, schedules.SequentialLR(optimizer, [warm, down], [3])

    parts = build()
    seen = []
    for step in range(10):
        if step == interrupt:
            states = copy.deepcopy([part.state_dict() for part in parts])
            parts = build()
            for part, state in zip(parts, states, strict=True):
                part.load_state_dict(state)
        net, optimizer, scheduler = parts
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        scheduler.step()
    return seen, list(parts[0].parameters())


def test_ten_updates_on_a_schedule_end_with_the_same_weights():
    seen, weights = trained(torch.optim, theirs)
    assert seen[0] == pytest.approx(0.05)
    for interrupt in (None, 2, 5):
        our_rates, our_weights = trained(optim, ours, interrupt=interrupt)
        np.testing.assert_allclose(our_rates, seen, rtol=1e-12)
        assert certificates.relative_error(our_weights, weights) <= 1e-12
