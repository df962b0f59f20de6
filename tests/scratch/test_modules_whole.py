"""Whole networks under both libraries: the same first weights, training, state and draws."""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fathom.scratch import nn

DOUBLE = torch.float64


def lenet(library):
    """Convolutions, pooling, and a classifier (book 6.6)."""
    return library.Sequential(
        library.Conv2d(1, 4, 5, padding=2), library.Sigmoid(), library.AvgPool2d(2),
        library.Conv2d(4, 8, 5), library.ReLU(), library.MaxPool2d(2),
        library.Flatten(), library.Linear(8 * 5 * 5, 10),
    )  # fmt: skip


class Block(torch.nn.Module):
    """Two convolutions and a way round them (book 7.6), against a library."""

    def __init__(self, library, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = library.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = library.BatchNorm2d(out)
        self.conv2 = library.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = library.BatchNorm2d(out)
        self.relu = library.ReLU()
        self.downsample = None
        if stride != 1 or channels != out:
            down = library.Conv2d(channels, out, 1, stride, bias=False), library.BatchNorm2d(out)
            self.downsample = library.Sequential(*down)

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18(library, width: int = 4):
    """ResNet-18, narrow, under torchvision's names."""
    layers = OrderedDict(
        conv1=library.Conv2d(3, width, 7, 2, 3, bias=False),
        bn1=library.BatchNorm2d(width),
        relu=library.ReLU(),
        maxpool=library.MaxPool2d(3, 2, 1),
    )
    channels = width
    for stage in range(4):
        out, stride = width * 2**stage, 1 if stage == 0 else 2
        first = Block(library, channels, out, stride)
        layers[f"layer{stage + 1}"] = library.Sequential(first, Block(library, out, out))
        channels = out
    layers |= {"avgpool": library.AdaptiveAvgPool2d((1, 1)), "flatten": library.Flatten()}
    return library.Sequential(layers | {"fc": library.Linear(channels, 10)})


class Tagger(torch.nn.Module):
    """A two-layer bidirectional LSTM over packed sequences, and a classifier for each step."""

    def __init__(self, library) -> None:
        super().__init__()
        self.lstm = library.LSTM(5, 6, 2, batch_first=True, bidirectional=True)
        self.head = library.Linear(12, 3)

    def forward(self, x):
        packed = pack_padded_sequence(x, torch.tensor([2, 4, 3]), True, enforce_sorted=False)
        output, _ = self.lstm(packed)
        return self.head(pad_packed_sequence(output, batch_first=True)[0]).flatten(0, 1)


CASES = {
    "lenet": (lenet, (4, 1, 28, 28), 4),
    "resnet18": (resnet18, (4, 3, 32, 32), 4),
    "bidirectional lstm": (Tagger, (3, 4, 5), 12),
}


@pytest.fixture(params=CASES)
def twins(request):
    """(ours, theirs, inputs, labels), in float64, both from one seed."""
    build, sizes, count = CASES[request.param]
    networks = []
    for library in (nn, torch.nn):
        torch.manual_seed(0)
        networks.append(build(library).double())
    inputs = torch.randn(sizes, dtype=DOUBLE)
    labels = torch.randint(3, (count,))
    return *networks, inputs, labels


def test_a_seed_gives_the_same_network_and_ten_steps_the_same_weights(twins) -> None:
    ours, theirs, inputs, labels = twins
    assert repr(ours) == repr(theirs)
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    for network, library in ((ours, nn), (theirs, torch.nn)):
        loss_of = library.CrossEntropyLoss()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        for _ in range(10):
            optimizer.zero_grad()
            loss_of(network(inputs), labels).backward()
            optimizer.step()
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-8, atol=1e-10)


def test_state_moves_both_ways_through_a_file(twins) -> None:
    ours, theirs, inputs, _ = twins
    for source, target in ((ours, theirs), (theirs, ours)):
        with torch.no_grad():
            for parameter in source.parameters():
                parameter.add_(0.01)
        file = io.BytesIO()
        torch.save(source.state_dict(), file)
        file.seek(0)
        target.load_state_dict(torch.load(file, weights_only=True), strict=True)
        outputs = source.eval()(inputs), target.eval()(inputs)
        torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-10)


def test_a_network_can_be_pickled(twins) -> None:
    ours, _, inputs, _ = twins
    again = pickle.loads(pickle.dumps(ours.eval()))
    assert torch.equal(again(inputs), ours(inputs))


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_dropout_between_layers_draws_what_torch_draws(kind: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(3, 4, 3, dropout=0.5, bidirectional=True)
    ours = getattr(nn, kind)(3, 4, 3, dropout=0.5, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2, 3)
    outputs = []
    for network in (ours, theirs):
        torch.manual_seed(1)
        outputs.append(network(x)[0])
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_sweep_is_the_cell_step_after_step(kind: str) -> None:
    torch.manual_seed(0)
    layer, cell = getattr(nn, kind)(3, 4).double(), getattr(nn, kind + "Cell")(3, 4).double()
    cell.load_state_dict({key[:-3]: value for key, value in layer.state_dict().items()})
    x, state, steps = torch.randn(6, 2, 3, dtype=DOUBLE), None, []
    for step in x:
        state = cell(step, state)
        steps.append(state[0] if kind == "LSTM" else state)
    torch.testing.assert_close(layer(x)[0], torch.stack(steps), rtol=1e-12, atol=1e-12)


FILLS = {
    "uniform_": {}, "normal_": {"std": 2.0}, "trunc_normal_": {}, "constant_": {"val": 3.0},
    "ones_": {}, "zeros_": {}, "eye_": {}, "xavier_uniform_": {"gain": 2.0}, "xavier_normal_": {},
    "kaiming_uniform_": {"mode": "fan_out", "nonlinearity": "relu"}, "kaiming_normal_": {"a": 0.1},
    "orthogonal_": {"gain": 1.5}, "sparse_": {"sparsity": 0.4},
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("sizes", [(6, 4), (4, 6)])
def test_initial_weights_are_torchs_draws(name: str, sizes: tuple[int, int]) -> None:
    weights = []
    for library in (nn.init, torch.nn.init):
        torch.manual_seed(0)
        weights.append(getattr(library, name)(torch.empty(sizes), **FILLS[name]))
    torch.testing.assert_close(*weights, rtol=0, atol=1e-7)


def test_the_other_ways_to_begin() -> None:
    for a, b in ((-2.0, 2.0), (1.5, 3.0), (0.1, 0.2)):  # wide, tail, narrow
        weights = []
        for library in (nn.init, torch.nn.init):
            torch.manual_seed(0)
            weights.append(library.trunc_normal_(torch.empty(500), 0.0, 1.0, a, b))
        torch.testing.assert_close(*weights, rtol=0, atol=1e-7)
    for groups in (1, 2):
        kernels = (
            library.dirac_(torch.empty(4, 3, 3, 5), groups) for library in (nn.init, torch.nn.init)
        )
        assert torch.equal(*kernels)
    for gain in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(gain) == torch.nn.init.calculate_gain(gain)
    with pytest.raises(ValueError, match="fewer than 2"):
        nn.init.xavier_uniform_(torch.empty(3))


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, math.inf])
def test_clipping_is_torchs(norm_type: float) -> None:
    results = []
    for library in (nn.utils, torch.nn.utils):
        torch.manual_seed(0)
        parameters = [torch.nn.Parameter(torch.empty(size)) for size in (3, 5)]
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        total = library.clip_grad_norm_(iter(parameters), 0.7, norm_type)
        library.clip_grad_value_(parameters, 0.2)
        results.append([total, *(parameter.grad for parameter in parameters)])
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-7)


def test_a_norm_that_is_no_number_is_refused() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([math.nan, 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(parameter, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1.0) == 0


@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d", "RNN", "GRU", "LSTM"])
def test_mixed_precision_runs_there_and_back(kind: str) -> None:
    if "Conv" in kind:
        args, x = (3, 4, 3), torch.randn(2, 3, 6, 6)
    else:
        args, x = (3, 4, 2), torch.randn(5, 2, 3)
    theirs, ours = (getattr(library, kind)(*args) for library in (torch.nn, nn))
    ours.load_state_dict(theirs.state_dict())
    results = []
    for network in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            output = network(x.bfloat16())
        output = output if "Conv" in kind else output[0]
        output.float().square().sum().backward()
        results.append([output.float(), next(network.parameters()).grad])
    torch.testing.assert_close(*results, rtol=0.05, atol=0.1)
