"""Convolutional networks (book chapter 6)."""

from __future__ import annotations

from typing import Literal

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.recipe import recipe
from fathom.data.images import Images, load_pictures
from fathom.models.lenet import lenet as lenet_model
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.recipes.schedules import cosine


@recipe(
    section="6.6",
    title="LeNet",
    zh="卷积神经网络(LeNet)",
    sample=dict(data="digits", activation="relu", batch_size=32, lr=0.1, epochs=20),
    minutes=1,
    book="train loss 0.468, test accuracy 0.808 [0.752, 0.828]",
    ours="train loss 0.466, test accuracy 0.814 [0.786, 0.827]; with relu and lr 0.1 0.883",
)
def lenet(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    activation: Literal["sigmoid", "relu"] = "sigmoid",
    batch_size: Count = 256,
    lr: Rate = 0.9,
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify 28x28 pictures with the first convolutional network (LeCun et al., 1998).

    Two convolutions with average pooling find where strokes are; three linear layers tell what
    they make. With the sigmoids of its time it learns slowly, and for some epochs not at all;
    with `--activation relu --lr 0.1` and what goes with it today it does much better.

    Pictures of other sizes are brought to 28x28; colour is kept.

    Args:
        activation: sigmoid as in 1998, or relu with max pooling, He's first weights, and a
            learning rate that falls to zero along a cosine
    """
    lib = library(impl)
    pictures = load_pictures(data, size=28)
    model = lenet_model(
        len(pictures.classes), in_channels=pictures.form[0], activation=activation, nn=lib.nn
    )
    optimizer = lib.optim.SGD(model.parameters(), lr=lr)
    schedule = None
    if activation == "relu":
        schedule = lib.optim.lr_scheduler.LambdaLR(optimizer, cosine(epochs))
    return classification(
        pictures,
        model,
        lib,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        balanced=balanced,
        schedule=schedule,
    )
