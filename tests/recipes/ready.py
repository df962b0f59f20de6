"""The recipes that are ready, and how long their samples are run in tests."""

from __future__ import annotations

from fathom.core.catalogue import entries

READY = [entry.recipe for entry in entries() if entry.status == "ready"]
EPOCHS = 2
