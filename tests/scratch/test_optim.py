"""Our optimisers make torch's steps, on torch's own samples; states move both ways."""

from __future__ import annotations

import copy
import inspect
import io
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.check import optimisers as certificates
from fathom.scratch import nn, optim

pytest.importorskip("expecttest")
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

INFOS = {i.optim_cls.__name__: i for i in optim_db if i.optim_cls.__name__ != "SparseAdam"}
SAMPLES = certificates.optimiser_samples()
OURS = [name for name in SAMPLES if name != "SparseAdam"]
EVERY = [(name, sample) for name in OURS for sample in SAMPLES[name]]
WITH_STATE = {
    "SGD": dict(momentum=0.9, nesterov=True, lr=0.01),
    "Adam": dict(amsgrad=True, lr=0.01),
    "AdamW": dict(lr=0.02),
    "RMSprop": dict(centered=True, momentum=0.9, lr=1e-3),
    "Adagrad": dict(initial_accumulator_value=0.1, lr_decay=0.1),
    "ASGD": dict(t0=3, lambd=0.1),
    "LBFGS": dict(lr=0.01, max_iter=4, history_size=5),
}


def label(case):
    name, sample = case
    return name + "".join(f",{key}={value}" for key, value in sample.items())


@pytest.mark.parametrize("case", EVERY, ids=label)
def test_twenty_steps_end_where_torch_ends(case):
    name, sample = case
    ours, theirs = getattr(optim, name), certificates.reference(name)
    loop = certificates.plain_loop(name)
    tolerances = {torch.float64: 1e-12, torch.float32: 2e-6}
    if name in INFOS and INFOS[name].supports_complex:
        tolerances[torch.complex128] = 1e-12
    for dtype, tolerance in tolerances.items():
        steps = 4 if name == "LBFGS" and dtype != torch.float64 else 20  # each is twenty of its own
        a = certificates.train(ours, sample, dtype, steps=steps)
        b = certificates.train(theirs, sample | loop, dtype, steps=steps)
        assert certificates.relative_error(a, b) <= tolerance


def test_the_problem_moves_the_parameters():
    for name in OURS:
        start = certificates.problem(matrices=name == "Muon")
        end = certificates.train(getattr(optim, name), {})
        assert certificates.relative_error(end, start) > 1e-4


def carried_on(first, second, name, options):
    """Parameters after seven steps of one library, a state on disk, and seven of the other."""
    params = certificates.problem(matrices=name == "Muon")
    before = first(params, **options)
    certificates.advance(before, params, 7)
    file = io.BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    after = second(params, **options)
    after.load_state_dict(torch.load(file))
    certificates.advance(after, params, 7)
    return params


@pytest.mark.parametrize("name", INFOS)
def test_states_move_both_ways(name):
    options = WITH_STATE.get(name, {})
    ours, theirs = getattr(optim, name), getattr(torch.optim, name)
    there = carried_on(theirs, theirs, name, options)
    for first, second in ((theirs, ours), (ours, theirs), (ours, ours)):
        moved = carried_on(first, second, name, options)
        assert certificates.relative_error(moved, there) <= 1e-12


@pytest.mark.parametrize("name", INFOS)
@pytest.mark.parametrize("plain", [True, False])
def test_states_are_laid_out_alike(name, plain):
    options = {} if plain else WITH_STATE.get(name, {})
    states = []
    for library in (optim, torch.optim):
        params = certificates.problem(torch.float32, matrices=name == "Muon")
        optimizer = getattr(library, name)(params, **options)
        certificates.advance(optimizer, params, 3)
        states.append(optimizer.state_dict())
    ours, theirs = states
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for index, state in theirs["state"].items():
        state.pop("al", None)  # L-BFGS: room for intermediate numbers, not memory
        assert ours["state"][index].keys() == state.keys()
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                assert ours["state"][index][key].shape == value.shape
                assert ours["state"][index][key].dtype == value.dtype


@pytest.mark.parametrize("name", INFOS)
def test_constructors_take_the_same_arguments(name):
    def arguments(kind):
        parameters = inspect.signature(kind.__init__).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert arguments(getattr(optim, name)) == arguments(getattr(torch.optim, name))


@pytest.mark.parametrize("name", INFOS)
def test_torchs_own_bad_inputs_are_refused_in_its_words(name):
    kind, tried = getattr(optim, name), 0
    for case in INFOS[name].optim_error_inputs_func(device="cpu", dtype=torch.float64):
        sample = case.optimizer_error_input
        given_tensors = any(isinstance(b, torch.Tensor) for b in sample.kwargs.get("betas", ()))
        if "foreach" in sample.kwargs or given_tensors:
            continue  # limits of torch's foreach loop, which we have not
        tried += 1
        params = sample.params
        if params is None:
            params = [torch.nn.Parameter(torch.randn(2, 3, dtype=torch.float64))]
        if case.error_type is UserWarning:
            with pytest.warns(UserWarning, match=case.error_regex):
                kind(params, **sample.kwargs)
        elif case.error_on == OptimizerErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(case.error_type, match=case.error_regex):
                kind(params, **sample.kwargs)
        else:
            optimizer = kind(params, **sample.kwargs)
            with pytest.raises(case.error_type, match=case.error_regex):
                optimizer.step()
    assert tried >= 6


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_bad_settings_are_named_with_their_value(name, value):
    params = [torch.nn.Parameter(torch.ones(2, 2))]
    kind = getattr(optim, name)
    known = inspect.signature(kind.__init__).parameters
    for setting in ("lr", "eps", "weight_decay", "momentum", "rho", "lr_decay", "momentum_decay"):
        if setting not in known or (name == "Adafactor" and setting == "eps"):
            continue
        with pytest.raises(ValueError, match=f"Invalid .*: {value}"):
            kind(params, **{setting: value})
    if name != "LBFGS":
        with pytest.raises(ValueError, match=f"Invalid learning rate: {value}"):
            kind([{"params": params, "lr": value}])  # torch would take this one
    with pytest.raises(ValueError, match="empty parameter list"):
        kind([])


def test_what_cannot_be_done_is_said():
    p = torch.nn.Parameter(torch.ones(3, 2))
    with pytest.raises(ValueError, match="differentiable=True"):
        optim.SGD([p], differentiable=True)
    with pytest.raises(ValueError, match="Nesterov momentum requires"):
        optim.SGD([p], nesterov=True)
    p.grad = torch.eye(3, 2).to_sparse()
    with pytest.raises(RuntimeError, match=r"Adam does not support sparse.*\(3, 2\)"):
        optim.Adam([p]).step()
    with pytest.raises(ValueError, match="strong_wolfe"):
        optim.LBFGS([p], line_search_fn="armijo")
    with pytest.raises(ValueError, match="ns_steps: 100"):
        optim.Muon([p], ns_steps=100)


@pytest.mark.parametrize("name", [name for name in OURS if name != "LBFGS"])
def test_a_closure_is_called_and_parameters_without_gradient_stay(name):
    used, unused = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    optimizer = getattr(optim, name)([used, unused])

    def closure():
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = (used * used).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert (used != 1).all()
    assert (unused == 1).all()
    assert unused not in optimizer.state


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "Muon", "ASGD"])
def test_a_rate_in_a_tensor_is_read_at_each_step(name):
    ends = []
    for library in (optim, torch.optim):
        params = certificates.problem(matrices=True)
        lr = torch.tensor(0.01, dtype=torch.float64)
        optimizer = getattr(library, name)(params, lr=lr)
        certificates.advance(optimizer, params, 4)
        lr.fill_(0.001)
        certificates.advance(optimizer, params, 4)
        ends.append(params)
    assert certificates.relative_error(*ends) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(
    lr=st.floats(1e-5, 1.0),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.9999)),
    eps=st.floats(1e-10, 1e-2),
    weight_decay=st.floats(0, 0.5),
    amsgrad=st.booleans(),
    name=st.sampled_from(["Adam", "AdamW"]),
)
def test_adam_with_any_settings(name, **options):
    a = certificates.train(getattr(optim, name), options)
    b = certificates.train(getattr(torch.optim, name), options | {"foreach": False})
    assert certificates.relative_error(a, b) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(
    lr=st.floats(1e-4, 0.05),
    momentum=st.floats(0, 0.95),
    dampening=st.floats(0, 1),
    weight_decay=st.floats(0, 0.5),
    maximize=st.booleans(),
)
def test_sgd_with_any_settings(**options):
    a = certificates.train(optim.SGD, options)
    b = certificates.train(torch.optim.SGD, options | {"foreach": False})
    assert certificates.relative_error(a, b) <= 1e-12


def test_momentum_written_out():
    """v = mu v + g, p = p - lr v, by hand on three gradients."""
    p = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer, x, v = optim.SGD([p], lr=0.1, momentum=0.5), 1.0, 0.0
    for g in (1.0, -2.0, 4.0):
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        v = 0.5 * v + g
        x -= 0.1 * v
        assert p.item() == pytest.approx(x, rel=1e-15)


def test_lbfgs_finds_the_bottom_of_rosenbrocks_valley():
    p = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    options = dict(max_iter=60, tolerance_change=1e-14, line_search_fn="strong_wolfe")
    optimizer = optim.LBFGS([p], **options)

    def closure():
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    assert torch.allclose(p, torch.ones(2, dtype=torch.float64), atol=1e-6)


def test_muons_direction_has_singular_values_near_one():
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(1))
    direction = optim.matrix.orthogonalise(
        x, coefficients=(3.4445, -4.775, 2.0315), steps=5, eps=1e-7
    )
    singular = torch.linalg.svdvals(direction.float())
    assert ((singular > 0.6) & (singular < 1.3)).all()


def test_yogi_is_slower_than_adam_to_forget():
    """Large gradients and then small ones: Adam's step grows at once, Yogi's hardly."""
    steps = {}
    for name in ("Adam", "Yogi"):
        p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = getattr(optim, name)([p], lr=1e-2, betas=(0.9, 0.9), eps=1e-8)
        for g in [10.0] * 20 + [0.1] * 60:
            p.grad = torch.full_like(p, g)
            before = p.item()
            optimizer.step()
        steps[name] = abs(p.item() - before)
    assert steps["Yogi"] < 0.1 * steps["Adam"]


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_ten_steps_of_a_network_in_two_groups_end_with_the_same_weights(name):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(32, 8, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 4, (32,), generator=generator)
    torch.manual_seed(3)
    start = torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4)
    ).double()
    ends = []
    for library in (optim, torch.optim):
        net = copy.deepcopy(start)
        groups = [
            {"params": net[0].parameters()},
            {"params": net[2].parameters(), "lr": 0.02, "weight_decay": 0.1},
        ]
        optimizer = getattr(library, name)(groups, lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        ends.append(list(net.parameters()))
    assert certificates.relative_error(*ends) <= 1e-12


def test_every_row_is_there_and_none_differs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = certificates.optimiser_rows("*.sgd", speed=True)
    assert [row.pair for row in rows] == ["optim.SGD"]
    assert rows[0].verdict == "agrees"
    assert rows[0].speed_forward is not None
    missing = certificates.optimiser_rows("SparseAdam", speed=False)
    assert [row.verdict for row in missing] == ["missing"]
    assert "sparse" in missing[0].why
    listed = {i.optim_cls.__name__ for i in optim_db}
    assert listed - set(dir(optim)) == {"SparseAdam"}


def test_a_loss_that_has_a_gradient_is_read_without_a_warning():
    p = torch.nn.Parameter(torch.ones(3))

    def closure():
        p.grad = None
        loss = p.square().sum()
        loss.backward()
        return loss

    torch.set_warn_always(True)  # else only the first of a process is heard
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for search in (None, "strong_wolfe"):
                optimizer = optim.LBFGS([p], line_search_fn=search)
                optimizer.step(closure)
            optim.lr_scheduler.ReduceLROnPlateau(optimizer).step(p.square().sum())
            nn.BCELoss()(p.sigmoid(), torch.ones(3))
    finally:
        torch.set_warn_always(False)
