"""Convexity: of sets and of functions, and what constraints are solved by (book 11.2)."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.calculus import convexity as sets
from fathom.calculus import descent
from fathom.calculus.expressions import Expression, parse
from fathom.calculus.landscape import grid
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.contours import Box, chords, together
from fathom.recipes.functions import within

BOOK = {"0.5*x**2": True, "cos(pi*x)": False, "exp(0.5*x)": True}
GOAL, BOUND = parse("(x - 2)**2 + 2*(y - 1)**2"), parse("x + y - 1")
SOLUTION = [2 / 3, 1 / 3, 8 / 3]  # x, y and the multiplier, by setting the slopes to zero
DRAWS = 100_000


@recipe(
    section="11.2",
    title="Convexity",
    zh="凸性",
    minutes=0.1,
    book="drawn: x²/2 and exp(x/2) are convex, cos(πx) is not; the rest is proved in words",
    ours="the proofs as claims that are computed: see the run",
)
def convexity(*, function: str = "0.5*x**2", low: float = -2.0, high: float = 2.0) -> Findings:
    """What is convex, and what that is good for: sets, functions, Jensen, constraints.

    A function is tested by its chords and its curvatures, a set by its segments. One problem with
    a constraint is solved in three ways: by going back to what is allowed after each step, by a
    price for what is not, and by Lagrange's multiplier.

    Args:
        function: of x, or of x and y; for one that begins with a minus, --function=-x**2
        low: where it is tested from, in each variable
        high: where to
    """
    mine = within(function, low, high)
    functions = {f.text: f for f in (mine, *map(parse, BOOK))}
    tested = {text: _test(f, low, high) for text, f in functions.items()}
    inside = _segments()
    jensen = _jensen()
    ends, paths = _constrained()
    return Findings(
        tables={
            f"Convex from {low:g} to {high:g}?": Table(
                ["", "least curvature", "above a chord by", ""],
                [
                    [text, least, max(chord.above, 0.0), "convex" if holds else "not convex"]
                    for text, (least, chord, holds) in tested.items()
                ],
            ),
            "Segments between points of a set that stay in it": Table(
                ["", "share"], [[name, share] for name, share in inside.items()]
            ),
            "Jensen, for x normal": Table(["", "f of the mean", "mean of f", "exactly"], jensen),
            f"Least {GOAL.text} where x + y <= 1": Table(
                ["", "x", "y", "x + y - 1", "multiplier"],
                [
                    [way, *end.tolist(), float(BOUND(end)), last]
                    for way, (end, last) in ends.items()
                ],
            ),
        },
        figures={
            **_chord_figures(functions, tested, low, high),
            "constraint": together(
                GOAL,
                paths,
                box=Box((-0.7, 2.7), (-0.7, 2.1)),
                forbidden=BOUND,
                title="down to where x + y <= 1 allows",
            ),
        },
        claims={
            **_functions_hold(),
            "a disc, a square and what two of them share are convex, a ring and two discs not": (
                [share == 1 for share in inside.values()] == [True, True, True, False, False]
            ),
            "the mean of f is not below f of the mean, and is what is known": all(
                value <= mean and abs(mean - exact) < 0.05 for _, value, mean, exact in jensen
            ),
            "projections are nearest, and bring no two points further apart": _projections_hold(),
            **_constraints_hold(ends),
        },
    )


def _test(f: Expression, low: float, high: float) -> tuple[float, sets.Chord, bool]:
    """The least curvature, the chord that f rises above most, and whether it is convex so."""
    points = grid(low, high, 41 if len(f.variables) == 1 else 9, len(f.variables))
    points = points[torch.isfinite(f(points))]
    chord = sets.worst_chord(f, points)
    scale = 1 + float(f(points).abs().max())
    return sets.least_curvature(f, points), chord, chord.above < 1e-9 * scale


def _chord_figures(
    functions: dict[str, Expression],
    tested: dict[str, tuple[float, sets.Chord, bool]],
    low: float,
    high: float,
) -> dict[str, Figure]:
    """Each function of x with its most telling chord; one of x and y with its own in the plane."""
    found, flat = {}, {}
    for text, f in functions.items():
        chord = tested[text][1]
        if len(f.variables) == 1:
            spare = (high - low) / 8
            convex = tested[text][2]  # then no chord tells more than another
            ends = (low + spare, high - spare) if convex else (float(chord.a), float(chord.b))
            flat[text] = (f, *ends)
        else:
            line = {"chord": torch.stack([chord.a, chord.b])}
            side = low - (high - low) / 20, high + (high - low) / 20
            box = Box(side, side)
            found["plane"] = together(f, line, names=f.variables, box=box, title=text[:60])
    return {**found, "chords": chords(flat, Box((low, high)))}


def _segments() -> dict[str, float]:
    """How many segments stay within a disc, a square, what they share, a ring, and two discs."""
    right = torch.tensor([1.3, 0.0], dtype=torch.float64)

    def small(x: Tensor) -> Tensor:
        return x.norm(dim=-1) <= 0.8

    def disc(x: Tensor) -> Tensor:
        return x.norm(dim=-1) <= 1.5

    def square(x: Tensor) -> Tensor:
        return (x - right / 2).abs().amax(-1) <= 1.2

    members = {
        "disc": disc,
        "square": square,
        "what both share": lambda x: disc(x) & square(x),
        "ring": lambda x: disc(x) & (x.norm(dim=-1) >= 0.7),
        "two discs": lambda x: small(x - right) | small(x + right),
    }
    return {name: sets.segments_inside(m, grid(-2.2, 2.2, 23, 2)) for name, m in members.items()}


def _jensen() -> list[tuple[str, float, float, float]]:
    """f of the mean beside the mean of f, as drawn and exactly."""
    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    x = torch.randn(DRAWS, 1, generator=chance, dtype=torch.float64)
    exactly = {"exp(x)": math.exp(0.5), "x**2": 1.0, "abs(x)": math.sqrt(2 / math.pi)}
    return [
        (text, float(parse(text)(x.mean(0))), float(parse(text)(x).mean()), exact)
        for text, exact in exactly.items()
    ]


def _functions_hold() -> dict[str, bool]:
    """Claims on functions: the tests agree; a convex one has one minimum, another may have more."""
    tests = {text: _test(parse(text), -2.0, 2.0) for text in BOOK}
    starts = torch.linspace(-1.9, 1.9, 9, dtype=torch.float64)[:, None]
    ends = {
        text: descent.gradient_descent(parse(text), starts, 0.05, 500)[-1].flatten()
        for text in ("exp(x) + exp(-2*x)", "cos(pi*x)")
    }
    low, high = (end.max() - end.min() for end in ends.values())
    return {
        "chords and curvatures agree on the book's three functions": all(
            (tests[text][0] >= 0) == tests[text][2] == expected for text, expected in BOOK.items()
        ),
        "from everywhere a convex function is left at one place, cos(πx) at several": (
            float(low) < 1e-9 and float(high) > 1
        ),
    }


def _projections_hold() -> bool:
    """On random points of five dimensions, for a ball, a box, a half-space and the simplex."""
    chance = torch.Generator().manual_seed(derive(current_seed(), 1))
    a, b = 2 * torch.randn(2, 400, 5, generator=chance, dtype=torch.float64)
    normal = torch.ones(5, dtype=torch.float64)
    holds = True
    for project in (
        lambda x: sets.onto_ball(x, 1.0),
        lambda x: sets.onto_box(x, -0.5, 1.0),
        lambda x: sets.onto_halfspace(x, normal, 1.0),
        sets.onto_simplex,
    ):
        there, other = project(a), project(b)
        # The nearest point of a convex set makes no sharp angle with any other of its points.
        angle = ((a - there) * (other - there)).sum(-1)
        nearer = (there - other).norm(dim=-1) <= (a - b).norm(dim=-1) + 1e-12
        holds = holds and bool((angle < 1e-9).all() and nearer.all())
    return holds


def _penalised(strength: float) -> Tensor:
    """The least point of the goal and a price for what is not allowed: Newton needs few steps."""
    return descent.newton(sets.penalised(GOAL, BOUND, strength), [2.0, 1.0], 4)[-1]


def _constrained() -> tuple[dict[str, tuple[Tensor, float | None]], dict[str, Tensor]]:
    """Where each way ends, with its multiplier if it has one; and the paths of the three."""
    normal, start = torch.ones(2, dtype=torch.float64), [-0.4, 1.2]
    project = sets.projected_descent(
        GOAL, lambda x: sets.onto_halfspace(x, normal, 1.0), start, 0.1, 100
    )
    lagrange, multipliers = sets.lagrangian_path(GOAL, BOUND, start, 0.1, 400)
    prices = [0.0, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0]
    least = {price: _penalised(price) for price in prices}
    ends = {
        "projected descent": (project[-1], None),
        "multiplier": (lagrange[-1], multipliers[-1]),
        **{f"price {p:g}": (least[p], p * float(BOUND(least[p]))) for p in prices[4:]},
        "exactly": (torch.tensor(SOLUTION[:2], dtype=torch.float64), SOLUTION[2]),
    }
    rising = torch.stack(list(least.values()))
    return ends, {"projected descent": project, "rising price": rising, "multiplier": lagrange}


def _constraints_hold(ends: dict[str, tuple[Tensor, float | None]]) -> dict[str, bool]:
    """Claims on the ways to what is allowed, against the solution by hand."""
    exact = ends["exactly"][0]
    far = {name: float((end - exact).norm()) for name, (end, _) in ends.items()}
    multiplier, priced = ends["multiplier"][1], ends["price 1000"][1]
    assert multiplier is not None
    assert priced is not None
    return {
        "projection and multiplier come to the solution, the multiplier to 8/3": (
            max(far["projected descent"], far["multiplier"], abs(multiplier - SOLUTION[2])) < 1e-6
        ),
        "ten times the price is a tenth of the error; price times excess is the multiplier": (
            abs(far["price 100"] / far["price 1000"] - 10) < 0.2
            and abs(priced / SOLUTION[2] - 1) < 0.005
        ),
    }
