"""Gradient descent, and its noisy form, on functions given as text (book 11.3 and 11.4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.calculus import descent, quadratics
from fathom.calculus.descent import Function
from fathom.calculus.expressions import Expression, parse
from fathom.core.arguments import Count, NonNegative, Rate
from fathom.core.errors import SettingError
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.plots.contours import panels
from fathom.plots.scalars import lines
from fathom.recipes.functions import with_start

WAVE = "x*cos(0.15*pi*x)"
BOWL = "x1**2 + 2*x2**2"
VALLEY = quadratics.quadratic([1.0, 10.0], angle=0.6)  # narrow, and along neither variable


@recipe(
    section="11.3",
    title="Gradient descent",
    zh="梯度下降",
    minutes=0.1,
    book="x² from 10: rate 0.2 ends at 0.060466, 0.05 at 3.486784, 1.1 at 61.917364",
    ours="the same six digits, and those of the five other traces: see the run",
)
def gradient_descent(
    *,
    function: str = "x**2",
    start: list[float] | None = None,
    rates: list[Rate] | None = None,
    steps: Count = 10,
) -> Findings:
    """Go down a function of one or two variables, at rates that crawl, settle, swing and fly apart.

    Beside each rate stands what theory says: near a minimum of curvatures lambda a step multiplies
    the distance by the largest |1 - rate lambda|, which is past 1 when the rate is past 2/L. Then
    the ways that choose their own steps: line search, preconditioning, conjugate gradients, Newton.

    Args:
        function: of x, or of x and y; for one that begins with a minus, --function=-x**2
        start: where to begin, a number for each variable; 10, or -5 -2
        rates: learning rates; without, 0.05, 0.2, 0.9 and 1.1 of 2/L, as the book has them for x²
        steps: how many are taken
    """
    f, begin = with_start(function, start)
    lowest = descent.nearest_minimum(f, begin)
    curvatures = None if lowest is None else torch.linalg.eigvalsh(descent.hessian(f, lowest))
    known = [1.0] if curvatures is None or curvatures[-1] < 1e-6 else curvatures.tolist()
    edge = quadratics.largest_rate(known)
    chosen = rates or [share * edge for share in (0.05, 0.2, 0.9, 1.1)]
    paths = {f"rate {lr:.4g}": descent.gradient_descent(f, begin, lr, steps) for lr in chosen}
    rows = []
    for lr, path in zip(chosen, paths.values(), strict=True):
        theory = "-" if curvatures is None else quadratics.contraction(lr, known)
        short = f", no value after step {len(path) - 1}" if len(path) <= steps else ""
        measured = "-" if lowest is None else quadratics.measured_contraction(path, lowest)
        end = f.place(path[-1].tolist())
        rows.append([f"{lr:.4g}", lr / edge, end, measured, theory, _manner(path, lowest) + short])

    traces, ways = _traces(), _ways()
    theory_rows, within = _theory()
    orders = _newton_orders()
    columns = ["rate", "of 2/L", "ends at", "a step multiplies by", "theory, near it", "it"]
    f_there = f"Gradient descent on {f.text} from {f.place(begin)}, {steps} steps"
    return Findings(
        tables={
            f_there: Table(columns, rows),
            "The book's traces": Table(["", "here", "the book"], [list(t[:3]) for t in traces]),
            "A quadratic of condition 100: what a step multiplies the distance by": Table(
                ["", "measured", "in theory"], theory_rows
            ),
            "A narrow valley: steps until the slope is below 1e-9": Table(
                ["", "steps"], [[name, len(path) - 1] for name, path in ways.items()]
            ),
        },
        figures={
            "rates": panels(f, paths, names=f.variables, title=f_there[:90]),
            "ways": panels(VALLEY, ways, columns=3, title="five ways down a narrow valley"),
            **({} if lowest is None else {"distance": _distances(paths, lowest, steps)}),
        },
        claims={
            "the book's traces come out in all digits it shows": all(t[3] for t in traces),
            "measured factors are the spectral ones within 2%": within,
            "a millionth below 2/L comes down, a millionth above goes away": _splits_at_edge(),
            "Newton squares the error: e' / e² tends to f'''/2f'' within 2%": orders,
            "Newton is done with a quadratic in one step, conjugate gradients in two": (
                len(ways["Newton"]) == 2 and len(ways["conjugate gradients"]) == 3
            ),
            "so is preconditioning, where the valley lies along a variable": float(
                descent.preconditioned(quadratics.quadratic([1.0, 30.0]), [-2.0, 1.0], 1)[-1].norm()
            )
            < 1e-12,
        },
    )


def _manner(path: Tensor, lowest: Tensor | None) -> str:
    """How a path came down, in a word."""
    if lowest is None:
        return "finds no minimum"
    away = path - lowest
    before, after = away[-2:] if len(away) > 1 else (away[0], away[0])
    if after.norm() > away[0].norm():
        return "diverges"
    if float(before @ after) < 0:
        return "oscillates"
    return "crawls" if after.norm() > 0.1 * away[0].norm() else "converges"


def _traces() -> list[tuple[str, str, str, bool]]:
    """What the book's section computes: in words, here, there, and whether they agree."""
    down, newton = descent.gradient_descent, descent.newton
    square, wave, bowl, cosh = map(parse, ("x**2", WAVE, BOWL, "cosh(0.5*x)"))
    found = [
        ("x², rate 0.2", down(square, [10.0], 0.2, 10), "0.060466"),
        ("x², rate 0.05", down(square, [10.0], 0.05, 10), "3.486784"),
        ("x², rate 1.1", down(square, [10.0], 1.1, 10), "61.917364"),
        ("x cos(0.15πx), rate 2", down(wave, [10.0], 2.0, 10), "-1.528166"),
        ("x1² + 2 x2², rate 0.1", down(bowl, [-5.0, -2.0], 0.1, 20), "-0.057646, -0.000073"),
        ("cosh(0.5x), Newton", newton(cosh, [10.0], 10), "0"),
        ("x cos(0.15πx), Newton", newton(wave, [10.0], 10), "26.8341"),
        ("x cos(0.15πx), half of Newton's step", newton(wave, [10.0], 10, lr=0.5), "7.2699"),
    ]
    return [
        (name, ", ".join(f"{value:.6f}" for value in path[-1].tolist()), book, _agrees(path, book))
        for name, path, book in found
    ]


def _agrees(path: Tensor, book: str) -> bool:
    """Whether the end of a path is the book's number, rounded as the book has rounded it."""
    printed = book.split(", ")
    digits = [len(number.partition(".")[2]) for number in printed]
    ours = [f"{end + 0.0:.{d}f}" for end, d in zip(path[-1].tolist(), digits, strict=True)]
    return [float(number) for number in ours] == [float(number) for number in printed]


def _ways() -> dict[str, Tensor]:
    """Down the valley by five ways, each until its slope is below 1e-9."""
    start, lr = [-2.12, -1.15], quadratics.best_rate([1.0, 10.0])
    paths = {
        "best rate": descent.gradient_descent(VALLEY, start, lr, 200),
        "line search": descent.steepest_descent(VALLEY, start, 200),
        "preconditioned": descent.preconditioned(VALLEY, start, 200),
        "conjugate gradients": descent.conjugate_gradient(VALLEY, start, 10),
        "Newton": descent.newton(VALLEY, start, 10),
    }
    arrived = {name: descent.gradient(VALLEY, p).norm(dim=1) < 1e-9 for name, p in paths.items()}
    return {name: p[: int((~arrived[name]).sum()) + 1] for name, p in paths.items()}


def _distances(paths: dict[str, Tensor], lowest: Tensor, steps: int) -> Figure:
    curves = {}
    for name, path in paths.items():
        distance = (path - lowest).norm(dim=1).clamp(min=1e-12).tolist()
        curves[name] = distance + [math.nan] * (steps + 1 - len(distance))
    return lines(
        range(steps + 1),
        curves,
        title="straight lines: each step multiplies the distance",
        xlabel="step",
        ylabel="distance to the minimum",
        log_y=True,
    )


def _theory() -> tuple[list[tuple[str, float, float]], bool]:
    """Rates on a quadratic of condition 100, measured and as its eigenvalues tell."""
    curvatures = [1.0, 100.0]
    f, best = quadratics.quadratic(curvatures, angle=0.3), quadratics.best_rate(curvatures)
    rows = []
    for name, lr in (("rate 1/L", 0.01), ("best rate, 2/(L + l)", best)):
        path = descent.gradient_descent(f, [1.0, 1.0], lr, 300)
        measured = quadratics.measured_contraction(path)
        rows.append((name, measured, quadratics.contraction(lr, curvatures)))
    # Kantorovich's worst start: the error keeps its size along both lines, and turns one sign.
    straight = quadratics.quadratic(curvatures)
    path = descent.steepest_descent(straight, [100.0, 1.0], 30)
    measured = quadratics.measured_contraction(path)
    rows.append(("line search, from its worst start", measured, 99 / 101))
    return rows, all(abs(measured / theory - 1) < 0.02 for _, measured, theory in rows)


def _splits_at_edge() -> bool:
    """Whether rates just below 2/L shrink the distance along the steepest line, just above not."""
    f, edge = quadratics.quadratic([1.0, 7.0]), quadratics.largest_rate([1.0, 7.0])
    ends = [
        float(descent.gradient_descent(f, [0.0, 1.0], edge * near, 300)[-1].norm())
        for near in (1 - 1e-6, 1 + 1e-6)
    ]
    return ends[0] < 1 < ends[1]


def _newton_orders() -> bool:
    """Whether Newton's errors on exp(x) - 2x, least at ln 2, fall as their squares."""
    errors = (descent.newton(parse("exp(x) - 2*x"), [1.0], 3)[:, 0] - math.log(2)).abs()
    constants = errors[1:] / errors[:-1] ** 2  # f'''/2f'' is a half there
    return bool(abs(constants[-1] - 0.5) < 0.01)


@recipe(
    section="11.4",
    title="Stochastic gradient descent",
    zh="随机梯度下降",
    minutes=0.1,
    book="three runs, not seeded: (0.0206, 0.2279), (-0.9987, 0.0234), (-0.1742, -0.0006)",
    ours="see the run: 2,000 walkers beside the theory of their mean square distance",
)
def sgd(
    *,
    function: str = "x1**2 + 2*x2**2",
    start: list[float] | None = None,
    lr: Rate = 0.1,
    noise: NonNegative = 1.0,
    steps: Count = 50,
    walkers: Count = 2_000,
) -> Findings:
    """Go down along slopes that are noisy, and let the rate fall so that the noise dies away.

    A constant rate comes near and stays at a distance that the noise sets. A rate that falls
    exponentially is soon too small to arrive. One that falls as a power, slowly, does both. For a
    quadratic, theory says how far walkers are at the mean after each step.

    Args:
        function: of x, or of x and y; for one that begins with a minus, --function=-x**2
        start: where to begin, a number for each variable; 10, or -5 -2
        lr: the first learning rate
        noise: standard deviation of what is added to each slope
        steps: how many are taken; of the exponential schedule twenty times as many
        walkers: how many go, each with noise of its own
    """
    f, begin = with_start(function, start)
    walks = _walks(f, begin, lr, noise, steps, walkers)
    rows = [[name, w.last_rate, w.measured[-1], w.theory and w.theory[-1]] for name, w in walks]
    still = descent.gradient_descent(f, begin, lr, steps)
    ones = {name: walk.path[:, 0] for name, walk in walks}
    return Findings(
        tables={
            f"{walkers:,} walkers down {f.text} from {f.place(begin)}": Table(
                ["rate", "last rate", "root mean square distance", "in theory"], rows
            )
        },
        figures={
            "walks": panels(f, {"no noise": still, **ones}, names=f.variables, title="one walker"),
            "distance": _falling(walks, steps),
        },
        claims=_book_walks_hold(),
    )


class Walk(NamedTuple):
    """Many walkers (T + 1, W, N) at one schedule, and how far they are, (T + 1,) root mean squares.

    Theory is there for quadratics, whose curvatures are the same everywhere.
    """

    last_rate: float
    path: Tensor
    measured: list[float]
    theory: list[float] | None


def _walks(
    f: Expression, begin: list[float], lr: float, noise: float, steps: int, walkers: int
) -> list[tuple[str, Walk]]:
    """The book's three schedules, each by all walkers. Raises SettingError where one is lost."""
    schedules: dict[str, tuple[Callable[[int], float], int]] = {
        "constant": (lambda t: lr, steps),
        "exp(-0.1t)": (lambda t: lr * math.exp(-0.1 * t), 20 * steps),
        "(1 + 0.1t)^-0.5": (lambda t: lr * (1 + 0.1 * t) ** -0.5, steps),
    }
    lowest = descent.nearest_minimum(f, begin)
    start = torch.tensor(begin, dtype=torch.float64)
    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    found = []
    for name, (rate, long) in schedules.items():
        crowd = start.expand(walkers, -1)
        path = descent.noisy_descent(f, crowd, rate, long, noise=noise, generator=chance)
        if len(path) <= long:
            wrong = f"has no value where a walker came to after {len(path)} steps ({name})"
            raise SettingError(f.text, wrong, "try a smaller --lr or --noise")
        from_where = lowest if lowest is not None else torch.full_like(start, math.nan)
        measured = ((path - from_where) ** 2).sum(-1).mean(-1).sqrt().tolist()
        theory = None
        if lowest is not None and _is_quadratic(f, lowest, start):
            values, vectors = torch.linalg.eigh(descent.hessian(f, lowest))
            along = ((start - lowest) @ vectors).tolist()
            rates = [rate(t) for t in range(long)]
            squares = quadratics.expected_squares(values.tolist(), along, rates, noise)
            theory = squares.sqrt().tolist()
        found.append((name, Walk(rate(long - 1), path, measured, theory)))
    return found


def _is_quadratic(f: Function, *points_N: Tensor) -> bool:
    """Whether the curvatures are the same at these points, at one between and at one beyond."""
    first, last = points_N
    places = torch.stack([first, last, 0.7 * first + 0.3 * last, 2 * last - first + 0.1])
    h = descent.hessian(f, places)
    return bool(torch.isfinite(h).all()) and torch.allclose(h, h[:1], rtol=1e-9, atol=1e-12)


def _book_walks_hold() -> dict[str, bool]:
    """The claims, on the book's function with its settings and 2,000 walkers."""
    curvatures, begin, count = [2.0, 4.0], [-5.0, -2.0], 2_000
    walks = [walk for _, walk in _walks(parse(BOWL), begin, 0.1, 1.0, 50, count)]
    constant, exponential, polynomial = walks
    floor = sum(quadratics.noise_floor(0.1, curvature, 1.0) for curvature in curvatures)
    rates = [0.1 * math.exp(-0.1 * t) for t in range(1_000)]
    stops = [
        x * math.prod(1 - r * c for r in rates) for x, c in zip(begin, curvatures, strict=True)
    ]
    mean, spread = exponential.path[-1].mean(0), exponential.path[-1].std(0)
    apart = (mean - torch.tensor(stops, dtype=torch.float64)).abs()
    generator = torch.Generator().manual_seed(derive(current_seed(), 1))
    drawn = torch.randint(10_000, (10_000,), generator=generator)
    return {
        "walkers are as far as theory says, within 10%": all(
            abs(walk.measured[-1] / walk.theory[-1] - 1) < 0.1 for walk in walks if walk.theory
        ),
        "a constant rate stays where the sum of lr noise² / (l (2 - lr l)) says, within 10%": (
            abs(constant.measured[-1] / math.sqrt(floor) - 1) < 0.1
        ),
        "an exponential rate stops on its way, where the product of its steps ends": (
            bool((apart < 6 * spread / math.sqrt(count)).all()) and float(mean[0]) < -0.3
        ),
        "a rate that falls as a power ends nearer than both": (
            polynomial.measured[-1] < min(constant.measured[-1], exponential.measured[-1])
        ),
        "of examples drawn with replacement an epoch sees 1 - 1/e, within 0.03": (
            abs(len(drawn.unique()) / 10_000 - (1 - 1 / math.e)) < 0.03
        ),
    }


def _falling(walks: list[tuple[str, Walk]], steps: int) -> Figure:
    return lines(
        range(steps + 1),
        {name: walk.measured[: steps + 1] for name, walk in walks},
        title="how far the walkers are",
        xlabel="step",
        ylabel="root mean square distance",
        log_y=True,
    )
