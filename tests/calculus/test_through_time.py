"""Gradients through time: against finite differences, autograd, and exact expectations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.calculus import through_time as time

STEPS, HIDDEN = 9, 4
RNN, X, Y = time.made(STEPS, HIDDEN, 1.1, seed=0)


def loss_in_numpy(w_h):
    h, total = np.zeros(HIDDEN), 0.0
    for x, y in zip(X.numpy(), Y.numpy(), strict=True):
        h = RNN.w_x.numpy() @ x + w_h @ h
        total += ((RNN.w_o.numpy() @ h - y) ** 2).sum() / 2
    return total / STEPS


def finite_differences(step=1e-6):
    w_h, found = RNN.w_h.numpy(), np.zeros((HIDDEN, HIDDEN))
    for place in np.ndindex(HIDDEN, HIDDEN):
        nudge = np.zeros_like(w_h)
        nudge[place] = step
        found[place] = (loss_in_numpy(w_h + nudge) - loss_in_numpy(w_h - nudge)) / (2 * step)
    return found


def whole():
    return time.gradient(RNN, X, Y, time.full_links(STEPS))[0]


def test_the_whole_gradient_is_that_of_finite_differences():
    assert float(RNN.loss(X, Y)) == pytest.approx(loss_in_numpy(RNN.w_h.numpy()), rel=1e-12)
    np.testing.assert_allclose(whole().numpy(), finite_differences(), rtol=1e-6, atol=1e-8)


def test_the_closed_form_is_the_same():
    torch.testing.assert_close(time.closed_form(RNN, X, Y), whole())


@pytest.mark.parametrize("window", [1, 2, 4, STEPS])
def test_truncated_it_is_autograd_s_with_the_state_detached(window):
    w_h = RNN.w_h.clone().requires_grad_()
    free = time.LinearRNN(RNN.w_x, w_h, RNN.w_o)
    (expected,) = torch.autograd.grad(free.loss(X, Y, window=window), w_h)
    found = time.gradient(RNN, X, Y, time.truncated_links(STEPS, window))[0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("window", [1.5, 3.0])
def test_every_way_to_cut_at_random_averages_to_the_whole(window):
    links, chances = time.every_link(STEPS, window)
    assert float(chances.sum()) == pytest.approx(1)
    mean = torch.einsum("s,shk->hk", chances, time.gradient(RNN, X, Y, links))
    torch.testing.assert_close(mean, whole())


def test_random_links_are_1_on_average_and_cut_as_often_as_they_should():
    links = time.random_links(50, 4.0, 4_000, seed=1)
    cut = float((links == 0).double().mean())
    assert cut == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / links.numel()) ** 0.5)
    assert set(links.unique().tolist()) == {0.0, 1 / 0.75}
    assert torch.equal(links, time.random_links(50, 4.0, 4_000, seed=1))


def test_the_radius_is_the_one_asked_for():
    eigenvalues = np.linalg.eigvals(RNN.w_h.numpy())
    assert np.abs(eigenvalues).max() == pytest.approx(1.1)
