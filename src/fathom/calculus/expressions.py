"""Functions of one or two variables, read from a text such as "x**2 + 0.5*cos(pi*x)".

The text is read as Python reads it and never run: only numbers, variables, + - * / **, brackets
and the functions below come through, and each becomes the operation of torch that it names, so
that it can be differentiated. What is wrong with a text, or with where it is evaluated, is told
in one line that names the part.

Shapes   An expression takes points (..., N) to values (...): N = 1 for x, 2 for x and y.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import torch
from torch import Tensor

from fathom.core.errors import SettingError, did_you_mean

MOST_LETTERS = 400
DEEPEST = 60  # of an operation within an operation: as a chain of sums is
LARGEST_POWER = 100

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "abs": torch.abs,
    "acos": torch.acos,
    "asin": torch.asin,
    "atan": torch.atan,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "erf": torch.erf,
    "exp": torch.exp,
    "log": torch.log,
    "max": torch.maximum,
    "min": torch.minimum,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
CONSTANTS = {"e": math.e, "pi": math.pi}
VARIABLES = [("x",), ("x", "y"), ("x1", "x2")]

_OPERATIONS: dict[type, Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: torch.add,
    ast.Sub: torch.sub,
    ast.Mult: torch.mul,
    ast.Div: torch.div,
    ast.Pow: torch.pow,
}
_NAMES = sorted({name for names in VARIABLES for name in names})
_ALLOWED = re.compile(r"[A-Za-z0-9_+\-*/()., ]")
_MEANT = {"^": "write a power as x**2", "²": "write a power as x**2", "³": "write it as x**3"}
_MEANT |= {"−": "write - for minus", "×": "write * for times", "·": "write * for times"}
_MEANT |= {"÷": "write / for divided by", "π": "write pi", "=": "write only what is on its right"}
_HOW = "write numbers, x, y, + - * / ** ( ) and functions such as sin(x)"


@dataclass(frozen=True)
class Expression:
    """A function that was read, of x, of x and y, or of x1 and x2 as the book calls them."""

    text: str
    variables: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def __call__(self, points: Tensor) -> Tensor:
        """Values (...) at points (..., N): nan or infinite where there are none."""
        assert points.shape[-1] == len(self.variables), (self.variables, points.shape)
        value = _value(self.tree, dict(zip(self.variables, points.unbind(-1), strict=True)))
        return value.expand(points.shape[:-1])

    def check(self, point: Sequence[float]) -> None:
        """Raises SettingError that names the part without a value, or without a slope, there."""
        x = torch.tensor(point, dtype=torch.float64)
        place = self.place(point)
        remedy = "choose another start or range"
        if why := _undefined(self.tree, dict(zip(self.variables, x, strict=True))):
            raise SettingError(self.text, f"{why} at {place}", remedy)
        value = self(x.requires_grad_())
        if value.requires_grad and not torch.isfinite(torch.autograd.grad(value, x)[0]).all():
            raise SettingError(self.text, f"has no finite slope at {place}", remedy)

    def place(self, point: Sequence[float]) -> str:
        """A point as people write it: `x = 1, y = 2`."""
        pairs = zip(self.variables, point, strict=True)
        return ", ".join(f"{name} = {value:.4g}" for name, value in pairs)


def parse(text: str) -> Expression:
    """The function that a text writes down. Raises SettingError for everything else."""
    source = text.strip()
    _check_letters(source)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        _refuse(source, _malformed(source, error), _multiplication(source))
    except (ValueError, MemoryError, RecursionError):
        _refuse(source, "is nested too deep", "write it with fewer brackets")
    _check(tree, source, 0)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(_NAMES)
    for variables in VARIABLES:
        if used <= set(variables):
            return Expression(source, variables, tree)
    mixed = ", ".join(sorted(used))
    _refuse(source, f"has the variables {mixed}", "use x alone, or x and y, or x1 and x2")


def _refuse(text: str, wrong: str, remedy: str) -> NoReturn:
    short = text if len(text) <= 60 else text[:57] + "..."
    raise SettingError(short.encode("unicode_escape").decode() or "''", wrong, remedy)


def _check_letters(text: str) -> None:
    """Refuse what no expression has, before anything reads it."""
    if not text:
        _refuse(text, "is empty", "write a function such as x**2")
    if len(text) > MOST_LETTERS:
        _refuse(text, f"has {len(text)} letters, more than {MOST_LETTERS}", "write it shorter")
    strange = next((letter for letter in text if not _ALLOWED.match(letter)), None)
    if strange is not None:
        shown = strange if strange.isprintable() else repr(strange)[1:-1]
        _refuse(text, f"'{shown}' has no place in it", _MEANT.get(strange, _HOW))


def _malformed(text: str, error: SyntaxError) -> str:
    """Where Python stopped to understand."""
    if "too many nested" in str(error.msg):
        return "is nested too deep"
    if "was never closed" in str(error.msg):
        return "a bracket is not closed"
    if "unmatched" in str(error.msg):
        return f"the bracket at letter {error.offset} was never opened"
    at = error.offset or 0
    if not 0 < at <= len(text):
        return "ends too soon"
    return f"cannot be read from '{text[at - 1 :][:12]}' on (letter {at})"


def _multiplication(text: str) -> str:
    """The remedy: most who cannot be understood have left out a sign of multiplication."""
    left_out = re.search(r"(?:\b\d+(?:\.\d*)?|\))\s*(?=[A-Za-z(])", text)
    return "write * between factors, as in 2*x" if left_out else _HOW


def _check(node: ast.expr, text: str, depth: int) -> None:
    """Refuse every node that is not arithmetic."""
    if depth > DEEPEST:
        _refuse(text, "is nested too deep", "write it with fewer brackets or terms")
    match node:
        case ast.Constant(value=bool()):
            _refuse(text, f"{_words(node)} is not a number", _HOW)
        case ast.Constant(value=int() | float()):
            if math.isinf(float(str(node.value))):
                _refuse(text, "has a number that is too large", "keep below 1e308")
        case ast.Name(id=name):
            _check_name(name, text)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            _check(left, text, depth + 1)
            _check(right, text, depth + 1)
            if isinstance(op, ast.Pow):
                _check_power(right, text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _check_call(name, len(arguments), text)
            for argument in arguments:
                _check(argument, text, depth + 1)
        case ast.Call(func=ast.Constant() | ast.BinOp()):
            _refuse(text, f"{_words(node.func)} is not a function", _multiplication(text))
        case ast.Attribute(attr=name) | ast.Call(func=ast.Attribute(attr=name)):
            remedy = f"write {name}(x)" if name in FUNCTIONS else _HOW
            _refuse(text, f"'.{name}' has no place in it", remedy)
        case _:
            _refuse(text, f"'{_words(node)}' is more than arithmetic", _HOW)


def _check_name(name: str, text: str) -> None:
    if name in FUNCTIONS:
        _refuse(text, f"{name} is a function", f"write what it is of, as in {name}(x)")
    if name not in _NAMES and name not in CONSTANTS:
        _refuse(text, f"there is no '{name}'", _nearest(name, [*_NAMES, *CONSTANTS, *FUNCTIONS]))


def _check_call(name: str, count: int, text: str) -> None:
    if name in _NAMES or name in CONSTANTS:
        _refuse(text, f"{name} is not a function", "write * between factors, as in x*(1 + x)")
    if name not in FUNCTIONS:
        _refuse(text, f"there is no function '{name}'", _nearest(name, list(FUNCTIONS)))
    wanted = 2 if name in ("max", "min") else 1
    if count != wanted:
        example = f"write {name}({'x, y' if wanted == 2 else 'x'})"
        _refuse(text, f"{name} takes {wanted} argument{'s'[: wanted - 1]}, not {count}", example)


def _nearest(name: str, known: list[str]) -> str:
    if name.lower() in known:
        return f"did you mean '{name.lower()}'?"
    return did_you_mean(name, known, f"known are {', '.join(known)}")


def _check_power(exponent: ast.expr, text: str) -> None:
    """A power with a number for its exponent must be one that numbers can follow."""
    if any(isinstance(node, ast.Name) and node.id in _NAMES for node in ast.walk(exponent)):
        return
    value = float(_value(exponent, {}))
    if not abs(value) <= LARGEST_POWER:
        shown = f"{value:g}" if math.isfinite(value) else _words(exponent)
        _refuse(text, f"the power {shown} is too large", f"keep it within {LARGEST_POWER}")


def _value(node: ast.expr, at: dict[str, Tensor]) -> Tensor:
    """A checked expression at the values of its variables."""
    if isinstance(node, ast.Constant):
        return torch.tensor(float(str(node.value)), dtype=torch.float64)
    if isinstance(node, ast.Name):
        known = CONSTANTS.get(node.id)
        return at[node.id] if known is None else torch.tensor(known, dtype=torch.float64)
    operation, parts = _parts(node)
    return operation(*(_value(part, at) for part in parts))


def _parts(node: ast.expr) -> tuple[Callable[..., Tensor], list[ast.expr]]:
    """The operation of a node, and what it is applied to."""
    match node:
        case ast.UnaryOp(op=op, operand=operand):
            return torch.neg if isinstance(op, ast.USub) else torch.positive, [operand]
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATIONS[type(op)], [left, right]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name], arguments
    raise AssertionError(ast.dump(node))


def _undefined(node: ast.expr, at: dict[str, Tensor]) -> str:
    """Why there is no value, told of the smallest part that has none; empty where there is one."""
    if isinstance(node, ast.Constant | ast.Name):
        return ""
    operation, parts = _parts(node)
    for part in parts:
        if why := _undefined(part, at):
            return why
    of = [_value(part, at) for part in parts]
    value = float(operation(*of))
    if math.isfinite(value):
        return ""
    inverse = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Pow)
    if inverse and float(of[isinstance(node.op, ast.Div)]) == 0:  # type: ignore[attr-defined]
        return f"{_words(node)} divides by zero"
    if math.isnan(value) or operation is torch.log:
        return f"{_words(node)} is not defined"
    return f"{_words(node)} is too large to compute"


def _words(node: ast.expr) -> str:
    words = ast.unparse(node)
    return words if len(words) <= 40 else words[:37] + "..."
