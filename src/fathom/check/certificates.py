"""`check(pattern)`: the rows of every kind of pair, from the files of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import fathom.check
from fathom.check.rows import Row
from fathom.core.errors import SettingError, did_you_mean

Source = Callable[..., Iterator[Row]]


def sources() -> list[Source]:
    """The `rows` of each file here that has one, in alphabetical order of the files."""
    names = sorted(module.name for module in pkgutil.iter_modules(fathom.check.__path__))
    files: list[Any] = [importlib.import_module(f"fathom.check.{name}") for name in names]
    return [file.rows for file in files if hasattr(file, "rows")]


def check_each(pattern: str | None = None, *, speed: bool = True) -> Iterator[Row]:
    """The rows that `pattern` means, each as soon as it is found.

    Raises:
        SettingError: no pair is meant by `pattern`, or PyTorch's samples cannot be imported.
    """
    found = False
    for source in sources():
        for row in source(pattern, speed=speed):
            found = True
            yield row
    if not found:
        raise SettingError(
            f"pattern '{pattern}'",
            "no pair has a name like it",
            did_you_mean(
                str(pattern), known_names(), "run `fathom check` without a pattern to see them all"
            ),
        )


def check(pattern: str | None = None, *, speed: bool = True) -> list[Row]:
    """Every row that `pattern` means; all of them, if it is None."""
    return list(check_each(pattern, speed=speed))


def known_names() -> list[str]:
    """Names that a pattern may have meant: torch's classes, with and without their package."""
    import torch

    packages = {
        "nn": torch.nn,
        "optim": torch.optim,
        "optim.lr_scheduler": torch.optim.lr_scheduler,
    }
    return [
        name
        for package, module in packages.items()
        for word, value in vars(module).items()
        if isinstance(value, type)
        for name in (word, f"{package}.{word}")
    ]
