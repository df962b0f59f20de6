"""What a study, or a finished experiment, has found: numbers, tables, figures, checked claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fathom.core.errors import FathomError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ClaimError(FathomError):
    """A study's claim that does not hold on this machine."""


@dataclass(frozen=True)
class Number:
    """A figure with its unit, as text for people ("s", "times", "") and what it says."""

    value: float
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words under column heads."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Findings:
    """Named results. A claim is a sentence and whether it was seen to hold, here and now.

    A figure is named without a suffix, and is drawn; a file, such as `race.gif`, with its own, and
    is kept as it is.
    """

    numbers: Mapping[str, Number | float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    claims: Mapping[str, bool] = field(default_factory=dict)

    def __or__(self, more: Findings) -> Findings:
        """These and more; of two with one name the later."""
        return Findings(
            {**self.numbers, **more.numbers},
            {**self.tables, **more.tables},
            {**self.figures, **more.figures},
            {**self.files, **more.files},
            {**self.claims, **more.claims},
        )

    def check(self, thing: str) -> None:
        """Raises ClaimError that names the first claim which does not hold."""
        for claim, holds in self.claims.items():
            if not holds:
                raise ClaimError(thing, f"this does not hold here: {claim}", "please report it")

    def as_json(self) -> dict[str, Any]:
        """All but the figures and files, for `run.json`."""
        found: dict[str, Any] = {}
        if self.numbers:
            found["numbers"] = {
                name: {"value": n.value, "unit": n.unit} if isinstance(n, Number) else {"value": n}
                for name, n in self.numbers.items()
            }
        if self.tables:
            found["tables"] = {
                name: {"columns": list(t.columns), "rows": [list(row) for row in t.rows]}
                for name, t in self.tables.items()
            }
        if self.claims:
            found["claims"] = {claim: bool(holds) for claim, holds in self.claims.items()}
        return found
