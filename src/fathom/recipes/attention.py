"""Attention as it begins: a mean of values weighted by their keys (book 10.1 to 10.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.batches import TensorBatches
from fathom.models.attention import (
    AdditiveAttention,
    DotProductAttention,
    masked_softmax,
    valid_mask,
)
from fathom.models.nadaraya_watson import NadarayaWatson, nadaraya_watson
from fathom.plots.heatmaps import heatmap_grid
from fathom.plots.scalars import lines, scatter_fit
from fathom.predictors.numeric import NumberPredictor
from fathom.recipes.libraries import library

LONG = 5.0  # x lies between 0 and it
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
DRAWS = 2_000  # queries, each with ten keys


@recipe(
    section="10.2",
    title="Attention pooling: Nadaraya-Watson (10.1, 10.2)",
    zh="注意力汇聚",
    minutes=0.1,
    book="squared errors after five epochs, summed over 50 points: 17.2 [11.7, 37.0]",
    ours="18.6 [15.6, 23.7]",
)
def kernel_regression(
    *,
    impl: Impl = "torch",
    examples: Annotated[Count, "points to learn from"] = 50,
    noise: Annotated[NonNegative, "its standard deviation"] = 0.5,
    lr: Rate = 0.5,
    epochs: Count = 5,
) -> Experiment:
    """Predict by a mean of the known values, weighted by how near their places are.

    Points lie about y = 2 sin x + x^0.8. The plain mean is the same everywhere; a Gaussian kernel
    follows them, softly; its width is learned, by hiding from each point itself. That makes it
    narrow: the curve bends to single points. The loss is the sum over all points, as in the book.
    """
    lib = library(impl)
    x_N, y_N = _points(examples, noise, seed=current_seed())
    test_x = torch.arange(0, LONG, LONG / 50)
    model = nadaraya_watson(x_N, y_N, nn=lib.nn)

    def report(model: torch.nn.Module) -> Findings:
        assert isinstance(model, NadarayaWatson)
        return _poolings(model, y_N, test_x)

    return Experiment(
        model,
        TensorBatches(x_N[:, None], y_N[:, None], batch_size=examples),
        _sum_of_squares,
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(
            test_x[:, None], _true(test_x)[:, None], batch_size=50, shuffle=False, split="valid"
        ),
        counts=lambda y_B1: 1,  # the loss is a sum and not a mean
        predictor=NumberPredictor(["x"]),
        report=report,
    )


def _true(x: Tensor) -> Tensor:
    return 2 * x.sin() + x**0.8


def _points(count: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Places (count,) in order, and what was measured there."""
    generator = torch.Generator().manual_seed(seed)
    x_N = LONG * torch.rand(count, generator=generator).sort().values
    return x_N, _true(x_N) + noise * torch.randn(count, generator=generator)


def _sum_of_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().sum()


def _poolings(model: NadarayaWatson, y_N: Tensor, test_x: Tensor) -> Findings:
    """The plain mean, the kernel of width one and the learned one, beside the truth."""
    learned = model.state_dict()["scale.weight"].item()
    keys, values, queries = model.keys.cpu(), model.values.cpu(), test_x[:, None]
    weights = {
        "mean": torch.full((len(queries), len(keys)), 1 / len(keys)),
        "w = 1": torch.softmax(-((queries - keys) ** 2) / 2, dim=1),
        f"w = {abs(learned):.3g}, learned": model.weights(queries.to(model.keys)).cpu(),
    }
    found = {name: weight @ values for name, weight in weights.items()}
    errors = {n: float(_sum_of_squares(y[:, 0], _true(test_x))) for n, y in found.items()}
    xs = test_x.tolist()
    curves = {"truth": (xs, _true(test_x).tolist())}
    curves |= {name: (xs, y.flatten().tolist()) for name, y in found.items()}
    return Findings(
        numbers={"learned w": Number(learned, "1 / width")},
        tables={
            "Squared errors": Table(
                ["weights", f"sum over {len(test_x)} places of the curve"],
                [[name, error] for name, error in errors.items()],
            )
        },
        figures={
            "fits": scatter_fit(keys.tolist(), y_N.tolist(), curves, xlabel="x", ylabel="y"),
            "weights": heatmap_grid(
                torch.stack(list(weights.values())[1:])[None],
                columns=list(weights)[1:],
                xlabel="points, from left to right",
                ylabel="places",
                title="what each place takes of each point",
                one_scale=False,
            ),
        },
    )


@recipe(
    section="10.3",
    title="Attention scoring functions",
    zh="注意力评分函数",
    minutes=0.1,
    book="additive and scaled dot product both give [2, 3, 4, 5] and [10, 11, 12, 13]",
    ours="the same",
)
def attention_scoring(
    *,
    valid_lens: Annotated[list[int], Bounds(at_least=0), "keys that each query may see"] = [2, 6],  # noqa: B006
    num_keys: Annotated[Count, "keys, all alike"] = 10,
    hidden_size: Annotated[Count, "hidden units of the additive score"] = 8,
) -> Findings:
    """Score keys by a small network or by a product, and let nobody look at padding.

    Where all keys are alike each valid one gets the same weight, whatever the query, so that both
    scores give the mean of the valid values. A query that may see nothing gets zeros, where a
    plain softmax gives NaN. The product is divided by the root of its size: else its variance
    grows with it, until one key takes all and the rest has no gradient.
    """
    B = len(valid_lens)
    mask = valid_mask(torch.tensor(valid_lens), num_keys)
    values = torch.arange(4.0 * num_keys).view(1, num_keys, 4).expand(B, -1, -1)
    expected = torch.stack([_mean(values[0, :length]) for length in valid_lens])
    kept: dict[str, list[Tensor]] = {"additive": [], "scaled dot product": []}
    keys, narrow, wide = torch.ones(B, num_keys, 2), torch.randn(B, 1, 2), torch.randn(B, 1, 20)
    with torch.no_grad():
        additive = AdditiveAttention(20, 2, hidden_size)
        found = {
            "additive": additive(wide, keys, values, mask, kept=kept["additive"]),
            "scaled dot product": DotProductAttention().eval()(
                narrow, keys, values, mask, kept=kept["scaled dot product"]
            ),
        }
    spread = {size: _spread(size) for size in SIZES}
    scores = torch.randn(1, 2, 3, 4)
    lens = torch.tensor([[2, 3, 4], [0, 1, 4]])
    softmaxes = masked_softmax(scores, valid_mask(lens, 4))
    weights = torch.stack([kept[name][0][:, 0] for name in found])
    return Findings(
        numbers={
            "variance of q·k, of 512 numbers each": Number(spread[512][0], "512 in theory"),
            "divided by the root of 512": Number(spread[512][0] / 512, "1 in theory"),
        },
        tables={
            "What is taken, of values 0 1 2 3, 4 5 6 7, ...": Table(
                ["valid keys", *found],
                [
                    [length, *(_numbers(out[b, 0].tolist()) for out in found.values())]
                    for b, length in enumerate(valid_lens)
                ],
            )
        },
        figures={
            "weights": heatmap_grid(
                weights[None], columns=list(found), ylabel="query", xlabel="key"
            ),
            "masked-softmax": heatmap_grid(
                softmaxes,
                columns=["may see 2, 3, 4 keys", "may see 0, 1, 4 keys"],
                ylabel="query",
                xlabel="key",
                numbers=True,
                title="masked softmax",
            ),
            "scaling": lines(
                list(SIZES),
                {
                    "divided by √size": [s[2] for s in spread.values()],
                    "as it is": [s[1] for s in spread.values()],
                },
                title="the largest of ten weights",
                xlabel="size of queries and keys",
                ylabel="mean over random ones",
                log_x=True,
            ),
        },
        claims={
            "both scores give the means of the valid values": all(
                torch.allclose(out[:, 0], expected) for out in found.values()
            ),
            **_claims(),
            "the variance of a product is its size": all(
                abs(variance / size - 1) < 0.25 for size, (variance, _, _) in spread.items()
            ),
            "without the root one key takes nearly all": spread[512][1] > 0.9,
            "with it the weights stay as they are": spread[512][2] < spread[512][1] - 0.3,
        },
    )


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(0) if len(rows) else torch.zeros(rows.shape[1:])


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _spread(size: int) -> tuple[float, float, float]:
    """The variance of random products, and the mean largest of ten weights, as is and scaled."""
    queries, keys = torch.randn(DRAWS, 1, size), torch.randn(DRAWS, 10, size)
    scores = (queries @ keys.transpose(1, 2)).squeeze(1)
    plain, scaled = (
        float(torch.softmax(scores / by, dim=1).amax(1).mean()) for by in (1, size**0.5)
    )
    return float(scores.var()), plain, scaled


def _claims() -> dict[str, bool]:
    """What holds of masks, on random queries and keys: some valid, one, none."""
    q, k, v = torch.randn(3, 4, 8), torch.randn(3, 6, 8), torch.randn(3, 6, 5)
    mask = valid_mask(torch.tensor([6, 1, 0]), 6)
    scores = q @ k.transpose(1, 2) / 8**0.5
    before = scores.clone()
    weights = masked_softmax(scores, mask)
    out = DotProductAttention().eval()(q, k, v, mask)
    theirs = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask)
    half = masked_softmax(scores.half(), mask)
    return {
        "torch's scaled_dot_product_attention gives the same": torch.allclose(
            out, theirs, atol=1e-6
        ),
        "what is hidden has no weight, what is seen has all of it": torch.equal(
            weights > 0, mask.expand_as(weights)
        )
        and torch.allclose(weights.sum(-1), mask.any(-1).float().expand(3, 4)),
        "who may see one key takes its value": torch.allclose(out[1], v[1, :1].expand(4, 5)),
        "who may see nothing takes nothing": not out[2].any(),
        "a plain softmax is not a number there": bool(
            torch.softmax(scores.masked_fill(~mask, -torch.inf), -1)[2].isnan().all()
        ),
        "half precision has no -1e6, and does not need it": bool(
            torch.tensor(-1e6).half().isinf() and half.isfinite().all()
        ),
        "the scores are left as they were": torch.equal(scores, before),
    }
