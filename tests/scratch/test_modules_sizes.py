"""Output sizes of what slides over space, for settings that nobody chose; and wrong sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fathom.scratch import nn
from fathom.scratch.nn import functional as S
from fathom.scratch.nn.fold import add_windows, windows
from fathom.scratch.nn.recurrent import step_rows, sweep_gru, sweep_lstm, sweep_rnn
from fathom.scratch.nn.sizes import Axes, Axis

few = settings(max_examples=40, deadline=None)


def outcome(function, *args, **kwargs):
    """The result, or the kind of error."""
    try:
        return function(*args, **kwargs)
    except (RuntimeError, ValueError) as error:
        return type(error)


@st.composite
def sliding(draw):
    """Sizes and settings for windows in one to three dimensions."""
    n = draw(st.integers(1, 3))

    def each(low: int, high: int):
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    return dict(
        n=n, sizes=each(1, 7), kernel=each(1, 3), stride=each(1, 3), padding=each(0, 2),
        dilation=each(1, 2), batch=draw(st.integers(0, 2)), groups=draw(st.integers(1, 2)),
    )  # fmt: skip


def alike(ours, theirs) -> None:
    """Both refused, or both gave the same numbers."""
    if isinstance(theirs, type):
        assert isinstance(ours, type), f"torch raises {theirs}, ours gave {ours.shape}"
    else:
        assert not isinstance(ours, type), f"ours raises {ours}, torch gave {theirs.shape}"
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@few
@given(sliding(), st.booleans())
def test_convolution(case, biased: bool) -> None:
    n, groups = case["n"], case["groups"]
    x = torch.randn(case["batch"], 2 * groups, *case["sizes"], dtype=torch.float64)
    weight = torch.randn(3 * groups, 2, *case["kernel"], dtype=torch.float64)
    bias = torch.randn(3 * groups, dtype=torch.float64) if biased else None
    how = (bias, case["stride"], case["padding"], case["dilation"], groups)
    theirs = outcome(getattr(F, f"conv{n}d"), x, weight, *how)
    alike(outcome(getattr(S, f"conv{n}d"), x, weight, *how), theirs)


@few
@given(sliding(), st.data())
def test_transposed_convolution(case, data) -> None:
    n, groups = case["n"], case["groups"]
    batch = max(case["batch"], 1)  # torch does not check the extra padding of an empty one
    x = torch.randn(batch, 2 * groups, *case["sizes"], dtype=torch.float64)
    weight = torch.randn(2 * groups, 3, *case["kernel"], dtype=torch.float64)
    extra = tuple(data.draw(st.integers(0, 2)) for _ in range(n))
    how = (None, case["stride"], case["padding"], extra, groups, case["dilation"])
    theirs = outcome(getattr(F, f"conv_transpose{n}d"), x, weight, *how)
    alike(outcome(getattr(S, f"conv_transpose{n}d"), x, weight, *how), theirs)


def test_room_for_another_stamp_has_a_gradient() -> None:
    """Where the dilation allows an output padding that a stride fits into."""
    gradients = []
    for library in (F, S):
        x = torch.arange(12.0).view(1, 2, 6).requires_grad_()
        output = library.conv_transpose1d(x, torch.ones(2, 3, 2), None, 1, 1, 2, 1, 3)
        output.cos().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


@few
@given(sliding(), st.booleans())
def test_max_pooling(case, ceil_mode: bool) -> None:
    n = case["n"]
    x = torch.randint(-3, 4, (2, 3, *case["sizes"])).double()  # with draws
    how = (case["kernel"], case["stride"], case["padding"], case["dilation"], ceil_mode, True)
    theirs = outcome(getattr(F, f"max_pool{n}d"), x, *how)
    ours = outcome(getattr(S, f"max_pool{n}d"), x, *how)
    assert isinstance(ours, type) == isinstance(theirs, type)
    if not isinstance(theirs, type):
        assert torch.equal(ours[0], theirs[0])
        seen = theirs[0].isfinite()  # for a window of border alone torch names no cell
        assert torch.equal(ours[1][seen], theirs[1][seen])


@few
@given(sliding(), st.booleans(), st.booleans())
def test_mean_pooling(case, ceil_mode: bool, count_border: bool) -> None:
    n = case["n"]
    # In three dimensions torch refuses inputs smaller than the window, even if the border helps.
    assume(n < 3 or all(s >= k for s, k in zip(case["sizes"], case["kernel"], strict=True)))
    x = torch.randn(2, 3, *case["sizes"], dtype=torch.float64)
    how = (case["kernel"], case["stride"], case["padding"], ceil_mode, count_border)
    theirs = outcome(getattr(F, f"avg_pool{n}d"), x, *how)
    alike(outcome(getattr(S, f"avg_pool{n}d"), x, *how), theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_mean_with_a_border_keeps_the_type(dtype: torch.dtype) -> None:
    x = torch.ones(1, 1, 4, 4, dtype=dtype)
    assert torch.equal(S.avg_pool2d(x, 2, 2, 1), F.avg_pool2d(x, 2, 2, 1))


@few
@given(sliding(), st.data())
def test_adaptive_pooling(case, data) -> None:
    n = case["n"]
    x = torch.randn(2, 3, *case["sizes"], dtype=torch.float64)
    wanted = tuple(data.draw(st.integers(1, 9)) for _ in range(n))
    for kind in ("avg", "max"):
        theirs = getattr(F, f"adaptive_{kind}_pool{n}d")(x, wanted)
        alike(getattr(S, f"adaptive_{kind}_pool{n}d")(x, wanted), theirs)


@few
@given(sliding(), st.sampled_from(["constant", "reflect", "replicate", "circular"]), st.data())
def test_padding(case, mode: str, data) -> None:
    n = case["n"]
    x = torch.randn(2, 3, *case["sizes"], dtype=torch.float64)
    amounts = [data.draw(st.integers(-1, 3)) for _ in range(2 * n)]
    kept = [
        s + a + b for s, a, b in zip(case["sizes"], amounts[-2::-2], amounts[::-2], strict=True)
    ]
    assume(min(kept) > 0)
    assume(mode != "circular" or min(amounts) >= 0)  # torch returns memory it has not filled
    theirs = outcome(F.pad, x, amounts, mode)
    alike(outcome(S.pad, x, amounts, mode), theirs)


@pytest.mark.parametrize("amounts", [(1, 2), (1, -1, 0, 2), (0, 0, -1, -2)], ids=str)
def test_derivatives_of_padding(amounts: tuple[int, ...]) -> None:
    x = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: S.pad(x, amounts, value=1.5), x)
    assert torch.autograd.gradgradcheck(lambda x: S.pad(x, amounts, value=1.5) ** 2, x)


@few
@given(sliding())
def test_windows_and_their_sum_are_each_others_gradient(case) -> None:
    columns = (case[key] for key in ("kernel", "stride", "padding", "dilation"))
    axes = Axes(Axis(*numbers) for numbers in zip(*columns, strict=True))
    assume(all(axis.count(size) > 0 for size, axis in zip(case["sizes"], axes, strict=True)))
    x = torch.randn(2, *case["sizes"], dtype=torch.float64, requires_grad=True)
    views = windows(x, axes)
    y = torch.randn(views.shape, dtype=torch.float64, requires_grad=True)
    total = add_windows(y, case["sizes"], axes)
    torch.testing.assert_close((views * y).sum(), (x * total).sum())  # adjoint
    assert torch.autograd.gradcheck(lambda x: windows(x, axes), x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: windows(x, axes) ** 2, x, fast_mode=True)
    assert torch.autograd.gradcheck(
        lambda y: add_windows(y, case["sizes"], axes), y, fast_mode=True
    )


def test_a_mean_can_be_differentiated_twice() -> None:
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: S.avg_pool2d(x, 3, 2, 1).exp(), x)
    assert torch.autograd.gradgradcheck(lambda x: S.max_pool2d(x, 3, 2, 1).exp(), x)


@pytest.mark.parametrize("check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck])
@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_sweeps_are_those_of_finite_differences(reverse: bool, check: Any) -> None:
    """And the gradients of these gradients, which a penalty on gradients needs."""
    torch.manual_seed(0)
    rows = step_rows([3, 3, 2, 1], reverse=reverse)

    def draw(*sizes: int) -> torch.Tensor:
        return torch.randn(sizes, dtype=torch.float64).requires_grad_()

    x, h, c, weight = (lambda k: draw(9, 2 * k)), draw(3, 2), draw(3, 2), (lambda k: draw(2 * k, 2))
    assert check(lambda *a: sweep_rnn(*a, rows), (x(1), h, weight(1)))
    assert check(lambda *a: sweep_rnn(*a, rows, nonlinearity="relu"), (x(1), h, weight(1)))
    assert check(lambda *a: sweep_gru(*a, rows), (x(3), h, weight(3), draw(2)))
    assert check(lambda *a: sweep_lstm(*a, rows), (x(4), h, c, weight(4)))
    projected = (x(4), draw(3, 1), c, draw(8, 1), draw(1, 2))
    assert check(lambda x, h, c, w, p: sweep_lstm(x, h, c, w, rows, projection=p), projected)


WRONG = [
    (lambda: nn.Linear(4, 3)(torch.ones(2, 5)), r"\[2, 5\].*4.*\[3, 4\]"),
    (lambda: nn.Bilinear(4, 3, 2)(torch.ones(2, 4), torch.ones(2, 4)), r"\[2, 4\].*\[2, 4, 3\]"),
    (lambda: nn.Conv2d(3, 8, 3)(torch.ones(2, 4, 9, 9)), r"\[8, 3, 3, 3\].*3.*\[2, 4, 9, 9\]"),
    (lambda: nn.Conv2d(3, 8, 5)(torch.ones(2, 3, 4, 9)), r"\(5, 5\).*\(4, 9\)"),
    (lambda: nn.Conv2d(3, 8, 3)(torch.ones(3, 9)), r"3D or 4D.*\[3, 9\]"),
    (lambda: nn.Conv2d(3, 8, 3)(torch.ones(1, 3, 9, 9).double()), r"float64.*float32"),
    (lambda: nn.ConvTranspose1d(3, 8, 3)(torch.ones(2, 4, 9)), r"\[3, 8, 3\].*\[2, 4, 9\]"),
    (lambda: nn.ConvTranspose1d(3, 8, 3)(torch.ones(2, 3, 9), [20]), r"\[20\].*\[11\].*\[11\]"),
    (lambda: nn.MaxPool2d(2)(torch.ones(2, 3)), r"3D or 4D.*\[2, 3\]"),
    (lambda: nn.AvgPool2d(9)(torch.ones(2, 3, 4, 4)), r"\(9, 9\).*\(4, 4\)"),
    (lambda: nn.AdaptiveAvgPool2d(0)(torch.ones(2, 3, 4, 4)), r"positive.*\[0, 0\]"),
    (lambda: nn.MaxUnpool1d(2)(torch.ones(1, 1, 2), torch.ones(1, 1, 3).long()), r"\[1, 1, 3\]"),
    (lambda: nn.MaxUnpool1d(2)(torch.ones(1, 1, 2), torch.full((1, 1, 2), 9)), r"\[4\].*9"),
    (lambda: nn.Fold(4, 2)(torch.ones(1, 5, 9)), r"4 cells.*\[1, 5, 9\]"),
    (lambda: nn.Fold(4, 2)(torch.ones(1, 4, 8)), r"3 \* 3.*4, 9\).*\[1, 4, 8\]"),
    (lambda: nn.ReflectionPad1d(4)(torch.ones(1, 1, 4)), r"less than.*\(4, 4\).*\[1, 1, 4\]"),
    (lambda: nn.GRU(3, 4)(torch.ones(2, 5, 2)), r"Expected 3, got 2"),
    (lambda: nn.GRU(3, 4)(torch.ones(2, 5, 3), torch.ones(1, 2, 4)), r"\(1, 5, 4\).*\[1, 2, 4\]"),
    (lambda: nn.LSTM(3, 4)(torch.ones(0, 5, 3)), r"larger than 0.*\[0, 5, 3\]"),
    (lambda: nn.Flatten(2, 1)(torch.ones(2, 3, 4)), r"2 to 1.*\[2, 3, 4\]"),
]


@pytest.mark.parametrize(("use", "words"), WRONG)
def test_wrong_sizes_are_named(use, words: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=words):
        use()


EMPTY = {
    "Linear": ((4, 3), (0, 4)), "Conv2d": ((3, 4, 3), (0, 3, 5, 5)),
    "ConvTranspose2d": ((3, 4, 3), (0, 3, 5, 5)), "MaxPool2d": ((2,), (0, 3, 4, 4)),
    "AvgPool2d": ((2,), (0, 3, 4, 4)), "AdaptiveAvgPool2d": ((3,), (0, 3, 4, 4)),
    "AdaptiveMaxPool2d": ((3,), (0, 3, 4, 4)), "GRU": ((3, 4), (2, 0, 3)),
    "Flatten": ((), (0, 3, 4)), "ReflectionPad2d": ((1,), (0, 3, 4, 4)),
    "Unfold": ((2,), (0, 3, 4, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_a_batch_of_nothing_gives_nothing_of_the_right_size(name: str) -> None:
    args, sizes = EMPTY[name]
    ours, theirs = (getattr(library, name)(*args) for library in (nn, torch.nn))
    outputs = []
    for module in (ours, theirs):
        output = module(torch.ones(sizes, requires_grad=True))
        output = output[0] if isinstance(output, tuple) else output
        output.sum().backward()
        outputs.append(output)
    assert outputs[0].shape == outputs[1].shape


@pytest.mark.parametrize("word", ["foo", "ab"])
def test_an_unknown_word_for_padding_is_named(word: str) -> None:
    with pytest.raises(RuntimeError, match=f"got '{word}'"):
        S.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3), padding=word)
