"""What a network costs, counted as it runs, against figures worked out by hand."""

from __future__ import annotations

import pytest
import torch

from fathom import scratch
from fathom.models.networks import make_network
from fathom.models.summary import summarise

LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])


@LIBRARIES
def test_lenet_by_hand(nn):
    found = summarise(make_network("book-lenet", nn=nn), torch.rand(1, 1, 28, 28))
    costs = {row.name: (row.shape, row.parameters, row.multiply_adds) for row in found.rows}
    assert costs["0"] == ((6, 28, 28), 156, 28 * 28 * 6 * 25)
    assert costs["3"] == ((16, 10, 10), 2416, 10 * 10 * 16 * 150)
    assert costs["5"] == ((16, 5, 5), 0, 0)
    assert costs["7"] == ((120,), 48_120, 400 * 120)
    assert found.parameters == 61_706
    assert found.multiply_adds == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert sum(row.multiply_adds for row in found.rows) == found.multiply_adds
    assert found.weight_bytes == 4 * 61_706


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("alexnet", 0.714),
        ("vgg11", 7.61),
        ("resnet18", 1.81),
        ("resnet50", 4.09),
        ("googlenet", 1.5),
    ],
)
def test_published_multiply_adds(name, billions):
    """Those that torchvision gives for its weights, GFLOPS."""
    with torch.device("meta"):
        model = make_network(name, 1000)
        found = summarise(model, torch.rand(1, 3, 224, 224))
    assert found.multiply_adds / 1e9 == pytest.approx(billions, rel=0.005)


def test_what_is_kept_for_the_way_back_is_counted_once():
    """A linear layer keeps its input, a sigmoid its output, which is the next layer's input."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(10, 20), nn.Sigmoid(), nn.Linear(20, 5))
    found = summarise(model, torch.rand(1, 10))
    assert found.kept == 4 * (10 + 20)
    assert found.training_bytes(8) == 2 * 4 * (220 + 105) + 8 * 4 * 30


def test_blocks_are_opened_while_there_is_room():
    nn = torch.nn
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 2))
    inputs = torch.rand(1, 4)
    assert [r.name for r in summarise(model, inputs, most=3).rows] == ["0.0", "0.1", "1"]
    assert [r.name for r in summarise(model, inputs, most=2).rows] == ["0", "1"]
    assert summarise(model, inputs, most=2).rows[0].parameters == 20


def test_a_layer_used_twice_counts_twice():
    layer = torch.nn.Linear(4, 4)

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(self.layer(x))

    found = summarise(Twice(), torch.rand(1, 4))
    assert found.rows[0].multiply_adds == found.multiply_adds == 2 * 16


def test_the_model_is_left_as_it_was():
    model = make_network("book-batch-norm").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summarise(model, torch.rand(1, 1, 28, 28))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
