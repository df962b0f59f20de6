"""Hold a part of the data out: by class and by seed, so that a run can be repeated."""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.core.order import permutation


def held_out(labels: Tensor, fraction: float, seed: int) -> Tensor:
    """Which of the samples (N,) to hold out, as booleans: about `fraction` of every class.

    Of a class with at least two samples one or more is held out, and one or more is not.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten()
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held[members[permutation(len(members), seed, int(label))[:count]]] = True
    return held
