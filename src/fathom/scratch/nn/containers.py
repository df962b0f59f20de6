"""Modules that hold other modules, and the two that only change a shape.

Source   torch.nn's containers; book 5.1.
Differs  Written as Python's own lists and dictionaries: what these need is given by a few methods.
Shapes   Those of what they hold. `Flatten`: (B, *sizes) to (B, product of sizes).

To hold is to register: a list registers under numbers, a dictionary under its keys. That is all
that makes their parameters train, move and be saved (see `module.py`). Lists and dictionaries of
parameters do no more than that, and are torch's own.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping, MutableSequence
from itertools import groupby
from textwrap import indent
from typing import Any, Self

from torch import Tensor
from torch.nn import Module

from fathom.scratch.nn.layer import layer


def _flatten(input: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    """One dimension of dimensions `start_dim` to `end_dim`."""
    sizes, rank = input.shape, max(input.dim(), 1)
    first, last = start_dim % rank, end_dim % rank
    if not -rank <= start_dim < rank or first > last:
        raise RuntimeError(f"flatten: no dimensions {start_dim} to {end_dim} of {list(sizes)}")
    length = math.prod(sizes[first : last + 1])
    return input.reshape(*sizes[:first], length, *sizes[last + 1 :])


def _unflatten(input: Tensor, dim: int, unflattened_size: tuple[int, ...] | list[int]) -> Tensor:
    """Dimensions of `unflattened_size`, one of which may be -1, in the place of one, `dim`."""
    dim %= input.dim()
    return input.reshape(*input.shape[:dim], *unflattened_size, *input.shape[dim + 1 :])


def _check_sizes(settings: dict[str, Any]) -> None:
    sizes = settings["unflattened_size"]
    if not isinstance(sizes, tuple | list) or not all(isinstance(size, int) for size in sizes):
        raise TypeError(f"unflattened_size must be a tuple of ints, but found {sizes!r}")


Flatten = layer("Flatten", _flatten, "start_dim={start_dim}, end_dim={end_dim}")
Unflatten = layer(
    "Unflatten", _unflatten, "dim={dim}, unflattened_size={unflattened_size}", prepare=_check_sizes
)


class _List(Module, MutableSequence[Any]):
    """A list whose members are registered: the first under 0, or under a name of its own."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _key(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range of {len(self)} members")
        return list(self._modules)[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.add_module(self._key(index), value)

    def _renumber(self, members: list[Any]) -> None:
        self._modules.clear()
        for number, member in enumerate(members):
            self.add_module(str(number), member)

    def __delitem__(self, index: Any) -> None:
        members = list(self)
        del members[index]
        self._renumber(members)

    def insert(self, index: int, value: Any) -> None:
        members = list(self)
        members.insert(index, value)
        self._renumber(members)

    def append(self, value: Any) -> Self:  # type: ignore[override]
        self.add_module(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:  # type: ignore[override]
        for value in list(values):
            self.append(value)
        return self


class Sequential(_List):
    """Each module's output is the next one's input. Takes modules, or an OrderedDict of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only Sequential, but {type(other)} is given")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


class ModuleList(_List):
    """A list of modules, to be used as the holder likes."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or [])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Neighbours that look alike are written once: `(0-5): 6 x Linear(...)`."""
        lines = []
        for text, run in groupby(enumerate(map(repr, self)), key=lambda pair: pair[1]):
            at = [number for number, _ in run]
            where = f"({at[0]})" if len(at) == 1 else f"({at[0]}-{at[-1]})"
            lines.append(f"{where}: {text}" if len(at) == 1 else f"{where}: {len(at)} x {text}")
        body = "\n" + indent("\n".join(lines), "  ") + "\n"
        return f"{self._get_name()}({body if lines else ''})"


class ModuleDict(Module, MutableMapping[str, Any]):
    """A dictionary whose modules are registered under their keys."""

    __hash__ = Module.__hash__

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)
