"""Functions given as text: their values are Python's, and nothing but arithmetic comes through."""

from __future__ import annotations

import builtins
import math
import warnings

import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fathom.calculus.expressions import CONSTANTS, FUNCTIONS, LARGEST_POWER, Expression, parse
from fathom.core.errors import SettingError

NUMBERS = st.floats(0.1, 9.0).map(lambda value: f"{value:.3g}")
LEAVES = st.one_of(NUMBERS, st.sampled_from(["x", "y", "pi", "e"]))
ONE = ["sin", "cos", "exp", "tanh", "atan", "abs", "sqrt", "log", "erf", "cosh", "sinh", "tan"]


def grown(inner):
    """Texts made of smaller ones, with and without brackets, so that precedence is tried."""
    pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", " - ", "*-"]), inner)
    return st.one_of(
        pairs.map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.integers(-3, 4)).map(lambda pair: f"({pair[0]})**{pair[1]}"),
        st.tuples(st.sampled_from(ONE), inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"max({pair[0]},{pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"min({pair[0]}, {pair[1]})"),
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=12).filter(lambda text: len(text) < 300)
PYTHON = {name: getattr(math, name) for name in ONE if name != "abs"}
PYTHON |= {"abs": abs, "max": max, "min": min, **CONSTANTS}


def refusal(text: str) -> SettingError:
    with pytest.raises(SettingError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert caught.value.exit_status == 2
    return caught.value


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.floats(-3, 3), st.floats(-3, 3))
def test_values_are_those_of_python_s_own_arithmetic(text, x, y):
    try:
        expected = eval(text, {"__builtins__": {}}, {**PYTHON, "x": x, "y": y})
    except (ArithmeticError, ValueError):
        return
    assume(isinstance(expected, float | int) and abs(expected) < 1e12)
    f = parse(text)
    point = torch.tensor([x, y][: len(f.variables)], dtype=torch.float64)
    assert float(f(point)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def answer(text: str) -> str:
    """What is said of a text: nothing if it is a function."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert isinstance(parse(text), Expression)
        except SettingError as error:
            return str(error)
    return ""


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("xy12.+-*/()e,_ sinlog", max_size=30)))
def test_any_text_is_a_function_or_one_line(text):
    assert len(answer(text).splitlines()) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "x**2", "x*cos(0.15*pi*x)", "exp(-x**2)*sin(3*x)", "log(2 + x**2)", "sigmoid(2*x)",
        "tanh(x)/(1 + x**2)", "sqrt(1 + x**2)", "atan(x) - x**3/3", "2**x", "cosh(0.5*x)", "erf(x)",
        "asin(x/4)", "acos(x/4)", "tan(x/2)", "sinh(x)",
    ],
)  # fmt: skip
def test_slopes_and_curvatures_are_sympy_s(text):
    x = sympy.Symbol("x")
    names = {"sigmoid": lambda z: 1 / (1 + sympy.exp(-z)), "x": x}
    symbolic = sympy.sympify(text, locals=names)
    at = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(parse(text)(at), at, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), at)
    assert slope.item() == pytest.approx(float(symbolic.diff(x).subs(x, 0.7)), rel=1e-10)
    assert curvature.item() == pytest.approx(float(symbolic.diff(x, 2).subs(x, 0.7)), rel=1e-8)


def test_points_come_in_any_number():
    f = parse("x*y + 1")
    points = torch.rand(4, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(f(points), points[..., 0] * points[..., 1] + 1)
    assert parse("3")(points[..., :1]).shape == (4, 3)


@pytest.mark.parametrize(
    ("text", "variables"),
    [("x", ("x",)), ("2", ("x",)), ("y", ("x", "y")), ("x+y", ("x", "y")), ("x2-x1", ("x1", "x2"))],
)
def test_its_variables_are_told_from_the_text(text, variables):
    assert parse(text).variables == variables


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("x+", "ends too soon"),
        ("2x", "write * between factors"),
        ("2(x)", "write * between factors"),
        ("(x+1)(x-1)", "write * between factors"),
        ("x y", "cannot be read from 'y'"),
        ("(x", "a bracket is not closed"),
        ("x)", "never opened"),
        ("x^2", "write a power as x**2"),
        ("x²", "write a power as x**2"),
        ("y=x", "write only what is on its right"),
        ("sine(x)", "did you mean 'sin'?"),
        ("X", "did you mean 'x'?"),
        ("Sin(x)", "did you mean 'sin'?"),
        ("f(x)", "there is no function 'f'"),
        ("sin", "sin is a function"),
        ("sin(x, y)", "sin takes 1 argument, not 2"),
        ("max(x)", "max takes 2 arguments, not 1"),
        ("pi(2)", "pi is not a function"),
        ("x1 + y", "has the variables x1, y"),
        ("x**1000", "the power 1000 is too large"),
        ("9**9**9", "the power 3.8742e+08 is too large"),
        ("x**(0/0)", "is too large"),
        ("1e999", "a number that is too large"),
        ("9" * 399, "a number that is too large"),
        ("x" + "+x" * 300, "letters"),
        ("x" + "+x" * 100, "nested too deep"),
        ("-" * 300 + "x", "nested too deep"),
        ("x if x else y", "more than arithmetic"),
        ("x and y", "more than arithmetic"),
        ("x // 2", "more than arithmetic"),
        ("x, y", "more than arithmetic"),
        ("sin(*x)", "more than arithmetic"),
        ("2j", "more than arithmetic"),
        ("True", "not a number"),
        ("np.sin(x)", "write sin(x)"),
        ("x.__class__", "has no place"),
        ("().__class__.__bases__", "has no place"),
        ("__import__('os').system('true')", "has no place"),
        ("[x for x in y]", "has no place"),
        ("lambda: x", "has no place"),
        ("f'{x}'", "has no place"),
        ("x\nimport os", "has no place"),
        ("x\0", "has no place"),
        ("eval(x)", "there is no function 'eval'"),
        ("exec", "there is no 'exec'"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_in_one_line(text, words):
    assert words in str(refusal(text))


def test_nothing_is_run(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("text was run")

    monkeypatch.setattr(builtins, "eval", never)
    monkeypatch.setattr(builtins, "exec", never)
    assert float(parse("sin(x)**2 + cos(x)**2")(torch.tensor([0.3]))) == pytest.approx(1)


def test_brackets_alone_are_not_too_deep():
    assert float(parse("(" * 190 + "x" + ")" * 190)(torch.tensor([4.0]))) == 4


@pytest.mark.parametrize(
    ("text", "point", "words"),
    [
        ("1/x", [0.0], "1 / x divides by zero at x = 0"),
        ("3 + 2*log(x)", [-1.0], "log(x) is not defined at x = -1"),
        ("log(x)", [0.0], "log(x) is not defined at x = 0"),
        ("log(x + y)", [1.0, -3.0], "log(x + y) is not defined at x = 1, y = -3"),
        ("sqrt(x - 5)", [1.0], "sqrt(x - 5) is not defined at x = 1"),
        ("x**0.5", [-4.0], "x ** 0.5 is not defined at x = -4"),
        ("x**-2", [0.0], "divides by zero at x = 0"),
        ("asin(x)", [2.0], "asin(x) is not defined at x = 2"),
        ("exp(exp(x))", [10.0], "exp(exp(x)) is too large to compute at x = 10"),
        ("sqrt(x)", [0.0], "has no finite slope at x = 0"),
    ],
)
def test_where_it_has_no_value_the_part_is_named(text, point, words):
    with pytest.raises(SettingError) as caught:
        parse(text).check(point)
    assert words in str(caught.value)


def test_where_it_has_one_nothing_is_said():
    parse("1/x + log(x) + sqrt(x)").check([2.0])
    parse("abs(x) + relu(x)").check([0.0])
    parse(f"x**{LARGEST_POWER}").check([1.0])
    parse("7").check([0.0])


def test_each_function_is_torch_s():
    x = torch.tensor([0.4, 0.9], dtype=torch.float64)
    for name, function in FUNCTIONS.items():
        two = name in ("max", "min")
        expected = function(x[0], x[1]) if two else function(x[0])
        found = parse(f"{name}(x, y)" if two else f"{name}(x)")(x if two else x[:1])
        assert float(found) == float(expected)
