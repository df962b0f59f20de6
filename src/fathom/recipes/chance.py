"""Probability (book 2.6): sampling, the law of large numbers, Bayes, expectation and variance."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.core.arguments import Bounds
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.plots.scalars import lines

FACES = 6
SICK = 0.0015  # of all people
FIRST = 1.0, 0.01  # a test's share of positives among the sick, and among the healthy
SECOND = 0.98, 0.03
PEOPLE = 2_000_000
UNLIKELY = 6.0  # standard errors: chance goes so far in one of 500 million measurements


@recipe(
    section="2.6",
    title="Probability",
    zh="概率",
    minutes=0.1,
    book="P(ill | one positive test) = 0.1306, after a second one 0.8307",
    ours="the same, to all digits",
)
def probability(
    *, throws: Annotated[int, Bounds(at_least=1, at_most=1_000_000)] = 5_000
) -> Findings:
    """Throw a die, and find out what a positive medical test means.

    Shares of faces come as near to 1/6 as 1 over the root of the number of throws: the grey lines
    in the figure are two standard errors away. A test that finds all the ill and errs on one
    healthy person in a hundred still means illness in 13 of 100 cases only, since so few are ill;
    a second, worse test makes it 83. Both by Bayes' rule, and counted among two million people.

    Args:
        throws: how often the die is thrown
    """
    die = torch.distributions.Categorical(probs=torch.full((FACES,), 1 / FACES))
    thrown = die.sample((throws,))
    shares = _shares_so_far(thrown)
    faces = torch.arange(1.0, FACES + 1)
    mean, variance = float(faces.mean()), float((faces**2).mean() - faces.mean() ** 2)
    average = float((thrown + 1.0).mean())
    once = bayes(SICK, FIRST)
    twice = bayes(once, SECOND)
    counted_once, counted_twice, errors = _counted()
    return Findings(
        numbers={
            "P(ill | positive)": once,
            "P(ill | positive twice)": twice,
            "P(positive)": SICK * FIRST[0] + (1 - SICK) * FIRST[1],
            "expectation of a throw": mean,
            "its variance": variance,
        },
        tables={
            "By the rule, and counted": Table(
                ["", "expected", "here"],
                [
                    ["average throw", mean, average],
                    ["ill, of those positive once", once, counted_once],
                    ["ill, of those positive twice", twice, counted_twice],
                ],
            )
        },
        figures={"large-numbers": _shares_picture(shares), "bayes": _bayes_picture()},
        claims={
            "Bayes' rule gives 0.1306, then 0.8307": [f"{once:.4f}", f"{twice:.4f}"]
            == ["0.1306", "0.8307"],
            "both tests at once give the same as one after the other": abs(
                bayes(SICK, (FIRST[0] * SECOND[0], FIRST[1] * SECOND[1])) - twice
            )
            < 1e-12,
            "among two million people it is so, within chance": abs(counted_once - once)
            < UNLIKELY * errors[0]
            and abs(counted_twice - twice) < UNLIKELY * errors[1],
            "each face's share is 1/6, within chance": bool(
                ((shares[-1] - 1 / FACES).abs() < UNLIKELY * _error(1 / FACES, throws)).all()
            ),
            "the average throw is 3.5, within chance": abs(average - 3.5)
            < UNLIKELY * (variance / throws) ** 0.5,
            **_moment_claims(die),
        },
    )


def bayes(prior: float, positives: tuple[float, float]) -> float:
    """P(ill | positive), where `positives` are P(positive | ill) and P(positive | healthy)."""
    joint_ill, joint_healthy = prior * positives[0], (1 - prior) * positives[1]
    return joint_ill / (joint_ill + joint_healthy)


def _error(share: float, count: float) -> float:
    """The standard error of a share that was counted among `count`."""
    return (share * (1 - share) / count) ** 0.5


def _shares_so_far(thrown: Tensor) -> Tensor:
    """The share of each face among the first 1, 2, 3, … throws: (throws, FACES)."""
    hot = torch.nn.functional.one_hot(thrown, FACES).double()
    return hot.cumsum(0) / torch.arange(1, len(thrown) + 1)[:, None]


def _counted() -> tuple[float, float, tuple[float, float]]:
    """Shares of ill among those positive once and twice, and their standard errors."""
    ill = torch.rand(PEOPLE) < SICK
    positive = [
        torch.rand(PEOPLE) < torch.where(ill, when_ill, when_healthy)
        for when_ill, when_healthy in (FIRST, SECOND)
    ]
    once = ill[positive[0]]
    twice = ill[positive[0] & positive[1]]
    shares = float(once.double().mean()), float(twice.double().mean())
    truth = bayes(SICK, FIRST), bayes(bayes(SICK, FIRST), SECOND)
    return *shares, (_error(truth[0], len(once)), _error(truth[1], len(twice)))


def _moment_claims(die: torch.distributions.Categorical) -> dict[str, bool]:
    """Of two dice, by going through all 36 cases with their probabilities."""
    p = die.probs.double()
    face = torch.arange(1, FACES + 1).double()
    both = p[:, None] * p
    both = both / both.sum()
    mean = (p * face).sum()
    variance = (p * (face - mean) ** 2).sum()
    total = face[:, None] + face
    total_mean = (both * total).sum()
    total_variance = (both * (total - total_mean) ** 2).sum()
    return {
        "probabilities of two dice sum to those of one (marginals)": torch.allclose(both.sum(1), p),
        "the mean of a sum is the sum of means; of independent dice, variances add too": bool(
            torch.isclose(total_mean, 2 * mean) & torch.isclose(total_variance, 2 * variance)
        ),
        "the variance is E[x²] - E[x]²": bool(
            torch.isclose(variance, (p * face**2).sum() - mean**2)
        ),
    }


def _shares_picture(shares: Tensor) -> Figure:
    """At some three hundred counts, evenly apart on a logarithmic axis."""
    throws = len(shares)
    first, last = math.log10(min(10, throws)), math.log10(throws)
    counts = torch.logspace(first, last, 300).round().long().clamp(1, throws).unique()
    x = counts.tolist()
    faces = {f"face {f + 1}": shares[counts - 1, f].tolist() for f in range(FACES)}
    figure = lines(
        x,
        faces,
        title="the share of each face",
        xlabel="throws",
        ylabel="share",
        log_x=True,
    )
    (axes,) = figure.axes
    for side in (-2, 2):
        band = [1 / FACES + side * _error(1 / FACES, n) for n in x]
        axes.plot(x, band, color="#B5B5B5", linewidth=1, zorder=0)
    axes.set_ylim(0, 0.5)
    return figure


def _bayes_picture() -> Figure:
    """What a positive test says, for diseases from rare to common."""
    priors = torch.logspace(-4, -0.01, 200).tolist()
    once = [bayes(p, FIRST) for p in priors]
    return lines(
        priors,
        {
            "before any test": priors,
            "after one positive": once,
            "after two": [bayes(p, SECOND) for p in once],
        },
        title="P(ill), for diseases from rare to common",
        xlabel="share of people who are ill",
        ylabel="P(ill)",
        log_x=True,
    )
