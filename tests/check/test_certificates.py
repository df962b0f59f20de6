"""The certificates themselves: do they see a difference, an absence, a missing package?"""

from __future__ import annotations

import math
import sys

import pytest
import torch

from fathom.check import certificates, modules
from fathom.check.modules import certify, compare, error_of
from fathom.check.rows import Row, matches
from fathom.check.samples import Sample, our_samples, pytorch_modules
from fathom.check.workloads import workload
from fathom.core.errors import SettingError
from fathom.scratch import nn as scratch_nn


def test_a_module_that_agrees_has_a_row_that_says_so() -> None:
    (row,) = certificates.check("nn.CosineSimilarity", speed=True)
    assert (row.pair, row.kind, row.samples, row.verdict) == (
        "nn.CosineSimilarity",
        "module",
        2,
        "agrees",
    )
    assert 0 <= row.forward_error < 1e-9
    assert 0 <= row.backward_error < 1e-7
    assert row.speed > 0
    assert row.speed_forward > 0
    assert row.speed_backward > 0
    assert not row.failed


class Forgetful(torch.nn.Linear):
    """Like Linear, but for one thing."""

    def __init__(self, fault: str, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fault = fault
        self.__class__.__name__ = "Linear"

    def forward(self, input):
        output = super().forward(input)
        faults = {
            "value": lambda: output * (1 + 1e-8),
            "gradient": lambda: output + (output - output.detach()) * 1e-6,
            "nan": lambda: output * math.nan,
            "shape": lambda: output[None],
            "type": output.float,
            "raises": lambda: torch.ones(2) @ torch.ones(3),
            "more": lambda: (output, output),
        }
        return faults[self.fault]()


@pytest.mark.parametrize("fault", ["value", "gradient", "nan", "shape", "type", "raises", "more"])
def test_a_module_that_differs_is_found_out(fault: str, monkeypatch) -> None:
    monkeypatch.setattr(scratch_nn, "Linear", lambda *a, **k: Forgetful(fault, *a, **k))
    row = certify("Linear", [Sample((3, 2), inputs=[torch.randn(4, 3).double()])], speed=False)
    assert row.verdict == "differs"
    assert row.failed
    assert row.why


def test_other_first_weights_names_or_printed_forms_are_found_out(monkeypatch) -> None:
    sample = [Sample((3, 2), inputs=[torch.randn(4, 3).double()])]

    class Other(torch.nn.Module):
        def __init__(self, *args) -> None:
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.ones(2, 3))

        def forward(self, x):
            return x @ self.kernel.T

    monkeypatch.setattr(scratch_nn, "Linear", Other)
    assert "kernel" in certify("Linear", sample, speed=False).why


def test_what_scratch_lacks_is_missing_and_no_failure(monkeypatch) -> None:
    monkeypatch.delattr(scratch_nn, "Bilinear")
    row = certify("Bilinear", [Sample((3, 2, 2))], speed=True)
    assert row.verdict == "missing"
    assert not row.failed


def test_errors_are_relative_and_infinities_are_equal() -> None:
    big = torch.tensor([1e6, math.inf, math.nan], dtype=torch.float64)
    assert error_of([big], [big]) == 0
    assert error_of([big + 1], [big]) == pytest.approx(1e-6)
    tiny = torch.tensor([1e-17], dtype=torch.float64)
    assert error_of([tiny], [tiny * 0]) < 1e-13
    assert math.isnan(error_of([tiny * math.nan], [tiny]))
    assert error_of([torch.ones(0)], [torch.ones(0)]) == 0


def test_patterns() -> None:
    assert matches("nn.Conv2d", None)
    assert matches("nn.Conv2d", "conv")
    assert matches("nn.Conv2d", "Conv?d")
    assert matches("nn.Conv2d", "nn.*")
    assert not matches("nn.Conv2d", "optim.*")
    with pytest.raises(SettingError, match=r"did you mean 'Conv2d'\?"):
        certificates.check("Covn2d", speed=False)


def test_without_pytorchs_samples_the_remedy_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.testing._internal.common_modules", None)
    with pytest.raises(SettingError, match="pip install expecttest") as caught:
        list(modules.rows(None, speed=False))
    assert "\n" not in str(caught.value)


def test_every_module_of_torch_has_samples_and_a_workload() -> None:
    assert len(pytorch_modules()) == 114
    for name in [*pytorch_modules(), *our_samples(torch.float32)]:
        if hasattr(scratch_nn, name) and "Transformer" not in name:
            load = workload(name)
            module = load.build(scratch_nn, name, torch.float32)
            assert isinstance(module, torch.nn.Module)


def test_every_kind_of_certificate_is_found() -> None:
    names = {source.__module__.rsplit(".", 1)[1] for source in certificates.sources()}
    assert {"modules", "optimisers"} <= names


def test_inputs_are_copied_so_that_no_run_sees_the_other() -> None:
    sample = Sample(kwargs={"inplace": True}, inputs=[torch.randn(3, 4).double()])
    before = sample.inputs[0].clone()
    assert compare("ReLU", sample, torch.float64).forward == 0
    assert torch.equal(before, sample.inputs[0])


def test_a_row_says_when_it_failed() -> None:
    assert Row("a", "module", 1, 1.0, 1.0, None, None, None, "differs", "why").failed
    assert not Row("a", "module", 1, 0.0, 0.0, None, None, None, "not exact", "why").failed
