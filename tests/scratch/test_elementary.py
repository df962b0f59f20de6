"""No file of scratch calls what it explains: a walk over its calls, with a list of the elementary.

Elementary is what moves numbers (views, gathers, copies), what is done to each number by itself
(+, exp, sqrt), sums and extremes along a dimension, and the product of matrices. Everything else
of torch is spelled out somewhere in scratch, or may be used in the few files named for it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import fathom.scratch

ROOT = Path(fathom.scratch.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def words(text: str) -> set[str]:
    """The words of a list that is easier to read without quotes."""
    return set(text.split())


BOOKKEEPING = words("""
    Generator Size Tensor autocast autograd autograd.Function autograd.function
    autograd.function.once_differentiable bfloat16 bool device dtype enable_grad finfo float16
    float32 float64 get_autocast_dtype get_default_dtype int32 int64 is_autocast_enabled
    is_grad_enabled long nn nn.Buffer nn.Module nn.ModuleDict nn.ModuleList
    nn.Parameter nn.ParameterDict nn.ParameterList nn.Sequential nn.UninitializedBuffer
    nn.UninitializedParameter nn.init nn.modules.lazy.LazyModuleMixin
    nn.parameter.UninitializedBuffer nn.parameter.UninitializedParameter nn.utils.rnn.PackedSequence
    no_grad optim optim.Optimizer optim.lr_scheduler optim.lr_scheduler.LRScheduler
    optim.lr_scheduler.ReduceLROnPlateau optim.optimizer.ParamsT typename uint8
""")

FUNCTIONS = words("""
    add addcmul addmm arange as_tensor baddbmm broadcast_tensors cat empty empty_like full
    full_like gt le maximum minimum mm mul ones ones_like rand randperm rsub searchsorted sign
    sparse_coo_tensor stack sum tensor view_as_real where xlogy zeros zeros_like
""")

METHODS = words("""
    __dir__ __init__ __setattr__ abs abs_ add add_ addcdiv_ addcmul addcmul_ addmm_ all amax amin
    aminmax any argmax argmin argsort as_strided bernoulli_ bfloat16 bincount ceil chunk clamp
    clamp_ clone contiguous copy_ cos cumprod cumsum detach diagonal dim div div_ dot double erf
    erf_ exp exp2 exp2_ exp_ expand expand_as expm1_ fill_ flatten flip float floor gather gt_
    index_add index_fill index_put index_select is_complex is_contiguous is_floating_point isfinite
    isinf isnan item le_ lerp lerp_ log log1p_ log2 log2_ log_ lt_ logical_not long masked_fill
    masked_fill_ masked_scatter max maximum mean min minimum movedim mul mul_ narrow neg neg_
    new_empty new_full new_ones new_tensor new_zeros nonzero normal_ numel permute pow prod
    reciprocal reciprocal_ repeat repeat_interleave reshape rsqrt rsqrt_ scatter scatter_
    scatter_add scatter_add_ select sign sign_ size split sqrt sqrt_ square squeeze storage_offset
    stride sub sub_ sum sum_to_size t tile to to_dense tolist transpose tril triu triu_ trunc
    type_as unbind unflatten unfold uniform_ unique unsqueeze values view view_as where zero_
""")

# What a file may use because another one explains it, or because it is not scratch's subject.
ALSO = {
    # A product of matrices, one of which was put in the order in which it is read.
    "nn/recurrent.py": {"sigmoid_", "torch.ops", "torch.backends"},
    "nn/recurrent_cells.py": {"torch.sigmoid", "torch.tanh"},
    "nn/containers.py": {"torch.nn.Module.__hash__", "__getitem__"},
    "nn/init.py": {"torch.linalg.qr", "torch.linalg"},
    "nn/normalisation.py": {"torch.linalg.vector_norm", "torch.linalg"},
    "nn/transformer.py": {"norm"},  # a module's attribute
    "optim/matrix.py": {"norm"},  # of a matrix, in Muon
    "autograd/graph.py": {"ravel"},  # of NumPy arrays
}


def spelled(node: ast.AST) -> str | None:
    """`a.b.c` of an expression made of names and dots only."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = spelled(node.value)
        return before and f"{before}.{node.attr}"
    return None


def imported(tree: ast.AST) -> dict[str, str]:
    """Local name to full name, of all imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def not_elementary(source: str, also: frozenset[str] | set[str] = frozenset()) -> set[str]:
    """What `source` uses of torch that is not on the lists: full names, or names of methods."""
    allowed = {f"torch.{name}" for name in BOOKKEEPING | FUNCTIONS} | {"torch"} | set(also)
    methods = METHODS | set(also)
    tree = ast.parse(source)
    names = imported(tree)
    used = {full for full in names.values() if full.split(".")[0] == "torch"}
    found = set()
    for node in ast.walk(tree):
        name = spelled(node) if isinstance(node, ast.Attribute) else None
        root = names.get(name.split(".")[0], "") if name else ""
        if name and root.split(".")[0] == "torch":
            used.add(".".join([root, *name.split(".")[1:]]))
        if not isinstance(node, ast.Call):
            continue
        call = spelled(node.func)
        if call == "getattr" and names.get(spelled(node.args[0]) or "", "").startswith("torch"):
            found.add("getattr(torch, …)")
        if isinstance(node.func, ast.Attribute):
            start = names.get((call or "").split(".")[0], "").split(".")[0]
            method = node.func.attr
            ours = start in ("torch", "fathom", "math", "numpy", "itertools", "warnings")
            if not ours and hasattr(torch.Tensor, method) and method not in methods:
                found.add(f".{method}()")
    for full in used:
        # `torch.autograd.Function.apply`: a name may go on below something that is allowed.
        parts = full.split(".")
        if (
            not any(".".join(parts[:n]) in allowed for n in range(2, len(parts) + 1))
            and full != "torch"
        ):
            found.add(full)
        if full.startswith("torch.nn.") and full not in allowed:
            found.add(full)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_what_is_elementary_is_called(path: Path) -> None:
    also = ALSO.get(path.relative_to(ROOT).as_posix(), set())
    assert not_elementary(path.read_text(), also) == set()


@pytest.mark.parametrize(
    ("source", "culprit"),
    [
        ("import torch\ntorch.nn.functional.conv2d(x, w)", "torch.nn.functional.conv2d"),
        ("import torch.nn.functional as F\nF.softmax(x)", "torch.nn.functional.softmax"),
        ("from torch.nn import functional as G\nG.gelu(x)", "torch.nn.functional.gelu"),
        ("from torch.nn.functional import unfold", "torch.nn.functional.unfold"),
        ("from torch import nn\nlayer = nn.LSTM(3, 4)", "torch.nn.LSTM"),
        ("import torch\ntorch.conv2d(x, w)", "torch.conv2d"),
        ("import torch as t\nt.ops.aten.lstm(x)", "torch.ops.aten.lstm"),
        ("import torch\ntorch._C._nn.gelu(x)", "torch._C._nn.gelu"),
        ("from torch import _VF\n_VF.gru(x)", "torch._VF.gru"),
        ("x.softmax(-1)", ".softmax()"),
        ("(x + 1).logsumexp(0)", ".logsumexp()"),
        ("import torch\nx = torch.logsumexp(y, 0)", "torch.logsumexp"),
        ("import torch\ngetattr(torch, 'conv2d')(x)", "getattr(torch, …)"),
    ],
)
def test_the_walk_sees_what_it_should(source: str, culprit: str) -> None:
    assert culprit in not_elementary(source)
