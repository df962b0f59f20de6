"""Automatic differentiation: arrays that remember how they were computed.

Source   Linnainmaa 1970 (reverse mode), Wengert 1964 (forward mode); book 2.5 and 4.7.
Differs  torch writes a derivative for each function and each mode. Here an operation is of one of
         two kinds, which give both: elementwise, with one factor for both; or linear in each
         argument, where forward is the operation itself and back its transpose. Derivatives are
         made of operations too, so they have derivatives. Forward mode walks the recorded graph;
         torch's carries dual numbers. An input that does not matter has gradient zero.
Shapes   x an input, z = f(x) the output; a tangent t of x and a cotangent g of x have x's shape.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Number = Any  # a Tensor, an array or a number: whatever an operation can be given
Shape = tuple[int, ...]
Axes = int | Shape | None
Function = Callable[..., "Tensor"]


class Operation(NamedTuple):
    """A function of arrays, and how a change of its argument number i changes its value z.

    `push(i, t, z, *inputs)` is the Jacobian dz/dx times the tangent t of that argument x;
    `pull(i, g, z, *inputs)` is the transpose of dz/dx times the cotangent g of z.
    """

    name: str
    compute: Callable[..., Array]
    push: Callable[..., Tensor]
    pull: Callable[..., Tensor]

    def __call__(self, *inputs: Number, **settings: Any) -> Tensor:
        """Compute, and remember from what, if a derivative may be asked for."""
        dtype = np.result_type(*(x.data if isinstance(x, Tensor) else x for x in inputs))
        tensors = tuple(as_tensor(x, dtype) for x in inputs)
        z = Tensor(self.compute(*(x.data for x in tensors), **settings))
        if _recording[-1] and any(x.requires_grad for x in tensors):
            z.requires_grad, z.operation, z.inputs, z.settings = True, self, tensors, settings
        return z


class Tensor:
    """An array, how it was computed, and after `backward` the gradient with respect to it."""

    __array_ufunc__ = None  # array * tensor is our business, not NumPy's

    def __init__(self, data: Any, requires_grad: bool = False, name: str = "") -> None:
        self.data = np.asarray(data)
        if requires_grad and not np.issubdtype(self.data.dtype, np.floating):
            raise TypeError(f"only floating point tensors can require gradients, not {self.dtype}")
        self.requires_grad, self.name = requires_grad, name
        self.grad: Tensor | None = None
        self.operation: Any = None  # an Operation, unless this is a leaf
        self.inputs: tuple[Tensor, ...] = ()
        self.settings: dict[str, Any] = {}
        self.born = next(_clock)

    def backward(self, gradient: Number = None, *, create_graph: bool = False) -> None:
        """Add to `grad` of all leaves the gradient of this number, or (self * gradient).sum()."""
        cotangents = pull_back(self, gradient, create_graph=create_graph)
        for x in history(self):
            if x.operation is None:
                x.grad = cotangents[id(x)] if x.grad is None else x.grad + cotangents[id(x)]

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """The maximum over some axes, or all; equals share the gradient."""
        wins = self.data == self.data.max(axis=axis, keepdims=True)
        share = wins / wins.sum(axis=axis, keepdims=True, dtype=self.dtype)
        return where(wins, self * share, 0.0).sum(axis, keepdims)

    # fmt: off
    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    T = property(lambda self: permute(self, axes=tuple(range(self.data.ndim))[::-1]))
    mT = property(lambda self: permute(self, axes=(*range(self.data.ndim - 2), -1, -2)))  # noqa: N815

    def item(self) -> float: return self.data.item()
    def detach(self) -> Tensor: return Tensor(self.data)  # a constant: no gradient flows back
    def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        return total(self, axis=axis, keepdims=keepdims)
    def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        return (z := self.sum(axis, keepdims)) * (z.data.size / self.data.size)
    def reshape(self, *shape: int) -> Tensor: return reshape(self, shape=shape)
    def __getitem__(self, index: Any) -> Tensor: return select(self, index=index)
    def __add__(self, other: Number) -> Tensor: return add(self, other)
    def __radd__(self, other: Number) -> Tensor: return add(other, self)
    def __sub__(self, other: Number) -> Tensor: return subtract(self, other)
    def __rsub__(self, other: Number) -> Tensor: return subtract(other, self)
    def __mul__(self, other: Number) -> Tensor: return multiply(self, other)
    def __rmul__(self, other: Number) -> Tensor: return multiply(other, self)
    def __truediv__(self, other: Number) -> Tensor: return divide(self, other)
    def __rtruediv__(self, other: Number) -> Tensor: return divide(other, self)
    def __pow__(self, other: Number) -> Tensor: return power(self, other)
    def __rpow__(self, other: Number) -> Tensor: return power(other, self)
    def __matmul__(self, other: Number) -> Tensor: return matmul(self, other)
    def __rmatmul__(self, other: Number) -> Tensor: return matmul(other, self)
    def __neg__(self) -> Tensor: return multiply(self, -1)
    def __abs__(self) -> Tensor: return absolute(self)
    def __gt__(self, other: Number) -> Array: return self.data > as_tensor(other).data
    def __lt__(self, other: Number) -> Array: return self.data < as_tensor(other).data
    def __bool__(self) -> bool: return bool(self.data)
    def __repr__(self) -> str: return f"Tensor({self.data}, requires_grad={self.requires_grad})"
    # fmt: on


def as_tensor(x: Number, dtype: Any = None) -> Tensor:
    """`x` as a tensor; a plain number takes the type of its company."""
    if isinstance(x, Tensor):
        return x
    return Tensor(x if isinstance(x, Array) else np.asarray(x, dtype))


def linear(name: str, compute: Callable, transpose: Callable) -> Operation:
    """`transpose(g, x, **settings)` takes a cotangent of `compute(x, **settings)` back to x."""
    push = lambda i, t, z, x, **settings: z.operation(t, **settings)  # noqa: E731
    pull = lambda i, g, z, x, **settings: transpose(g, x, **settings)  # noqa: E731
    return Operation(name, compute, push, pull)


def elementwise(name: str, compute: Callable, *factors: Callable[..., Number]) -> Operation:
    """`factors[i](z, *inputs)` is the derivative of each element of z by that of argument i."""
    push = lambda i, t, z, *x: broadcast(t * factors[i](z, *x), shape=z.shape)  # noqa: E731
    pull = lambda i, g, z, *x: sum_to(g * factors[i](z, *x), x[i].shape)  # noqa: E731
    return Operation(name, compute, push, pull)


def sum_to(g: Tensor, shape: Shape) -> Tensor:
    """Sum along the axes that an array of `shape` was stretched along: broadcast's transpose."""
    new = g.data.ndim - len(shape)
    stretched = (i + new for i, n in enumerate(shape) if n == 1)
    return g if g.shape == shape else reshape(g.sum((*range(new), *stretched)), shape=shape)


def _add_at(x: Array, index: Any, shape: Shape) -> Array:
    z = np.zeros(shape, x.dtype)
    np.add.at(z, index, x)  # an element that was picked twice counts twice
    return z


# fmt: off
reshape: Operation = linear("reshape", lambda x, shape: x.reshape(shape), lambda g, x, shape: (
    reshape(g, shape=x.shape)))
permute: Operation = linear("transpose", np.transpose, lambda g, x, axes: permute(
    g, axes=tuple(np.argsort(np.mod(axes, len(axes))))))
broadcast: Operation = linear("broadcast", np.broadcast_to, lambda g, x, shape: sum_to(g, x.shape))
total: Operation = linear("sum", np.sum, lambda g, x, axis, keepdims: broadcast(
    reshape(g, shape=x.data.any(axis=axis, keepdims=True).shape), shape=x.shape))
select: Operation = linear("[ ]", lambda x, index: x[index], lambda g, x, index: scatter(
    g, index=index, shape=x.shape))
scatter: Operation = linear("scatter", _add_at, lambda g, x, index, shape: select(g, index=index))
product: Operation = Operation(  # linear in each of its two arguments
    "@", np.matmul,
    push=lambda i, t, z, x, y: product(x, t) if i else product(t, y),
    pull=lambda i, g, z, x, y: sum_to(x.mT @ g, y.shape) if i else sum_to(g @ y.mT, x.shape),
)
add = elementwise("+", np.add, lambda z, x, y: 1.0, lambda z, x, y: 1.0)
subtract = elementwise("-", np.subtract, lambda z, x, y: 1.0, lambda z, x, y: -1.0)
multiply = elementwise("*", np.multiply, lambda z, x, y: y, lambda z, x, y: x)
divide = elementwise("/", np.divide, lambda z, x, y: 1.0 / y, lambda z, x, y: -z / y)
power = elementwise("**", np.power,
                    lambda z, x, y: y * x ** (y - (y.data != 0)),  # 0 at y = 0, also where x is 0
                    lambda z, x, y: z * log(where(x > 0, x, 1.0)))
exp = elementwise("exp", np.exp, lambda z, x: z)
log: Operation = elementwise("log", np.log, lambda z, x: 1.0 / x)
sqrt = elementwise("sqrt", np.sqrt, lambda z, x: 0.5 / z)
sin = elementwise("sin", np.sin, lambda z, x: cos(x))
cos: Operation = elementwise("cos", np.cos, lambda z, x: -sin(x))
tanh = elementwise("tanh", np.tanh, lambda z, x: 1.0 - z * z)
sigmoid = elementwise("sigmoid", lambda x: (1 + np.tanh(x / 2)) / 2, lambda z, x: z * (1.0 - z))
relu = elementwise("relu", lambda x: np.maximum(x, 0), lambda z, x: x > 0)
absolute = elementwise("abs", np.abs, lambda z, x: np.sign(x.data))
maximum = elementwise("max", np.maximum, lambda z, x, y: (1 + np.sign((x - y).data)) / 2,
                      lambda z, x, y: (1 + np.sign((y - x).data)) / 2)  # a half where equal
where: Operation = elementwise("where", np.where, lambda z, c, x, y: 0.0,
                               lambda z, c, x, y: c, lambda z, c, x, y: ~c.data)
# fmt: on


def matmul(x: Number, y: Number) -> Tensor:
    """(..., n, k) @ (..., k, m) gives (..., n, m); a vector is a row on the left, else a column."""
    x, y = as_tensor(x), as_tensor(y)
    if y.data.ndim == 1:
        return matmul(x, y.reshape(-1, 1))[..., 0]
    return product(x.reshape(1, -1), y)[..., 0, :] if x.data.ndim == 1 else product(x, y)


# Derivatives of programs: walks along the graph, back from the result or forward to it. ---------

_clock = itertools.count()
_recording = [True]


@contextlib.contextmanager
def no_grad(recording: bool = False) -> Iterator[None]:
    """Compute without remembering how."""
    _recording.append(recording)
    try:
        yield
    finally:
        _recording.pop()


def history(z: Tensor, *, constants: bool = False) -> list[Tensor]:
    """All that z was computed from, and z, in the order in which they were made."""
    found, waiting = {}, [z]
    while waiting:
        x = waiting.pop()
        if id(x) not in found:
            found[id(x)] = x
            waiting += [y for y in x.inputs if y.requires_grad or constants]
    return sorted(found.values(), key=lambda x: x.born)


def pull_back(z: Tensor, g: Number = None, *, create_graph: bool = False) -> dict[int, Tensor]:
    """Reverse mode: from the cotangent of z, those of all that z was computed from, by `id`."""
    if not z.requires_grad:
        raise RuntimeError("this tensor was not computed from any that requires a gradient")
    if g is None and z.data.size != 1:
        raise RuntimeError(f"a gradient must be given: the shape is {z.shape}, no single number")
    cotangents = {id(z): broadcast(as_tensor(1.0 if g is None else g, z.dtype), shape=z.shape)}
    with no_grad(recording=create_graph):
        for y in reversed(history(z)):
            for i, x in enumerate(y.inputs):
                if x.requires_grad:
                    part = y.operation.pull(i, cotangents[id(y)], y, *y.inputs, **y.settings)
                    cotangents[id(x)] = cotangents[id(x)] + part if id(x) in cotangents else part
    return cotangents


def push_forward(z: Tensor, tangents: dict[int, Tensor]) -> Tensor:
    """Forward mode: the tangent of z, from those of some that it was computed from, by `id`."""
    for y in history(z):
        for i, x in enumerate(y.inputs):
            if id(x) in tangents:
                part = y.operation.push(i, tangents[id(x)], y, *y.inputs, **y.settings)
                tangents[id(y)] = tangents[id(y)] + part if id(y) in tangents else part
    return tangents.get(id(z), Tensor(np.zeros_like(z.data)))


def grad(
    z: Tensor, inputs: Sequence[Tensor], gradient: Number = None, *, create_graph: bool = False
) -> list[Tensor]:
    """The gradient of z by each input; with `create_graph` it can be differentiated in turn."""
    cotangents = pull_back(z, gradient, create_graph=create_graph)
    return [cotangents.get(id(x), Tensor(np.zeros_like(x.data))) for x in inputs]


def _variables(inputs: Sequence[Number]) -> list[Tensor]:
    """New tensors to differentiate by, tied to the given ones if those have a history."""
    tensors = [as_tensor(x) for x in inputs]
    return [reshape(x, shape=x.shape) if x.requires_grad else Tensor(x.data, True) for x in tensors]


def vjp(f: Function, inputs: Sequence[Number], v: Number = None) -> tuple[Tensor, list[Tensor]]:
    """The value z = f(x) and v J, where J = dz/dx: by one walk back for all inputs."""
    variables = _variables(inputs)
    z = f(*variables)
    return z, grad(z, variables, v, create_graph=True)


def jvp(f: Function, inputs: Sequence[Number], v: Sequence[Number]) -> tuple[Tensor, Tensor]:
    """The value z = f(x) and J v, its change when the inputs move along v: by one walk forward."""
    variables = _variables(inputs)
    z = f(*variables)
    tangents = {id(x): as_tensor(t) for x, t in zip(variables, v, strict=True)}
    return z, push_forward(z, tangents)


def jacobian(f: Function, x: Number, *, forward: bool = False) -> Array:
    """All of dz/dx, of shape (*z.shape, *x.shape): row by row back, or column by column forward."""
    (x,) = _variables([x])
    z = f(x)
    side = x if forward else z
    basis = np.eye(side.data.size, dtype=side.dtype).reshape(-1, *side.shape)
    parts = [push_forward(z, {id(x): Tensor(v)}) if forward else grad(z, [x], v)[0] for v in basis]
    lines = np.stack([part.data for part in parts], axis=-1 if forward else 0)
    return lines.reshape(*z.shape, *x.shape)


def hessian(f: Function, x: Number) -> Array:
    """The second derivatives of a single number, (*x.shape, *x.shape): forward over reverse."""
    return jacobian(lambda y: vjp(f, [y])[1][0], x, forward=True)
