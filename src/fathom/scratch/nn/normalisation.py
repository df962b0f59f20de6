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
from fathom.scratch.nn.padding import pad

Shape = int | Sequence[int]


def _statistics(
    x: Tensor, dims: tuple[int, ...], eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x - mean over `dims`; the mean, the variance, and 1 / sqrt(variance + eps)."""
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    count = x.numel() // max(mean.numel(), 1)
    variance = torch.linalg.vector_norm(centred, dim=dims, keepdim=True).square() / count
    return centred, mean, variance, (variance + eps).rsqrt()


class _Standardise(torch.autograd.Function):
    """z = w y + b with y = (x - mean(x)) s and s = 1 / sqrt(variance(x) + eps).

    With h = g w, the gradient of x is s (h - mean(h) - y mean(h y)): what remains of h after its
    parts along the ones and along y are taken out, since moving x along either leaves y as it is.
    A vector w belongs to the last dimension; any other has size 1 wherever it is shared.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor | None, b: Tensor | None, dims: tuple[int, ...], eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        centred, mean, variance, scale = _statistics(x, dims, eps)
        ctx.dims, ctx.eps, y = dims, eps, None
        if w is not None and w.dim() == 1:
            y = centred.mul_(scale)
            z = y * w if b is None else torch.addcmul(b, y, w)
        else:
            z = centred.mul_(scale if w is None else scale * w)
            z = z if b is None else z.add_(b)
        ctx.save_for_backward(x, y, w, b, mean, scale)
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)  # for these two: zeros that nobody reads
        return z, mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        if grads[0] is None:
            return (None,) * 5
        x, y, w, b, mean, scale = ctx.saved_tensors
        g, count, watched = grads[0], x.numel() // max(scale.numel(), 1), torch.is_grad_enabled()
        if watched:  # for a second derivative they must know that they are of x
            centred, mean, _, scale = _statistics(x, ctx.dims, ctx.eps)
            y = None if y is None else centred * scale
        if y is not None:  # all sums are products with a vector
            gy, ones = g * y, g.new_ones(g.shape[:-1].numel())
            grad_w, grad_b = ones @ gy.reshape(-1, len(w)), ones @ g.reshape(-1, len(w))
            column = (w / -count).unsqueeze(1)
            by_y, by_1 = gy @ column, g @ column
            grad_x = torch.addcmul(by_1, g, w, out=None if watched else gy)
            grad_x.addcmul_(y, by_y).mul_(scale)
        else:  # y is put together from x: sum first over what shares a weight
            gx, shared = g * x, tuple(d for d in ctx.dims if w is None or w.shape[d] == 1)
            grad_b = g.sum(shared, keepdim=True)
            grad_w = (gx.sum(shared, keepdim=True) - mean * grad_b) * scale
            h, hy = (grad_b, grad_w) if w is None else (grad_b * w, grad_w * w)
            if len(shared) < len(ctx.dims):
                h, hy = (t.sum(ctx.dims, keepdim=True) for t in (h, hy))
            part = scale / -count
            by_x = hy * scale * part
            by_1 = h * part - mean * by_x
            grad_x = torch.mul(g, scale if w is None else scale * w, out=None if watched else gx)
            grad_x.addcmul_(x, by_x).add_(by_1)
            if w is not None:
                grad_w, grad_b = grad_w.sum_to_size(w.shape), grad_b.sum_to_size(w.shape)
        return grad_x, None if w is None else grad_w, None if b is None else grad_b, None, None


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
    found = list(input.shape)
    if not shape or found[len(found) - len(tail) :] != list(tail):
        given = f"normalized_shape={list(tail)}"
        raise RuntimeError(f"{name}: {given} must be the last sizes of the input, {found}")
    for weight in weights:
        if weight is not None and list(weight.shape) != list(shape):
            given = f"{list(weight.shape)} for an input of {found}"
            raise RuntimeError(f"{name}: expected weight and bias of {list(shape)}, got {given}")


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise over the last dimensions, `normalized_shape`: each token of each sequence."""
    _check("layer_norm", input, normalized_shape, normalized_shape, weight, bias)
    if len(normalized_shape) > 1:  # as one dimension
        w, b = (None if each is None else each.flatten() for each in (weight, bias))
        flat = input.flatten(-len(normalized_shape))
        return layer_norm(flat, flat.shape[-1:], w, b, eps).view_as(input)
    return standardise(input, weight, bias, (-1,), eps)[0]


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
    return (output if weight is None else output * weight).to(input.dtype)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each of `num_groups` groups of channels of each example of (N, C, *)."""
    if input.dim() < 2:
        raise RuntimeError(f"group_norm: expected at least 2 dimensions, got {list(input.shape)}")
    channels = input.shape[1]
    if channels % num_groups:
        given = f"input of shape {list(input.shape)} and num_groups={num_groups}"
        raise RuntimeError(f"group_norm: channels must be divisible by num_groups, got {given}")
    _check("group_norm", input, (), (channels,), weight, bias)
    if input.numel() == num_groups:
        raise ValueError(f"group_norm needs more than 1 value per group, got {list(input.shape)}")
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
        raise ValueError(f"local_response_norm: expected 3D or higher, got {tuple(input.shape)}")
    if input.numel() == 0:
        return input
    padded = pad(input.square(), [*[0, 0] * (input.dim() - 2), size // 2, (size - 1) // 2])
    return input / (padded.unfold(1, size, 1).mean(-1) * alpha + k).pow(beta)


LocalResponseNorm = layer(
    "LocalResponseNorm", local_response_norm, "{size}, alpha={alpha}, beta={beta}, k={k}"
)


class Affine(nn.Module):
    """What the normalising layers learn: a scale (`weight`) and a shift (`bias`), or neither."""

    shown: ClassVar[str]  # what is printed

    def __init__(self, shape: Shape, affine: bool, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        on = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.ones(shape, **on)) if affine else None
        self.bias = nn.Parameter(torch.zeros(shape, **on)) if affine and bias else None

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0; of averages that are kept, mean 0 and variance 1."""
        with torch.no_grad():
            for name, tensor in chain(self.named_parameters(), self.named_buffers()):
                tensor.fill_(int(name in ("weight", "running_var")))

    def extra_repr(self) -> str:
        return self.shown.format_map(vars(self) | {"bias": self.bias is not None})


def _tuple(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


class LayerNorm(Affine):
    """Standardise the last dimensions of each example, then scale and shift."""

    shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}"

    def __init__(
        self, normalized_shape: Shape, eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        shape = _tuple(normalized_shape)
        super().__init__(shape, elementwise_affine, bias, device, dtype)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Affine):
    """Divide by the root mean square of the last dimensions, then scale."""

    shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}"

    def __init__(
        self, normalized_shape: Shape, eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        shape = _tuple(normalized_shape)
        super().__init__(shape, elementwise_affine, False, device, dtype)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine

    def forward(self, input: Tensor) -> Tensor:
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Affine):
    """Standardise groups of channels of each example, then scale and shift each channel."""

    shown = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}"

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        if num_channels % num_groups:
            said = f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            raise ValueError(said)
        super().__init__((num_channels,), affine, bias, device, dtype)
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
