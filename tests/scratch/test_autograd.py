"""Our derivatives are torch's: of random programs, forward, backward and again; and of an MLP."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fathom.scratch import autograd
from fathom.scratch.autograd import Tensor, grad, hessian, jacobian, jvp, vjp
from fathom.scratch.autograd import tensor as operations


def close(ours, theirs, tolerance=1e-10):
    ours = ours.data if isinstance(ours, Tensor) else ours
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


# Random programs: a list of numbers says what is done to which of the values so far.


def reversed_axes(lib, x):
    return x.T if lib is autograd else x.permute(*reversed(range(x.ndim)))


UNARY = [
    lambda lib, x: lib.exp(lib.tanh(x)),
    lambda lib, x: lib.log(1 + x * x),
    lambda lib, x: lib.sqrt(2 + lib.sin(x)),
    lambda lib, x: lib.cos(x) ** 3,
    lambda lib, x: lib.sigmoid(-x) / 3,
    lambda lib, x: lib.relu(x) - 0.5,
    lambda lib, x: abs(x),
    lambda lib, x: 1 / (1.5 + lib.sin(x)),
    lambda lib, x: 2.0 ** lib.tanh(x),
    reversed_axes,
    lambda lib, x: x.reshape(-1),
    lambda lib, x: x[..., ::-1] if lib is autograd else x.flip(-1),
    lambda lib, x: x[[0, 0, -1]],
    lambda lib, x: x[None, ..., 0],
    lambda lib, x: x.sum(0),
    lambda lib, x: x.mean(-1),
    lambda lib, x: x.max(0) if lib is autograd else x.amax(0),
    lambda lib, x: x.sum(),
]
BINARY = [
    lambda lib, x, y: x + y,
    lambda lib, x, y: x - y,
    lambda lib, x, y: x * y,
    lambda lib, x, y: x / (1 + y * y),
    lambda lib, x, y: lib.maximum(x, y),
    lambda lib, x, y: (1 + x * x) ** lib.tanh(y),
    lambda lib, x, y: lib.where(x.detach() > 0, x, y),
    lambda lib, x, y: lib.tanh(x) @ reversed_axes(lib, lib.tanh(y)),
]


def run(lib, program, *inputs):
    """A number computed by the program; steps that do not fit the shapes are left out."""
    values = list(inputs)
    for kind, step, first, second in program:
        x, y = values[first % len(values)], values[second % len(values)]
        try:
            if kind:
                z = BINARY[step % len(BINARY)](lib, x, y)
            else:
                z = UNARY[step % len(UNARY)](lib, x)
        except (ValueError, IndexError, RuntimeError):
            continue
        if z.shape and 0 not in z.shape and len(z.shape) < 4:
            values.append(lib.tanh(z / 2) * 2)
    means = [(lib.sin(value) * (i + 1)).mean() for i, value in enumerate(values)]
    return sum(means[1:], means[0])


step = st.tuples(st.booleans(), st.integers(0, 17), st.integers(0, 9), st.integers(0, 9))
programs = given(program=st.lists(step, max_size=8), seed=st.integers(0, 10**6))


def inputs_of(seed):
    numbers = np.random.default_rng(seed)
    return [numbers.normal(size=shape) for shape in ((3, 4), (4,), (3, 1))]


@settings(max_examples=150, deadline=None)
@programs
def test_gradients_of_random_programs(program, seed):
    arrays = inputs_of(seed)
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    z, w = run(autograd, program, *ours), run(torch, program, *theirs)
    close(z, w)
    z.backward()
    w.backward()
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad)


@settings(max_examples=80, deadline=None)
@programs
def test_forward_mode_of_random_programs(program, seed):
    arrays, tangents = inputs_of(seed), inputs_of(seed + 1)
    value, change = jvp(lambda *x: run(autograd, program, *x), arrays, tangents)
    theirs = torch.func.jvp(
        lambda *x: run(torch, program, *x),
        tuple(map(torch.tensor, arrays)),
        tuple(map(torch.tensor, tangents)),
    )
    close(value, theirs[0])
    close(change, theirs[1])


@settings(max_examples=25, deadline=None)
@programs
def test_hessians_of_random_programs(program, seed):
    first, *rest = inputs_of(seed)
    ours = hessian(lambda x: run(autograd, program, x, *map(Tensor, rest)), first)
    constants = [torch.tensor(a) for a in rest]
    theirs = torch.func.hessian(lambda x: run(torch, program, x, *constants))(torch.tensor(first))
    close(ours, theirs, 1e-9)


# Each operation by differences, in both modes.


def by_differences(f, x, eps=1e-6):
    sides = [(f(Tensor(x + h)).data - f(Tensor(x - h)).data) / (2 * eps)
             for h in eps * np.eye(x.size).reshape(-1, *x.shape)]  # fmt: skip
    return np.stack(sides, axis=-1).reshape(*sides[0].shape, *x.shape)


FUNCTIONS = {
    "exp": operations.exp,
    "log": operations.log,
    "sqrt": operations.sqrt,
    "sin": operations.sin,
    "cos": operations.cos,
    "tanh": operations.tanh,
    "sigmoid": operations.sigmoid,
    "relu": lambda x: operations.relu(x - 1),
    "abs": lambda x: abs(x - 1),
    "maximum": lambda x: operations.maximum(x, x.T[0] * 1.5),
    "where": lambda x: operations.where(x > 1, x * x, 3.0),
    "add": lambda x: x + x[0] + 1.0,
    "subtract": lambda x: 1.0 - x - x[:, :1],
    "multiply": lambda x: x * x[1] * 2,
    "divide": lambda x: (1.0 / x) / x[:1],
    "power": lambda x: x**2.5 + 2**x + x ** x[0],
    "matmul": lambda x: (x @ x.T) @ x[:, 0] + x[0] @ x.T,
    "batched matmul": lambda x: x.reshape(3, 1, 3) @ (x.reshape(1, 3, 3) * x[0]),
    "index": lambda x: x[[0, 2, 0]] * x[..., None, 1],
    "sum": lambda x: x.sum(0) * x.sum((0, 1)) + x.sum(1, keepdims=True),
    "mean": lambda x: x.mean(1) * x.mean(),
    "max": lambda x: x.max(0) + x.max(1) * x.max(),
    "reshape": lambda x: x.reshape(9)[1:],
    "transpose": lambda x: x.reshape(3, 3, 1).T * x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_operation_by_differences(name):
    f, x = FUNCTIONS[name], 0.5 + np.random.default_rng(0).random((3, 3))
    numeric = by_differences(f, x)
    for forward in (False, True):
        np.testing.assert_allclose(jacobian(f, x, forward=forward), numeric, atol=1e-8)

    def slope(y):  # the derivative is a program too
        return vjp(lambda z: (f(z) * f(z)).sum(), [y])[1][0]

    second = by_differences(slope, x)
    for forward in (False, True):
        np.testing.assert_allclose(jacobian(slope, x, forward=forward), second, atol=2e-7)


@settings(max_examples=60, deadline=None)
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    step=st.sampled_from([0, 1, 2, 3, 4, 5]),
)
def test_broadcasting_to_any_shape(shapes, step):
    numbers = np.random.default_rng(0)
    arrays = [numbers.normal(size=shape) for shape in shapes.input_shapes]
    weights = numbers.normal(size=shapes.result_shape)
    tangents = [numbers.normal(size=shape) for shape in shapes.input_shapes]
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    z, w = BINARY[step](autograd, *ours), BINARY[step](torch, *theirs)
    z.backward(weights)
    w.backward(torch.tensor(weights))
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad.shape == a.shape
        close(a.grad, b.grad)
    _, change = jvp(lambda x, y: BINARY[step](autograd, x, y), arrays, tangents)
    _, expected = torch.func.jvp(
        lambda x, y: BINARY[step](torch, x, y),
        tuple(map(torch.tensor, arrays)),
        tuple(map(torch.tensor, tangents)),
    )
    assert change.shape == shapes.result_shape
    close(change, expected)


@settings(max_examples=40, deadline=None)
@given(index=hnp.basic_indices((3, 4, 2), allow_newaxis=True, allow_ellipsis=True))
def test_any_basic_index(index):
    x = Tensor(np.arange(24.0).reshape(3, 4, 2), requires_grad=True)
    if x.data[index].size:
        (x[index] ** 2).sum().backward()
        expected = np.zeros(x.shape)
        expected[index] = 2 * x.data[index]
        np.testing.assert_array_equal(x.grad.data, expected)


@pytest.mark.parametrize("index", [[2, 0, 2], ([0, 1, 0], [1, 1, 1]), np.arange(6) > 2])
def test_an_element_picked_twice_counts_twice(index):
    data = np.arange(6.0) if isinstance(index, np.ndarray) else np.arange(6.0).reshape(3, 2)
    x, w = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    (x[index] ** 2).sum().backward()
    (w[torch.tensor(index) if isinstance(index, np.ndarray) else index] ** 2).sum().backward()
    close(x.grad, w.grad)


def test_where_functions_have_corners_we_follow_torch():
    data = np.array([[1.0, 3.0, 3.0], [0.0, -2.0, 0.0]])
    x, w = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    zeros = np.zeros_like(data)
    z = x.max(1).sum() + autograd.relu(x).sum() + abs(x).sum() + autograd.maximum(x, zeros).sum()
    z = z + (x**2).sum() + (x**0).sum()
    z.backward()
    t = torch.zeros(2, 3, dtype=torch.float64)
    v = w.amax(1).sum() + w.relu().sum() + w.abs().sum() + torch.maximum(w, t).sum()
    (v + (w**2).sum() + (w**0).sum()).backward()
    close(x.grad, w.grad)


def test_derivatives_of_derivatives_of_derivatives():
    x = Tensor(np.array([0.3, -1.2]), requires_grad=True)
    w = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    z, v = (autograd.tanh(x * x) * x).sum(), (torch.tanh(w * w) * w).sum()
    for _ in range(4):
        (z,) = grad(z, [x], create_graph=True)
        (v,) = torch.autograd.grad(v, [w], create_graph=True)
        close(z, v)
        z, v = z.sum(), v.sum()
    zero = Tensor(0.0, requires_grad=True)
    cube = zero**3
    for expected in (0.0, 0.0, 6.0, 0.0):
        (cube,) = grad(cube, [zero], create_graph=True)
        assert cube.item() == expected


def test_a_derivative_inside_a_derivative_is_not_confused_with_it():
    """d/dx of x * d/dy (x + y) is 1; with one tangent for both it would be 2."""

    def outer(x):
        return x * jvp(lambda y: x + y, [Tensor(1.0)], [Tensor(1.0)])[1]

    assert jvp(outer, [3.0], [1.0])[1].item() == 1.0
    assert vjp(outer, [3.0])[1][0].item() == 1.0


def test_control_flow_of_the_book():
    """Section 2.5.4: f is linear in each piece, so its derivative is f(a) / a."""

    def f(a):
        b = a * 2
        while (b * b).sum() < 1000**2:
            b = b * 2
        return b if b.sum() > 0 else 100 * b

    for value in (0.7, -3.1, 12.0):
        a = Tensor(value, requires_grad=True)
        d = f(a)
        d.backward()
        assert a.grad.item() == d.item() / value


def test_the_book_on_gradients_and_detaching():
    x = Tensor(np.arange(4.0), requires_grad=True)
    y = 2 * (x @ x)
    assert y.item() == 28.0
    y.backward()
    np.testing.assert_array_equal(x.grad.data, 4 * x.data)
    x.sum().backward()  # gradients add up until they are cleared
    np.testing.assert_array_equal(x.grad.data, 4 * x.data + 1)
    x.grad = None
    y = x * x
    u = y.detach()
    (u * x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, u.data)
    with autograd.no_grad():
        assert not (x * x).requires_grad
    assert (x * x).requires_grad


def test_single_precision_stays_single():
    x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    z = autograd.maximum(autograd.sigmoid(2 * x - 1) ** 2, 0.1).max(0).mean() / 3
    z.backward()
    assert z.dtype == x.grad.dtype == np.float32
    assert (np.ones(3, np.float32) * x).dtype == np.float32


def test_what_cannot_be_differentiated_says_so():
    x = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"shape is \(3,\)"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="not computed from any"):
        Tensor(1.0).backward()
    with pytest.raises(TypeError, match="int64"):
        Tensor(np.arange(3), requires_grad=True)
    with pytest.raises(ValueError, match=r"\(3,\) \(2,\)"):
        x + np.ones(2)
    with pytest.raises(ValueError, match="size 2 is different from 3"):
        x @ np.ones((2, 2))
    unused = Tensor(np.ones(2), requires_grad=True)
    np.testing.assert_array_equal(grad(x.sum(), [unused])[0].data, [0.0, 0.0])


def test_a_graph_of_ten_thousand_steps():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    assert x.grad.item() == pytest.approx(1.0001**10_000)


# The book's multilayer perceptron, 784-256-10.


def digits():
    """1,797 scans of digits, 28 x 28: each pixel of 8 x 8 three times each way, and a margin."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    large = pictures.reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2) / 16
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784), labels


def perceptron():
    numbers = np.random.default_rng(0)
    shapes = (784, 256), (256,), (256, 10), (10,)
    return [numbers.normal(size=s) * (0.01 if len(s) == 2 else 0.0) for s in shapes]


def outputs(lib, x, w1, b1, w2, b2):
    return lib.relu(x @ w1 + b1) @ w2 + b2


def cross_entropy(logits, labels):
    shifted = logits - logits.max(1, keepdims=True).detach()
    log_sums = autograd.log(autograd.exp(shifted).sum(1))
    return (log_sums - shifted[np.arange(len(labels)), labels]).mean()


def test_the_books_mlp_takes_torchs_steps_and_learns_digits():
    x, labels = digits()
    ours = [Tensor(p, requires_grad=True) for p in perceptron()]
    theirs = [torch.tensor(p, requires_grad=True) for p in perceptron()]
    train, lr, batch = 1500, 0.1, 64
    for step in range(230):
        rows = np.random.default_rng(step).integers(0, train, batch)
        cross_entropy(outputs(autograd, Tensor(x[rows]), *ours), labels[rows]).backward()
        for p in ours:
            p.data -= lr * p.grad.data
            p.grad = None
        if step < 10:
            logits = outputs(torch, torch.tensor(x[rows]), *theirs)
            torch.nn.functional.cross_entropy(logits, torch.tensor(labels[rows])).backward()
            for p in theirs:
                p.data -= lr * p.grad
                p.grad = None
        if step == 9:
            for p, q in zip(ours, theirs, strict=True):
                close(p, q, 1e-12)
    guesses = outputs(autograd, Tensor(x[train:]), *ours).data.argmax(1)
    assert (guesses == labels[train:]).mean() > 0.85
