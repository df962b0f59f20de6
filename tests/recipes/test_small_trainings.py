"""Training inside a study, against a loop written out; what a report shows of first layers."""

from __future__ import annotations

import copy

import torch

from fathom.core.order import permutation
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.data.images import load_pictures
from fathom.models.lenet import lenet
from fathom.models.linear import linear_regression, softmax_regression
from fathom.models.mlp import mlp
from fathom.objectives import half_squared_error
from fathom.recipes.held_out import UNITS, examined
from fathom.recipes.training import trained


def test_a_small_model_is_trained_as_by_hand_and_seen_after_each_epoch():
    x, y = synthetic.linear([1.0, -2.0], 0.5, 12, 0.1, seed=0)
    model = linear_regression(2)
    by_hand = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = TensorBatches(x, y, batch_size=4)
    seen = []
    for epoch in trained(model, batches, half_squared_error, optimizer, epochs=3, seed=7):
        if epoch:
            for rows in permutation(12, 7, epoch - 1).split(4):
                loss = (by_hand(x[rows]) - y[rows]).square().mean() / 2
                gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
                with torch.no_grad():
                    for parameter, gradient in zip(by_hand.parameters(), gradients, strict=True):
                        parameter.sub_(0.1 * gradient)
        for one, other in zip(model.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(one, other)
        seen.append(epoch)
    assert seen == [0, 1, 2, 3]


def figures_of(model, pictures):
    with torch.no_grad():
        batches = pictures.valid.batches(100, shuffle=False)
        return examined(pictures)(model.eval(), batches).figures


def drawn_weights(model):
    figures = figures_of(model, load_pictures("digits"))
    if "weights" not in figures:
        return None
    return [image.get_array() for image in figures["weights"].axes[0].images]


def test_a_network_shows_the_hidden_units_with_the_largest_weights():
    torch.manual_seed(0)
    model = mlp(64, [100], 10)
    first = model[1].weight.detach()
    with torch.no_grad():
        first[17] *= 5
    shown = drawn_weights(model)
    assert len(shown) == UNITS
    torch.testing.assert_close(torch.tensor(shown[0]), first[17].reshape(8, 8), check_dtype=False)
    lengths = [float((image**2).sum()) for image in shown]
    assert lengths == sorted(lengths, reverse=True)


def test_one_layer_shows_a_template_for_each_class_and_kernels_are_no_templates():
    assert len(drawn_weights(softmax_regression(64, 10))) == 10
    assert "weights" not in figures_of(lenet(10), load_pictures("digits", size=28))
