"""The page that explains `Module` against torch's own, on the same trees."""

from collections import OrderedDict

import pytest
import torch

from fathom.scratch.nn import module as page


def network(library, *, lazy: bool = False):
    """Two layers, one of them shared, one without bias, in a tree with a buffer."""
    torch.manual_seed(0)
    hidden = library.LazyLinear(4) if lazy else library.Linear(3, 4)
    shared = library.Linear(4, 4, bias=False)
    net = library.Sequential(
        OrderedDict(
            first=hidden, middle=library.Sequential(shared, shared), last=library.Linear(4, 2)
        )
    )
    net.register_buffer("count", torch.zeros((), dtype=torch.int64))
    return net


def names(pairs) -> list[str]:
    return [name for name, _ in pairs]


def test_names_weights_and_printed_form_are_torchs() -> None:
    ours, theirs = network(page), network(torch.nn)
    assert names(ours.named_parameters()) == names(theirs.named_parameters())
    assert names(ours.named_modules()) == names(theirs.named_modules())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    for mine, yours in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.shape == yours.shape
        assert mine.requires_grad


def test_state_moves_both_ways_and_the_outputs_and_gradients_agree() -> None:
    ours, theirs = network(page), network(torch.nn)
    x = torch.randn(5, 3)
    theirs.load_state_dict(ours.state_dict())
    for _ in range(2):
        outputs = ours(x), theirs(x)
        torch.testing.assert_close(*outputs)
        for output in outputs:
            output.square().sum().backward()
        for mine, yours in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, yours.grad)
            mine.grad = yours.grad = None
        for parameter in theirs.parameters():
            parameter.data += 1
        ours.load_state_dict(theirs.state_dict())


def test_a_wrong_state_is_refused_by_name() -> None:
    net = network(page)
    state = net.state_dict()
    with pytest.raises(RuntimeError, match=r"missing keys \['last.bias'\]"):
        net.load_state_dict({key: value for key, value in state.items() if key != "last.bias"})
    with pytest.raises(RuntimeError, match=r"unexpected \['other'\]"):
        net.load_state_dict(state | {"other": torch.zeros(1)})
    with pytest.raises(RuntimeError, match=r"last.bias.*\[7\].*\[2\]"):
        net.load_state_dict(state | {"last.bias": torch.zeros(7)})


@pytest.mark.parametrize("library", [page, torch.nn])
def test_assignment_registers_replaces_and_refuses(library) -> None:
    net = library.Linear(2, 2)
    net.scale = library.Parameter(torch.ones(2))
    assert names(net.named_parameters()) == ["weight", "bias", "scale"]
    net.bias = None
    assert names(net.named_parameters()) == ["weight", "scale"]
    with pytest.raises(TypeError, match="cannot assign"):
        net.weight = torch.ones(2, 2)
    net.child = library.Linear(2, 2)
    net.child = library.Parameter(torch.ones(1))
    assert names(net.named_modules()) == [""]
    assert "child" in names(net.named_parameters())
    net.plain = torch.ones(3)
    assert "plain" not in net.state_dict()
    with pytest.raises(AttributeError, match="nowhere"):
        _ = net.nowhere
    net.training_note = "kept"
    assert net.training_note == "kept"


@pytest.mark.parametrize("library", [page, torch.nn])
def test_hooks_see_and_replace(library) -> None:
    net, seen = library.Linear(2, 2), []
    net.register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    net.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    net.register_forward_hook(lambda module, inputs, output: output * 0)
    assert torch.equal(net(torch.zeros(1, 2)), torch.zeros(1, 2))
    assert torch.equal(seen[0], torch.ones(1, 2))


@pytest.mark.parametrize("library", [page, torch.nn])
def test_walks(library) -> None:
    net, visited = network(library), []
    net.apply(lambda module: visited.append(type(module).__name__))
    assert visited == ["Linear", "Linear", "Sequential", "Linear", "Sequential"]
    assert not any(module.training for _, module in net.eval().named_modules())
    assert all(module.training for _, module in net.train().named_modules())
    held = list(net.parameters())  # as an optimiser holds them
    net.to(torch.float64)
    assert all(mine is now for mine, now in zip(held, net.parameters(), strict=True))
    assert {tensor.dtype for tensor in net.state_dict().values()} == {torch.float64, torch.int64}
    with pytest.raises(NotImplementedError, match="forward"):
        library.Module()(1)


@pytest.mark.parametrize("library", [page, torch.nn])
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_lazy_layer_becomes_a_plain_one(library) -> None:
    net = network(library, lazy=True)
    assert type(next(net.children())) is library.LazyLinear
    assert "in_features=0" in repr(net)
    assert net(torch.ones(2, 7)).shape == (2, 2)
    first = next(net.children())
    assert type(first) is library.Linear
    assert first.weight.shape == (4, 7)
    assert net(torch.ones(2, 7)).shape == (2, 2)
