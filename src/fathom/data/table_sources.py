"""Tables to learn from, by name or a .csv file of one's own, and what a run keeps of their columns.

Whoever uses a trained model names rows of the same columns: which hold numbers, which words, and
which one names the rows is all that is needed to read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fathom.core.errors import SettingError
from fathom.core.kept import keep_facts, known_as, unread
from fathom.data import house_prices as ames
from fathom.data.tables import Numbers, Table, Words, read_csv

KEPT = "columns.json"
STAND_IN = 4  # rows: enough for a column to be seen to count them
NUMBERS, WORDS, COUNTS = "numbers", "words", "numbers of the rows"


def load_tables(data: str, test: str | None, words: Sequence[str]) -> tuple[Table, Table | None]:
    """The rows to learn from, and those to be predicted if there are any.

    `words` are columns of numbers that are read as words. For a trained model nothing is to be
    predicted here: where a table is asked for it is the same one, of the columns that are known.
    """
    like = known_as(KEPT, _stand_in)
    if like is not None and unread():
        return like, like
    if data == "made":
        table, unpriced = ames.made()
        if words:
            raise SettingError("--words", "does not apply to the made sample", "leave it out")
    elif data == ames.SOURCE.name:
        table, unpriced = ames.tables(words)
    else:
        table, unpriced = read_csv(Path(data).expanduser(), words=words, like=like), None
    if like is not None:
        return table, table
    if test is not None:
        unpriced = read_csv(Path(test).expanduser(), like=table)
    keep_facts(KEPT, lambda: _kinds(table))
    return table, unpriced


def _kinds(table: Table) -> dict[str, str]:
    """What each column holds."""
    kinds = {name: NUMBERS if table.is_numeric(name) else WORDS for name in table.columns}
    names = table.row_names()
    if names is not None and kinds[names] == NUMBERS:
        kinds[names] = COUNTS
    return kinds


def _stand_in(kinds: Mapping[str, str]) -> Table:
    """A few rows of such columns: ones, empty cells, and numbers that count."""
    cells: dict[str, Numbers | Words] = {
        NUMBERS: np.ones(STAND_IN),
        WORDS: [None] * STAND_IN,
        COUNTS: np.arange(1.0, STAND_IN + 1),
    }
    columns = {name: cells[kind] for name, kind in kinds.items()}
    return Table("the table that was trained on", columns, list(range(2, STAND_IN + 2)))
