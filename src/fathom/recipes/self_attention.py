"""Attention in place of recurrence: what it costs, how far it sees, places (book 10.5, 10.6).

Shapes   T tokens, H features, N heads.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from fathom.core.arguments import Bounds
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.models.attention import MultiHeadAttention, valid_mask
from fathom.models.positions import sinusoids
from fathom.plots.heatmaps import heatmap_grid
from fathom.plots.scalars import lines

Lengths = Annotated[list[int], Bounds(at_least=16, at_most=8192), "tokens of a sequence"]
Mixer = Callable[..., Tensor]
ROUNDS = 5
LEAST = 1e-12  # the smallest gradient that is drawn
DEEP = 4  # convolutions on top of each other, whose reach is drawn
FAR = 64  # tokens back that the last output is asked about
PLACES, FEATURES = 60, 32  # of the encodings that are drawn


@recipe(
    section="10.5",
    title="Multi-head and self-attention, positional encoding (10.5, 10.6)",
    zh="多头注意力、自注意力和位置编码",
    minutes=0.1,
    book="convolution O(k T H²), recurrence O(T H²), attention O(T² H); in prose",
    ours="see the run: it is measured each time",
)
def self_attention(
    *,
    lengths: Lengths = [128, 256, 512, 1024, 2048],  # noqa: B006
    size: Annotated[int, Bounds(at_least=16, at_most=512), "features of a token"] = 32,
    kernel: Annotated[int, Bounds(at_least=3, at_most=63), "tokens under a convolution"] = 3,
) -> Findings:
    """Three ways to let tokens know of each other: what each costs, and how far it reaches.

    Attention sees all at once and pays for every pair of tokens, in time and, unless the weights
    are made piece by piece and thrown away, in memory. It does not know what comes first: sines
    and cosines of the place tell it, and a step further turns each pair of them by a fixed angle.
    """
    kernel += 1 - kernel % 2  # with a middle
    lengths = sorted(set(lengths))
    mixers = _mixers(size, kernel)
    seconds = {name: [_seconds(mixer, T, size) for T in lengths] for name, mixer in mixers.items()}
    kept = {name: [_kept(mixer, T, size) for T in lengths] for name, mixer in mixers.items()}
    growth = {
        name: (_exponent(lengths, seconds[name]), _exponent(lengths, kept[name])) for name in mixers
    }
    reach = _reach(size, kernel)
    codes = sinusoids(PLACES, FEATURES)
    return Findings(
        numbers={
            f"attention, {lengths[-1]} tokens": Number(1e3 * seconds["attention"][-1], "ms"),
            "what it keeps for the gradient": Number(kept["attention"][-1] / 2**20, "MiB"),
            "made piece by piece": Number(kept["attention, fused"][-1] / 2**20, "MiB"),
        },
        tables={
            "The cost of T tokens grows as a power of T": Table(
                [
                    "",
                    "time, measured",
                    "memory, measured",
                    "steps one after another",
                    "longest path",
                ],
                [
                    [name, f"T^{by_time:.2f}", f"T^{by_memory:.2f}", *_paths(name, kernel)]
                    for name, (by_time, by_memory) in growth.items()
                ],
            )
        },
        figures={
            "time": _costs(lengths, seconds, 1e3, "there and back, ms"),
            "memory": _costs(lengths, kept, 2**-20, "kept for the gradient, MiB"),
            "reach": lines(
                list(range(FAR)),
                reach,
                title="what the last output feels of each token before it",
                xlabel="tokens back",
                ylabel="norm of the gradient, from 1e-12",
                log_y=True,
            ),
            **_encodings(codes),
        },
        claims={
            **_cost_claims(lengths, size, growth, seconds),
            **_path_claims(kernel),
            "recurrence forgets what attention still sees": reach["recurrence"][-1]
            < 0.1 * reach["attention"][-1],
            **_head_claims(),
            **_position_claims(codes),
        },
    )


def _mixers(size: int, kernel: int) -> dict[str, Mixer]:
    """Layers from (1, T, H) to (1, T, H)."""
    convolution = nn.Conv1d(size, size, kernel, padding=kernel // 2)
    recurrence = nn.RNN(size, size, batch_first=True)
    attention = MultiHeadAttention(size, 1)
    return {
        "convolution": lambda x: convolution(x.transpose(1, 2)).transpose(1, 2),
        "recurrence": lambda x: recurrence(x)[0],
        "attention": lambda x: attention(x, x, kept=[]),
        "attention, fused": lambda x: attention(x, x),
    }


def _seconds(mixer: Mixer, steps: int, size: int) -> float:
    """The median time of the processor for a pass there and back."""
    x = torch.randn(1, steps, size, requires_grad=True)
    found = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        mixer(x).sum().backward()
        found.append(time.process_time() - began)
    return max(statistics.median(found[1:]), 1e-6)


def _kept(mixer: Mixer, steps: int, size: int) -> float:
    """The bytes of all tensors that a pass leaves for its gradient."""
    held: dict[int, int] = {}

    def look(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        out = mixer(torch.randn(1, steps, size, requires_grad=True))
    del out
    return float(sum(held.values()))


def _exponent(lengths: list[int], costs: list[float]) -> float:
    """The slope of the last three points of log cost over log length, by least squares."""
    xs, ys = [math.log(n) for n in lengths[-3:]], [math.log(cost) for cost in costs[-3:]]
    return statistics.linear_regression(xs, ys).slope if len(xs) > 1 else math.nan


def _paths(name: str, kernel: int) -> tuple[str, str]:
    """How many steps wait for each other, and how many the first token is from the last."""
    half = kernel // 2
    return {
        "convolution": ("1", "T - 1 layers" if half == 1 else f"(T - 1) / {half} layers"),
        "recurrence": ("T", "T - 1 steps"),
    }.get(name, ("1", "1 layer"))


def _costs(lengths: list[int], costs: dict[str, list[float]], unit: float, what: str) -> Figure:
    scaled = {name: [unit * cost for cost in values] for name, values in costs.items()}
    return lines(lengths, scaled, xlabel="tokens", ylabel=what, log_x=True, log_y=True)


def _reach(size: int, kernel: int) -> dict[str, list[float]]:
    """The norm of the last output's gradient to each token, the last one first."""
    mixers, half = _mixers(size, kernel), kernel // 2
    layers = [nn.Conv1d(size, size, kernel, padding=half) for _ in range(DEEP)]
    convolutions = nn.Sequential(*layers)
    shown = {
        f"{DEEP} convolutions": lambda x: convolutions(x.transpose(1, 2)).transpose(1, 2),
        "recurrence": mixers["recurrence"],
        "attention": mixers["attention"],
    }
    found = {}
    for name, mixer in shown.items():
        x = torch.randn(1, FAR, size, requires_grad=True)
        (gradient,) = torch.autograd.grad(mixer(x)[0, -1].sum(), x)
        found[name] = gradient[0].norm(dim=1).clamp(min=LEAST).flip(0).tolist()
    return found


def _encodings(codes: Tensor) -> dict[str, Figure]:
    numbers = torch.arange(8)
    bits = numbers[:, None] >> torch.tensor([2, 1, 0]) & 1
    return {
        "binary": heatmap_grid(
            bits[None, None].float(),
            columns=["counting"],
            numbers=True,
            xlabel="bit",
            ylabel="place",
        ),
        "encoding": heatmap_grid(
            codes[None, None],
            columns=["sines and cosines"],
            diverging=True,
            aspect="auto",
            xlabel="feature",
            ylabel="place",
        ),
        "columns": lines(
            list(range(len(codes))),
            {f"feature {column}": codes[:, column].tolist() for column in (6, 7, 8, 9)},
            xlabel="place",
        ),
        "likeness": heatmap_grid(
            (codes @ codes.T)[None, None],
            columns=["products of codes: the nearer, the larger"],
            xlabel="place",
            ylabel="place",
        ),
    }


def _cost_claims(
    lengths: list[int],
    size: int,
    growth: dict[str, tuple[float, float]],
    seconds: dict[str, list[float]],
) -> dict[str, bool]:
    """Of sequences so long that pairs of tokens outweigh their features, and the clock can tell."""
    if len(lengths) < 3 or lengths[-1] < max(16 * size, 1024, 4 * lengths[-3]):
        return {}
    by_time, by_memory = ({name: g[n] for name, g in growth.items()} for n in (0, 1))
    pairs = by_memory.pop("attention")
    return {
        "attention keeps weights of all pairs of tokens": pairs > 1.4,
        "all else keeps in proportion to the tokens": all(
            abs(power - 1) < 0.2 for power in by_memory.values()
        ),
        "attention's time grows faster than a convolution's": by_time["attention"]
        > by_time["convolution"] + 0.2,
        "steps that wait for each other take longer than a convolution": seconds["recurrence"][-1]
        > 1.5 * seconds["convolution"][-1],
    }


def _path_claims(kernel: int) -> dict[str, bool]:
    tokens, half = 17, kernel // 2
    layers = math.ceil((tokens - 1) / half)
    convolution = nn.Conv1d(1, 1, kernel, padding=half).double()
    with torch.no_grad():
        convolution.weight.fill_(1)
    x = torch.randn(1, 1, tokens, dtype=torch.float64, requires_grad=True)
    feels, y = [], x
    for _ in range(layers):
        y = convolution(y)
        feels.append(bool(torch.autograd.grad(y[..., -1].sum(), x, retain_graph=True)[0][..., 0]))
    attention = MultiHeadAttention(8, 1)
    z = torch.randn(1, tokens, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(attention(z, z)[0, 0].sum(), z)
    return {
        f"convolutions bring {tokens} tokens together in {layers} layers, not in fewer": feels
        == [False] * (layers - 1) + [True],
        "attention brings all together in one": bool((gradient.norm(dim=2) > 0).all()),
    }


def _head_claims() -> dict[str, bool]:
    """The book's sizes: 5 heads of 20 features, 4 queries, 6 keys of which 3 and 2 are valid."""
    attention = MultiHeadAttention(100, 5).double()
    queries, memory = torch.ones(2, 4, 100).double(), torch.randn(2, 6, 100).double()
    mask = valid_mask(torch.tensor([3, 2]), 6)
    found = attention(queries, memory, mask)
    keys, values = attention.key_value.weight.split(100)
    heads = []
    for head in range(5):
        part = slice(20 * head, 20 * (head + 1))
        q, k, v = (
            queries @ attention.query.weight[part].T,
            memory @ keys[part].T,
            memory @ values[part].T,
        )
        scores = (q @ k.transpose(1, 2) / 20**0.5).masked_fill(~mask, -math.inf)
        heads.append(torch.softmax(scores, dim=-1) @ v)
    one_by_one = torch.cat(heads, dim=-1) @ attention.output.weight.T
    turned = memory.flip(1)
    codes = sinusoids(6, 100)
    plain, coded = (
        torch.allclose(attention(y, y), attention(x, x).flip(1))
        for x, y in ((memory, turned), (memory + codes, turned + codes))
    )
    return {
        "five heads are five attentions beside each other": torch.allclose(found, one_by_one),
        "their output has the shape of the queries": found.shape == queries.shape,
        "without places, order makes no difference": plain,
        "with them it does": not coded,
    }


def _position_claims(codes: Tensor) -> dict[str, bool]:
    """A pair of features is a point on a circle: a step further turns it."""
    places, features = codes.shape
    pairs = codes.view(places, features // 2, 2)
    turned = []
    for steps in (1, 7, 1000):
        angles = steps * 10_000.0 ** (-torch.arange(0, features, 2).double() / features)
        cos, sin = angles.cos(), angles.sin()
        rotations = torch.stack([cos, sin, -sin, cos], dim=-1).view(-1, 2, 2)
        moved = torch.einsum("jab,tjb->tja", rotations, pairs).reshape_as(codes)
        further = sinusoids(places, features, first=steps)
        turned.append(torch.allclose(moved, further, rtol=0, atol=1e-9))
    likeness = codes @ codes.T
    return {
        "steps further are rotations, the same from every place": all(turned),
        "products of codes depend on the distance alone": torch.allclose(
            likeness[1:, 1:], likeness[:-1, :-1]
        ),
        "no two places have one code": len(codes.unique(dim=0)) == len(codes),
    }
