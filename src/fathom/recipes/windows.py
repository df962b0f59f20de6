"""Windows that slide: where they fit, what they see, and what pooling forgives (6.3, 6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Annotated, Literal

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count
from fathom.core.errors import SettingError, did_you_mean
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.images import Images, load_pictures
from fathom.models import receptive
from fathom.models.averaged import measure_statistics
from fathom.models.networks import NETWORKS, make_network
from fathom.plots.fields import Field, receptive_fields
from fathom.plots.scalars import lines
from fathom.scratch.nn import functional
from fathom.vision.windows import output_size, receptive_field

PIXELS = 512  # a side: a larger field than twice a network's own pictures is told as "more"
NARROW = 16  # maps of the first convolution: what is seen does not depend on how many there are
PICTURES = 8
DRAWN = 4
WIDE = 64
BOOK = {
    "3x3, padding 1": ((8, 3, 1, 1), (8, 3, 1, 1)),
    "5x3, padding (2, 1)": ((8, 5, 1, 2), (8, 3, 1, 1)),
    "3x3, padding 1, stride 2": ((8, 3, 2, 1), (8, 3, 2, 1)),
    "3x5, padding (0, 1), stride (3, 4)": ((8, 3, 3, 0), (8, 5, 4, 1)),
}  # for rows and columns: size, kernel, stride, padding
CHAIN = [(5, 1, 2), (3, 2, 1), (3, 1, 2, 2), (2, 2), (3, 1, 1)]  # kernel, stride, padding, dilation


@recipe(
    section="6.3",
    title="Padding and stride",
    zh="填充和步幅",
    minutes=0.1,
    book="8x8, 8x8, 4x4, 2x2",
    ours="the same, and every other size that was compared is torch's",
)
def padding(
    *,
    size: Count = 8,
    kernel: Count = 3,
    stride: Count = 1,
    padding: Annotated[int, Bounds(at_least=0)] = 1,
    dilation: Count = 1,
    network: Annotated[str, "whose receptive fields are drawn, as in `fathom.models.networks`"] = (
        "vgg16"
    ),
) -> Findings:
    """How large the output of a sliding window is, and how much of a picture a unit sees.

    Output sizes for any kernel, padding, stride and dilation are compared with torch's. Then the
    units of a network: the pixels from which a path leads to one (its receptive field), and the
    square that holds 95 % of what changes it in a network with first weights (the effective one),
    which is far smaller and grows more slowly.

    Args:
        size: pixels a side
        kernel: of a window
        padding: zeros around the picture
        dilation: pixels from one of the window's to the next
    """
    yours = (size, kernel, stride, padding, dilation)
    sizes = {
        name: " x ".join(str(max(output_size(*side), 0)) for side in sides)
        for name, sides in {**BOOK, "yours": (yours, yours)}.items()
    }
    compared, unlike = _against_torch()
    fields = _fields(network)
    return Findings(
        numbers={"sizes compared with torch's": compared},
        tables={
            "Sizes of the output (of 8 x 8 pixels, but yours)": Table(
                ["window", "output"], [list(row) for row in sizes.items()]
            ),
            f"Receptive fields of {network}, in pixels a side": Table(
                ["after", "map", "sees", "95 % of what counts"],
                [[f.layer, f"{f.map_side} x {f.map_side}", f.told, f.counts] for f in fields],
            ),
        },
        figures={
            "fields": receptive_fields(
                [Field(f"{f.layer}: {f.told}", f.weights, f.sees, f.counts) for f in fields][
                    -DRAWN:
                ],
                title=f"{network}: what a unit in the middle sees",
            )
        },
        claims={
            "the book's four are 8 x 8, 8 x 8, 4 x 4 and 2 x 2": list(sizes.values())[:4]
            == ["8 x 8", "8 x 8", "4 x 4", "2 x 2"],
            "every size is torch's, with dilation and with ceil mode": unlike == 0,
            "an odd kernel with padding (k - 1) / 2 keeps the size": all(
                output_size(n, k, 1, (k - 1) // 2) == n for n in range(1, 30) for k in (1, 3, 5, 7)
            ),
            "a chain's field by the formula is the one that its gradient shows": (
                receptive_field(*CHAIN) == _by_gradient(CHAIN)
            ),
            f"of more than {WIDE} pixels, fewer count than are seen": all(
                f.counts < f.sees for f in fields if f.sees > WIDE
            ),
        },
    )


def _against_torch() -> tuple[int, int]:
    """How many sizes were compared with those of torch's layers, and how many were others."""
    functional_ = torch.nn.functional
    compared = unlike = 0
    settings = product((5, 8, 11, 16), (1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 2), (1, 2, 3))
    for size, kernel, stride, padding, dilation in settings:
        window = kernel, stride, padding, dilation
        expected = output_size(size, *window)
        if expected < 1:  # torch refuses
            continue
        line, weight = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
        found = functional_.conv1d(line, weight, None, stride, padding, dilation)
        pairs = [(found, expected)]
        if padding <= kernel // 2:
            for ceil in (False, True):
                found = functional_.max_pool1d(line, *window, ceil_mode=ceil)
                pairs.append((found, output_size(size, *window, ceil=ceil)))
        compared += len(pairs)
        unlike += sum(found.shape[2] != size for found, size in pairs)
    return compared, unlike


def _by_gradient(chain: list[tuple[int, ...]], size: int = 101) -> int:
    line = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    out: Tensor = line
    for window in chain:
        kernel, stride, padding, dilation = (*window, *(1, 0, 1)[len(window) - 1 :])
        weight = torch.ones(1, 1, kernel, dtype=torch.float64)
        out = functional.conv1d(out, weight, None, stride, padding, dilation)
    (slope,) = torch.autograd.grad(out[0, 0, out.shape[2] // 2], line)
    return int((slope != 0).sum())


@dataclass(frozen=True)
class _Seen:
    """What a unit in the middle of a layer's map sees, and how much each pixel counts, (H, W)."""

    layer: str
    map_side: int
    sees: int
    cut: bool
    weights: Tensor

    @property
    def told(self) -> str:
        return f"{self.sees} or more" if self.cut else str(self.sees)

    @property
    def counts(self) -> int:
        return receptive.effective_extent(self.weights)


def _fields(name: str) -> list[_Seen]:
    """Of the last layer at each size; paths are counted on pictures as large as they have to be."""
    if name not in NETWORKS:
        remedy = did_you_mean(name, NETWORKS, f"use one of {', '.join(NETWORKS)}")
        raise SettingError(f"--network {name}", "is not known", remedy)
    found = NETWORKS[name]
    width = NARROW if found.narrows else None
    size = found.size
    while True:
        model = receptive.paths(make_network(name, size=size, width=width))
        picture = torch.rand(1, found.channels, size, size, dtype=torch.float64)
        counted = receptive.fields(model, picture)
        if not receptive.touches_border(list(counted.values())[-1]) or size * 2 > PIXELS:
            break
        size *= 2
    torch.manual_seed(derive(current_seed(), 1))
    model = make_network(name, width=width).eval()
    pictures = torch.randn(PICTURES, found.channels, found.size, found.size)
    # Normalised by the batch itself, a unit would see all of it through mean and variance.
    measure_statistics(model, [pictures])
    maps = {layer: output.shape[-1] for layer, output in receptive.stages(model, pictures).items()}
    weighed = receptive.fields(model, pictures)
    return [
        _Seen(
            layer,
            maps[layer],
            receptive.extent(counted[layer]),
            receptive.touches_border(counted[layer]),
            weights,
        )
        for layer, weights in weighed.items()
        if layer in counted
    ]


@recipe(
    section="6.5",
    title="Pooling",
    zh="汇聚层",
    sample=dict(data="digits"),
    minutes=0.1,
    book="maxima 4, 5, 7, 8; means 2, 3, 5, 6; of 3x3 10; padding 1, stride 2: 5, 7, 13, 15",
    ours="the same to all digits, by their definition, scratch and torch",
)
def pooling(
    data: Images = "fashion-mnist",
    *,
    pictures: Annotated[int, Bounds(at_least=1)] = 256,
    window: Annotated[int, Bounds(at_least=2, at_most=8)] = 2,
) -> Findings:
    """The largest or the mean of each window, and how much less it changes when a picture moves.

    The book's small examples are computed to all digits. Then edges are found in pictures, and in
    the same pictures moved by a few pixels: how much do the maps differ, as they are, pooled, and
    with every other value left out, which forgives nothing?

    Args:
        pictures: how many to measure on
        window: of the pooling, and its stride
    """
    small = torch.arange(9.0).view(3, 3)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    maxima, means = pool2d(small, (2, 2), "max"), pool2d(small, (2, 2), "mean")
    found = load_pictures(data)
    batch, _ = next(iter(found.train.batches(pictures, shuffle=False).epoch(0, 0)))
    shifts = list(range(0, 5))
    changes = _changes(batch, shifts, window)
    pooled = (f"maximum of {window}x{window}", f"mean of {window}x{window}")
    return Findings(
        tables={
            "How much the maps change, in percent": Table(
                ["moved by", *changes],
                [
                    [by, *(round(100 * change[by], 1) for change in changes.values())]
                    for by in shifts
                ],
            )
        },
        figures={
            "changes": lines(
                [float(n) for n in shifts],
                {name: [100 * v for v in values] for name, values in changes.items()},
                title="how much the maps of edges change",
                xlabel="pixels that the pictures are moved by",
                ylabel="percent",
            )
        },
        claims={
            "maxima of 0 to 8 are 4, 5, 7, 8 and means 2, 3, 5, 6": maxima.tolist()
            == [[4, 5], [7, 8]]
            and means.tolist() == [[2, 3], [5, 6]],
            "the maximum of 3x3 is 10; with padding 1 and stride 2 5, 7, 13, 15": _pooled(x, 3, 3)
            == [[10]]
            and _pooled(x, 3, 2, 1) == [[5, 7], [13, 15]],
            "windows of 2x3 with padding (0, 1) give these too": _pooled(x, (2, 3), (2, 3), (0, 1))
            == [[5, 7], [13, 15]],
            "by definition, from scratch and by torch it is the same": _all_agree(batch),
            "a picture moved by one pixel changes the pooled maps less": all(
                changes[name][1] < changes["as they are"][1] for name in pooled
            ),
            "leaving values out forgives less than either": all(
                changes[name][1] < changes["every other value"][1] for name in pooled
            ),
        },
    )  # fmt: skip


Mode = Literal["max", "mean"]


def pool2d(x_HW: Tensor, window: tuple[int, int], mode: Mode) -> Tensor:
    """The maximum or mean of the window at every place, as it is defined (stride 1)."""
    h, w = window
    found = x_HW.new_zeros(len(x_HW) - h + 1, x_HW.shape[1] - w + 1)
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            part = x_HW[y : y + h, x : x + w]
            found[y, x] = part.max() if mode == "max" else part.mean()
    return found


Sides = int | tuple[int, int]


def _pooled(x: Tensor, window: Sides, stride: Sides, padding: Sides = 0) -> list[list[float]]:
    found: Tensor = functional.max_pool2d(x, window, stride, padding)
    assert torch.equal(found, torch.nn.functional.max_pool2d(x, window, stride, padding))
    values: list[list[float]] = found[0, 0].tolist()
    return values


def _all_agree(batch_NCHW: Tensor) -> bool:
    picture = batch_NCHW[:1, :1].double()
    theirs = torch.nn.functional
    pairs: list[tuple[Mode, Tensor, Tensor]] = [
        ("max", functional.max_pool2d(picture, 3, 1), theirs.max_pool2d(picture, 3, 1)),
        ("mean", functional.avg_pool2d(picture, 3, 1), theirs.avg_pool2d(picture, 3, 1)),
    ]
    return all(
        torch.allclose(pool2d(picture[0, 0], (3, 3), mode), ours[0, 0])
        and torch.allclose(ours, other)
        for mode, ours, other in pairs
    )


def _changes(batch_NCHW: Tensor, shifts: list[int], window: int) -> dict[str, list[float]]:
    """For each way to make the maps smaller: |f(moved) - f| as a share of |f|, by the shift."""
    ways = {
        "as they are": lambda maps: maps,
        "every other value": lambda maps: maps[..., ::window, ::window],
        f"maximum of {window}x{window}": lambda maps: functional.max_pool2d(maps, window),
        f"mean of {window}x{window}": lambda maps: functional.avg_pool2d(maps, window),
    }
    edge = torch.tensor([[1.0, -1.0]])[None, None]

    def edges(by: int) -> Tensor:
        # Zeros around them, so that what moves does not leave the picture.
        apart = torch.nn.functional.pad(batch_NCHW[:, :1], [8] * 4).roll(by, 3)
        found: Tensor = functional.conv2d(apart, edge).abs()
        return found

    still = edges(0)
    return {
        name: [float((way(edges(by)) - way(still)).norm() / way(still).norm()) for by in shifts]
        for name, way in ways.items()
    }
