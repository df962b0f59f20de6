"""A network without the ceremony: the same layers and tensors, called with nothing around them.

A call of a module asks for hooks of eight kinds before it computes, and each of its weights is
looked for in three places. Beside a large product that is nothing; for one token at a time, in a
small network, it is two fifths of the time.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from torch.nn import Module

Network = TypeVar("Network", bound=Module)


def lean(model: Network) -> Network:
    """A twin to be used, not trained or kept: it computes what `model` does, and holds its tensors.

    Layers that have hooks stay as they are. What is done to `model` afterwards (moved, given other
    weights, switched to training) its twin may not notice: it costs little, so make another.
    """
    if model._forward_hooks or model._forward_pre_hooks:
        return model
    children = {name: child and lean(child) for name, child in model._modules.items()}
    kind: Any = type(model)
    twin: Network = object.__new__(_called_directly(kind))
    held: dict[str, Any] = vars(model) | model._parameters | model._buffers | children
    vars(twin).update(held, _modules=children)
    return twin


@cache
def _called_directly(kind: Any) -> Any:
    """The same class, but a call is its `forward`, and an attribute is set like any object's."""
    direct = {"__call__": kind.forward, "__setattr__": object.__setattr__}
    return type(f"Lean{kind.__name__}", (kind,), direct)
