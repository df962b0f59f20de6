"""From a signature to a parser, and from words to settings.

argparse finds the words and writes the help; what they mean is settled by `core.arguments`, the
same way as for JSON, so that every fault is told in one line with the nearest name.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from fathom.core.arguments import Argument, arguments, settle
from fathom.core.errors import SettingError, did_you_mean

Groups = Mapping[str, Mapping[str, Argument]]


class Parser(argparse.ArgumentParser):
    """Raises SettingError instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise SettingError(self.prog, message, f"see `{self.prog} --help`")


def build(function: Callable[..., Any], prog: str, extra: Groups | None = None) -> Parser:
    """The parser of a verb: its own arguments, and named groups of further options."""
    text = inspect.getdoc(function) or ""
    summary, _, rest = text.partition("\n\n")
    example = re.search(r"^Example:\n(?:[ \t]+.*\n?)+", rest, re.MULTILINE)
    parser = Parser(
        prog=prog,
        description=summary,
        epilog=example.group(0).replace("Example:", "example:").rstrip() if example else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    own = parser.add_argument_group("options")
    for argument in arguments(function).values():
        _add(parser if argument.positional else own, argument)
    for title, group in (extra or {}).items():
        section = parser.add_argument_group(title)
        for argument in group.values():
            _add(section, argument)
    return parser


def _add(parser: argparse._ActionsContainer, argument: Argument) -> None:
    help_ = argument.help.replace("%", "%%")
    if not argument.required and argument.default not in (None, False, ""):
        shown = argument.default
        if isinstance(shown, list | tuple):
            shown = " ".join(map(str, shown))
        help_ += f" [{shown}]".replace("%", "%%")
    if argument.positional:
        if argument.many:
            nargs: str | None = "+" if argument.required else "*"
        else:
            nargs = None if argument.required else "?"
        parser.add_argument(
            argument.name,
            nargs=nargs,
            metavar=argument.name.upper(),
            help=help_,
            default=argparse.SUPPRESS,
        )
    elif argument.kind is bool:
        parser.add_argument(
            argument.option,
            action=argparse.BooleanOptionalAction if argument.default else "store_true",
            dest=argument.name,
            help=help_,
            default=argparse.SUPPRESS,
        )
    else:
        parser.add_argument(
            argument.option,
            dest=argument.name,
            nargs="+" if argument.many else None,
            metavar="{" + argument.type_name + "}" if argument.choices else argument.type_name,
            help=help_,
            default=argparse.SUPPRESS,
        )


def parse(
    function: Callable[..., Any], prog: str, words: Sequence[str], extra: Groups | None = None
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The verb's own settings, whole; and of each further group what was given.

    Raises SettingError, one line for all faults. Leaves the process after printing `--help`.
    """
    parser = build(function, prog, extra)
    found, left = parser.parse_known_args(list(words))
    given = vars(found)
    own = arguments(function)
    groups = extra or {}
    if left:
        known = [a.option for group in (own, *groups.values()) for a in group.values()]
        raise SettingError(prog, *_unknown(left, known, prog))
    settings = settle(prog, own, {k: v for k, v in given.items() if k in own})
    return settings, {title: _given(prog, group, given) for title, group in groups.items()}


def _unknown(left: Sequence[str], known: Sequence[str], prog: str) -> tuple[str, str]:
    option = next((word for word in left if word.startswith("-")), None)
    if option is None:
        return f"the word '{left[0]}' has no place", f"see `{prog} --help`"
    name = option.split("=")[0]
    return f"unknown option '{name}'", did_you_mean(name, known, f"see `{prog} --help`")


def _given(prog: str, group: Mapping[str, Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of a group, converted; defaults are left to the function."""
    chosen = {name: value for name, value in given.items() if name in group}
    settled = settle(prog, {name: group[name] for name in chosen}, chosen)
    return {name: settled[name] for name in chosen}
