"""Linear networks (book chapter 3): regression, softmax regression."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from fathom.core.arguments import Count, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.data.images import Images, load_pictures
from fathom.models.linear import linear_regression as linear_model
from fathom.models.linear import softmax_regression as softmax_model
from fathom.objectives import half_squared_error
from fathom.plots.scalars import lines, scatter_fit
from fathom.predictors.numeric import NumberPredictor
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification

TRUE_W, TRUE_B = [2.0, -3.4], 4.2


@recipe(
    section="3.1",
    title="Linear regression",
    zh="线性回归",
    minutes=0.1,
    book="adding 10,000 numbers in a loop takes about 400 times as long as at once",
    ours="see the run: it is measured each time",
)
def vectorization(*, count: Count = 10_000, examples: Count = 1_000) -> Findings:
    """Why a sum over all examples is written as one product, and why the loss is squared.

    Three things are computed and checked: that a vector is added many times faster than its
    numbers one by one; that minimising the squared error is maximising the likelihood under
    normal noise; that linear regression has a closed form, which finds the weights again.

    Args:
        count: how many numbers are added
        examples: how many examples the closed form sees
    """
    a, b = torch.ones(count), torch.ones(count)
    looped, slow = _timed(lambda: _add_in_a_loop(a, b))
    at_once, fast = _timed(lambda: a + b, rounds=200)

    x_NK, y_N1 = synthetic.linear(TRUE_W, TRUE_B, examples, 0.01, seed=current_seed())
    ones_x = torch.cat([x_NK, torch.ones(examples, 1)], dim=1).double()
    solved = torch.linalg.solve(ones_x.T @ ones_x, ones_x.T @ y_N1.double())
    oracle = torch.linalg.lstsq(ones_x, y_N1.double()).solution
    truth = torch.tensor([*TRUE_W, TRUE_B]).double()[:, None]
    shifts = torch.linspace(-0.05, 0.05, 41).double()
    squared = [_half_squares(ones_x, y_N1, solved + s * torch.eye(3)[:, :1]) for s in shifts]
    negative_log_likelihood = [s / 0.01**2 for s in squared]  # up to a constant

    z = torch.arange(-7, 7, 0.01)
    normals = {"mean 0, std 1": (0, 1), "mean 0, std 2": (0, 2), "mean 3, std 1": (3, 1)}
    densities = {label: _normal(z, mean, std).tolist() for label, (mean, std) in normals.items()}
    return Findings(
        numbers={
            "in a loop": Number(slow, "s"),
            "at once": Number(fast, "s"),
            "ratio": Number(slow / fast, "times"),
        },
        tables={
            "Weights in closed form": Table(
                ["", "true", "found"],
                [
                    [name, float(t), float(s)]
                    for name, t, s in zip(["w1", "w2", "b"], truth, solved, strict=True)
                ],
            )
        },
        figures={
            "normal-densities": lines(z.tolist(), densities, xlabel="x", ylabel="p(x)"),
            "likelihood": lines(
                shifts.tolist(),
                {"negative log-likelihood": negative_log_likelihood},
                xlabel="w1 away from its best value",
                ylabel="up to a constant",
            ),
        },
        claims={
            "loop and vector give the same sums": torch.equal(looped, at_once),
            "the vector is at least ten times faster": slow > 10 * fast,
            "a density has area 1": all(
                abs(sum(d) * 0.01 - 1) < 1e-3 for label, d in densities.items() if "2" not in label
            ),
            "the closed form agrees with torch.linalg.lstsq": torch.allclose(
                solved, oracle, rtol=1e-9, atol=1e-12
            ),
            "it gives back the weights within 0.01": bool((solved - truth).abs().max() < 0.01),
            "the likeliest weight is the one of least squares": squared.index(min(squared)) == 20,
        },
    )


def _add_in_a_loop(a: Tensor, b: Tensor) -> Tensor:
    c = torch.zeros(len(a))
    for i in range(len(a)):
        c[i] = a[i] + b[i]
    return c


def _timed(work, rounds: int = 1) -> tuple[Tensor, float]:  # type: ignore[no-untyped-def]
    """A result, and the seconds that one of `rounds` takes."""
    began = time.perf_counter()
    for _ in range(rounds):
        result = work()
    return result, (time.perf_counter() - began) / rounds


def _half_squares(x: Tensor, y: Tensor, w: Tensor) -> float:
    return float(half_squared_error(x @ w, y.double()) * len(y))


def _normal(x: Tensor, mean: float, std: float) -> Tensor:
    return torch.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))


@recipe(
    section="3.2",
    title="Linear regression from scratch / concise (3.2, 3.3)",
    zh="线性回归的从零开始实现与简洁实现",
    minutes=0.1,
    book="loss after the third epoch 5.1e-5 [4.5e-5, 5.6e-5]; half the noise's variance is 5e-5",
    ours="5.01e-5 [4.90e-5, 5.28e-5], on examples that were held out",
)
def linear_regression(
    *,
    impl: Impl = "torch",
    examples: Count = 1_000,
    noise: NonNegative = 0.01,
    batch_size: Count = 10,
    lr: Rate = 0.03,
    epochs: Count = 3,
) -> Experiment:
    """Find the weights of y = X w + b + noise by minibatch stochastic gradient descent.

    The data are made with w = [2, -3.4] and b = 4.2, so what is found can be compared with the
    truth. Both implementations end with the same numbers under the same seed.

    Args:
        examples: how many are made for training, and as many again to measure on
        noise: its standard deviation
    """
    lib = library(impl)
    train, valid = (
        synthetic.linear(TRUE_W, TRUE_B, examples, noise, seed=derive(current_seed(), split))
        for split in (0, 1)
    )
    model = linear_model(2, nn=lib.nn)

    def report(model: torch.nn.Module) -> Findings:
        weight, bias = (parameter.detach().flatten().tolist() for parameter in model.parameters())
        found, true = [*weight, *bias], [*TRUE_W, TRUE_B]
        errors = [abs(f - t) for f, t in zip(found, true, strict=True)]
        rows = list(zip(["w1", "w2", "b"], true, found, errors, strict=True))
        second = valid[0][:, 1]
        at_mean = [weight[1] * x + bias[0] for x in (-3.0, 3.0)]
        return Findings(
            tables={"Weights": Table(["", "true", "found", "error"], rows)},
            figures={
                "predictions": scatter_fit(
                    second.tolist(),
                    (valid[1].flatten() - weight[0] * valid[0][:, 0]).tolist(),
                    {"fit": ([-3.0, 3.0], at_mean)},
                    xlabel="x2",
                    ylabel="y - w1 x1",
                )
            },
        )

    return Experiment(
        model,
        TensorBatches(*train, batch_size=batch_size),
        half_squared_error,
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(*valid, batch_size=1_000, shuffle=False),
        predictor=NumberPredictor(["x1", "x2"]),
        report=report,
    )


@recipe(
    section="3.6",
    title="Softmax regression from scratch / concise (3.6, 3.7)",
    zh="softmax回归",
    sample=dict(data="digits", batch_size=32, lr=0.5, epochs=30),
    minutes=0.1,
    book="train loss 0.447, test accuracy 0.832 [0.808, 0.836]",
    ours="train loss 0.447, test accuracy 0.833 [0.829, 0.835]",
)
def softmax_regression(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    batch_size: Count = 256,
    lr: Rate = 0.1,
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures by one linear layer and a softmax: the simplest classifier there is.

    Each class has a template as large as the picture; the figure `weights` shows them.
    """
    lib = library(impl)
    pictures = load_pictures(data)
    model = softmax_model(math.prod(pictures.form), len(pictures.classes), nn=lib.nn)
    return classification(
        pictures,
        model,
        lib,
        lib.optim.SGD(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
        balanced=balanced,
    )
