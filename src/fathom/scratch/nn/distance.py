"""How far apart, or how alike, two vectors are.

Source   Book 15.7 (cosine), 14.7 (norms).
Shapes   Two inputs that broadcast against each other; one dimension of them is summed away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.scratch.nn.layer import layer


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (|x1| |x2|) along `dim`, from -1 to 1; no length counts as less than `eps`."""
    x1, x2 = torch.broadcast_tensors(x1, x2)
    # Cut off before the root, whose slope at zero is infinite.
    lengths = [x.square().sum(dim).clamp(min=eps * eps).sqrt() for x in (x1, x2)]
    return (x1 * x2).sum(dim) / (lengths[0] * lengths[1])


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """(sum |x1 - x2 + eps|^p)^(1/p) over the last dimension; `eps` keeps the slope finite at 0."""
    difference = (x1 - x2 + eps).abs()
    if p == float("inf"):
        return difference.amax(-1, keepdim)
    return difference.pow(p).sum(-1, keepdim).pow(1 / p)


CosineSimilarity = layer("CosineSimilarity", cosine_similarity)
PairwiseDistance = layer("PairwiseDistance", pairwise_distance)
