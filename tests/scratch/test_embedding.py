"""Embeddings and bags of them: everything that torch's can be told, and numbers out of range."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn as torch_nn

from fathom.scratch import nn
from fathom.scratch.nn import functional

DOUBLE = torch.float64


def run(library, name: str, settings: dict, inputs: list):
    """Output, gradient of the weight, weight afterwards."""
    torch.manual_seed(0)
    layer = getattr(library, name)(7, 3, **settings).double()
    torch.manual_seed(1)
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    output = layer(*inputs)
    output.backward(torch.randn_like(output))
    gradients = [x.grad for x in inputs if x.requires_grad]
    return [output, layer.weight.grad.to_dense(), layer.weight.detach(), *gradients]


def agree(name: str, settings: dict, inputs: list) -> None:
    for ours, theirs in zip(
        run(nn, name, settings, inputs), run(torch_nn, name, settings, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("settings", [
    {}, {"padding_idx": 2}, {"padding_idx": -1}, {"max_norm": 0.8}, {"scale_grad_by_freq": True},
    {"max_norm": 1.1, "norm_type": 1.0}, {"sparse": True}, {"sparse": True, "padding_idx": 2},
    {"scale_grad_by_freq": True, "padding_idx": 2},
], ids=str)  # fmt: skip
def test_embedding(settings: dict) -> None:
    agree("Embedding", settings, [torch.tensor([[2, 0, 6], [6, 6, 1]])])


def test_numbers_of_32_bits() -> None:
    numbers = torch.tensor([[2, 0, 6], [6, 6, 1]], dtype=torch.int32)
    agree("Embedding", {}, [numbers])
    agree("EmbeddingBag", {}, [numbers])


BAGS = [
    {"mode": mode, **extra}
    for mode, extra in itertools.product(
        ["sum", "mean", "max"],
        [{}, {"padding_idx": 2}, {"max_norm": 0.8}, {"sparse": True}],
    )
    if mode != "max" or "sparse" not in extra
]


@pytest.mark.parametrize("settings", BAGS, ids=str)
def test_bags(settings: dict) -> None:
    agree("EmbeddingBag", settings, [torch.tensor([[2, 0, 6], [6, 6, 1], [2, 2, 2]])])
    # Bags of 2, 0, 4, 1 and 0 numbers.
    numbers, offsets = torch.tensor([2, 0, 6, 6, 1, 3, 2]), torch.tensor([0, 2, 2, 6, 7])
    agree("EmbeddingBag", settings, [numbers, offsets])
    agree("EmbeddingBag", {**settings, "include_last_offset": True}, [numbers, offsets])


def test_bags_scale_each_row_by_its_own_frequency() -> None:
    numbers = torch.tensor([[2, 0, 6], [6, 6, 1], [2, 2, 2]])
    bag = nn.EmbeddingBag(7, 3, mode="sum", scale_grad_by_freq=True).double()
    rows = torch_nn.Embedding(7, 3, scale_grad_by_freq=True).double()
    rows.load_state_dict(bag.state_dict())
    gradient = torch.randn(3, 3, dtype=DOUBLE)
    bag(numbers).backward(gradient)
    rows(numbers).sum(1).backward(gradient)
    torch.testing.assert_close(bag.weight.grad, rows.weight.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding_idx", [None, 6])
def test_weighted_bags(padding_idx: int | None) -> None:
    numbers, offsets = torch.tensor([2, 0, 6, 6, 1]), torch.tensor([0, 3])
    weights = torch.randn(5, dtype=DOUBLE)
    settings = {"mode": "sum", "padding_idx": padding_idx}
    agree("EmbeddingBag", settings, [numbers, offsets, weights])


def test_gradients_of_the_second_order() -> None:
    weight = torch.randn(5, 2, dtype=DOUBLE, requires_grad=True)
    numbers = torch.tensor([[1, 4], [1, 0]])

    def look(w):
        return functional.embedding(numbers, w, padding_idx=4).pow(2)

    assert torch.autograd.gradcheck(look, (weight.detach().index_fill(0, torch.tensor(4), 0)
                                           .requires_grad_(),))  # fmt: skip
    assert torch.autograd.gradgradcheck(
        lambda w: functional.embedding(numbers, w).pow(3), (weight,)
    )


def test_given_vectors() -> None:
    vectors = torch.randn(4, 3)
    for kind in ("Embedding", "EmbeddingBag"):
        ours, theirs = (getattr(n, kind).from_pretrained(vectors) for n in (nn, torch_nn))
        assert repr(ours) == repr(theirs)
        assert not ours.weight.requires_grad
        numbers = torch.tensor([[1, 3]])
        torch.testing.assert_close(ours(numbers), theirs(numbers))


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_a_number_outside_the_vocabulary_is_named_with_its_place(kind: str) -> None:
    layer = getattr(nn, kind)(10, 2)
    with pytest.raises(IndexError, match=r"index 10 .*10 entries, 0 to 9"):
        layer(torch.tensor([[1, 2], [3, 10]]))
    with pytest.raises(IndexError, match="index -1 "):
        layer(torch.tensor([[1, -1]]))
    with pytest.raises(RuntimeError, match="float32"):
        layer(torch.tensor([[1.0]]))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.Embedding(3, 2, padding_idx=3), "3 must be within num_embeddings"),
        (lambda: nn.EmbeddingBag(3, 2)(torch.tensor([1])), "offsets"),
        (lambda: nn.EmbeddingBag(3, 2, mode="median")(torch.tensor([[1]])), "median"),
        (lambda: nn.EmbeddingBag(3, 2)(torch.tensor([1]), torch.tensor([1])), "begin with 0"),
        (lambda: nn.EmbeddingBag(3, 2)(torch.tensor([[1]]), None, torch.ones(1, 1)), "mode='sum'"),
        (lambda: nn.EmbeddingBag(3, 2, mode="sum")(torch.tensor([[1]]), None, torch.ones(2)),
         r"\(2,\).*\(1, 1\)"),
    ],
)  # fmt: skip
def test_wrong_uses_are_named(use, words: str) -> None:
    with pytest.raises((AssertionError, ValueError, NotImplementedError), match=words):
        use()


def test_nothing_to_look_up() -> None:
    assert nn.Embedding(3, 2)(torch.zeros(0, 4, dtype=torch.int64)).shape == (0, 4, 2)
    empty = torch.zeros(0, dtype=torch.int64)
    assert nn.EmbeddingBag(3, 2)(empty, torch.tensor([0, 0])).tolist() == [[0, 0], [0, 0]]
