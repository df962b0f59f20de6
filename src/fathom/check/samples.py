"""Sample inputs of modules: PyTorch's own, which nobody here chose, and a few where it has none.

A sample says how to build a module and what to give it. PyTorch's lie in
`torch.testing._internal.common_modules.module_db`; they exercise constructor arguments, inputs
with and without a batch, packed sequences, masks, and both training modes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fathom.core.errors import SettingError
from fathom.scratch import nn as scratch_nn

SEED = 0


@dataclass(frozen=True)
class Sample:
    """A module's constructor arguments, its inputs, and whether it is training."""

    args: Sequence[Any] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: Sequence[Any] = ()
    input_kwargs: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    about: str = ""

    def build(self, library: Any, name: str, dtype: torch.dtype) -> torch.nn.Module:
        """The module of this name from `library`: torch.nn or scratch.nn."""
        args, kwargs = copy.deepcopy((list(self.args), self.kwargs))
        if library is scratch_nn:
            args = [translated(arg) for arg in args]
            kwargs = {key: translated(value) for key, value in kwargs.items()}
        module: torch.nn.Module = getattr(library, name)(*args, **kwargs)
        return module.to(dtype).train(self.training)


def translated(argument: Any) -> Any:
    """A torch layer among constructor arguments as the layer of scratch; anything else as it is."""
    kinds: dict[type, type] = {
        torch.nn.TransformerEncoderLayer: scratch_nn.TransformerEncoderLayer,
        torch.nn.TransformerDecoderLayer: scratch_nn.TransformerDecoderLayer,
    }
    if type(argument) not in kinds:
        return argument
    attention, norm = argument.self_attn, argument.norm1
    ours = kinds[type(argument)](
        attention.embed_dim,
        attention.num_heads,
        argument.linear1.out_features,
        argument.dropout.p,
        argument.activation,
        norm.eps,
        attention.batch_first,
        argument.norm_first,
        bias=argument.linear1.bias is not None,
        dtype=norm.weight.dtype,
    )
    ours.load_state_dict(argument.state_dict())
    return ours


def pytorch_modules() -> dict[str, Any]:
    """What PyTorch knows of each of its modules, by class name.

    Raises:
        SettingError: its samples cannot be imported, for want of a small package.
    """
    try:
        from torch.testing._internal.common_modules import module_db
    except ImportError as error:
        raise SettingError(
            "PyTorch's samples", f"cannot be imported ({error})", "pip install expecttest"
        ) from None
    return {info.module_cls.__name__: info for info in module_db}


def pytorch_samples(info: Any, dtype: torch.dtype) -> list[Sample]:
    """PyTorch's samples of one module, for training and for evaluation."""
    found = []
    for training in (True, False):
        torch.manual_seed(SEED)
        inputs = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training
        )
        for each in inputs:
            make, call = each.constructor_input, each.forward_input
            found.append(
                Sample(make.args, make.kwargs, call.args, call.kwargs, training, each.desc)
            )
    return found


# Modules for which PyTorch has no samples. Inputs are drawn from a seeded generator.

Draw = Callable[..., Tensor]


def drawer(dtype: torch.dtype) -> Draw:
    """A source of normal numbers of the wanted sizes, the same ones at each call."""
    numbers = torch.Generator().manual_seed(SEED)

    def draw(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=numbers, dtype=dtype).requires_grad_()

    return draw


def our_samples(dtype: torch.dtype) -> dict[str, list[Sample]]:
    """Samples of modules that `module_db` leaves out, by class name."""
    x = drawer(dtype)
    picture, volume, line = (2, 4, 6, 8), (2, 4, 4, 6, 6), (2, 4, 10)
    dropouts: dict[str, tuple[int, ...]] = {
        "Dropout": picture,
        "AlphaDropout": picture,
        "FeatureAlphaDropout": picture,
    }
    dropouts |= {"Dropout1d": line, "Dropout2d": picture, "Dropout3d": volume}
    found = {
        name: [
            Sample(kwargs={"p": p}, inputs=[x(*sizes)], training=training)
            for p in (0.0, 0.3, 1.0)
            for training in (True, False)
        ]
        for name, sizes in dropouts.items()
    }
    found["RReLU"] = [Sample(inputs=[x(*picture)], training=training) for training in (True, False)]
    found["Hardsigmoid"] = [Sample(inputs=[x(*picture) * 3])]
    found["Identity"] = [Sample((7, "ignored"), inputs=[x(*picture)])]
    found["Flatten"] = [Sample(inputs=[x(*picture)]), Sample((0, 2), inputs=[x(*volume)])]
    found["Unflatten"] = [Sample((1, (2, 2)), inputs=[x(*picture)])]
    found["LazyLinear"] = [Sample((5,), inputs=[x(3, 4)]), Sample((5, False), inputs=[x(2, 3, 4)])]
    found["Unfold"] = [
        Sample((3,), inputs=[x(*picture)]),
        Sample(((2, 3), 2, (1, 2), (2, 1)), inputs=[x(*picture)]),
        Sample((2,), {"stride": 2}, [x(4, 6, 8)]),
    ]
    found["Fold"] = [
        Sample(((6, 8), 3), inputs=[x(2, 4 * 9, 4 * 6)]),
        Sample(((6, 8), (2, 3), 2, (1, 2), (2, 1)), inputs=[x(2, 4 * 6, 3 * 8)]),
        Sample((6, 2), {"stride": 2}, [x(8, 9)]),
    ]
    found |= {name: [unpooling(n, x)] for n, name in enumerate(UNPOOLINGS, start=1)}
    layer = torch.nn.TransformerDecoderLayer(4, 2, 8, 0.0, dtype=dtype)
    found["TransformerDecoder"] = [
        Sample((layer, 2), inputs=[x(3, 2, 4), x(5, 2, 4)], training=training)
        for training in (True, False)
    ]
    found |= embeddings(x) | similarities(x) | resamplings(x)
    return found


UNPOOLINGS = ("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d")


def unpooling(n: int, x: Draw) -> Sample:
    """What max pooling in `n` dimensions returns."""
    pool = getattr(torch.nn, f"MaxPool{n}d")(2, return_indices=True)
    values, indices = pool(x(2, 3, *(6,) * n))
    return Sample((2,), inputs=[values.detach().requires_grad_(), indices])


def embeddings(x: Draw) -> dict[str, list[Sample]]:
    """Bags of words, in rows and with offsets."""
    words = torch.tensor([[1, 2, 0], [4, 1, 3]])
    flat, offsets = torch.tensor([1, 2, 4, 3, 0]), torch.tensor([0, 2])
    return {
        "EmbeddingBag": [
            Sample((6, 4), {"mode": mode}, inputs)
            for mode in ("mean", "sum", "max")
            for inputs in ([words], [flat, offsets])
        ],
        "AdaptiveLogSoftmaxWithLoss": [
            Sample((8, 12, [4, 8]), inputs=[x(5, 8), torch.tensor([0, 5, 11, 3, 7])])
        ],
    }


def similarities(x: Draw) -> dict[str, list[Sample]]:
    """Distances and the losses made of them."""
    triple = [x(5, 4), x(5, 4), x(5, 4)]
    return {
        "CosineSimilarity": [Sample((dim,), inputs=[x(3, 4, 5), x(3, 4, 5)]) for dim in (1, -1)],
        "PairwiseDistance": [
            Sample(kwargs={"p": p, "keepdim": keep}, inputs=[x(5, 4), x(5, 4)])
            for p in (1.0, 2.0, 3.5)
            for keep in (True, False)
        ],
        "TripletMarginLoss": [
            Sample(kwargs={"swap": swap, "reduction": reduction}, inputs=triple)
            for swap in (True, False)
            for reduction in ("mean", "sum", "none")
        ],
        "TripletMarginWithDistanceLoss": [
            Sample(kwargs={"swap": swap}, inputs=triple) for swap in (True, False)
        ],
    }


def resamplings(x: Draw) -> dict[str, list[Sample]]:
    """Layers that rearrange or enlarge pictures, and the norms that wait for their sizes."""
    picture = [x(2, 4, 6, 8)]
    modes: list[dict[str, Any]] = [
        {"scale_factor": 2},
        {"size": (9, 5)},
        {"scale_factor": 2, "mode": "bilinear"},
        {"scale_factor": (1.5, 2.5), "mode": "bilinear", "align_corners": True},
        {"scale_factor": 2, "mode": "bicubic"},
    ]
    found = {
        "PixelShuffle": [Sample((2,), inputs=picture)],
        "PixelUnshuffle": [Sample((2,), inputs=picture)],
        "ChannelShuffle": [Sample((2,), inputs=picture)],
        "Upsample": [Sample(kwargs=mode, inputs=picture) for mode in modes],
        "UpsamplingNearest2d": [Sample(kwargs={"scale_factor": 2}, inputs=picture)],
        "UpsamplingBilinear2d": [Sample(kwargs={"scale_factor": 2}, inputs=picture)],
    }
    sizes = {"1d": (4, 3, 5), "2d": (4, 3, 5, 6), "3d": (2, 3, 4, 5, 6)}
    for dims, shape in sizes.items():
        for kind in ("LazyBatchNorm", "LazyInstanceNorm"):
            found[kind + dims] = [
                Sample(inputs=[x(*shape)], training=training) for training in (True, False)
            ]
    return found


def all_samples(dtype: torch.dtype) -> Iterator[tuple[str, Callable[[], list[Sample]]]]:
    """(class name, what makes its samples) for PyTorch's modules, then for the others."""
    for name, info in pytorch_modules().items():
        yield name, partial(pytorch_samples, info, dtype)
    for name, samples in our_samples(dtype).items():
        yield name, partial(list, samples)
