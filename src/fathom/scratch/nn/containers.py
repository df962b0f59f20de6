"""Modules that hold other modules or parameters, and the two that only change a shape.

Source   torch.nn's containers; book 5.1.
Differs  Written as Python's own lists and dictionaries: what these need is given by a few methods.
Shapes   Those of what they hold. `Flatten`: (B, *sizes) to (B, product of sizes).

To hold is to register: a list registers under numbers, a dictionary under its keys. That is all
that makes their parameters train, move and be saved (see `module.py`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn.sizes import Settings


@dataclass(eq=False, repr=False)
class Flatten(Settings):
    """Makes one dimension of dimensions `start_dim` to `end_dim`."""

    start_dim: int = 1
    end_dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        sizes, rank = input.shape, max(input.dim(), 1)
        first, last = self.start_dim % rank, self.end_dim % rank
        if not -rank <= self.start_dim < rank or first > last:
            raise RuntimeError(
                f"flatten() has invalid args: dimensions {self.start_dim} to {self.end_dim} "
                f"of an input of sizes {list(sizes)}"
            )
        length = math.prod(sizes[first : last + 1])
        return input.reshape(*sizes[:first], length, *sizes[last + 1 :])

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


@dataclass(eq=False, repr=False)
class Unflatten(Settings):
    """Makes dimension `dim` into dimensions of `unflattened_size`, one of which may be -1."""

    dim: int
    unflattened_size: tuple[int, ...] | list[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = self.unflattened_size
        if not isinstance(sizes, tuple | list) or not all(isinstance(size, int) for size in sizes):
            raise TypeError(f"unflattened_size must be a tuple of ints, but found {sizes!r}")

    def forward(self, input: Tensor) -> Tensor:
        dim = self.dim % input.dim()
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class _List(Module, MutableSequence[Any]):
    """A list whose members are registered under their numbers."""

    __hash__ = Module.__hash__

    def keys(self) -> list[str]:
        """The names of the members, in order."""
        raise NotImplementedError

    def hold(self, key: str, value: Any) -> None:
        """Register a member under a name."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, key) for key in self.keys()])

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def _key(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range of {len(self)} members")
        return self.keys()[index]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._key(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.hold(self._key(index), value)

    def _renumber(self, members: list[Any]) -> None:
        for key in self.keys():
            delattr(self, key)
        for number, member in enumerate(members):
            self.hold(str(number), member)

    def __delitem__(self, index: Any) -> None:
        members = list(self)
        del members[index]
        self._renumber(members)

    def insert(self, index: int, value: Any) -> None:
        members = list(self)
        members.insert(index, value)
        self._renumber(members)

    def append(self, value: Any) -> Self:  # type: ignore[override]
        self.hold(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:  # type: ignore[override]
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"extend() takes an iterable of members, not a {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)


class _Modules(_List):
    def keys(self) -> list[str]:
        return list(self._modules)

    def hold(self, key: str, value: Any) -> None:
        self.add_module(key, value)


class Sequential(_Modules):
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
        return super().__getitem__(index)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only Sequential, but {type(other)} is given")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


class ModuleList(_Modules):
    """A list of modules, to be used as the holder likes."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or [])

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Neighbours that look alike are written once: `(0-5): 6 x Linear(...)`."""
        runs: list[tuple[str, list[int]]] = []
        for number, text in enumerate(map(repr, self)):
            if not runs or runs[-1][0] != text:
                runs.append((text, []))
            runs[-1][1].append(number)
        lines = [
            f"({at[0]}): {text}" if len(at) == 1 else f"({at[0]}-{at[-1]}): {len(at)} x {text}"
            for text, at in runs
        ]
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


def as_parameter(value: Any) -> Any:
    """A plain tensor as a parameter; anything else as it is."""
    plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if plain else value


def described(entries: Iterable[tuple[Any, Any]], type_name: Callable[[Tensor], Any]) -> str:
    """A line for each member of a parameter list or dictionary."""
    lines = []
    for name, value in entries:
        text = f"Object of type: {type(value).__name__}"
        if isinstance(value, Tensor):
            kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
            where = f" ({value.device})" if value.device.type == "cuda" else ""
            sizes = "x".join(map(str, value.shape)) + where
            text = f"{kind} containing: [{type_name(value)} of size {sizes}]"
        lines.append(f"  ({name}): {text}")
    return "\n".join(lines)


class ParameterDict(Module, MutableMapping[str, Any]):
    """A dictionary whose tensors become parameters; anything else is kept as it is."""

    __hash__ = Module.__hash__

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}  # in order of arrival
        plain = isinstance(parameters, Mapping) and not isinstance(
            parameters, OrderedDict | ParameterDict
        )
        self.update(sorted(parameters.items()) if plain else parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict takes strings as keys, not {type(key).__name__}")
        self._keys[key] = None
        setattr(self, key, as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def copy(self) -> ParameterDict:
        return ParameterDict(OrderedDict(self.items()))

    def __or__(self, other: Any) -> ParameterDict:
        union = self.copy()
        union.update(other)
        return union

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return described(self.items(), torch.typename)


class ParameterList(_List):
    """A list whose tensors become parameters; anything else is kept as it is."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values if values is not None else [])

    def keys(self) -> list[str]:
        numbers = (name for name in [*self._parameters, *self.__dict__] if name.isdigit())
        return sorted(numbers, key=int)

    def hold(self, key: str, value: Any) -> None:
        setattr(self, key, as_parameter(value))

    def extra_repr(self) -> str:
        return described(enumerate(self), lambda value: value.dtype)
