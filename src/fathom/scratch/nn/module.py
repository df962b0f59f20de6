"""What a module is: a tree that knows its parameters, and a function with hooks around it.

Source   torch.nn.Module; book 5.1, 5.2, 5.4, 5.5, 5.6.
Differs  This page explains; the layers of this package are subclasses of torch's own `Module`,
         which does the same and more (versions of states, compilation, many more hooks).
Shapes   Any.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from textwrap import indent
from typing import Any, Self

import torch
from torch import Tensor


class Parameter(Tensor):
    """A tensor that wants a gradient, and that a module notices when it is assigned."""

    def __new__(cls, data: Tensor) -> Parameter:
        return Tensor._make_subclass(cls, data, True)


class Module:
    """Assigning is registering: parameters, buffers and modules go to dictionaries of their own.

    From these three everything follows: a name is a path in the tree, and whatever is done to a
    network (training mode, moving, saving) is done by walking it.
    """

    def __init__(self) -> None:
        # In `__dict__` directly, since `__setattr__` below needs them to be there.
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, training=True)
        self.__dict__.update(_before=[], _after=[])

    # Registration

    def __setattr__(self, name: str, value: Any) -> None:
        registers = self._parameters, self._buffers, self._modules
        if isinstance(value, Parameter | Module):
            home = self._parameters if isinstance(value, Parameter) else self._modules
            for held in (self.__dict__, *registers):
                if held is not home:
                    held.pop(name, None)
            home[name] = value
            return
        for held in registers:
            if name in held:
                if value is not None and not (held is self._buffers and isinstance(value, Tensor)):
                    raise TypeError(f"cannot assign {type(value).__name__} to registered '{name}'")
                held[name] = value
                return
        object.__setattr__(self, name, value)  # a plain tensor, too, is no buffer

    def __getattr__(self, name: str) -> Any:  # called only for what is not in `__dict__`
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(kind, {}):
                return self.__dict__[kind][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Keep a tensor that is saved and moved, but not trained: running averages, masks."""
        self._buffers[name] = tensor

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Keep a parameter under a name, or note that there is none (a layer without bias)."""
        self._parameters[name] = parameter

    # Walking the tree

    def named_modules(self, prefix: str = "", seen: set[Module] | None = None) -> Iterator[Any]:
        """(path, module) of this module and all below it, each once, parents first."""
        seen = set() if seen is None else seen
        if self not in seen:
            seen.add(self)
            yield prefix, self
            for name, child in self._modules.items():
                yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter), each once, though modules may share it."""
        seen = set()
        for path, module in self.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield (f"{path}.{name}" if path else name), parameter

    def parameters(self) -> Iterator[Parameter]:
        """What an optimiser is given."""
        return (parameter for _, parameter in self.named_parameters())

    def children(self) -> Iterator[Module]:
        """The modules one step below, each once."""
        return iter(dict.fromkeys(self._modules.values()))

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on every module, children first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Tell every module whether this is training: dropout and batch norm ask."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """The end of training."""
        return self.train(False)

    def to(self, where: Any) -> Self:
        """Move to a device, or (floating point numbers only) to a type."""
        to_type = isinstance(where, torch.dtype)
        for _, module in self.named_modules():
            for tensor in (module._parameters | module._buffers).values():
                if tensor is not None and (tensor.is_floating_point() or not to_type):
                    tensor.data = tensor.data.to(where)  # in place: an optimiser holds it too
        return self

    # Saving

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Path to tensor, of all parameters and buffers; sharing does not shorten it."""
        own = self._parameters | self._buffers
        state = {prefix + name: each.detach() for name, each in own.items() if each is not None}
        for name, child in self._modules.items():
            state |= child.state_dict(f"{prefix}{name}.")
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy `state` into the tensors of the same paths; all must be there, of the same sizes."""
        own = self.state_dict()
        missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unexpected:
            raise RuntimeError(f"missing keys {sorted(missing)}, unexpected {sorted(unexpected)}")
        for path, tensor in own.items():
            if tensor.shape != state[path].shape:
                sizes = f"{list(state[path].shape)}, but the module has {list(tensor.shape)}"
                raise RuntimeError(f"size mismatch for {path}: the state has {sizes}")
            tensor.copy_(state[path])  # in place: what `state_dict` gives shares the memory

    # Calling

    def __call__(self, *inputs: Any) -> Any:
        """`forward`, between the hooks. What a hook returns replaces what it saw."""
        for hook in list(self._before):
            replaced = hook(self, inputs)
            if replaced is not None:
                inputs = replaced if isinstance(replaced, tuple) else (replaced,)
        output = self.forward(*inputs)
        for hook in list(self._after):
            replaced = hook(self, inputs, output)
            output = output if replaced is None else replaced
        return output

    def forward(self, *inputs: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing "forward"')

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Callable[[], None]:
        """Have `hook(module, inputs)` called before `forward`; the result takes it away again."""
        self._before.append(hook)
        return lambda: self._before.remove(hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> Callable[[], None]:
        """Have `hook(module, inputs, output)` called after `forward`."""
        self._after.append(hook)
        return lambda: self._after.remove(hook)

    # Showing

    def extra_repr(self) -> str:
        """What stands between the brackets of a module without children."""
        return ""

    def __repr__(self) -> str:
        if not self._modules:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [f"({name}): {child!r}" for name, child in self._modules.items()]
        return f"{type(self).__name__}(\n" + indent("\n".join(lines), "  ") + "\n)"


class Sequential(Module):
    """Each module's output is the next one's input."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = modules[0].items() if isinstance(modules[0], OrderedDict) else enumerate(modules)
        for name, module in named:
            self._modules[str(name)] = module

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input


class Linear(Module):
    """A layer, for an example: two parameters and a formula."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features, self.has_bias = in_features, out_features, bias
        if in_features:
            self.make_parameters(in_features)

    def make_parameters(self, in_features: int) -> None:
        """Weights and bias, drawn evenly from within 1 / sqrt(inputs) of zero."""
        self.in_features, bound = in_features, in_features**-0.5
        self.weight = Parameter(torch.empty(self.out_features, in_features).uniform_(-bound, bound))
        bias = torch.empty(self.out_features).uniform_(-bound, bound) if self.has_bias else None
        self.register_parameter("bias", None if bias is None else Parameter(bias))

    def forward(self, input: Tensor) -> Tensor:
        output = input @ self.weight.t()
        return output if self.bias is None else output + self.bias

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.has_bias}"


class LazyLinear(Linear):
    """A layer that learns its number of inputs from the first of them.

    A hook that runs before the first `forward` takes itself away, makes the parameters, and lets
    the module become what it stood for.
    """

    def __init__(self, out_features: int, bias: bool = True) -> None:
        super().__init__(0, out_features, bias)

        def first(module: Linear, inputs: tuple[Tensor]) -> None:
            remove()
            module.make_parameters(inputs[0].shape[-1])
            module.__class__ = Linear

        remove = self.register_forward_pre_hook(first)
