"""A layer made of a function: it keeps the function's settings, and its forward is the function.

Source   torch.nn, where most classes do no more than that for a function of torch.nn.functional.
Shapes   Those of the function.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from string import Formatter
from typing import Any

from torch.nn import Module

from fathom.scratch.made import binder


def layer(
    name: str, function: Callable[..., Any], shown: str | None = None, *, without: str = "",
    prepare: Callable[[dict[str, Any]], Any] = lambda settings: None,
) -> Any:  # fmt: skip
    """The class `name`, whose modules keep settings and call `function` with them.

    Settings are the arguments that have a default or are in `shown`, the template of what is
    printed, to which `inplace` is added where it is set. `training` is the module's own; arguments
    in `without` keep their defaults. `prepare` may check and change the settings. A tensor among
    them is a buffer: it moves with the module and is saved.
    """
    printed = {field for _, field, _, _ in Formatter().parse(shown or "")}
    arguments = signature(function).parameters
    told = printed | {key for key, each in arguments.items() if each.default is not each.empty}
    kept = [arguments[key] for key in arguments if key in told - {"training", *without.split()}]
    takes = Signature([each.replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for each in kept])
    bind = binder(name, takes)

    class Layer(Module):
        __doc__ = function.__doc__
        __signature__ = takes

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__()
            settings = bind(args, named)
            prepare(settings)
            for key, value in settings.items():
                if arguments[key].annotation == "Tensor | None":
                    self.register_buffer(key, value)
                else:
                    setattr(self, key, value)
            self.settings = *settings, *({"training"} & arguments.keys())

        def forward(self, *inputs: Any, **named: Any) -> Any:
            return function(*inputs, **named, **{key: getattr(self, key) for key in self.settings})

        def extra_repr(self) -> str:
            if shown is None:
                return ""
            unusual = getattr(self, "inplace", False) and "inplace" not in printed
            return ", ".join(filter(None, [shown.format(**vars(self)), "inplace=True" * unusual]))

    Layer.__name__ = Layer.__qualname__ = name
    Layer.__module__ = function.__module__
    return Layer
