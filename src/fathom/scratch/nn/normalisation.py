"""Normalisation of each example on its own: layer, group, root mean square, local response.

Source   Layer Ba et al. 2016, arXiv:1607.06450; group Wu & He 2018, arXiv:1803.08494; RMS Zhang &
         Sennrich 2019, arXiv:1910.07467; local response Krizhevsky et al. 2012; book 11.7.
Differs  An empty batch passes; sizes that do not fit are named.
Shapes   N batch, C channels, * any sizes.

Layer, group, instance and batch normalisation are one function, `standardise`. They differ in
which numbers share a mean: all of one example; a group of its channels; one channel; one channel
of all examples. The last two are in `batchnorm.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fathom.scratch.nn.layer import layer

Shape = int | Sequence[int]


def _centre_and_scale(
    x: Tensor, dims: tuple[int, ...], eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(x - mean) / sqrt(variance + eps) over `dims`; the mean, the variance, 1 / sqrt."""
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    count = x.numel() // max(mean.numel(), 1)
    variance = torch.linalg.vector_norm(centred, dim=dims, keepdim=True).square() / count
    scale = (variance + eps).rsqrt()
    # In place, to spare memory, unless autograd is watching and needs `centred` as it is.
    y = centred * scale if torch.is_grad_enabled() else centred.mul_(scale)
    return y, mean, variance, scale


def _weighted_sum(x: Tensor, w: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The sum of x w over `dims`: for a vector of weights, a product of matrix and vector."""
    if w.dim() == 1 and dims == (-1,):
        return x @ w.unsqueeze(1)
    return (x * w).sum(dims, keepdim=True)


class _Standardise(torch.autograd.Function):
    """z = w y + b with y = (x - mean(x)) s and s = 1 / sqrt(variance(x) + eps).

    With h = g w, the gradient of x is s (h - mean(h) - y mean(h y)): what remains of h after its
    parts along the ones and along y are taken out, since moving x along either leaves y as it is.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor | None, b: Tensor | None, dims: tuple[int, ...], eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance, scale = _centre_and_scale(x, dims, eps)
        ctx.save_for_backward(x, w, b, y, scale)
        ctx.dims, ctx.eps = dims, eps
        ctx.mark_non_differentiable(mean, variance)
        if w is not None and b is not None and w.dim() == 1:  # rows: product and sum in one pass
            return torch.addcmul(b, y, w), mean, variance
        z = y.clone() if w is None else y * w
        return z if b is None else z.add_(b), mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, w, b, y, scale = ctx.saved_tensors
        g, dims = grads[0], ctx.dims
        if torch.is_grad_enabled():  # for a second derivative y and s must know that they are of x
            y, _, _, scale = _centre_and_scale(x, dims, ctx.eps)
        gy, count = g * y, x.numel() // max(scale.numel(), 1)
        # Sum first over what shares a weight: from here on both are small, save in layer norm.
        shared = dims if w is None else tuple(d for d in dims if w.shape[d] == 1)
        sums = [t.sum(shared, keepdim=True) if shared else t for t in (g, gy)]
        grad_w = None if w is None else sums[1].sum_to_size(w.shape)
        grad_b = None if b is None else sums[0].sum_to_size(b.shape)
        if w is not None:
            sums = [_weighted_sum(t, w, dims) for t in sums]
        # h s goes where g y was, unless autograd is watching; the smaller product is made first.
        room = None if torch.is_grad_enabled() else gy
        if w is None:
            hs = torch.mul(g, scale, out=room)
        else:
            hs = torch.mul(g, w * scale if shared else w, out=room)
            hs = hs if shared else hs.mul_(scale)
        mean, along_y = (t * (scale / count) for t in sums)
        return hs.addcmul_(y, along_y, value=-1).sub_(mean), grad_w, grad_b, None, None


def standardise(
    x: Tensor, w: Tensor | None, b: Tensor | None, dims: tuple[int, ...], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """w (x - mean) / sqrt(variance + eps) + b, with mean and (biased) variance over `dims`.

    Returns the mean and the variance too, with size 1 in `dims`. Half precision is computed in
    single: its sums would lose what they add.
    """
    if x.dtype not in (torch.float16, torch.bfloat16):
        return _Standardise.apply(x, w, b, dims, eps)
    w, b = w if w is None else w.float(), b if b is None else b.float()
    z, mean, variance = _Standardise.apply(x.float(), w, b, dims, eps)
    return z.to(x.dtype), mean, variance


def _check(
    name: str, input: Tensor, tail: Sequence[int], shape: Sequence[int], *weights: Tensor | None
) -> None:
    """The input must end in `tail`, and the weights have `shape`; raises RuntimeError if not."""
    if not shape or tuple(input.shape[len(input.shape) - len(tail) :]) != tuple(tail):
        raise RuntimeError(
            f"{name}: given normalized_shape={list(tail)}, expected input with shape "
            f"[*, {', '.join(map(str, tail))}], but got input of size {list(input.shape)}"
        )
    for weight in weights:
        if weight is not None and tuple(weight.shape) != tuple(shape):
            raise RuntimeError(
                f"{name}: expected weight and bias of shape {list(shape)}, for an input of shape "
                f"{list(input.shape)}, got {list(weight.shape)}"
            )


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise over the last dimensions, `normalized_shape`: each token of each sequence."""
    _check("layer_norm", input, normalized_shape, normalized_shape, weight, bias)
    dims = tuple(range(-len(normalized_shape), 0))
    return standardise(input, weight, bias, dims, eps)[0]


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """x / sqrt(mean(x^2) + eps) w over the last dimensions: no mean is subtracted, no bias added.

    Without `eps`, the smallest number that 1 can be told apart from is used.
    """
    _check("rms_norm", input, normalized_shape, normalized_shape, weight)
    wide = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
    eps = torch.finfo(wide.dtype).eps if eps is None else eps
    dims = tuple(range(-len(normalized_shape), 0))
    output = wide * (wide.square().mean(dims, keepdim=True) + eps).rsqrt()
    output = output if weight is None else output * weight
    return output.to(input.dtype)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each of `num_groups` groups of channels of each example of (N, C, *)."""
    if input.dim() < 2:
        raise RuntimeError(
            f"group_norm: expected at least 2 dimensions for input, got shape {tuple(input.shape)}"
        )
    channels = input.shape[1]
    if channels % num_groups:
        raise RuntimeError(
            f"group_norm: expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(input.shape)} and num_groups={num_groups}"
        )
    _check("group_norm", input, (), (channels,), weight, bias)
    if input.numel() == num_groups:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size "
            f"{list(input.shape)}"
        )
    group = (num_groups, channels // num_groups)
    x_NGCL = input.reshape(input.shape[0], *group, input.shape[2:].numel())
    w, b = (None if each is None else each.view(1, *group, 1) for each in (weight, bias))
    return standardise(x_NGCL, w, b, (2, 3), eps)[0].view(input.shape)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha mean(x^2))^beta, the mean over `size` neighbouring channels of (N, C, *).

    Beyond the first and last channel there are zeros, which count.
    """
    if input.dim() < 3:
        raise ValueError(
            f"local_response_norm: expected 3D or higher dimensionality input, got shape "
            f"{tuple(input.shape)}"
        )
    if input.numel() == 0:
        return input
    before, after = size // 2, (size - 1) // 2
    borders = (input.new_zeros(len(input), n, *input.shape[2:]) for n in (before, after))
    padded = torch.cat([next(borders), input.square(), next(borders)], 1)
    mean = padded.unfold(1, size, 1).mean(-1)
    return input / (mean * alpha + k).pow(beta)


LocalResponseNorm = layer(
    "LocalResponseNorm", local_response_norm, "{size}, alpha={alpha}, beta={beta}, k={k}"
)


class Affine(nn.Module):
    """What the normalising layers learn: a scale (`weight`) and a shift (`bias`), or neither."""

    shown: ClassVar[str]  # what is printed
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self, shape: Shape, weight: bool, bias: bool, device: Any, dtype: Any, **settings: Any
    ) -> None:
        super().__init__()
        for name, learned in {"weight": weight, "bias": bias}.items():
            empty = torch.empty(shape, device=device, dtype=dtype) if learned else None
            self.register_parameter(name, None if empty is None else nn.Parameter(empty))
        for name, value in settings.items():
            setattr(self, name, value)

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0; of averages that are kept, mean 0 and variance 1."""
        with torch.no_grad():
            for name, tensor in chain(self.named_parameters(), self.named_buffers()):
                tensor.fill_(int(name in ("weight", "running_var")))

    def extra_repr(self) -> str:
        return self.shown.format(**vars(self), bias=self.bias is not None)


class _LastDimensions(Affine):
    """What the layers share that normalise the last dimensions, `normalized_shape`."""

    normalized_shape: tuple[int, ...]
    eps: float | None

    def __init__(
        self, shape: Shape, eps: float | None, learned: bool, bias: bool, device: Any, dtype: Any
    ) -> None:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        settings = dict(normalized_shape=shape, eps=eps, elementwise_affine=learned)
        super().__init__(shape, learned, bias, device, dtype, **settings)
        self.reset_parameters()


class LayerNorm(_LastDimensions):
    """Standardise the last dimensions of each example, then scale and shift."""

    shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}"

    def __init__(
        self, normalized_shape: Shape, eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        learned = elementwise_affine
        super().__init__(normalized_shape, eps, learned, learned and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps or 0.0)


class RMSNorm(_LastDimensions):
    """Divide by the root mean square of the last dimensions, then scale."""

    shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}"

    def __init__(
        self, normalized_shape: Shape, eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(normalized_shape, eps, elementwise_affine, False, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Affine):
    """Standardise groups of channels of each example, then scale and shift each channel."""

    shown = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}"
    num_groups: int
    eps: float

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        settings = dict(num_groups=num_groups, num_channels=num_channels, eps=eps, affine=affine)
        super().__init__((num_channels,), affine, affine and bias, device, dtype, **settings)
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
