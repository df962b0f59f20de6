"""Learning rates as functions of time: factors for `LambdaLR`, from the step or epoch.

A closed form of the place, not of the rate before: a run that is resumed with more epochs goes
on as if it had been planned so.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def cosine(total: int) -> Callable[[int], float]:
    """From 1 to 0 along half a cosine over `total` steps or epochs (Loshchilov and Hutter 2017)."""
    return lambda time: (1 + math.cos(math.pi * min(time / total, 1))) / 2
