"""A language model stopped within an epoch goes on with the state that it carried, bit for bit."""

from __future__ import annotations

import pytest
import torch

from fathom.data.token_batches import TokenBatches
from fathom.engine.carried import carried, put_back
from fathom.models.language import language_model


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("stop", [1, 3])
def test_stopped_within_an_epoch_it_ends_with_the_same_weights(cell, stop):
    ids = torch.randint(0, 9, (400,), generator=torch.Generator().manual_seed(0))
    batches = TokenBatches(ids, batch_size=4, num_steps=10)

    def new():
        torch.manual_seed(1)
        model = language_model(9, 8, cell=cell)
        return model, torch.optim.SGD(model.parameters(), lr=0.5)

    def train(model, optimiser, first, last):
        for number, (inputs, after) in enumerate(batches.epoch(0, 0, first), first):
            if number == last:
                return
            loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), after.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    whole, optimiser = new()
    train(whole, optimiser, 0, len(batches))
    begun, optimiser = new()
    train(begun, optimiser, 0, stop)
    weights, state = begun.state_dict(), carried(begun)
    again, optimiser = new()
    again.load_state_dict(weights)
    put_back(again, state)
    train(again, optimiser, stop, len(batches))
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
