"""For the tests of recipes: each recipe's sample is run once and looked at many times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ready import EPOCHS

from calling import UNMEASURED, Said, done
from fathom.core.catalogue import load
from fathom.core.recipe import Recipe


@dataclass(frozen=True)
class Tried:
    """A recipe, the folder of its sample's run, and what the command said."""

    recipe: Recipe
    folder: Path
    said: Said


@pytest.fixture(scope="session")
def tried_once(tmp_path_factory):
    """`fathom try NAME`, at most once for each, with no network and no data of the user's."""
    runs: dict[str, Tried] = {}

    def tried(name: str) -> Tried:
        if name not in runs:
            recipe = load(name)
            folder = tmp_path_factory.mktemp(name) / "run"
            words = ["--epochs", EPOCHS] if "epochs" in recipe.arguments else []
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FATHOM_OFFLINE", "1")
                patch.delenv("FATHOM_DATA", raising=False)
                patch.setenv("FATHOM_CACHE", str(folder.with_name("cache")))
                said = done("try", name, "--json", "--out", folder, *words, *UNMEASURED)
            runs[name] = Tried(recipe, folder, said)
        return runs[name]

    return tried
