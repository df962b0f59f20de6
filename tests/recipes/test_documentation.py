"""What a module offers, read from it; nothing is imported that is not an installed library."""

from __future__ import annotations

import inspect
import sys

import pytest
import torch

from fathom.core.errors import SettingError
from fathom.recipes.documentation import lookup, public_names, resolve


def test_torch_s_distributions():
    found = lookup()
    found.check("lookup")
    names = public_names(torch.distributions)
    assert set(names) == set(torch.distributions.__all__)
    classes = [n for n in names if inspect.isclass(getattr(torch.distributions, n))]
    assert found.numbers["public classes"] == len(classes)
    (rows,) = (table.rows for table in found.tables.values())
    listed = {row[0]: row[2] for row in rows}
    assert listed["Beta"].startswith("Beta distribution parameterized by concentration1")


@pytest.mark.parametrize(
    ("path", "thing"),
    [
        ("torch", torch),
        ("torch.ones", torch.ones),
        ("torch.nn.Linear", torch.nn.Linear),
        ("torch.nn.Linear.forward", torch.nn.Linear.forward),
        ("torch.pi", torch.pi),
        ("numpy.linalg.norm", __import__("numpy").linalg.norm),
    ],
)
def test_a_path_leads_to_its_thing(path, thing):
    assert resolve(path) is thing
    lookup(module=path).check("lookup")


def test_a_thing_is_described_with_its_signature():
    ((title, table),) = lookup(module="torch.ones").tables.items()
    assert title.startswith("torch.ones(*size, *, out=None")
    assert table.rows[0][1].startswith("Returns a tensor filled with the scalar value 1, with")
    ((title, _),) = lookup(module="torch.nn.Linear").tables.items()
    assert title == f"torch.nn.Linear{inspect.signature(torch.nn.Linear)}"


def test_a_module_that_is_not_yet_imported_is_found():
    assert resolve("fathom.recipes.documentation.lookup") is lookup


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("torch.nn.Liner", "torch.nn has no 'Liner'; did you mean 'Linear'"),
        ("tourch", "did you mean 'torch'"),
        ("antigravity", "there is no installed library"),
        ("this", "there is no installed library"),
        ("", "there is no installed library"),
        ("pip.__main__", "not a path of public names"),
        ("torch..nn", "not a path of public names"),
        ("torch.utils.tensorboard", "cannot be imported"),
        ("torch.pi.nothing_like_it", "it has as_integer_ratio"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(path, words):
    with pytest.raises(SettingError, match=words) as told:
        lookup(module=path)
    assert "\n" not in str(told.value)


def test_a_file_of_the_user_s_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "mischief.py").write_text("raise SystemExit('run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match="no installed library"):
        resolve("mischief")
    assert "mischief" not in sys.modules
