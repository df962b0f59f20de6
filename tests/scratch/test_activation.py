"""Activations and softmax: slopes, corners, extremes, in place, half precision."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as torch_functional

from fathom.scratch import nn
from fathom.scratch.nn import functional

DOUBLE = torch.float64
CURVES = {
    "relu": {}, "relu6": {}, "hardtanh": {"min_val": -0.3, "max_val": 1.7}, "hardsigmoid": {},
    "hardswish": {}, "threshold": {"threshold": 0.25, "value": -3.0}, "leaky_relu": {},
    "hardshrink": {}, "softshrink": {}, "softsign": {}, "tanhshrink": {}, "sigmoid": {}, "tanh": {},
    "logsigmoid": {}, "softplus": {"beta": 2.0, "threshold": 3.0}, "silu": {}, "mish": {},
    "elu": {"alpha": 1.5}, "celu": {"alpha": 0.7}, "selu": {}, "gelu": {}, "glu": {},
}  # fmt: skip
OTHERS = {
    "gelu of GPT-2": ("gelu", {"approximate": "tanh"}),
    "symmetric hardtanh": ("hardtanh", {}),
    "softplus downwards": ("softplus", {"beta": -1.5}),
    "softplus, low threshold": ("softplus", {"threshold": -1.0}),
    "steep leaky_relu": ("leaky_relu", {"negative_slope": 1.8}),
    "softmax": ("softmax", {"dim": -1}),
    "log_softmax": ("log_softmax", {"dim": 0}),
    "softmin": ("softmin", {"dim": -1}),
}
ALL = {**{name: (name, settings) for name, settings in CURVES.items()}, **OTHERS}
IN_PLACE = ["relu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "threshold", "leaky_relu",
            "silu", "mish", "elu", "celu", "selu"]  # fmt: skip


def pair(case: str):
    """The curve in both libraries."""
    name, settings = ALL[case]
    return [functools.partial(getattr(f, name), **settings) for f in (functional, torch_functional)]


def slopes(curve, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    curve(x).sum().backward()
    return x.grad


@pytest.mark.parametrize("case", ALL)
def test_first_and_second_derivatives_are_those_of_finite_differences(case: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(pair(case)[0], (x,))
    assert torch.autograd.gradgradcheck(pair(case)[0], (x,))


@pytest.mark.parametrize("case", ALL)
def test_curves_and_slopes_far_out_and_at_the_corners(case: str) -> None:
    far = torch.tensor([-800.0, -90.0, -40.0, -17.5, 17.5, 21.0, 40.0, 90.0, 800.0], dtype=DOUBLE)
    corners = torch.tensor([-6.0, -3, -1, -0.5, -0.3, 0, 0.25, 0.5, 1, 1.7, 3, 6], dtype=DOUBLE)
    tiny = torch.tensor([-1e-9, 1e-9, -1e-300, 1e-300, 1e-5], dtype=DOUBLE)
    x = torch.cat([far, corners, tiny])
    ours, theirs = pair(case)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-14)
    # torch's backward of these two holds 1 / 6 and 1 / alpha in single precision.
    rtol = 3e-7 if case in ("hardsigmoid", "celu") else 1e-12
    torch.testing.assert_close(slopes(ours, x), slopes(theirs, x), rtol=rtol, atol=1e-14)


@pytest.mark.parametrize("case", [case for case in CURVES if case not in ("glu", "softsign")])
def test_infinity_and_nan(case: str) -> None:
    x = torch.tensor([float("inf"), float("-inf"), float("nan"), 1.0])
    ours, theirs = pair(case)
    # In double precision, since torch's single-precision gelu of infinity is NaN.
    torch.testing.assert_close(ours(x).double(), theirs(x.double()), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", ALL)
def test_half_precision_is_as_near_the_truth_as_torchs(case: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = (4 * torch.randn(64, 16)).to(dtype)
    ours, theirs = pair(case)
    truth = theirs(x.double())
    error, allowed = ((f(x).double() - truth).abs().max() for f in (ours, theirs))
    steps = torch.finfo(dtype).eps * truth.abs().max()
    assert ours(x).dtype == dtype
    assert error <= 2 * allowed + 4 * steps


@pytest.mark.parametrize("case", IN_PLACE)
def test_in_place_overwrites_the_input_and_passes_the_gradient(case: str) -> None:
    torch.manual_seed(0)
    curve = pair(case)[0]
    x = torch.randn(5, 6, dtype=DOUBLE, requires_grad=True)
    middle = 2 * x
    result = curve(middle, inplace=True)
    assert result.data_ptr() == middle.data_ptr()
    torch.testing.assert_close(result, curve(2 * x), rtol=0, atol=0)
    result.sum().backward()
    torch.testing.assert_close(x.grad, 2 * slopes(curve, 2 * x.detach()))


@pytest.mark.parametrize("case", ALL)
def test_the_input_is_left_alone(case: str) -> None:
    x = torch.linspace(-4, 4, 12).view(2, 6)
    kept = x.clone()
    pair(case)[0](x.t().contiguous().t()), pair(case)[0](x)
    assert torch.equal(x, kept)


def test_random_slopes_are_torchs_draws() -> None:
    x = torch.randn(40, 5)
    results = []
    for f in (functional, torch_functional):
        torch.manual_seed(7)
        results.append(f.rrelu(x, 0.1, 0.6, training=True))
    torch.testing.assert_close(*results)
    torch.testing.assert_close(
        functional.rrelu(x, 0.1, 0.6), torch_functional.rrelu(x, 0.1, 0.6), rtol=0, atol=0
    )


def test_prelu_learns_its_slopes() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, dtype=DOUBLE, requires_grad=True)
    w = torch.rand(3, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(functional.prelu, (x, w))
    assert torch.autograd.gradgradcheck(functional.prelu, (x, w))
    with pytest.raises(RuntimeError, match=r"\(5,\).*3 channels.*\(2, 3, 4\)"):
        functional.prelu(x, torch.rand(5, dtype=DOUBLE))


@settings(deadline=None)
@given(
    st.lists(
        st.floats(-(2.0**99), 2.0**99, width=32) | st.just(float("-inf")), min_size=1, max_size=9
    )
)
def test_softmax_of_anything(scores: list[float]) -> None:
    x = torch.tensor(scores, dtype=DOUBLE)
    p = functional.softmax(x, 0)
    if x.max() == float("-inf"):
        assert p.isnan().all()
        return
    assert abs(p.sum().item() - 1) < 1e-12
    torch.testing.assert_close(p, torch_functional.softmax(x, 0), rtol=1e-12, atol=1e-300)
    log_p = torch_functional.log_softmax(x, 0)
    torch.testing.assert_close(functional.log_softmax(x, 0), log_p, rtol=1e-12, atol=1e-12)


def test_softmax_guesses_the_dimension_as_torch_does_and_warns() -> None:
    for shape in [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)]:
        x = torch.randn(shape)
        with pytest.warns(UserWarning, match="dim"):
            ours = functional.softmax(x)
        with pytest.warns(UserWarning, match="dim"):
            torch.testing.assert_close(ours, torch_functional.softmax(x))


def test_softmax_of_nothing_and_of_integers() -> None:
    assert functional.softmax(torch.zeros(3, 0), 1).shape == (3, 0)
    assert functional.log_softmax(torch.zeros(0, 3), 1).shape == (0, 3)
    with pytest.raises(RuntimeError, match="int64"):
        functional.softmax(torch.arange(3), 0)
    assert functional.softmax(torch.arange(3), 0, dtype=DOUBLE).dtype == DOUBLE


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: functional.glu(torch.zeros(2, 5)), "even size.*5"),
        (lambda: functional.celu(torch.zeros(2), alpha=0), "alpha is 0"),
        (lambda: functional.softshrink(torch.zeros(2), -1), "lambd is -1"),
        (lambda: functional.gelu(torch.zeros(2), "erf"), "'erf'"),
        (lambda: functional.rrelu(torch.zeros(2), 2, 1), "lower is 2"),
        (lambda: functional.hardtanh(torch.zeros(2), 2, 1), "min_val is 2"),
    ],
)
def test_wrong_settings_are_named(use, words: str) -> None:
    with pytest.raises((RuntimeError, ValueError, ZeroDivisionError), match=words):
        use()


@pytest.mark.filterwarnings("ignore")  # of sizes that a trace keeps, and of torch.jit
def test_a_trace_is_the_same_with_and_without_gradients() -> None:
    """An export looks at a network in both ways."""
    x = torch.randn(2, 3)
    net = nn.Sequential(nn.SiLU(), nn.ReLU(), nn.Hardswish(), nn.ZeroPad1d(1))
    traced = torch.jit.trace(net, x)
    with torch.no_grad():
        torch.testing.assert_close(traced(2 * x), net(2 * x))
