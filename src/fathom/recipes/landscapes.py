"""What the functions look like that are gone down on: level, flat, and seen by sample (11.1)."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure

from fathom.calculus import descent
from fathom.calculus.descent import Function
from fathom.calculus.expressions import Expression, parse
from fathom.calculus.landscape import share_all_positive, stationary_points
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.animation import Course, race, race_gif
from fathom.plots.contours import Box, level_places
from fathom.plots.scalars import lines
from fathom.recipes.functions import within
from fathom.scratch import optim

DRAWS = 20_000  # random matrices
SHOWN = 8  # rows of a table of places
ROSENBROCK = parse("(1 - x)**2 + 100*(y - x**2)**2")
BEALE = parse("(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2")
SADDLE = parse("x**2 - y**2")


@recipe(
    section="11.1",
    title="Optimisation and deep learning",
    zh="优化和深度学习",
    minutes=0.2,
    book="drawn: local minima of x cos(πx), the saddle of x² - y², tanh's slope 0.0013 at 4",
    ours="the same places to all digits; see the run",
)
def landscapes(*, function: str = "x*cos(pi*x)", low: float = -1.0, high: float = 2.0) -> Findings:
    """What makes it hard to go down: local minima, saddles, flat ground; and what is down there.

    The level places of a function are found and told apart by their curvatures. Six optimisers
    race on a bent valley, a plateau and a saddle (`race.gif`). And the empirical risk, which is
    what training sees, is held against the true one.

    Args:
        function: of x, or of x and y; for one that begins with a minus, --function=-x**2
        low: where the search for level places begins, in each variable
        high: where it ends
    """
    f = within(function, low, high)
    places = stationary_points(f, low, high, len(f.variables))
    rows = [[f.place(p.point), p.value, _numbers(p.curvatures), p.kind] for p in places[:SHOWN]]
    more = f" ({SHOWN} of {len(places)})" if len(places) > SHOWN else ""
    flat = {word: _slope(parse(word), at) for word, at in (("tanh(x)", 4.0), ("sigmoid(x)", 10.0))}
    shares, exact = _random_curvatures()
    risks, drawn = _risks()
    courses = _courses()
    marked = [(place.point, place.kind) for place in places]
    return Findings(
        numbers={
            "slope of tanh at 4": flat["tanh(x)"],
            "slope of sigmoid at 10": flat["sigmoid(x)"],
        },
        tables={
            f"Where {f.text} is level, from {low:g} to {high:g}{more}": Table(
                [", ".join(f.variables), "value", "curvatures", "it is"], rows
            ),
            "How often a random matrix has positive curvatures only": Table(
                ["variables", "measured", "exactly"],
                list(zip(("1", "2", "3", "5"), shares, exact, strict=True)),
            ),
            "Risk of sin(wx) where training finds it least, means of 200 samples": Table(
                ["examples", "as training sees it", "in truth", "the two apart, over all w"],
                [[f"{n}", *risk] for n, risk in risks.items()],
            ),
        },
        figures={
            "level": level_places(f, marked, _box(f, low, high), names=f.variables, title=f.text),
            "risk": drawn,
            "race": race(courses),
        },
        files={"race.gif": race_gif(courses)},
        claims={
            **_places_hold(),
            "tanh's slope at 4 is 1 - tanh(4)², 0.0013": (
                abs(flat["tanh(x)"] - 1 + math.tanh(4) ** 2) < 1e-12
            ),
            "random curvatures are all positive as seldom as is known": all(
                abs(share - e) < 6 * math.sqrt(e * (1 - e) / DRAWS)
                for share, e in zip(shares, exact, strict=True)
                if e is not None
            ),
            "the two risks come together as one over the root of the examples": (
                0.4 < math.log10(risks[10][2] / risks[1_000][2]) / 2 < 0.6
            ),
            "with ten examples the risk that training sees is below the true one": (
                risks[10][0] < risks[10][1]
            ),
        },
    )


def _box(f: Expression, low: float, high: float) -> Box:
    return Box((low, high), (low, high) if len(f.variables) == 2 else None)


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _slope(f: Function, at: float) -> float:
    return float(descent.gradient(f, torch.tensor([at], dtype=torch.float64)))


def _places_hold() -> dict[str, bool]:
    """Claims on the book's functions: a local minimum, a saddle, a place that is flat."""
    wave = parse("x*cos(pi*x)")
    minima = [p.point[0] for p in stationary_points(wave, -1, 2, 1) if p.kind == "minimum"]
    found = float(descent.gradient_descent(wave, [-0.6], 0.05, 300)[-1])
    on, off = (descent.gradient_descent(SADDLE, [1.0, y], 0.1, 150)[-1] for y in (0.0, 1e-6))
    cube = stationary_points(parse("x**3"), -1, 1, 1)
    return {
        "down x cos(πx) from -0.6 ends in a minimum, but not in the least one": (
            len(minima) == 2 and abs(found - minima[1]) < 1e-9
        ),
        "from the ridge of x² - y² the saddle is reached; from a millionth beside it left": (
            float(on.norm()) < 1e-9 and abs(float(off[1])) > 1
        ),
        "x³ is level at 0, which is neither a minimum nor a maximum": (
            [place.kind for place in cube] == ["flat"] and abs(cube[0].point[0]) < 1e-3
        ),
    }


def _random_curvatures() -> tuple[list[float], list[float | None]]:
    """Shares of random symmetric matrices that are positive, and what they are known to be."""
    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    shares = [share_all_positive(size, DRAWS, chance) for size in (1, 2, 3, 5)]
    root = math.sqrt(2)
    return shares, [0.5, (2 - root) / 4, (math.pi - 2 * root) / (4 * math.pi), None]


def _risks() -> tuple[dict[int, tuple[float, float, float]], Figure]:
    """Half the squared error of sin(wx) on y = sin(2x) + noise, x normal: sampled, and in full.

    For each number of examples: the least risk seen, the true one there, and how far the two are
    apart at the root mean square.
    """
    chance = torch.Generator().manual_seed(derive(current_seed(), 1))
    w_W = torch.linspace(0, 5, 51, dtype=torch.float64)
    near, far = torch.exp(-((w_W - 2) ** 2) / 2), torch.exp(-((w_W + 2) ** 2) / 2)
    squares = (1 - torch.exp(-2 * w_W**2)) / 2 + (1 - math.exp(-8)) / 2
    true_W = (squares - (near - far)) / 2 + 0.5**2 / 2
    found, curves = {}, {"true risk": true_W.tolist()}
    for examples in (10, 100, 1_000):
        x = torch.randn(200, examples, 1, generator=chance, dtype=torch.float64)
        y = torch.sin(2 * x) + 0.5 * torch.randn(x.shape, generator=chance, dtype=x.dtype)
        seen_SW = torch.stack([((y - torch.sin(w * x)) ** 2).mean((1, 2)) / 2 for w in w_W], dim=1)
        best = seen_SW.argmin(1)
        apart = float((seen_SW - true_W).square().mean().sqrt())
        found[examples] = float(seen_SW.amin(1).mean()), float(true_W[best].mean()), apart
        if examples < 1_000:
            curves[f"of {examples} examples"] = seen_SW[0].tolist()
    return found, lines(w_W.tolist(), curves, title="risk of sin(wx)", xlabel="w", ylabel="risk")


def _courses() -> list[Course]:
    """Six optimisers from the same starts, each with a rate that suits it on that ground."""

    def course(
        title: str,
        f: Expression,
        start: list[float],
        steps: int,
        box: Box,
        goal: tuple[float, float] | None,
        lrs: tuple[float, ...],
    ) -> Course:
        makers: dict[str, descent.Optimizers] = {
            "SGD": lambda p: optim.SGD(p, lr=lrs[0]),
            "momentum": lambda p: optim.SGD(p, lr=lrs[1], momentum=0.9),
            "Adagrad": lambda p: optim.Adagrad(p, lr=lrs[2]),
            "RMSprop": lambda p: optim.RMSprop(p, lr=lrs[3], alpha=0.9),
            "Adadelta": lambda p: optim.Adadelta(p, lr=lrs[4]),
            "Adam": lambda p: optim.Adam(p, lr=lrs[5]),
        }
        paths = {name: descent.descend(f, start, make, steps) for name, make in makers.items()}
        return Course(title, f, box, paths, goal)

    bent, wide = Box((-1.7, 1.5), (-0.8, 2.2)), Box((-0.5, 4.2), (-2.0, 2.0))
    saddle = Box((-1.2, 1.2), (-1.2, 1.2))
    return [
        course(
            "Rosenbrock's valley", ROSENBROCK, [-1.2, 1.0], 300, bent, (1, 1),
            (0.002, 0.0015, 0.5, 0.02, 10, 0.3),
        ),
        course(
            "Beale's plateau", BEALE, [1.0, 1.5], 300, wide, (3, 0.5),
            (0.01, 0.002, 0.5, 0.02, 10, 0.1),
        ),
        course(
            "a saddle", SADDLE, [-1.0, 0.001], 100, saddle, None,
            (0.05, 0.02, 0.2, 0.02, 10, 0.05),
        ),
    ]  # fmt: skip
