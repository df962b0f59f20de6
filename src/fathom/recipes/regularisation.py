"""What holds a model back from learning its examples by heart: decay, dropout (book 4.5-4.6)."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from fathom.core.arguments import Count, Fraction, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment, Metric
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import synthetic
from fathom.data.batches import TensorBatches
from fathom.data.images import Images, load_pictures
from fathom.engine.guard import NonFiniteError
from fathom.models.linear import linear_regression
from fathom.models.mlp import mlp
from fathom.objectives import half_squared_error
from fathom.plots.scalars import lines
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.recipes.training import trained

TRUE_WEIGHT, TRUE_BIAS, NOISE = 0.01, 0.05, 0.01
UNSEEN = 100
Kind = Literal["sgd", "adam", "adamw"]


@recipe(
    section="4.5",
    title="Weight decay",
    zh="权重衰减",
    minutes=0.1,
    book="norm of the weights 0.364 [0.323, 0.422] with decay 3, 13.4 [11.7, 15.0] without",
    ours="norm of the weights 0.352 [0.336, 0.396] with decay 3, 12.8 [12.4, 14.2] without",
)
def weight_decay(
    *,
    impl: Impl = "torch",
    weight_decay: NonNegative = 3.0,
    optimizer: Kind = "sgd",
    features: Count = 200,
    examples: Count = 20,
    batch_size: Count = 5,
    lr: Rate = 0.003,
    epochs: Count = 100,
) -> Experiment:
    """Keep weights small, so that few examples cannot be learned by heart.

    The truth is y = 0.05 + Σ 0.01 xᵢ + noise in many dimensions, seen through a few examples. The
    penalty λ/2 |w|² adds λ w to the gradient (L2); decoupled decay shrinks the weights by
    1 - lr λ in each step. For plain gradient descent they are one and the same. Not for Adam: it
    divides the gradient by its size, penalty and all, and what is left of λ is a sign.

    Args:
        weight_decay: λ, for the weights and not for the bias
        optimizer: adam has L2 in the gradient, adamw decays apart from it
        features: dimensions of the inputs
        examples: how many are made for training; 100 more to measure on
    """
    lib = library(impl)
    true = [TRUE_WEIGHT] * features
    train, valid = (
        synthetic.linear(true, TRUE_BIAS, count, NOISE, seed=derive(current_seed(), split))
        for split, count in enumerate((examples, UNSEEN))
    )
    model = linear_regression(features, std=1.0, nn=lib.nn)
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batches = TensorBatches(*train, batch_size=min(batch_size, examples))

    def report(model: nn.Module) -> Findings:
        setting = _Setting(lib, first, batches, train, valid, lr, epochs)
        return _compared(model, setting, weight_decay)

    return Experiment(
        model,
        batches,
        half_squared_error,
        _optimizer(lib, model, optimizer, lr, weight_decay),
        epochs,
        valid=TensorBatches(*valid, batch_size=UNSEEN, shuffle=False),
        report=report,
    )


def _optimizer(
    lib: Any, model: nn.Module, kind: Kind, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Decay for the weights only: a bias does not learn examples by heart."""
    weight, bias = model.parameters()
    groups = [{"params": [weight], "weight_decay": weight_decay}, {"params": [bias]}]
    optimizers = {"sgd": lib.optim.SGD, "adam": lib.optim.Adam, "adamw": lib.optim.AdamW}
    return optimizers[kind](groups, lr=lr, weight_decay=0.0)


class _Setting(NamedTuple):
    """What all runs of a comparison have in common."""

    lib: Any
    first: dict[str, Tensor]
    batches: TensorBatches
    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    lr: float
    epochs: int


class _Followed(NamedTuple):
    """|w| after each epoch, and the losses in the end."""

    norms: list[float]
    train: float
    valid: float
    weight: Tensor


def _compared(model: nn.Module, setting: _Setting, decay: float) -> Findings:
    """The same beginning and the same batches under each kind of decay."""
    kinds: dict[str, tuple[Kind, float]] = {
        "SGD without decay": ("sgd", 0.0),
        f"SGD, L2 or decoupled, {decay:g}": ("sgd", decay),
        f"Adam, L2 {decay:g}": ("adam", decay),
        f"Adam, decoupled {decay:g}": ("adamw", decay),
    }
    runs = {name: _follow(setting, *kind) for name, kind in kinds.items()}
    by_optimizer = list(runs.values())[1]
    in_loss = _follow(setting, "sgd", 0.0, penalty=decay)
    weight, _ = (parameter.detach().cpu() for parameter in model.parameters())
    steps = setting.epochs * len(setting.batches)
    start = float(setting.first["0.weight"].norm())
    return Findings(
        numbers={
            "|w| of what was trained": Number(float(weight.norm())),
            "|w| of the truth": Number(TRUE_WEIGHT * weight.numel() ** 0.5),
            "|w| at first": Number(start),
            "|w| if SGD did nothing but decay": Number(start * (1 - setting.lr * decay) ** steps),
            "|w| where SGD is heading": Number(float(ridge(*setting.train, decay).norm())),
        },
        tables={
            "Side by side": Table(
                ["", "|w|", "loss in training", "on unseen data"],
                [[name, run.norms[-1], run.train, run.valid] for name, run in runs.items()],
            )
        },
        figures={
            "norms": lines(
                range(setting.epochs + 1),
                {name: run.norms for name, run in runs.items() if len(run.norms) > setting.epochs},
                title="|w|",
                xlabel="epoch",
                log_y=True,
                whole_x=True,
            )
        },
        claims={
            "decay in the optimiser is λ/2 |w|² in the loss": torch.allclose(
                by_optimizer.weight, in_loss.weight, rtol=1e-3, atol=1e-5, equal_nan=True
            ),
        },
    )


@torch.inference_mode(False)  # reports are asked in that mode: without gradients
def _follow(setting: _Setting, kind: Kind, decay: float, penalty: float = 0.0) -> _Followed:
    """Train from the common beginning; a run that diverges is shorter than the others."""
    model = linear_regression(setting.batches.inputs.shape[1], nn=setting.lib.nn)
    model.load_state_dict(setting.first)
    weight, _ = model.parameters()
    optimizer = _optimizer(setting.lib, model, kind, setting.lr, decay)
    norms = []
    with suppress(NonFiniteError):
        for _ in trained(
            model,
            setting.batches,
            _penalised(weight, penalty),
            optimizer,
            epochs=setting.epochs,
            seed=current_seed(),
        ):
            norms.append(float(weight.detach().norm()))
    with torch.no_grad():
        train, valid = (
            float(half_squared_error(model(x), y)) for x, y in (setting.train, setting.valid)
        )
    return _Followed(norms, train, valid, weight.detach())


def _penalised(weight: Tensor, penalty: float) -> Metric:
    """The loss with λ/2 |w|² added to it."""
    return lambda outputs, targets: (
        half_squared_error(outputs, targets) + penalty / 2 * weight.square().sum()
    )


def ridge(x_NK: Tensor, y_N1: Tensor, decay: float) -> Tensor:
    """The weights (K, 1) that make the loss and λ/2 |w|² least, the bias being free.

    In the form that solves for as many numbers as there are examples. Without decay, the shortest
    of all that fit.
    """
    x_NK, y_N1 = x_NK.double() - x_NK.double().mean(0), y_N1.double() - y_N1.double().mean()
    N = len(x_NK)
    gram_NN = x_NK @ x_NK.T + N * decay * torch.eye(N, dtype=torch.float64)
    return x_NK.T @ torch.linalg.pinv(gram_NN, rtol=1e-10, hermitian=True) @ y_N1


@recipe(
    section="4.6",
    title="Dropout",
    zh="暂退法",
    sample=dict(data="digits", batch_size=32, lr=0.3, epochs=30),
    minutes=0.4,
    book="train loss 0.336 and 0.344, test accuracy 0.860 [0.845, 0.867]",
    ours="train loss 0.349, test accuracy 0.860 [0.852, 0.866]",
)
def dropout(
    data: Images = "fashion-mnist",
    *,
    impl: Impl = "torch",
    hidden: Count = 256,
    dropout1: Fraction = 0.2,
    dropout2: Fraction = 0.5,
    batch_size: Count = 256,
    lr: Rate = 0.5,
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Leave out hidden units at random, so that none relies on another.

    In training each unit is zero with probability p, and the others are divided by 1 - p, so that
    the expected value stays; in use nothing is left out.

    Args:
        hidden: units in each of the two hidden layers
        dropout1: share of the first hidden layer that is left out; closer to the input, less
        dropout2: of the second
    """
    lib = library(impl)
    pictures = load_pictures(data)
    model = mlp(
        math.prod(pictures.form),
        [hidden, hidden],
        len(pictures.classes),
        dropout=[dropout1, dropout2],
        nn=lib.nn,
    )
    return classification(
        pictures,
        model,
        lib,
        lib.optim.SGD(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
        balanced=balanced,
    )
