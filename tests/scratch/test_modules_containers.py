"""Containers: the same calls on ours and torch's leave the same members, names and printed form."""

from __future__ import annotations

import copy
from collections import OrderedDict

import pytest
import torch

from fathom.scratch import nn


def build(library):
    """Containers of all kinds, changed in all ways, by their names."""
    torch.manual_seed(0)
    line = library.Linear
    sequence = library.Sequential(line(2, 3), library.ReLU(), line(3, 4))
    sequence.append(library.Tanh()).insert(1, library.Identity())
    sequence[0] = line(2, 3, bias=False)
    del sequence[2]
    named = library.Sequential(OrderedDict(first=line(2, 2), second=line(2, 2)))
    listed = library.ModuleList([line(2, 2) for _ in range(3)])
    listed.extend([line(2, 3)])
    listed += [line(2, 3)]
    listed.insert(0, library.ReLU())
    del listed[1]
    taken = listed.pop(-1)
    table = library.ModuleDict({"b": line(1, 1), "a": line(1, 2)})
    table["c"] = library.ReLU()
    table.update([("d", line(1, 1))])
    table.pop("b")
    values = library.ParameterDict({"z": torch.ones(2), "a": torch.zeros(3, 1)})
    values["text"] = "kept"
    values |= {"more": torch.ones(1)}
    del values["z"]
    weights = library.ParameterList([torch.ones(2), torch.zeros(1, 2)])
    weights.append(torch.ones(3))
    weights += [torch.ones(4), 7]
    weights[0] = torch.zeros(5)
    return {
        "sequence": sequence, "slice": sequence[1:], "joined": sequence + named, "named": named,
        "tail": named[1:], "repeated": named * 2, "listed": listed, "some": listed[:2],
        "longer": listed + library.ModuleList([taken]), "empty": library.ModuleList(),
        "table": table, "values": values, "union": values | {"x": torch.ones(1)},
        "weights": weights, "few": weights[1:3],
    }  # fmt: skip


OURS, THEIRS = build(nn), build(torch.nn)


@pytest.mark.parametrize("name", OURS)
def test_members_names_and_printed_form_are_torchs(name: str) -> None:
    ours, theirs = OURS[name], THEIRS[name]
    assert repr(ours) == repr(theirs)
    assert len(ours) == len(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
    assert [repr(each) for each in ours] == [repr(each) for each in theirs]
    assert repr(copy.deepcopy(ours)) == repr(ours)
    assert hash(ours) != hash(copy.deepcopy(ours))


def test_a_sequence_runs_and_its_members_train() -> None:
    for network in (OURS["named"], THEIRS["named"]):
        network(torch.ones(3, 2)).sum().backward()
    for ours, theirs in zip(OURS["named"].parameters(), THEIRS["named"].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_dictionaries_are_dictionaries() -> None:
    ours, theirs = OURS["values"], THEIRS["values"]
    assert list(ours.keys()) == list(theirs.keys())
    assert "text" in ours
    assert ours["text"] == ours.get("text") == "kept"
    assert ours.get("nothing", 3) == 3
    copied = ours.copy()
    assert copied.setdefault("new", 5) == 5
    assert copied.pop("new") == 5
    copied.clear()
    assert not list(copied)
    assert OURS["table"]["a"].out_features == 2


def test_wrong_members_are_refused() -> None:
    sequence = nn.Sequential(nn.ReLU())
    for use in (lambda: sequence[3], lambda: sequence[-2]):
        with pytest.raises(IndexError, match="out of range of 1"):
            use()
    with pytest.raises(TypeError):
        nn.ModuleList([3])
    with pytest.raises(TypeError, match="int"):
        nn.ModuleList().extend(3)
    with pytest.raises(ValueError, match="Sequential"):
        sequence + nn.ModuleList()
    with pytest.raises(ValueError, match="-1"):
        sequence * -1
    with pytest.raises(TypeError, match="tuple of ints"):
        nn.Unflatten(1, (2, "3"))
    with pytest.raises(TypeError, match="int"):
        nn.ParameterDict({}).__setitem__(3, 4)
