"""One text for one, two and three dimensions: how torch's functions and layers are made of it.

A layer over space is written once, for `n` dimensions. From `max_pool(n, input, …)` come the three
functions `max_pool1d`, … and the three layers `MaxPool1d`, …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fathom.scratch.nn.layer import layer

SPACE = (1, 2, 3)  # the numbers of dimensions that torch has layers for


def functions(function: Callable[..., Any], dims: Sequence[int] = SPACE) -> Any:
    """max_pool1d, max_pool2d and max_pool3d of a `max_pool(n, input, …)`."""
    found: list[Any] = []
    for n in dims:
        of_n: Any = partial(function, n)
        of_n.__name__, of_n.__doc__ = f"{function.__name__}{n}d", function.__doc__
        of_n.__module__ = function.__module__
        found.append(of_n)
    return found


def layers(
    name: str, function: Callable[..., Any], shown: str, *, dims: Sequence[int] = SPACE,
    prepare: Callable[[int, dict[str, Any]], Any] = lambda n, settings: None, without: str = "",
) -> Any:  # fmt: skip
    """MaxPool1d, MaxPool2d and MaxPool3d of a `max_pool(n, input, …)`: see `layer`."""
    return [
        layer(f"{name}{n}d", of_n, shown, prepare=partial(prepare, n), without=without)
        for n, of_n in zip(dims, functions(function, dims), strict=True)
    ]


def classes(base: type) -> Any:
    """Conv1d, Conv2d and Conv3d of a class `_Conv`, which finds the number in `dims`."""
    name, same = base.__name__.strip("_"), {"__module__": base.__module__, "__doc__": base.__doc__}
    return [type(f"{name}{n}d", (base,), same | {"dims": n}) for n in SPACE]
