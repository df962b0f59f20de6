"""For the tests of recipes: each recipe's sample is run once and looked at many times."""

from __future__ import annotations

import json
import os
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from ready import EPOCHS, READY

from calling import UNMEASURED, Said, done
from fathom.core.catalogue import load
from fathom.core.recipe import Recipe


@dataclass(frozen=True)
class Tried:
    """A recipe, the folder of its sample's run, and what the command said."""

    recipe: Recipe
    folder: Path
    said: Said


def pytest_collection_modifyitems(items):
    """What looks at one recipe's run goes to one process: else the others wait for that run."""
    for item in items:
        name = item.callspec.params.get("name") if hasattr(item, "callspec") else None
        if name in READY and "tried_once" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def tried_once(tmp_path_factory):
    """`fathom try NAME`, at most once for each, with no network and no data of the user's.

    All processes that run tests share the runs: none of them writes into one.
    """
    here = tmp_path_factory.getbasetemp()
    shared = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    runs: dict[str, Tried] = {}

    def tried(name: str) -> Tried:
        if name not in runs:
            recipe, home = load(name), shared / "tried" / name
            home.mkdir(parents=True, exist_ok=True)
            answer = home / "said.json"
            with FileLock(home / "lock"):
                if not answer.is_file():
                    folder = tmp_path_factory.mktemp(name) / "run"
                    said = _try(recipe, folder)
                    answer.write_text(json.dumps([str(folder), *astuple(said)]))
            folder, *said = json.loads(answer.read_text())
            runs[name] = Tried(recipe, Path(folder), Said(*said))
        return runs[name]

    return tried


def _try(recipe: Recipe, folder: Path) -> Said:
    words = ["--epochs", EPOCHS] if "epochs" in recipe.arguments else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FATHOM_OFFLINE", "1")
        patch.delenv("FATHOM_DATA", raising=False)
        patch.setenv("FATHOM_CACHE", str(folder.with_name("cache")))
        return done("try", recipe.name, "--json", "--out", folder, *words, *UNMEASURED)
