"""What modules are timed on: sizes as in the book's networks, a few milliseconds each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.check.samples import Sample

Inputs = Callable[[], Sequence[Any]]


def workload(name: str) -> Sample:
    """Constructor arguments and inputs for timing the module of this name."""
    for table in (LAYERS, WINDOWS, LOSSES):
        if name in table:
            (args, kwargs), inputs = table[name]
            return Sample(args, kwargs, inputs())
    return Sample(inputs=[x(256, 1024)])  # elementwise


def x(*sizes: int) -> Tensor:
    """Normal numbers that want a gradient."""
    return torch.randn(sizes).requires_grad_()


def labels(classes: int, *sizes: int) -> Tensor:
    """Integers below `classes`."""
    return torch.randint(classes, sizes)


def signs(*sizes: int) -> Tensor:
    """Ones and minus ones."""
    return torch.randint(2, sizes) * 2.0 - 1


def make(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Constructor arguments."""
    return args, kwargs


Load = tuple[tuple[tuple[Any, ...], dict[str, Any]], Inputs]


def line(channels: int = 64) -> Inputs:
    return lambda: [x(32, channels, 256)]


def picture(channels: int = 64) -> Inputs:
    return lambda: [x(16, channels, 24, 24)]


def volume(channels: int = 16) -> Inputs:
    return lambda: [x(4, channels, 12, 12, 12)]


SPACES: dict[str, tuple[Callable[..., Inputs], int]] = {
    "1d": (line, 64),
    "2d": (picture, 64),
    "3d": (volume, 16),
}


def over_space() -> dict[str, Load]:
    """The layers that exist for one, two and three dimensions."""
    found: dict[str, Load] = {}
    for n, (dims, (space, channels)) in enumerate(SPACES.items(), start=1):
        inputs = space(channels)
        here: dict[str, Any] = {
            "Conv": make(channels, channels, 3, padding=1),
            "ConvTranspose": make(channels, channels, 3, padding=1),
            "LazyConv": make(channels, 3, padding=1),
            "LazyConvTranspose": make(channels, 3, padding=1),
            "MaxPool": make(2),
            "AvgPool": make(2),
            "LPPool": make(2, 2),
            "AdaptiveAvgPool": make(5),
            "AdaptiveMaxPool": make(5),
            "FractionalMaxPool": make(2, output_ratio=0.5),
            "BatchNorm": make(channels),
            "InstanceNorm": make(channels),
            "LazyBatchNorm": make(),
            "LazyInstanceNorm": make(),
            "ReflectionPad": make(2),
            "ReplicationPad": make(2),
            "ZeroPad": make(2),
            "CircularPad": make(2),
            "ConstantPad": make(2, 1.5),
            "Dropout": make(),
        }
        found |= {name + dims: (how, inputs) for name, how in here.items()}
        found[f"MaxUnpool{dims}"] = (make(2), pooled(n, inputs))
    return found


def pooled(n: int, inputs: Inputs) -> Inputs:
    """What max pooling returns: values and where they were."""

    def maxima() -> Sequence[Any]:
        pool = getattr(torch.nn, f"MaxPool{n}d")(2, return_indices=True)
        values, indices = pool(inputs()[0])
        return [values.detach().requires_grad_(), indices]

    return maxima


WINDOWS = over_space() | {
    "Unfold": (make(3, padding=1), picture()),
    "Fold": (make((24, 24), 3, padding=1), lambda: [x(16, 16 * 9, 24 * 24)]),
    "PixelShuffle": (make(2), picture()),
    "PixelUnshuffle": (make(2), picture()),
    "ChannelShuffle": (make(4), picture()),
    "Upsample": (make(scale_factor=2, mode="bilinear"), picture(16)),
    "UpsamplingNearest2d": (make(scale_factor=2), picture(16)),
    "UpsamplingBilinear2d": (make(scale_factor=2), picture(16)),
    "LocalResponseNorm": (make(5), picture()),
    "GroupNorm": (make(8, 64), picture()),
    "Softmax2d": (make(), picture()),
    "Flatten": (make(), picture()),
    "Unflatten": (make(1, (8, 8)), picture()),
}

LAYERS: dict[str, Load] = {
    "Linear": (make(784, 256), lambda: [x(256, 784)]),
    "LazyLinear": (make(256), lambda: [x(256, 784)]),
    "Bilinear": (make(64, 64, 32), lambda: [x(128, 64), x(128, 64)]),
    "Embedding": (make(10000, 256), lambda: [labels(10000, 32, 35)]),
    "EmbeddingBag": (make(10000, 256), lambda: [labels(10000, 32, 35)]),
    "RNNCell": (make(512, 512), lambda: [x(32, 512), x(32, 512)]),
    "GRUCell": (make(512, 512), lambda: [x(32, 512), x(32, 512)]),
    "LSTMCell": (make(512, 512), lambda: [x(32, 512), (x(32, 512), x(32, 512))]),
    "RNN": (make(512, 512), lambda: [x(35, 32, 512)]),
    "GRU": (make(512, 512), lambda: [x(35, 32, 512)]),
    "LSTM": (make(512, 512), lambda: [x(35, 32, 512)]),
    "LayerNorm": (make(1024), lambda: [x(256, 1024)]),
    "RMSNorm": (make(1024), lambda: [x(256, 1024)]),
    "GLU": (make(), lambda: [x(256, 1024)]),
    "PReLU": (make(), lambda: [x(256, 1024)]),
    "Threshold": (make(0.1, 0.5), lambda: [x(256, 1024)]),
    "Softmax": (make(-1), lambda: [x(256, 1024)]),
    "LogSoftmax": (make(-1), lambda: [x(256, 1024)]),
    "Softmin": (make(-1), lambda: [x(256, 1024)]),
    "MultiheadAttention": (make(256, 8, batch_first=True), lambda: [x(8, 128, 256)] * 3),
    "TransformerEncoderLayer": (
        make(256, 8, 1024, 0.0, batch_first=True),
        lambda: [x(8, 64, 256)],
    ),
    "TransformerDecoderLayer": (
        make(256, 8, 1024, 0.0, batch_first=True),
        lambda: [x(8, 64, 256), x(8, 64, 256)],
    ),
    "TransformerEncoder": (
        make(torch.nn.TransformerEncoderLayer(256, 8, 1024, 0.0, batch_first=True), 2),
        lambda: [x(8, 64, 256)],
    ),
    "TransformerDecoder": (
        make(torch.nn.TransformerDecoderLayer(256, 8, 1024, 0.0, batch_first=True), 2),
        lambda: [x(8, 64, 256), x(8, 64, 256)],
    ),
    "Transformer": (
        make(256, 8, 1, 1, 1024, 0.0, batch_first=True),
        lambda: [x(8, 64, 256), x(8, 64, 256)],
    ),
    "CosineSimilarity": (make(), lambda: [x(256, 1024), x(256, 1024)]),
    "PairwiseDistance": (make(), lambda: [x(256, 1024), x(256, 1024)]),
}

LOSSES: dict[str, Load] = {
    **{
        name: (make(), lambda: [x(256, 1024), torch.randn(256, 1024)])
        for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss")
    },
    **{
        name: (make(), lambda: [x(256, 1024), signs(256, 1024)])
        for name in ("SoftMarginLoss", "HingeEmbeddingLoss")
    },
    **{
        name: (make(), lambda: [x(256, 1024), torch.rand(256, 1024)])
        for name in ("BCEWithLogitsLoss", "MultiLabelSoftMarginLoss")
    },
    "BCELoss": (make(), lambda: [torch.rand(256, 1024).requires_grad_(), torch.rand(256, 1024)]),
    "KLDivLoss": (
        make(reduction="batchmean"),
        lambda: [x(256, 1024), torch.randn(256, 1024).softmax(1)],
    ),
    "GaussianNLLLoss": (make(), lambda: [x(256, 1024), x(256, 1024), torch.rand(256, 1024)]),
    "CrossEntropyLoss": (make(), lambda: [x(256, 1024), labels(1024, 256)]),
    "NLLLoss": (make(), lambda: [x(256, 1024), labels(1024, 256)]),
    "LinearCrossEntropyLoss": (make(256, 1024), lambda: [x(256, 256), labels(1024, 256)]),
    "MultiMarginLoss": (make(), lambda: [x(256, 1024), labels(1024, 256)]),
    "MultiLabelMarginLoss": (
        make(),
        lambda: [x(64, 100), torch.full((64, 100), -1).index_fill_(1, torch.arange(3), 5)],
    ),
    "MarginRankingLoss": (make(), lambda: [x(65536), x(65536), signs(65536)]),
    "CosineEmbeddingLoss": (make(), lambda: [x(256, 1024), x(256, 1024), signs(256)]),
    "TripletMarginLoss": (make(), lambda: [x(256, 1024) for _ in range(3)]),
    "TripletMarginWithDistanceLoss": (make(), lambda: [x(256, 1024) for _ in range(3)]),
    "CTCLoss": (
        make(),
        lambda: [
            torch.randn(50, 16, 20).log_softmax(2).requires_grad_(),
            torch.randint(1, 20, (16, 10)),
            torch.full((16,), 50),
            torch.full((16,), 10),
        ],
    ),
    "AdaptiveLogSoftmaxWithLoss": (
        make(256, 1000, [100, 400]),
        lambda: [x(256, 256), labels(1000, 256)],
    ),
}
