"""Arrays of numbers and what is done with them: tensors, linear algebra (book chapter 2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.cells import Cells, side_by_side
from fathom.plots.planes import outlines


@recipe(
    section="2.1",
    title="Data manipulation",
    zh="数据操作",
    minutes=0.1,
    book="x + y = [3, 4, 6, 10]; the twelve numbers of X add up to 66",
    ours="the same, to all digits",
)
def tensors() -> Findings:
    """Create, index, slice, broadcast, join; and what takes new memory and what does not.

    Every line of the table is an expression that was evaluated as it stands there. The figures
    show which cells an index picks, and how two arrays of different shapes come to be added: the
    shorter axis is read again and again, and nothing is copied.
    """
    names = {
        "x": torch.tensor([1.0, 2, 4, 8]),
        "y": torch.tensor([2.0, 2, 2, 2]),
        "X": torch.arange(12.0).reshape(3, 4),
        "Y": torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]]),
        "a": torch.arange(3).reshape(3, 1),
        "b": torch.arange(2).reshape(1, 2),
    }
    expressions = [
        "torch.zeros(2, 3, 4).shape, torch.ones(2, 3).sum()",
        "x + y, x - y, x * y, x / y, x ** y",
        "torch.exp(x)",
        "X.shape, X.numel(), X.sum()",
        "X == Y",
        "X[-1], X[1:3, 0], X[1, 2]",
        "a + b",
        "torch.cat((X, Y), dim=0).shape, torch.cat((X, Y), dim=1).shape",
        "X[:2].numpy().dtype, X.sum().item(), int(x[2])",
    ]
    return Findings(
        tables={"Evaluated": Table(["expression", "result"], _evaluated(expressions, names))},
        figures={"broadcasting": _broadcast_picture(names), "indexing": _index_picture(names["X"])},
        claims=_arithmetic_claims(names) | _memory_claims(),
    )


def _evaluated(expressions: list[str], names: dict[str, Tensor]) -> list[list[str]]:
    """Each expression of this file's own with its result: what is shown is what was run."""
    return [[text, _plain(eval(text, {"torch": torch}, dict(names)))] for text in expressions]


def _plain(value: Any) -> str:
    """A result without torch's brackets: lists, shapes and numbers."""
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, tuple) and not isinstance(value, torch.Size):
        return "; ".join(map(_plain, value))
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, torch.Size):
        return str(tuple(value))
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _arithmetic_claims(names: dict[str, Tensor]) -> dict[str, bool]:
    x, y, X, Y, a, b = names.values()
    p, q = x.numpy(), y.numpy()
    pairs = [(x + y, p + q), (x - y, p - q), (x * y, p * q), (x / y, p / q), (x**y, p**q)]
    joined = np.concatenate([X.numpy(), Y.numpy()], axis=1)
    return {
        "+ - * / ** are taken element by element, as NumPy takes them": all(
            np.array_equal(ours.numpy(), theirs) for ours, theirs in pairs
        ),
        "torch.cat joins along the axis that is named": np.array_equal(
            torch.cat((X, Y), dim=1), joined
        ),
        "(3, 1) + (1, 2) is the table of all six sums": (a + b).tolist()
        == [[i + j for j in range(2)] for i in range(3)],
    }


def _memory_claims() -> dict[str, bool]:
    """What shares memory, found out by looking at addresses and by writing."""
    flat = torch.arange(12.0)
    X = flat.reshape(3, 4)
    stretched = torch.arange(3).reshape(3, 1).expand(3, 1_000_000)
    Y = torch.zeros(3, 4)
    before = Y.data_ptr()
    Y[:] = Y + X
    Y += X
    in_place = Y.data_ptr() == before
    old = Y
    Y = Y + X
    X[0, 0] = 100
    array = X.numpy()
    array[2, 3] = -1
    return {
        "a new shape is another view of the same numbers": float(flat[0]) == 100,
        "a slice is a view, a list of indices makes a copy": X[1:3].data_ptr()
        == X.data_ptr() + 4 * X.element_size()
        and X[[1, 2]].untyped_storage().data_ptr() != X.untyped_storage().data_ptr(),
        "a million columns by broadcasting take the memory of one": stretched.stride() == (1, 0)
        and stretched.untyped_storage().nbytes() == 3 * 8,
        "Y = Y + X takes new memory; Y[:] = Y + X and Y += X do not": in_place
        and old.data_ptr() == before != Y.data_ptr(),
        "numpy() shares the memory: what one writes, the other reads": float(X[2, 3]) == -1,
    }


def _broadcast_picture(names: dict[str, Tensor]) -> Figure:
    a, b = names["a"], names["b"]
    left, right = (t.expand(3, 2).tolist() for t in (a, b))
    again_a = frozenset((i, 1) for i in range(3))
    again_b = frozenset((i, j) for i in (1, 2) for j in range(2))
    return side_by_side(
        [
            [
                Cells("a  (3, 1)", left, copied=again_a, then="+"),
                Cells("b  (1, 2)", right, copied=again_b, then="="),
                Cells("a + b  (3, 2)", (a + b).tolist()),
            ]
        ],
        title="dashed cells are read again, not copied",
    )


def _index_picture(X: Tensor) -> Figure:
    """X some times over, with the cells in colour that an index picks."""
    places = torch.arange(X.numel()).reshape(X.shape)
    picks = {
        "X[-1]": places[-1],
        "X[1:3]": places[1:3],
        "X[:, 1]": places[:, 1],
        "X[::2, 1::2]": places[::2, 1::2],
        "X[[0, 2], [3, 0]]": places[[0, 2], [3, 0]],
        "X[X > 6]": places[X > 6],
    }
    cells = [
        Cells(
            text,
            X.int().tolist(),
            marked=frozenset(divmod(i, X.shape[1]) for i in chosen.flatten().tolist()),
        )
        for text, chosen in picks.items()
    ]
    return side_by_side([cells[:3], cells[3:]], title="what an index picks")


@recipe(
    section="2.3",
    title="Linear algebra",
    zh="线性代数",
    minutes=0.1,
    book="dot product 6; L2 norm of [3, -4] 5, its L1 norm 7; Frobenius norm of ones(4, 9) 6",
    ours="the same, to all digits",
)
def linear_algebra() -> Findings:
    """Sums with and without kept axes, products, norms: each beside NumPy and what defines it.

    A sum over an axis takes that axis away. Kept with length 1 it lets the sums divide the matrix
    again, by broadcasting. A norm is any length that is zero at zero only, grows in proportion
    and keeps a detour longer than the straight way; the figure shows what three of them call 1.
    """
    A = torch.arange(20.0).reshape(5, 4)
    x, ones = torch.arange(4.0), torch.ones(4)
    shares = A / A.sum(1, keepdim=True)
    rows: list[list[Any]] = [
        ["A.sum(), A.mean()", _plain((A.sum(), A.mean()))],
        ["A.sum(0)", _plain(A.sum(0))],
        ["A.sum(1)", _plain(A.sum(1))],
        ["A.cumsum(0)[-1]", _plain(A.cumsum(0)[-1])],
        ["A @ x", _plain(A @ x)],
        ["A @ ones(4, 3), first column", _plain((A @ torch.ones(4, 3))[:, 0])],
    ]
    return Findings(
        numbers={
            "dot product of arange(4) and ones": float(x @ ones),
            "L2 norm of [3, -4]": float(torch.tensor([3.0, -4]).norm()),
            "L1 norm of [3, -4]": float(torch.tensor([3.0, -4]).abs().sum()),
            "Frobenius norm of ones(4, 9)": float(torch.ones(4, 9).norm()),
        },
        tables={"A = arange(20).reshape(5, 4), x = arange(4)": Table(["", "result"], rows)},
        figures={"sums": _sums_picture(A, shares), "norms": _norms_picture()},
        claims=_algebra_claims(A, shares) | _norm_claims(),
    )


def _algebra_claims(A: Tensor, shares: Tensor) -> dict[str, bool]:
    generator = torch.Generator().manual_seed(current_seed())
    P, Q = (torch.randn(5, 5, generator=generator, dtype=torch.double) for _ in range(2))
    entries = [[sum(p * q for p, q in zip(row, col, strict=True)) for col in Q.T] for row in P]
    pairs = [(A.sum(0), A.numpy().sum(0)), (A.cumsum(1), A.numpy().cumsum(1))]
    return {
        "sums along axes are NumPy's": all(np.array_equal(a.numpy(), b) for a, b in pairs),
        "a kept axis broadcasts: rows of A / A.sum(1, keepdim=True) add up to 1": torch.allclose(
            shares.sum(1), torch.ones(5)
        ),
        "entry i, j of P @ Q is row i of P times column j of Q": torch.allclose(
            P @ Q, torch.tensor(entries, dtype=torch.double)
        ),
        "P * Q, element by element, is another thing": not torch.allclose(P * Q, P @ Q),
        "(P Q) transposed is Q transposed times P transposed": torch.allclose((P @ Q).T, Q.T @ P.T),
        "P + P transposed is symmetric": torch.equal(P + P.T, (P + P.T).T),
    }


def _norm_claims() -> dict[str, bool]:
    """On a thousand random pairs of vectors of ten numbers."""
    generator = torch.Generator().manual_seed(current_seed() + 1)
    u, v = torch.randn(2, 1_000, 10, generator=generator, dtype=torch.double)
    scale = torch.randn(1_000, generator=generator, dtype=torch.double)
    lengths = {p: lambda t, p=p: torch.linalg.vector_norm(t, p, dim=1) for p in (1, 2, math.inf)}
    one, two, most = (length(u) for length in lengths.values())
    slack = 1 + 1e-12  # for the last bit
    return {
        "a detour is never shorter: |u + v| <= |u| + |v|": all(
            bool((length(u + v) <= slack * (length(u) + length(v))).all())
            for length in lengths.values()
        ),
        "norms grow in proportion: |c u| = |c| |u|": all(
            torch.allclose(length(scale[:, None] * u), scale.abs() * length(u))
            for length in lengths.values()
        ),
        "largest <= L2 <= L1 <= sqrt(n) L2": bool(
            ((most <= slack * two) & (two <= slack * one) & (one <= slack * 10**0.5 * two)).all()
        ),
        "the L2 norm is the root of the dot product with itself": torch.allclose(
            two, (u * u).sum(1).sqrt()
        ),
    }


def _sums_picture(A: Tensor, shares: Tensor) -> Figure:
    line = [
        Cells("A  (5, 4)", A.tolist()),
        Cells("A.sum(0)  (4)", [A.sum(0).tolist()]),
        Cells("A.sum(1)  (5)", [A.sum(1).tolist()]),
    ]
    kept = [
        Cells("A  (5, 4)", A.tolist(), then="÷"),
        Cells("A.sum(1,\nkeepdim=True)\n(5, 1)", A.sum(1, keepdim=True).tolist(), then="="),
        Cells("each row adds up to 1", [[round(v, 2) for v in row] for row in shares.tolist()]),
    ]
    return side_by_side([line, kept])


def _norms_picture() -> Figure:
    angles = torch.linspace(0, 2 * math.pi, 721, dtype=torch.double)
    points = torch.stack([angles.cos(), angles.sin()], dim=1)
    curves = {}
    for name, p in {"L1": 1.0, "L2": 2.0, "largest |x|": math.inf}.items():
        xs, ys = (points / torch.linalg.vector_norm(points, p, dim=1, keepdim=True)).T.tolist()
        curves[name] = (xs, ys)
    return outlines(curves, title="all vectors of length 1", xlabel="x1", ylabel="x2")
