"""The perceptron: add each example that is on the wrong side, until none is.

Source   Rosenblatt 1958; Novikoff 1962, who bounds the mistakes; book 4.1.
Shapes   N examples, K features; `signs_N` holds +1 and -1. The plane goes through the origin: give
         it a column of ones, and it need not.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Perceptron(NamedTuple):
    """What was learned: `sign(x @ weight)` is the class; `mistakes` is how many were added."""

    weight: Tensor
    mistakes: int


def perceptron(x_NK: Tensor, signs_N: Tensor) -> Perceptron:
    """Go round the examples until all are on their side of the plane.

    That takes at most `bound(...)` mistakes where a plane separates them, and for ever where none
    does.
    """
    weight_K = torch.zeros_like(x_NK[0])
    mistakes = place = 0
    while len(wrong := (signs_N * (x_NK @ weight_K) <= 0).nonzero()[:, 0]):
        ahead = wrong[wrong >= place]  # where there is none, the first of the next time round
        place = int(ahead[0] if len(ahead) else wrong[0])
        weight_K = weight_K + signs_N[place] * x_NK[place]
        mistakes += 1
        place += 1
    return Perceptron(weight_K, mistakes)


def bound(x_NK: Tensor, signs_N: Tensor, separator_K: Tensor) -> float:
    """(R / γ)²: R is the longest example, γ its least distance to a plane that separates them."""
    margin = (signs_N * (x_NK @ separator_K)).min() / separator_K.norm()
    return float((x_NK.norm(dim=1).max() / margin) ** 2)
