"""How well a model of some capacity fits: over- and underfitting, VC dimension (book 4.4)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import cross_validation, synthetic
from fathom.data.batches import TensorBatches
from fathom.models import halfplanes
from fathom.models.linear import linear_regression
from fathom.plots.boundaries import Labelled, divided
from fathom.plots.scalars import lines, scatter_fit
from fathom.predictors.numeric import NumberPredictor
from fathom.recipes.libraries import library

Data = tuple[Tensor, Tensor]

TRUE_WEIGHTS = [5.0, 1.2, -3.4, 5.6]
HIGHEST = 20
FEW = 24  # examples: so many that a model of twenty terms can almost hit them all
POINTS = [(0, 0), (8, 1), (3, 7), (9, 9), (1, 4), (5, 3)]  # no three of them on a line


@recipe(
    section="4.4",
    title="Model selection, under- and overfitting",
    zh="模型选择、欠拟合和过拟合",
    minutes=0.1,
    book="4 terms: train 0.0098, test 0.0104 [0.0086, 0.0114]; 2 terms: 7.6 and 12.2; "
    "20 terms (1,500 epochs): 0.0123 and 0.0158",
    ours="4 terms: train 0.0091, test 0.0108 [0.0081, 0.0122]; 2 terms: 13.5 and 13.8; "
    "20 terms (1,500 epochs): 0.0097 and 0.0137",
)
def polynomial(
    *,
    impl: Impl = "torch",
    terms: Annotated[int, Bounds(at_least=1, at_most=HIGHEST)] = 4,
    examples: Count = 100,
    noise: NonNegative = 0.1,
    folds: Annotated[int, Bounds(at_least=2)] = 5,
    batch_size: Count = 10,
    lr: Rate = 0.01,
    epochs: Count = 400,
) -> Experiment:
    """Fit a cubic by polynomials of too few, enough and too many terms.

    The truth is y = 5 + 1.2 x - 3.4 x²/2! + 5.6 x³/3! + noise. Two terms cannot follow it (both
    losses stay high: underfitting); four can; twenty can also follow the noise (the loss on what
    was not seen grows: overfitting; give it --epochs 1500).

    When the model is trained, every number of terms is fitted by least squares: the error on the
    training data only falls, and cross-validation, which sees nothing else, says where to stop.
    What a class of models can do at all is its capacity. For lines in the plane it is counted: of
    three points a line makes every labelling, of four never; their VC dimension is three.

    Args:
        terms: how many powers of x the model sees, from the constant on
        examples: how many are made for training, and as many again to measure on
        noise: its standard deviation
        folds: parts that cross-validation holds out in turn
    """
    lib = library(impl)
    train, valid = (
        synthetic.polynomial(
            TRUE_WEIGHTS, HIGHEST, examples, noise, seed=derive(current_seed(), split)
        )
        for split in (0, 1)
    )
    model = linear_regression(terms, bias=False, nn=lib.nn)
    return Experiment(
        model,
        TensorBatches(train[0][:, :terms], train[1], batch_size=min(batch_size, examples)),
        lib.nn.MSELoss(),
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(valid[0][:, :terms], valid[1], batch_size=examples, shuffle=False),
        predictor=NumberPredictor(["x"], lambda x: synthetic.powers(x[:, 0], HIGHEST)[:, :terms]),
        report=lambda model: _fitted(model, train, valid, min(folds, examples)),
    )


def _fitted(model: nn.Module, train: Data, valid: Data, folds: int) -> Findings:
    """The weights that were found beside the true ones, and what the number of terms does."""
    (weight_D,) = (parameter.detach().flatten().cpu() for parameter in model.parameters())
    terms = len(weight_D)
    grid_G = torch.linspace(-2.5, 2.5, 201)
    powers_GD = synthetic.powers(grid_G, HIGHEST)
    few = train[0][:FEW], train[1][:FEW]
    followed = {
        f"{count} terms": (powers_GD[:, :count].double() @ _least_squares(few, count)).flatten()
        for count in (2, 4, HIGHEST)
    }
    errors, chosen = _errors(train, valid, folds)
    on_train = errors["on training data"]
    spread = float(train[1].double().square().mean())
    lined = _what_lines_can_do()
    true = (TRUE_WEIGHTS + [0.0] * HIGHEST)[:terms]
    return Findings(
        numbers={f"terms chosen by {folds}-fold cross-validation": chosen} if chosen else {},
        tables={
            "Weights": Table(
                ["power", "true", "found"],
                list(zip(range(terms), true, weight_D.tolist(), strict=True)),
            ),
            **lined.tables,
        },
        figures={
            "predictions": scatter_fit(
                train[0][:, 1].tolist(),
                train[1].flatten().tolist(),
                {f"{terms} terms": (grid_G.tolist(), (powers_GD[:, :terms] @ weight_D).tolist())},
                xlabel="x",
                ylabel="y",
            ),
            "underfitting-and-overfitting": scatter_fit(
                few[0][:, 1].tolist(),
                few[1].flatten().tolist(),
                {name: (grid_G.tolist(), curve.tolist()) for name, curve in followed.items()},
                title=f"least squares on {len(few[1])} examples",
                xlabel="x",
                ylabel="y",
            ),
            "terms": lines(
                range(1, HIGHEST + 1),
                errors,
                title="mean squared error",
                xlabel="terms of the polynomial",
                log_y=min(min(values) for values in errors.values()) > 0,
                whole_x=True,
            ),
            **lined.figures,
        },
        claims={
            "more terms never fit the training data worse": all(
                after <= before + 1e-6 * spread for before, after in pairwise(on_train)
            ),
            **lined.claims,
        },
    )


def _least_squares(data: Data, terms: int) -> Tensor:
    """The weights (terms, 1) with the least squared error; the shortest, where many have it."""
    x_ND, y_N1 = data[0][:, :terms].double(), data[1].double()
    scale_D = x_ND.abs().amax(0).clamp(min=1e-300)
    return torch.linalg.lstsq(x_ND / scale_D, y_N1, driver="gelsd").solution / scale_D[:, None]


def _error(data: Data, weight_D1: Tensor) -> float:
    x_ND, y_N1 = data
    return float((x_ND[:, : len(weight_D1)].double() @ weight_D1 - y_N1).square().mean())


def _errors(train: Data, valid: Data, k: int) -> tuple[dict[str, list[float]], int]:
    """Mean squared errors of 1 to 20 terms: where fitted, held out in turn, and never seen; and
    the number of terms that cross-validation chooses, 0 where it cannot.

    The fewest are chosen whose error is within a standard error of the least (Breiman 1984).
    """
    counts = range(1, HIGHEST + 1)
    fits = [_least_squares(train, terms) for terms in counts]
    errors = {"on training data": [_error(train, weight) for weight in fits]}
    unseen = {"on unseen data": [_error(valid, weight) for weight in fits]}
    if k < 2:  # of one example nothing can be held out
        return {**errors, **unseen}, 0
    fold_N = cross_validation.folds(len(train[1]), k)
    squares_TN = torch.stack([_held_out_squares(train, fold_N, terms) for terms in counts])
    means_T = squares_TN.mean(1)
    best = int(means_T.argmin())
    near = means_T[best] + squares_TN[best].std() / len(fold_N) ** 0.5
    errors["in cross-validation"] = means_T.tolist()
    return {**errors, **unseen}, 1 + int((means_T <= near).nonzero()[0])


def _held_out_squares(data: Data, fold_N: Tensor, terms: int) -> Tensor:
    """The squared error of each example (N,), by a fit that has not seen its fold."""
    x_ND, y_N1 = data[0][:, :terms].double(), data[1].double()
    squares_N = torch.empty(len(fold_N), dtype=torch.float64)
    for fold in fold_N.unique():
        out = fold_N == fold
        weight_D1 = _least_squares((data[0][~out], data[1][~out]), terms)
        squares_N[out] = (x_ND[out] @ weight_D1 - y_N1[out]).square().flatten()
    return squares_N


def _what_lines_can_do() -> Findings:
    """Labellings of points in the plane that a line makes: counted one by one, exactly."""
    counts = [len(halfplanes.labellings(POINTS[:n])) for n in range(1, len(POINTS) + 1)]
    square, inside = [(0, 0), (6, 1), (7, 7), (1, 6)], [(0, 0), (8, 1), (3, 7), (4, 3)]
    drawn = [
        Labelled(" ".join("+" if s > 0 else "−" for s in signs), POINTS[:3], signs, _line(signs))
        for signs in halfplanes.labellings(POINTS[:3])
    ]
    drawn += [Labelled("no line", four, _impossible(four)) for four in (square, inside)]
    fours = _random_fours(200)
    return Findings(
        tables={
            "Points in the plane, no three on a line": Table(
                ["points", "labellings", "made by a line", "Cover's formula"],
                [[n, 2**n, made, halfplanes.cover(n)] for n, made in enumerate(counts, 1)],
            )
        },
        figures={
            "shattering": divided(
                drawn,
                title="a line makes all labellings of three points, never all of four",
                columns=5,
            )
        },
        claims={
            "a line makes every labelling of three points": halfplanes.shattered(POINTS[:3]),
            "of four points there is always one that it does not make": not any(
                halfplanes.shattered(four) or halfplanes.separable(four, _impossible(four))
                for four in [square, inside, *fours]
            ),
            "it makes as many as Cover's formula says": counts
            == [halfplanes.cover(n) for n in range(1, len(POINTS) + 1)],
        },
    )


def _line(signs: Sequence[int]) -> list[float]:
    """The w of w0 + w1 x + w2 y that is the sign itself at each of three points."""
    rows = torch.tensor([[1.0, x, y] for x, y in POINTS[:3]])
    return torch.linalg.solve(rows, torch.tensor(signs).float()).tolist()


def _impossible(four: Sequence[halfplanes.Point]) -> list[int]:
    """The labelling that Radon's equation forbids."""
    return [1 if a > 0 else -1 for a in halfplanes.dependency(four)]


def _random_fours(count: int) -> list[list[halfplanes.Point]]:
    """Fours of points in general position, with whole numbers for places."""
    chance = random.Random(current_seed())
    found: list[list[halfplanes.Point]] = []
    while len(found) < count:
        four = [(chance.randrange(50), chance.randrange(50)) for _ in range(4)]
        if halfplanes.in_general_position(four):
            found.append(four)
    return found
