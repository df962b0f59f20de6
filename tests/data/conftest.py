"""For the tests of data: no proxy between a test and its own server, and the real files."""

from __future__ import annotations

import pytest

from fathom.core.paths import data_dirs
from fathom.data.sources import found, source_named


@pytest.fixture(autouse=True)
def straight_to_the_server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("FATHOM_OFFLINE", raising=False)


@pytest.fixture
def real(monkeypatch):
    """Asks for a data set whose files are here; skips the test where they are not."""

    def need(name):
        source = source_named(name)
        if found(source) is None:
            pytest.skip(f"{name} is not in $FATHOM_DATA")
        return source

    return need


@pytest.fixture
def real_file():
    """Asks for a file of $FATHOM_DATA; skips the test where it is not."""

    def need(name):
        for folder in data_dirs():
            if (folder / name).is_file():
                return folder / name
        pytest.skip(f"{name} is not in $FATHOM_DATA")

    return need
