"""Losses: extremes, second derivatives, alignments, large vocabularies, and what is refused."""

from __future__ import annotations

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import nn as torch_nn
from torch.nn import functional as torch_functional

from fathom.scratch import nn
from fathom.scratch.nn import functional

DOUBLE = torch.float64


def close(ours, theirs, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol, equal_nan=True)


def both(name: str, *inputs, **settings):
    """(loss, gradient of the first input) in both libraries."""
    results = []
    for library in (functional, torch_functional):
        x = inputs[0].clone().requires_grad_()
        loss = getattr(library, name)(x, *inputs[1:], **settings)
        loss.backward(torch.ones_like(loss))
        results.append((loss.detach(), x.grad))
    return results


# Labels, cross-entropy


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.floats(-(2.0**99), 2.0**99), min_size=2, max_size=6), st.data())
def test_cross_entropy_of_anything(scores: list[float], data) -> None:
    x = torch.tensor([scores], dtype=DOUBLE)
    label = torch.tensor([data.draw(st.integers(0, len(scores) - 1))])
    ours, theirs = both("cross_entropy", x, label)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


@pytest.mark.parametrize("settings", [
    {}, {"weight": torch.tensor([0.5, 2.0, 1.0], dtype=DOUBLE)}, {"label_smoothing": 0.2},
    {"ignore_index": 1}, {"reduction": "none"},
], ids=str)  # fmt: skip
def test_second_derivatives_of_cross_entropy(settings: dict) -> None:
    torch.manual_seed(0)
    x, label = torch.randn(4, 3, dtype=DOUBLE, requires_grad=True), torch.tensor([0, 2, 1, 2])
    assert torch.autograd.gradcheck(lambda x: functional.cross_entropy(x, label, **settings), (x,))
    assert torch.autograd.gradgradcheck(
        lambda x: functional.cross_entropy(x, label, **settings), (x,)
    )


def test_an_ignored_label_hides_an_infinite_loss() -> None:
    x = torch.tensor([[0.0, float("-inf")], [1.0, 2.0]], dtype=DOUBLE)
    label = torch.tensor([-100, 1])
    for one, other in zip(*both("nll_loss", x, label), strict=True):
        close(one, other)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_a_label_out_of_range_is_named_with_its_place(name: str) -> None:
    with pytest.raises(IndexError, match=r"target 5 at position \[2\] is none of 5 classes"):
        getattr(functional, name)(torch.zeros(3, 5), torch.tensor([0, 4, 5]))
    with pytest.raises(IndexError, match="target -1 at position"):
        getattr(functional, name)(torch.zeros(3, 5), torch.tensor([0, -1, 2]))


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_what_is_wrong_besides_labels_is_told_as_it_is(name: str, monkeypatch) -> None:
    """Labels are looked up before they are checked: another error must not pass for theirs."""

    def full(*_) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(torch.Tensor, "gather", full)
    with pytest.raises(RuntimeError, match="no memory left"):
        getattr(functional, name)(torch.zeros(3, 5), torch.tensor([0, 4, 2]))


@pytest.mark.parametrize("rows", [[[1, 3, -1, 2], [-1, 0, 0, 0], [0, 1, 2, 3]], [[2, 2, 0, -1]]])
def test_many_labels(rows: list[list[int]]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(len(rows), 4, dtype=DOUBLE, requires_grad=True), torch.tensor(rows)
    for one, other in zip(*both("multilabel_margin_loss", x.detach(), y), strict=True):
        close(one, other)
    assert torch.autograd.gradcheck(lambda x: functional.multilabel_margin_loss(x, y), (x,))
    assert torch.autograd.gradgradcheck(lambda x: functional.multilabel_margin_loss(x, y), (x,))


def test_one_label_too_many_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"labels below 3 .*\(1, 3\), found 3"):
        functional.multilabel_margin_loss(torch.zeros(1, 3), torch.tensor([[3, -1, -1]]))


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_no_labels_and_only_ignored_labels(name: str) -> None:
    with pytest.raises(ValueError, match=r"empty batch.*\(0,\)"):
        getattr(nn, name)()(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    ignored = torch.zeros(2, 3), torch.full((2,), -100)
    assert getattr(nn, name)()(*ignored).isnan()
    assert getattr(nn, name)(reduction="sum")(*ignored) == 0


# Numbers

SAME_SHAPE = ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "poisson_nll_loss",
              "binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss",
              "multilabel_soft_margin_loss", "hinge_embedding_loss"]  # fmt: skip


@pytest.mark.parametrize("name", SAME_SHAPE)
def test_shapes_must_be_equal_and_something_must_be_there(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(4,\).*\(4, 1\)"):
        getattr(functional, name)(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(ValueError, match=r"empty batch.*\(0"):
        getattr(functional, name)(torch.zeros(0, 2), torch.zeros(0, 2))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weights_of_elements(name: str, reduction: str) -> None:
    x, y, w = torch.rand(3, 2, 4, dtype=DOUBLE)
    for one, other in zip(*both(name, x, y, weight=w, reduction=reduction), strict=True):
        close(one, other)


def test_corners_of_huber_and_its_second_derivative() -> None:
    x = torch.tensor([-2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0], dtype=DOUBLE)
    for one, other in zip(*both("huber_loss", x, torch.zeros(7, dtype=DOUBLE)), strict=True):
        close(one, other)
    x = torch.tensor([-2.0, 0.3, 1.4], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: functional.huber_loss(x, 0 * x.detach()), (x,))


@pytest.mark.parametrize("x", [-1e4, -40.0, 0.0, 40.0, 1e4])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_extreme_logits(x: float, target: float) -> None:
    inputs = torch.tensor([x], dtype=DOUBLE), torch.tensor([target], dtype=DOUBLE)
    for one, other in zip(*both("binary_cross_entropy_with_logits", *inputs), strict=True):
        close(one, other)


def test_certain_probabilities_have_a_finite_loss() -> None:
    p, t = torch.tensor([[0.0, 0, 1, 1, 0.5], [0, 1, 0, 1, 1]], dtype=DOUBLE)
    ours, theirs = both("binary_cross_entropy", p, t, reduction="none")
    close(ours[0], theirs[0])
    for wrong, words in (([-0.5, 2.0], r"-0\.5 to 2"), ([0.5, float("nan")], "nan")):
        with pytest.raises(RuntimeError, match=f"between 0 and 1, found {words}"):
            functional.binary_cross_entropy(torch.tensor(wrong), torch.zeros(2))


# Margins and distances


@pytest.mark.parametrize("settings", [
    {}, {"swap": True}, {"p": 1.0, "margin": 0.5}, {"p": 3.0, "reduction": "sum"}, {"eps": 1e-3},
], ids=str)  # fmt: skip
def test_triplets(settings: dict) -> None:
    torch.manual_seed(0)
    ours, theirs = both("triplet_margin_loss", *torch.randn(3, 4, 5, dtype=DOUBLE), **settings)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


def test_triplets_with_a_distance_of_ones_own() -> None:
    def city(x, y):
        return (x - y).abs().sum(-1)

    x = torch.randn(3, 4, 5, dtype=DOUBLE)
    for settings in ({}, {"distance_function": city, "swap": True}):
        ours, theirs = (
            library.TripletMarginWithDistanceLoss(**settings)(*x) for library in (nn, torch_nn)
        )
        close(ours, theirs)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("keepdim", [False, True])
def test_distances(p: float, keepdim: bool) -> None:
    x, y = torch.randn(2, 4, 5, dtype=DOUBLE)
    for one, other in zip(*both("pairwise_distance", x, y, p=p, keepdim=keepdim), strict=True):
        close(one, other)


def test_cosines_broadcast_and_stay_finite_at_zero() -> None:
    x, y = torch.randn(4, 1, 5, dtype=DOUBLE), torch.randn(3, 5, dtype=DOUBLE)
    for one, other in zip(*both("cosine_similarity", x, y, dim=-1), strict=True):
        close(one, other)
    zeros = torch.zeros(2, 3, dtype=DOUBLE)
    for one, other in zip(*both("cosine_similarity", zeros, 1 + zeros), strict=True):
        close(one, other)


# Alignments


def alignments(steps: int, batch: int, in_a_row: bool, longest: int, repeats: bool):
    generator = torch.Generator().manual_seed(steps * 31 + batch)
    log_probs = torch.randn(steps, batch, 5, dtype=DOUBLE, generator=generator).log_softmax(2)
    sizes = torch.randint(0, longest + 1, (batch,), generator=generator)
    labels = torch.randint(1, 3 if repeats else 5, (batch, longest), generator=generator)
    if in_a_row:
        labels = torch.cat([row[:size] for row, size in zip(labels, sizes, strict=True)])
    lengths = torch.randint(max(steps // 2, 1), steps + 1, (batch,), generator=generator)
    return log_probs, labels, lengths, sizes


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("case", [
    (9, 4, False, 3, False), (9, 4, True, 3, True), (6, 5, False, 5, True), (1, 2, False, 1, False),
    (12, 1, True, 4, True),
], ids=str)  # fmt: skip
def test_alignments(case, reduction: str) -> None:
    log_probs, *rest = alignments(*case)
    ours, theirs = both("ctc_loss", log_probs, *rest, reduction=reduction, zero_infinity=True)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


def test_alignment_of_one_example_and_another_blank() -> None:
    log_probs, labels, lengths, _ = alignments(9, 2, False, 3, False)
    one = log_probs[:, 0], labels[0] % 4, lengths[0], torch.tensor(3)
    for ours, theirs in zip(*both("ctc_loss", *one, blank=4), strict=True):
        close(ours, theirs)


def test_a_text_that_does_not_fit_has_an_infinite_loss() -> None:
    log_probs = torch.zeros(2, 1, 3, dtype=DOUBLE).log_softmax(2)
    loss = functional.ctc_loss(log_probs, torch.tensor([[1, 1]]), [2], [2])
    assert loss == float("inf")


@pytest.mark.parametrize("size", [0, 1])
def test_no_step_at_all_is_certain_to_say_nothing_and_nothing_else(size: int) -> None:
    log_probs, labels, _, _ = alignments(5, 2, False, 3, False)
    rest = labels, torch.tensor([0, 5]), torch.tensor([size, 2])
    ours, theirs = both("ctc_loss", log_probs, *rest, reduction="none")
    assert ours[0][0] == (float("inf") if size else 0)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


def test_classes_that_cannot_be_emitted_have_no_part() -> None:
    log_probs, labels, lengths, sizes = alignments(9, 2, False, 3, False)
    never = log_probs.detach().clone()
    never[2:5, :, 3] = float("-inf")
    rest = labels, lengths, sizes
    ours, theirs = both("ctc_loss", never, *rest, reduction="none")
    close(ours[0], theirs[0])


def test_alignments_after_a_log_softmax_pass_finite_differences() -> None:
    scores = torch.randn(5, 2, 4, dtype=DOUBLE, requires_grad=True)
    labels = torch.tensor([[1, 1], [2, 3]])

    def loss(scores):
        return functional.ctc_loss(functional.log_softmax(scores, 2), labels, [5, 4], [2, 1])

    assert torch.autograd.gradcheck(loss, (scores,))


@pytest.mark.parametrize(("rest", "words"), [
    (([[1, 5]], [4], [2]), "0 to 4, found 1 to 5"), (([[1, 2]], [6], [2]), r"at most 5.*\[6\]"),
    (([[1, 2]], [4], [3]), r"at most 2.*\[3\]"), (([[1, 2]], [4, 4], [2]), "size 1.*got 2"),
    (([[1, 2], [3, 4]], [4], [2]), r"1 texts.*\(2, 2\)"),
])  # fmt: skip
def test_wrong_alignments_are_named(rest, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        functional.ctc_loss(torch.zeros(5, 1, 5), torch.tensor(rest[0]), *rest[1:])


# Large vocabularies


@pytest.mark.parametrize("head_bias", [False, True])
def test_adaptive_softmax(head_bias: bool) -> None:
    layers = []
    for library in (nn, torch_nn):
        torch.manual_seed(0)
        layer = library.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 12], 2.0, head_bias)
        layers.append(layer.double())
    ours, theirs = layers
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    x = torch.randn(6, 16, dtype=DOUBLE)
    target = torch.tensor([0, 4, 5, 11, 12, 19])
    for rows in (slice(None), slice(0, 2), 4):
        gradients = []
        for layer in layers:
            layer.zero_grad()
            output, loss = layer(x[rows], target[rows])
            (output.sum() + loss).backward()
            gradients.append([output, loss, layer.head.weight.grad])
        for one, other in zip(*gradients, strict=True):
            close(one, other)
    close(ours.log_prob(x), theirs.log_prob(x))
    many = torch.randn(200, 16, dtype=DOUBLE)
    assert torch.equal(ours.predict(many), theirs.predict(many))
    with pytest.raises(RuntimeError, match=r"0 to 19, got 0 to 20"):
        ours(x[:2], torch.tensor([0, 20]))
    with pytest.raises(ValueError, match="increasing"):
        nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 5])


def test_old_flags_and_wrong_words() -> None:
    x = torch.ones(2, 3)
    for flags in ({"size_average": False}, {"reduce": False}, {"size_average": True}):
        with pytest.warns(UserWarning, match="reduction="):
            ours = functional.mse_loss(x, 0 * x, **flags)
        with pytest.warns(UserWarning, match="reduction="):
            close(ours, torch_functional.mse_loss(x, 0 * x, **flags))
    with pytest.raises(ValueError, match="median is not a valid value"):
        functional.mse_loss(x, x, reduction="median")
