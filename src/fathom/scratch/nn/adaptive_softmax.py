"""A softmax over a large vocabulary: frequent words at once, rare ones in clusters of their own.

Source   Grave et al. 2017, arXiv:1609.04309; book 15.2 has the hierarchical softmax.
Shapes   N batch, I features, V words; `input` (N, I) or (I,), `target` (N,) or ().

The head chooses among the most frequent words and the clusters; a cluster's tail, whose features
are fewer the rarer its words, chooses among its words. log p(word) is the sum of both choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fathom.scratch.nn.linear import Linear
from fathom.scratch.nn.loss_base import shapes
from fathom.scratch.nn.softmax import log_softmax


class ASMoutput(NamedTuple):
    """log p of each target, and the mean of -log p."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(nn.Module):
    """`cutoffs` divide the words, most frequent first: those below the first are in the head."""

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        bounds = [0, *cutoffs, n_classes]
        if not cutoffs or any(low >= high or int(low) != low for low, high in pairwise(bounds)):
            raise ValueError(
                f"adaptive softmax: cutoffs must be increasing, 1 to {n_classes - 1}, got {cutoffs}"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = nn.ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            features = int(in_features // div_value ** (i + 1))
            narrow = Linear(in_features, features, False, device, dtype)
            words = Linear(features, high - low, False, device, dtype)
            self.tail.append(nn.Sequential(narrow, words))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """log p of each target, computed in its own cluster only, and the mean of -log p."""
        if target_.dim() > 1 or input_.shape[:-1] != target_.shape:
            got = shapes(input=input_, target=target_)
            raise RuntimeError(f"adaptive softmax: expected (N, I) and (N,), got {got}")
        input, target = input_.reshape(-1, input_.shape[-1]), target_.reshape(-1)
        low, high = map(int, target.aminmax()) if len(target) else (0, 0)
        if not 0 <= low <= high < self.n_classes:
            last = self.n_classes - 1
            raise RuntimeError(f"adaptive softmax: labels must be 0 to {last}, got {low} to {high}")
        choice, output = target, input.new_zeros(len(target))
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            choice = choice.index_fill(0, rows, self.shortlist_size + i)
            words = (target[rows] - low).unsqueeze(1)
            log_p = log_softmax(self.tail[i](input[rows]), 1).gather(1, words).squeeze(1)
            output = output.index_add(0, rows, log_p)
        head = log_softmax(self.head(input), 1)
        output = output + head.gather(1, choice.unsqueeze(1)).squeeze(1)
        return ASMoutput(output.reshape(target_.shape), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """log p of all words: (N, I) gives (N, V)."""
        head = log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(cluster + log_softmax(tail(input), 1))
        return torch.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most likely word of each example; tails are looked at only if the head says so."""
        best = self.head(input).argmax(1)
        rare = best >= self.shortlist_size
        if rare.any():
            best = best.masked_scatter(rare, self.log_prob(input[rare]).argmax(1))
        return best
