"""Recurrent layers on whole numbers, and in bfloat16: against one-hot and single precision."""

from __future__ import annotations

import inspect

import pytest
import torch

from fathom.scratch import nn

LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
TOKENS = torch.tensor([[0, 4], [2, 2], [1, 3]])  # (T, B)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_whole_numbers_are_one_hot_vectors(name, bias):
    torch.manual_seed(0)
    layer = LAYERS[name](5, 4, num_layers=2, bias=bias).double()
    hot = torch.nn.functional.one_hot(TOKENS, 5).double()
    results = []
    for given in (hot, TOKENS, TOKENS.int()):
        outputs, _ = layer(given)
        gradients = torch.autograd.grad(outputs.cos().sum(), list(layer.parameters()))
        results.append((outputs, gradients))
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])


def test_a_number_out_of_range_is_named():
    with pytest.raises(IndexError, match=r"index 5 .* the vocabulary has 5 entries"):
        nn.GRU(5, 4)(TOKENS + 1)


@pytest.mark.parametrize("name", LAYERS)
def test_under_autocast_products_are_in_bfloat16_and_the_gradients_point_the_same_way(name):
    """A bfloat16 has 8 bits: results agree within some 2**-8 of their scale."""
    torch.manual_seed(0)
    layer = LAYERS[name](5, 64)
    tokens = torch.randint(0, 5, (20, 8))
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs, _ = layer(tokens)
        assert outputs.dtype == torch.float32
        gradients = torch.autograd.grad(outputs.square().sum(), list(layer.parameters()))
        found.append((outputs, torch.cat([g.flatten() for g in gradients])))
    (exact, exact_gradient), (low, low_gradient) = found
    assert not torch.equal(exact, low)
    assert float((exact - low).detach().abs().max()) < 2**-6 * float(exact.detach().abs().max())
    assert float(torch.cosine_similarity(exact_gradient, low_gradient, dim=0)) > 0.999


@pytest.mark.parametrize("name", LAYERS)
def test_a_large_weight_laid_out_once_for_all_steps_gives_what_torch_gives(name):
    """Twenty steps of 300 numbers: such products go through oneDNN, those of few steps do not."""
    torch.manual_seed(0)
    ours, theirs = LAYERS[name](7, 300), getattr(torch.nn, name)(7, 300)
    theirs.load_state_dict(ours.state_dict())
    x_TBI = torch.randn(20, 5, 7)
    found = []
    for layer in (ours, theirs):
        outputs, _ = layer(x_TBI)
        found.append((outputs, torch.autograd.grad(outputs.sin().sum(), list(layer.parameters()))))
    torch.testing.assert_close(*found)
    whole, in_pieces = ours(x_TBI)[0], []
    state = None
    for piece in x_TBI.split(4):
        outputs, state = ours(piece, state)
        in_pieces.append(outputs)
    torch.testing.assert_close(torch.cat(in_pieces), whole)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.GRU(3, 4, proj_size=2), "proj_size is for an LSTM only, got 2 for GRU"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "less than hidden_size, 4, got 4"),
        (lambda: nn.LSTM(3, 4, dropout=True), "in range .*, got True"),
        (lambda: nn.GRU(3, 4, bias=1), "bias should be of type bool, got: int"),
        (lambda: nn.RNN(3.0, 4), "input_size should be of type int, got: float"),
        (lambda: nn.RNN(3, 4, 0), "num_layers must be greater than zero, got 0"),
        (lambda: nn.RNN(3, 4, nonlinearity="sin"), "'sin'"),
        (lambda: nn.LSTM(3, 4, projection=2), "unexpected keyword argument 'projection'"),
        (lambda: nn.LSTMCell(3, 4)(torch.ones(2, 5)), "got 5 expected 3"),
        (lambda: nn.GRUCell(3, 4)(torch.ones(2, 3), torch.ones(5, 4)), r"\(2, 4\), got \[5, 4\]"),
    ],
)
def test_what_cannot_be_a_network_is_named(use, words):
    with pytest.raises((TypeError, ValueError, RuntimeError), match=words):
        use()


def test_a_layer_says_what_it_takes():
    lstm, base = (inspect.signature(of).parameters for of in (nn.LSTM, nn.RNNBase))
    assert ["mode", *lstm] == list(base)
    assert lstm["num_layers"].default == 1


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_after_the_only_layer_is_warned_of_where_the_layer_is_made(name):
    with pytest.warns(UserWarning, match=r"dropout=0.5 .* num_layers is 1") as caught:
        LAYERS[name](3, 4, dropout=0.5)
    assert caught[0].filename == __file__
