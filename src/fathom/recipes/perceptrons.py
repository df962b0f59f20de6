"""Multilayer perceptrons (book chapter 4)."""

from __future__ import annotations

import math
from typing import Literal

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.recipe import recipe
from fathom.data.images import Images, load_pictures
from fathom.models.mlp import mlp as mlp_model
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification


@recipe(
    section="4.2",
    title="MLP from scratch / concise (4.2, 4.3)",
    zh="多层感知机",
    sample=dict(data="digits", batch_size=32, lr=0.2, epochs=30),
    minutes=0.2,
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
    balanced: bool = False,
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
        lib,
        lib.optim.SGD(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
        balanced=balanced,
    )
