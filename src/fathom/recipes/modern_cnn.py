"""Modern convolutional networks (book chapter 7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from torch.nn import Module

from fathom.core.arguments import Bounds, Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings
from fathom.core.recipe import recipe
from fathom.data.images import Images, load_pictures
from fathom.engine.evaluation import evaluate
from fathom.models.networks import make_network
from fathom.models.population import by_population
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.recipes.schedules import cosine

Schedule = Annotated[
    Literal["constant", "cosine"], "of the learning rate: as it is, or to zero along a cosine"
]
Size = Annotated[int, Bounds(at_least=8), "pixels a side that pictures are brought to"]
Width = Annotated[int, Bounds(at_least=4), "maps of the first convolution; the rest in proportion"]
ENOUGH = 30  # batches that tell a large network's means as well as all of them


def _by_sgd(
    data: str,
    impl: Impl,
    network: str,
    weights: str | None,
    size: int,
    width: int | None,
    batch_size: int,
    lr: float,
    schedule: Schedule,
    epochs: int,
    balanced: bool,
) -> Experiment:
    """As the book trains each network of the chapter: cross-entropy, plain gradient descent."""
    lib = library(impl)
    pictures = load_pictures(data, size=size)
    model = make_network(
        network,
        len(pictures.classes),
        in_channels=pictures.form[0],
        size=size,
        width=width,
        weights=weights,
        nn=lib.nn,
    )
    optimizer = lib.optim.SGD(model.parameters(), lr=lr)
    falling = None
    if schedule == "cosine":
        falling = lib.optim.lr_scheduler.LambdaLR(optimizer, cosine(epochs))
    return classification(
        pictures,
        model,
        lib,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        schedule=falling,
        balanced=balanced,
    )


@recipe(
    section="7.1",
    title="AlexNet",
    zh="深度卷积神经网络(AlexNet)",
    sample=dict(
        data="digits",
        weights="he",
        size=67,
        width=24,
        batch_size=32,
        lr=0.03,
        schedule="cosine",
        epochs=10,
    ),
    minutes=160,
    book="train loss 0.328, test accuracy 0.880 [0.860, 0.886]",
    ours="digits 0.997",
)
def alexnet(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    network: Literal["book-alexnet", "alexnet"] = "book-alexnet",
    weights: Literal["xavier", "he"] | None = None,
    size: Size = 224,
    width: Width | None = None,
    batch_size: Count = 128,
    lr: Rate = 0.01,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with the network that won ImageNet in 2012 (Krizhevsky et al.).

    LeNet grown large: eight layers, ReLU for sigmoids, maxima for means, and dropout, without
    which its two wide layers would learn the training pictures by heart.

    Args:
        weights: xavier, the book's, or he, which suits ReLUs (of the book's form)
        network: the book's form, or the one whose weights are published
    """
    return _by_sgd(
        data, impl, network, weights, size, width, batch_size, lr, schedule, epochs, balanced
    )


@recipe(
    section="7.2",
    title="VGG",
    zh="使用块的网络(VGG)",
    sample=dict(
        data="digits",
        weights="he",
        size=32,
        width=8,
        batch_size=32,
        lr=0.03,
        schedule="cosine",
        epochs=8,
    ),
    minutes=120,
    book="train loss 0.178, test accuracy 0.920 [0.900, 0.925]",
    ours="digits 0.986",
)
def vgg(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    network: Literal[
        "book-vgg11",
        "vgg11",
        "vgg13",
        "vgg16",
        "vgg19",
        "vgg11_bn",
        "vgg13_bn",
        "vgg16_bn",
        "vgg19_bn",
    ] = "book-vgg11",
    weights: Literal["xavier", "he"] | None = None,
    size: Size = 224,
    width: Width | None = None,
    batch_size: Count = 128,
    lr: Rate = 0.05,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with blocks of 3x3 convolutions (Simonyan and Zisserman, 2014).

    Two small windows in a row see as much as one of 5x5, with fewer weights and a ReLU more; five
    blocks, each half as large as the one before it, are all there is to design.

    Args:
        weights: xavier, the book's, or he, which suits ReLUs (of the book's form)
        network: the book's, a quarter as wide, or those published, with batch norm or without
    """
    return _by_sgd(
        data, impl, network, weights, size, width, batch_size, lr, schedule, epochs, balanced
    )


@recipe(
    section="7.3",
    title="Network in network",
    zh="网络中的网络(NiN)",
    sample=dict(data="digits", size=67, width=24, batch_size=32, schedule="cosine", epochs=8),
    minutes=160,
    book="train loss 0.3875, test accuracy 0.8465 [0.100, 0.882]; 8 of 69 builds did not train",
    ours="digits 0.994 [0.992, 0.997], and every seed of five trained",
)
def nin(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    weights: Literal["identity", "xavier", "he"] | None = None,
    size: Size = 224,
    width: Width | None = None,
    batch_size: Count = 128,
    lr: Rate = 0.1,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with a small network at each place and no dense layer (Lin et al., 2013).

    Each block is a convolution and two 1x1 ones; the last has a map for each class, whose mean is
    its logit. Of the book's builds one in nine does not train: Xavier's weights halve the signal
    at each of twelve ReLUs, and a map of ten that is zero for all pictures has no gradient to come
    back by. Here the 1x1 layers begin as the identity, and the class maps above zero.

    Args:
        weights: identity, or he or xavier (the book's) for the 1x1 layers too
    """
    return _by_sgd(
        data, impl, "book-nin", weights, size, width, batch_size, lr, schedule, epochs, balanced
    )


@recipe(
    section="7.4",
    title="GoogLeNet",
    zh="含并行连结的网络(GoogLeNet)",
    sample=dict(
        data="digits", size=32, width=16, batch_size=32, lr=0.03, schedule="cosine", epochs=12
    ),
    minutes=115,
    book="train loss 0.247, test accuracy 0.889 [0.808, 0.899]; 2 of 83 builds ended in NaN",
    ours="digits 0.967 [0.944, 0.978], and every seed of five trained",
)
def googlenet(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    network: Literal["book-googlenet", "googlenet", "inception_v3"] = "book-googlenet",
    weights: Literal["he", "xavier"] | None = None,
    size: Size = 96,
    width: Width | None = None,
    batch_size: Count = 128,
    lr: Rate = 0.1,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with windows of several sizes side by side (Szegedy et al., 2014).

    Nine blocks let the training choose between windows of one, three and five pixels and pooling;
    1x1 convolutions before them keep that cheap. By default the first weights have He's scale: with
    Xavier's, the book's, the first epochs learn nothing, and some builds end in NaN.

    Args:
        weights: he, or xavier, the book's (of the book's form)
        network: the book's form, the published one with batch norm, or version 3
    """
    return _by_sgd(
        data, impl, network, weights, size, width, batch_size, lr, schedule, epochs, balanced
    )


@recipe(
    section="7.5",
    title="Batch normalisation",
    zh="批量规范化",
    sample=dict(data="digits", batch_size=32, schedule="cosine", epochs=15),
    minutes=1.5,
    book="scratch: train loss 0.266, test accuracy 0.831 [0.571, 0.892]; torch: 0.266, 0.841",
    ours="train loss 0.270, test accuracy 0.820 [0.811, 0.872]; by means anew 0.881 [0.876, 0.887]",
)
def batch_norm(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    norm: Literal["batch", "none"] = "batch",
    batch_size: Count = 256,
    lr: Rate = 1.0,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify 28x28 pictures with LeNet, the inputs of each sigmoid normalised over the batch.

    Each channel is brought to mean 0 and deviation 1 over the batch, then to a scale and a shift
    that are learned. A rate of 1 is then not too high, and LeNet's long wait at the start is gone.
    `--impl scratch` is the layer written out.

    Held-out pictures are normalised by running means, which at such a rate lag behind the weights:
    the accuracy jumps from epoch to epoch. The report has it by means over all training pictures
    as well, taken anew once the weights are found, as the paper takes them.

    Args:
        norm: none is LeNet as it was, for comparison
    """
    network = "book-batch-norm" if norm == "batch" else "book-lenet"
    experiment = _by_sgd(
        data, impl, network, None, 28, None, batch_size, lr, schedule, epochs, balanced
    )
    return experiment if norm == "none" else _by_both_means(experiment, None)


def _by_both_means(experiment: Experiment, most: int | None) -> Experiment:
    """It also reports the accuracy by means of all that was trained on, or of `most` batches."""

    def report(model: Module) -> Findings:
        device = next(model.parameters()).device
        anew = by_population(model, experiment.train, most=most)
        ways = {"running means": model, "means taken anew": anew}
        assert experiment.valid is not None
        held_out = experiment.valid.to(device)
        return Findings(
            {
                f"held-out accuracy by {name}": evaluate(
                    network, held_out, experiment.metrics, device=device
                )["accuracy"]
                for name, network in ways.items()
            }
        )

    return replace(experiment, report=report)


@recipe(
    section="7.6",
    title="ResNet",
    zh="残差网络(ResNet)",
    sample=dict(data="digits", size=32, width=16, batch_size=32, schedule="cosine", epochs=6),
    minutes=115,
    book="train loss 0.012, test accuracy 0.913 [0.814, 0.927]",
    ours="two epochs: test accuracy 0.833, by means anew 0.892; digits 0.986",
)
def resnet(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    network: Literal[
        "book-resnet18",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
    ] = "book-resnet18",
    size: Size = 96,
    width: Width | None = None,
    batch_size: Count = 256,
    lr: Rate = 0.05,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with blocks that learn what to add to their input (He et al., 2015).

    A block that has nothing to add passes its input on, so that a deeper network contains every
    shallower one, and the gradient has a way past each block. Of the accuracy by running means and
    by those taken anew, see `fathom show batch-norm`.

    Args:
        network: the book's form of ResNet-18, or the published ones
    """
    experiment = _by_sgd(
        data, impl, network, None, size, width, batch_size, lr, schedule, epochs, balanced
    )
    return _by_both_means(experiment, ENOUGH)


@recipe(
    section="7.7",
    title="DenseNet",
    zh="稠密连接网络(DenseNet)",
    sample=dict(data="digits", size=32, width=16, batch_size=32, schedule="cosine", epochs=6),
    minutes=65,
    book="train loss 0.152, test accuracy 0.882 [0.406, 0.918]",
    ours="digits 0.994",
)
def densenet(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    network: Literal[
        "book-densenet", "densenet121", "densenet161", "densenet169", "densenet201"
    ] = "book-densenet",
    size: Size = 96,
    width: Width | None = None,
    batch_size: Count = 256,
    lr: Rate = 0.1,
    schedule: Schedule = "constant",
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures with layers that are given all maps before them (Huang et al., 2016).

    Where ResNet adds, DenseNet sets side by side: each layer adds a few maps to those there are,
    and a transition after each block halves their number and their sides.

    Args:
        network: the book's form, or the published ones
    """
    experiment = _by_sgd(
        data, impl, network, None, size, width, batch_size, lr, schedule, epochs, balanced
    )
    return _by_both_means(experiment, ENOUGH)
