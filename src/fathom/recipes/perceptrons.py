"""Multilayer perceptrons, and how well a model of some capacity fits (book chapter 4)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.data.images import Images, load_pictures
from fathom.models.linear import linear_regression
from fathom.models.mlp import mlp as mlp_model
from fathom.plots.scalars import scatter_fit
from fathom.predictors import NumberPredictor
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification

TRUE_WEIGHTS = [5.0, 1.2, -3.4, 5.6]
HIGHEST = 20


@recipe(
    section="4.2",
    title="MLP from scratch / concise (4.2, 4.3)",
    zh="多层感知机",
    sample=dict(data="digits", batch_size=32, lr=0.2, epochs=30),
    minutes=0.1,
    book="train loss 0.383, test accuracy 0.844 [0.838, 0.853]",
    ours="train loss 0.383, test accuracy 0.850 [0.840, 0.852]",
)
def mlp(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    hidden: Count = 256,
    activation: Literal["relu", "sigmoid", "tanh"] = "relu",
    batch_size: Count = 256,
    lr: Rate = 0.1,
    epochs: Count = 10,
) -> Experiment:
    """Classify pictures with one hidden layer: the smallest network that is not linear.

    Args:
        hidden: units in the hidden layer
    """
    lib = library(impl)
    pictures = load_pictures(data)
    classes = len(pictures.classes)
    model = mlp_model(math.prod(pictures.form), [hidden], classes, activation=activation, nn=lib.nn)
    return classification(
        pictures,
        model,
        lib.cross_entropy,
        lib.optim.SGD(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
    )


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
    batch_size: Count = 10,
    lr: Rate = 0.01,
    epochs: Count = 400,
) -> Experiment:
    """Fit a cubic by polynomials of too few, enough and too many terms.

    The truth is y = 5 + 1.2 x - 3.4 x²/2! + 5.6 x³/3! + noise. Two terms cannot follow it (both
    losses stay high: underfitting); four can; twenty can also follow the noise (the loss on what
    was not seen grows: overfitting; give it --epochs 1500).

    Args:
        terms: how many powers of x the model sees, from the constant on
        examples: how many are made for training, and as many again to measure on
        noise: its standard deviation
    """
    lib = library(impl)
    train, valid = (
        synthetic.polynomial(
            TRUE_WEIGHTS, HIGHEST, examples, noise, seed=derive(current_seed(), split)
        )
        for split in (0, 1)
    )
    model = linear_regression(terms, bias=False, nn=lib.nn)

    def report(model: torch.nn.Module) -> Findings:
        (weight,) = (parameter.detach().flatten().cpu() for parameter in model.parameters())
        true = (TRUE_WEIGHTS + [0.0] * HIGHEST)[:terms]
        grid = torch.linspace(-2.5, 2.5, 101)
        curve = synthetic.powers(grid, HIGHEST)[:, :terms] @ weight
        x = train[0][:, 1]
        return Findings(
            tables={
                "Weights": Table(
                    ["power", "true", "found"],
                    list(zip(range(terms), true, weight.tolist(), strict=True)),
                )
            },
            figures={
                "predictions": scatter_fit(
                    x.tolist(),
                    train[1].flatten().tolist(),
                    {f"{terms} terms": (grid.tolist(), curve.tolist())},
                    xlabel="x",
                    ylabel="y",
                )
            },
        )

    return Experiment(
        model,
        TensorBatches(train[0][:, :terms], train[1], batch_size=min(batch_size, examples)),
        lib.nn.MSELoss(),
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(valid[0][:, :terms], valid[1], batch_size=examples, shuffle=False),
        predictor=NumberPredictor(["x"], lambda x: synthetic.powers(x[:, 0], HIGHEST)[:, :terms]),
        report=report,
    )
