"""Derivatives against symbolic ones, and the cost of both modes by counting their walks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fathom.recipes import calculus as studies
from fathom.recipes.calculus import autograd, calculus
from fathom.scratch import autograd as ag


@pytest.fixture
def quick(monkeypatch):
    """Times as by the count of walks, so that nothing here waits for a clock."""
    monkeypatch.setattr(studies, "_cost", lambda n, m: studies._Cost(1.0, float(n), float(m)))


def test_limits_are_the_book_s_to_all_digits():
    found = calculus()
    found.check("calculus")
    (table,) = found.tables.values()
    assert [row[1] for row in table.rows] == ["2.30000", "2.03000", "2.00300", "2.00030", "2.00003"]
    # In exact arithmetic the ratio is 2 + 3 h.
    assert [float(row[1]) for row in table.rows] == [2 + 3 * float(row[0]) for row in table.rows]


def test_slopes_are_sympy_s():
    sympy = pytest.importorskip("sympy")
    x, y = sympy.symbols("x y")
    f = studies._f(x)
    tangent = f.subs(x, 1) + sympy.diff(f, x).subs(x, 1) * (x - 1)
    assert sympy.expand(tangent) == 2 * x - 3
    valley = x**2 / 2 + x * y + 2 * y**2
    points = np.random.default_rng(0).normal(size=(5, 2))
    height = sympy.lambdify((x, y), valley)
    slopes = sympy.lambdify((x, y), [sympy.diff(valley, v) for v in (x, y)])
    for point in points:
        assert studies._valley(point) == pytest.approx(height(*point))
        assert studies._valley_gradient(point) == pytest.approx(slopes(*point))
        partials = studies._partials(studies._valley, point)
        assert partials == pytest.approx(slopes(*point), abs=1e-8)


def test_the_best_step_is_where_theory_has_it():
    """One-sided about sqrt(eps), two-sided about its cube root: within two decades."""
    steps, one, two = studies._errors_of_differences()
    eps = np.finfo(float).eps
    assert abs(math.log10(steps[int(np.argmin(one))] / eps ** (1 / 2))) < 2
    assert abs(math.log10(steps[int(np.argmin(two))] / eps ** (1 / 3))) < 2
    far = [i for i, h in enumerate(steps) if h > 1e-2]
    assert [one[i] for i in far] == pytest.approx(
        [steps[i] * math.sin(1) / 2 for i in far], rel=0.5
    )


def test_gradients_are_the_book_s(quick):
    found = autograd()
    found.check("autograd")
    (table,) = found.tables.values()
    shown = [eval(row[1]) for row in table.rows]
    assert shown[:3] == [[0, 4, 8, 12], [1, 1, 1, 1], [0, 1, 4, 9]]
    a = 0.3
    d = a * 2 ** math.ceil(math.log2(1000 / a))
    assert shown[3] == d / a
    assert shown[4] == 100 * d / a


def test_the_drawn_example_is_the_literature_s():
    z = studies._textbook_example()
    assert z.item() == pytest.approx(math.log(2) + 10 - math.sin(5), rel=1e-15)
    nodes, _ = ag.graph(z)
    gradients = {node.label: float(node.gradient) for node in nodes}
    assert gradients["x1"] == pytest.approx(5.5)
    assert gradients["x2"] == pytest.approx(2 - math.cos(5))


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 7), (7, 1), (3, 4)])
def test_the_measured_network_is_torch_s(inputs, outputs):
    ours, theirs, x = studies._network(inputs, outputs)
    jacobian = torch.autograd.functional.jacobian(theirs, torch.from_numpy(x)).numpy()
    assert np.allclose(ag.jacobian(ours, x), jacobian, rtol=1e-12)
    assert ours(ag.Tensor(x)).shape == (outputs,)


def test_a_walk_for_each_output_or_for_each_input(monkeypatch):
    from fathom.scratch.autograd import tensor

    walks = {"back": 0, "forth": 0}
    back, forth = tensor.pull_back, tensor.push_forward

    def counted(name, function):
        def walk(*args, **kwargs):
            walks[name] += 1
            return function(*args, **kwargs)

        return walk

    monkeypatch.setattr(tensor, "pull_back", counted("back", back))
    monkeypatch.setattr(tensor, "push_forward", counted("forth", forth))
    f, _, x = studies._network(6, 2)
    ag.jacobian(f, x)
    assert walks == {"back": 2, "forth": 0}
    ag.jacobian(f, x, forward=True)
    assert walks == {"back": 2, "forth": 6}
