"""Every module can be copied and pickled, gives the same again, and leaves its arguments alone."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_flatten

from fathom.scratch import nn

INFOS = [info for info in module_db if "Lazy" not in info.module_cls.__name__]


def tensors(tree) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.module_cls.__name__)
def test_copies_agree_and_arguments_stay(info) -> None:
    samples = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    )
    for sample in samples[:4]:
        make, call = sample.constructor_input, sample.forward_input
        module = getattr(nn, info.module_cls.__name__)(*make.args, **make.kwargs)
        copies = [module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
        before = copy.deepcopy((call.args, call.kwargs))
        outputs = []
        for each in copies:
            torch.manual_seed(0)
            outputs.append(tensors(each(*call.args, **call.kwargs)))
        for one, *others in zip(*outputs, strict=True):
            for other in others:
                torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
        if not make.kwargs.get("inplace", False):
            for kept, now in zip(tensors(before), tensors((call.args, call.kwargs)), strict=True):
                torch.testing.assert_close(now, kept, rtol=0, atol=0, equal_nan=True)
