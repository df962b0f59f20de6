"""From dense layers to convolutions: what they keep, what they find, many channels (6.1-6.4)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Impl, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.batches import TensorBatches
from fathom.models.summary import summarise
from fathom.plots.pictures import weights_grid
from fathom.recipes.libraries import library
from fathom.scratch.nn import functional

EDGE = torch.tensor([[1.0, -1.0]])
LARGEST = 24  # a dense layer of 24x24 pixels has a third of a million weights


@recipe(
    section="6.1",
    title="From dense layers to convolutions",
    zh="从全连接层到卷积",
    minutes=0.1,
    book="derived, not run: 1e12 weights, 4e6 with invariance, then (2 reach + 1) squared",
    ours="1e12, 3,996,001 and 25, and a layer of each kind measured",
)
def invariance(
    *,
    size: Annotated[int, Bounds(at_least=12, at_most=LARGEST)] = 16,
    reach: Annotated[int, Bounds(at_least=1, at_most=4)] = 2,
    shift: Annotated[int, Bounds(at_least=1, at_most=3)] = 2,
) -> Findings:
    """From a dense layer to a convolution by two demands, each of which is measured.

    Whoever moves in the picture shall move in what the layer finds (translation equivariance), and
    what is found at a place shall depend on what is near (locality). A dense layer that keeps
    both is a convolution: of its matrix only (2 reach + 1)² numbers are left to choose.

    Args:
        size: pixels a side
        reach: how far a unit sees, to each side
        shift: by how many pixels the picture is moved
    """
    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    kernel = torch.randn(2 * reach + 1, 2 * reach + 1, generator=chance, dtype=torch.float64)
    dense_PP = torch.randn(size**2, size**2, generator=chance, dtype=torch.float64) / size
    matrix_PP = as_matrix(kernel, size)
    picture = _blob(size)
    layers = {"dense": dense_PP, "convolution": matrix_PP}
    equivariance = {name: _equivariance(m, picture, shift, reach) for name, m in layers.items()}
    locality = {name: _outputs_of_one_pixel(m, size) for name, m in layers.items()}
    moved = _moved(picture, shift)
    convolved = _same(picture, kernel)
    side = 1_000
    counts = [
        ["dense", side**4],
        ["the same weights everywhere", (2 * side - 1) ** 2],
        ["and none beyond the reach", (2 * reach + 1) ** 2],
    ]
    return Findings(
        tables={
            f"Weights for {side} x {side} pixels": Table(["layer", "weights"], counts),
            f"Measured on {size} x {size} pixels": Table(
                ["layer", "f(moved) - moved f", "outputs that one pixel changes"],
                [[name, equivariance[name], locality[name]] for name in layers],
            ),
        },
        figures={
            "matrices": weights_grid(
                torch.stack([dense_PP / dense_PP.abs().max(), matrix_PP / kernel.abs().max()])
                .float(),
                ["dense", "convolution"],
                title="weights, pixel to unit",
            ),
            "moved": weights_grid(
                _normalised(picture, moved, convolved, _same(moved, kernel)),
                ["picture", "moved", "f(picture)", "f(moved)"],
                4,
                title="what moves in the picture moves in what is found",
            ),
        },
        claims={
            "the convolution is a dense layer of that matrix": torch.allclose(
                (matrix_PP @ picture.flatten()).view_as(picture), convolved, rtol=1e-12, atol=1e-12
            ),
            "its matrix holds no more different numbers than the kernel": len(
                matrix_PP.unique()
            )
            <= kernel.numel() + 1,
            "a convolution moves with the picture": equivariance["convolution"] < 1e-12,
            "a dense layer does not": equivariance["dense"] > 0.1,
            "a pixel moves (2 reach + 1)² outputs of the one and all of the other": (
                locality == {"dense": size**2, "convolution": (2 * reach + 1) ** 2}
            ),
        },
    )  # fmt: skip


def as_matrix(kernel_KK: Tensor, size: int) -> Tensor:
    """The dense layer, (size², size²), that computes `_same(picture, kernel)`: column by column."""
    units = torch.eye(size**2, dtype=kernel_KK.dtype).view(-1, size, size)
    return torch.stack([_same(unit, kernel_KK).flatten() for unit in units], dim=1)


def _same(picture_HW: Tensor, kernel_KK: Tensor) -> Tensor:
    """Cross-correlation that keeps the size: zeros lie around the picture."""
    reach = len(kernel_KK) // 2
    found: Tensor = functional.conv2d(picture_HW[None, None], kernel_KK[None, None], padding=reach)
    return found[0, 0]


def _moved(picture_HW: Tensor, by: int) -> Tensor:
    return picture_HW.roll((by, by), (0, 1))


def _blob(size: int) -> Tensor:
    """A small bright ring in the middle: nothing of it leaves the picture when it is moved."""
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    distance = (at[:, None].square() + at.square()).sqrt()
    return ((distance - size / 8).abs() < 0.8).double()


def _equivariance(matrix_PP: Tensor, picture_HW: Tensor, shift: int, reach: int) -> float:
    """How far f(moved) is from f(picture) moved, as a share of f(picture), away from the border."""
    size = len(picture_HW)

    def f(picture: Tensor) -> Tensor:
        return (matrix_PP @ picture.flatten()).view(size, size)

    inner = slice(reach + shift, size - reach - shift)
    difference = (f(_moved(picture_HW, shift)) - _moved(f(picture_HW), shift))[inner, inner]
    return float(difference.norm() / f(picture_HW).norm())


def _outputs_of_one_pixel(matrix_PP: Tensor, size: int) -> int:
    middle = size // 2 * size + size // 2
    return int((matrix_PP[:, middle] != 0).sum())


def _normalised(*planes: Tensor) -> Tensor:
    return torch.stack([(plane / plane.abs().max()).float() for plane in planes])


@recipe(
    section="6.2",
    title="Convolutions for images",
    zh="图像卷积",
    minutes=0.1,
    book="loss after ten steps 0.094 [0.004, 337]; a kernel of [1.001, -0.974], say",
)
def convolution(
    *,
    impl: Impl = "torch",
    lr: Rate = 0.03,
    epochs: Count = 10,
) -> Experiment:
    """Learn the kernel that finds edges, from one picture and its edges.

    A picture of 6 by 8 pixels, white with a black bar, and where its edges are: 1 from white to
    black, -1 from black to white, as the kernel [1, -1] finds them. A convolution that begins with
    random numbers learns that kernel in ten steps. It is measured on bars that it did not see, and
    finds no edge in the same picture turned on its side.
    """
    lib = library(impl)
    picture = torch.ones(1, 1, 6, 8)
    picture[..., 2:6] = 0
    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    others = torch.randint(0, 2, (16, 1, 6, 8), generator=chance).float()
    model = lib.nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)

    def report(model: torch.nn.Module) -> Findings:
        (kernel,) = (parameter.detach().cpu() for parameter in model.parameters())
        found = model(picture.to(next(model.parameters()).device)).detach().cpu()
        turned = corr2d(picture[0, 0].T, EDGE)
        left, right = kernel.flatten().tolist()
        planes = [picture[0, 0], corr2d(picture[0, 0], EDGE), found[0, 0]]
        width = max(plane.shape[1] for plane in planes)
        padded = [torch.nn.functional.pad(p, (0, width - p.shape[1])) for p in planes]
        return Findings(
            tables={
                "The kernel": Table(
                    ["", "true", "found"], [["left", 1.0, left], ["right", -1.0, right]]
                )
            },
            figures={
                "edges": weights_grid(
                    torch.stack(padded),
                    ["picture", "its edges", "edges as learned"],
                    3,
                    title="what the edge detector finds",
                )
            },
            claims={
                "windows of two by two on 0 to 8 give 19, 25, 37, 43": corr2d(
                    torch.arange(9.0).view(3, 3), torch.arange(4.0).view(2, 2)
                ).tolist()
                == [[19, 25], [37, 43]],
                "the kernel finds no edge in the picture turned on its side": not bool(
                    turned.any()
                ),
            },
        )

    return Experiment(
        model,
        TensorBatches(picture, _edges(picture), batch_size=1),
        sum_of_squares,
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(others, _edges(others), batch_size=1, shuffle=False, split="valid"),
        report=report,
    )


def corr2d(picture_HW: Tensor, kernel_hw: Tensor) -> Tensor:
    """Two-dimensional cross-correlation as it is defined: each window times the kernel, summed."""
    h, w = kernel_hw.shape
    found = picture_HW.new_zeros(len(picture_HW) - h + 1, picture_HW.shape[1] - w + 1)
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            found[y, x] = (picture_HW[y : y + h, x : x + w] * kernel_hw).sum()
    return found


def sum_of_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    """Of all pixels of a picture; the mean over pictures."""
    return (outputs - targets).square().flatten(1).sum(1).mean()


def _edges(pictures_N: Tensor) -> Tensor:
    return torch.stack([corr2d(picture[0], EDGE)[None] for picture in pictures_N])


@recipe(
    section="6.4",
    title="Multiple channels",
    zh="多输入多输出通道",
    minutes=0.1,
    book="[[56, 72], [104, 120]]; three outputs to [[96, 128], [192, 224]]; 1x1 equal within 1e-6",
    ours="the same to all digits; 1x1 is the matrix product to 1e-12 in double precision",
)
def channels(
    *,
    in_channels: Count = 64,
    out_channels: Count = 64,
    size: Annotated[int, Bounds(at_least=3, at_most=64)] = 28,
) -> Findings:
    """Many channels in: a kernel for each, and the sum. Many out: such a stack for each.

    The book's small example is computed to all digits, by its definition and by torch. A 1x1
    convolution is a dense layer at every pixel: one matrix product. What layers of different
    shapes cost is counted on layers that are run.

    Args:
        in_channels: of the layers whose costs are counted
        out_channels: of the same; a multiple of 4, so that groups can be made
        size: pixels a side of their maps
    """
    if in_channels % 4 or out_channels % 4:
        wrong = f"{in_channels} and {out_channels} channels make no four groups"
        raise SettingError("channels", wrong, "give multiples of 4")
    x_CHW = torch.stack([torch.arange(9.0).view(3, 3), torch.arange(1.0, 10.0).view(3, 3)])
    kernel_Chw = torch.stack([torch.arange(4.0).view(2, 2), torch.arange(1.0, 5.0).view(2, 2)])
    kernels_KChw = torch.stack([kernel_Chw, kernel_Chw + 1, kernel_Chw + 2])
    one = multi_in(x_CHW, kernel_Chw)
    three = multi_in_out(x_CHW, kernels_KChw)

    chance = torch.Generator().manual_seed(derive(current_seed(), 0))
    maps = torch.randn(1, 3, 5, 5, generator=chance, dtype=torch.float64)
    points = torch.randn(2, 3, 1, 1, generator=chance, dtype=torch.float64)
    product = (points[:, :, 0, 0] @ maps[0].flatten(1)).view(2, 5, 5)
    costs = _costs(in_channels, out_channels, size)
    dense = costs["3x3 convolution"]
    return Findings(
        tables={
            f"{in_channels} to {out_channels} channels of {size} x {size}": Table(
                ["layer", "parameters", "multiply-adds", "of a 3x3's"],
                [[name, *both, f"{both[1] / dense[1]:.1%}"] for name, both in costs.items()],
            )
        },
        figures={
            "channels": weights_grid(
                torch.cat([_fit(x_CHW) / 9, _fit(kernel_Chw) / 4, _fit(three) / three.max()]),
                ["in 1", "in 2", "kernel 1", "kernel 2", "out 1", "out 2", "out 3"],
                7,
                title="two channels in, a kernel for each; the stack above, + 1, + 2: three out",
            )
        },
        claims={
            "two channels in give 56, 72, 104, 120": one.tolist() == [[56, 72], [104, 120]],
            "three out are those, 76, 100, 148, 172, and 96, 128, 192, 224": three.tolist()
            == [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]],
            "torch says the same to the last bit": torch.equal(
                torch.nn.functional.conv2d(x_CHW[None], kernels_KChw)[0], three
            ),
            "a 1x1 convolution is a matrix product over the channels": torch.allclose(
                multi_in_out(maps[0], points), product, rtol=1e-12, atol=1e-12
            ),
            "a 3x3 costs nine times what a 1x1 does": dense[1]
            == 9 * costs["1x1 convolution"][1],
            "four groups cost a quarter": costs["3x3 in four groups"][1] * 4 == dense[1],
            "apart by depth and by point, it costs 1/K + 1/9 of it": math.isclose(
                costs["depthwise 3x3, then 1x1"][1] / dense[1],
                1 / out_channels + 1 / 9,
                rel_tol=1e-9,
            ),
        },
    )  # fmt: skip


def multi_in(x_CHW: Tensor, kernel_Chw: Tensor) -> Tensor:
    """A kernel for each channel, and the sum of what they find: (H', W')."""
    pairs = zip(x_CHW, kernel_Chw, strict=True)
    return torch.stack([corr2d(x_HW, kernel_hw) for x_HW, kernel_hw in pairs]).sum(0)


def multi_in_out(x_CHW: Tensor, kernels_KChw: Tensor) -> Tensor:
    """A stack of kernels for each channel out: (K, H', W')."""
    return torch.stack([multi_in(x_CHW, kernel_Chw) for kernel_Chw in kernels_KChw])


def _costs(inputs: int, outputs: int, size: int) -> dict[str, tuple[int, int]]:
    """Parameters and multiply-adds of layers without biases, as they are run."""
    nn = torch.nn
    layers: dict[str, torch.nn.Module] = {
        "3x3 convolution": nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        "1x1 convolution": nn.Conv2d(inputs, outputs, 1, bias=False),
        "3x3 in four groups": nn.Conv2d(inputs, outputs, 3, padding=1, groups=4, bias=False),
        "depthwise 3x3, then 1x1": nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        ),
    }
    found = {
        name: summarise(layer, torch.rand(1, inputs, size, size)) for name, layer in layers.items()
    }
    return {name: (summary.parameters, summary.multiply_adds) for name, summary in found.items()}


def _fit(planes: Tensor, side: int = 3) -> Tensor:
    """Planes with zeros at their right and bottom, so that all are of one size."""
    return torch.nn.functional.pad(planes, (0, side - planes.shape[2], 0, side - planes.shape[1]))
