"""Finding documentation (book 2.7): what a module offers, read from the module itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
from collections import Counter
from importlib.metadata import packages_distributions
from typing import Any

from fathom.core.errors import SettingError, did_you_mean
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.plots.scalars import bars

SHOWN = 18  # lines of a table: a screen
LETTERS = 84  # of a line
MARKUP = re.compile(r"(?::[\w:]+:)?`{1,2}([^`<]*)[^`]*`{1,2}_*")  # :math:`x`, `x`, ``x``


@recipe(
    section="2.7",
    title="Finding documentation",
    zh="查阅文档",
    minutes=0.1,
    book="dir(torch.distributions), help(torch.ones)",
    ours="the same of any installed library",
)
def lookup(*, module: str = "torch.distributions") -> Findings:
    """List what a module offers, or describe one thing of it: `--module torch.ones`.

    All of it is read from the library itself: the names from `dir`, what they take from their
    signatures, what they do from the first sentence of their documentation. Only libraries that
    are installed are looked into, since to import a module is to run it.

    Args:
        module: a library, a module of it, or a thing in that: torch, torch.nn, torch.nn.Linear
    """
    found = resolve(module)
    names = public_names(found)
    kinds = {name: _kind(getattr(found, name)) for name in names}
    counts = Counter(kinds.values())
    ordered = sorted(names, key=lambda name: (_KINDS.index(kinds[name]), name))
    listed = [[name, kinds[name], _summary(getattr(found, name))] for name in ordered[:SHOWN]]
    heading = f"{module}: the first {len(listed)} of {len(names)} names"
    tables = {heading: Table(["name", "kind", "what it is"], listed)} if listed else {}
    if not inspect.ismodule(found):
        tables = {f"{module}{_signature(found)}": _described(found)}
    return Findings(
        numbers={f"public {kind}{_PLURAL[kind]}": counts[kind] for kind in _KINDS if counts[kind]}
        | {"of these without documentation": sum(not _summary(getattr(found, n)) for n in names)},
        tables=tables,
        figures={
            "kinds": bars(
                [f"{kind}{_PLURAL[kind]}" for kind in _KINDS],
                [counts[kind] for kind in _KINDS],
                title=f"what {module} offers",
                xlabel="public names",
            )
        },
        claims={
            f"{module} is found again by its name": resolve(module) is found,
            "every name listed leads to something": all(hasattr(found, name) for name in names),
            "each is counted under one kind": sum(counts.values()) == len(names),
        },
    )


_KINDS = ["class", "function", "module", "value"]
_PLURAL = {"class": "es", "function": "s", "module": "s", "value": "s"}


def resolve(path: str) -> Any:
    """What a dotted path means. Raises SettingError that names the part which is not there.

    Nothing outside installed libraries is imported, and no private module.
    """
    thing, (top, *rest) = f"--module {path}", path.split(".")
    installed = {"fathom", *packages_distributions()}
    if top not in installed:
        remedy = did_you_mean(top, [n for n in installed if not n.startswith("_")], "try torch.nn")
        raise SettingError(thing, f"there is no installed library {top!r}", remedy)
    if any(not part.isidentifier() or part.startswith("_") for part in rest):
        raise SettingError(thing, "is not a path of public names", "try torch.nn.Linear")
    found: Any = _imported(thing, top)
    for depth, part in enumerate(rest):
        parent = ".".join([top, *rest[:depth]])
        if not hasattr(found, part) and part in _submodules(found):
            _imported(thing, f"{parent}.{part}")
        if not hasattr(found, part):
            known = {*public_names(found), *_submodules(found)}
            some = ", ".join(sorted(known)[:6])
            remedy = did_you_mean(part, known, f"it has {some}" if some else "look one level up")
            raise SettingError(thing, f"{parent} has no {part!r}", remedy)
        found = getattr(found, part)
    return found


def _imported(thing: str, name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever a library does when it is imported
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        wrong = f"{name} cannot be imported ({reason[:80]})"
        raise SettingError(thing, wrong, "look at another module") from None


def _submodules(found: Any) -> set[str]:
    paths = getattr(found, "__path__", None)
    return {info.name for info in pkgutil.iter_modules(paths)} if paths else set()


def public_names(found: Any) -> list[str]:
    """What a module says it offers (`__all__`), else its names without a leading underscore."""
    names = sorted(set(getattr(found, "__all__", dir(found))))
    return [name for name in names if not name.startswith("_") and hasattr(found, name)]


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return "class"
    if inspect.ismodule(value):
        return "module"
    return "function" if callable(value) else "value"


def _summary(value: Any) -> str:
    """The first sentence of its documentation; of a plain value, its type."""
    if _kind(value) == "value":
        return type(value).__name__
    return (_paragraphs(value) or [""])[0].partition(". ")[0][:LETTERS]


def _paragraphs(value: Any) -> list[str]:
    """Documentation by paragraphs, each on one line, without the signature that may come first."""
    text = MARKUP.sub(r"\1", (inspect.getdoc(value) or "").strip())
    pieces = [" ".join(piece.split()) for piece in text.split("\n\n")]
    name = getattr(value, "__name__", "")
    if name and pieces[0].startswith(f"{name}(") and len(pieces) > 1:
        pieces = pieces[1:]
    return [piece for piece in pieces if piece]


def _signature(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):  # written in C++: its documentation begins with it
        text = (inspect.getdoc(value) or "").strip()
        name = getattr(value, "__name__", "")
        head = " ".join(text.split("\n\n")[0].split())
        return head.removeprefix(name) if name and head.startswith(f"{name}(") else ""


def _described(value: Any) -> Table:
    """The first paragraphs of its documentation, a line each."""
    if _kind(value) == "value":
        return Table(["", ""], [[type(value).__name__, repr(value)[: 2 * LETTERS]]])
    lines = [["", paragraph[: 2 * LETTERS]] for paragraph in _paragraphs(value)[:8]]
    return Table(["", ""], lines)
