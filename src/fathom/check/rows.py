"""A row of `fathom check`: one pair, what was compared, how far apart it came out.

Each kind of pair has a file in this folder with a generator `rows(pattern, *, speed)` that
yields rows; `certificates.check` finds these files by walking the folder, so a new kind of
certificate is one new file.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["agrees", "differs", "missing", "not exact"]


@dataclass(frozen=True)
class Row:
    """One pair. Errors are relative, in float64; speeds, our time over theirs.

    `speed` is that of a whole pass, forward and backward, or of a step of an optimiser.
    `verdict` is "agrees" or "differs"; "missing" where we have no such part yet; "not exact"
    where bitwise agreement is impossible. `why` explains every verdict but "agrees".
    """

    pair: str  # nn.Linear, optim.Adam
    kind: str  # module, optimiser, schedule, ...
    samples: int
    forward_error: float | None
    backward_error: float | None
    speed: float | None
    speed_forward: float | None
    speed_backward: float | None
    verdict: Verdict
    why: str = ""

    @property
    def failed(self) -> bool:
        """Does this row break the promise of the pair?"""
        return self.verdict == "differs"


def matches(pair: str, pattern: str | None) -> bool:
    """Is `pair` meant by `pattern`: a part of its name in any case, or a shell wildcard?"""
    if pattern is None:
        return True
    name, wanted = pair.lower(), pattern.lower()
    if any(sign in wanted for sign in "*?["):
        return fnmatch.fnmatch(name, wanted) or fnmatch.fnmatch(name.split(".")[-1], wanted)
    return wanted in name
