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

from fathom.core.arguments import Argument, arguments, checked
from fathom.core.errors import SettingError, nearest

Groups = Mapping[str, Mapping[str, Argument]]


_ROW = re.compile(r"^-(\d|\.\d)[\d.,;eE+-]*$")
_NO_VALUE = re.compile(r"argument (\S+): expected (?:at least )?one argument")


class Parser(argparse.ArgumentParser):
    """Raises SettingError instead of leaving the process; `-0.5,1.2` is a word, not an option."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = _ROW

    def error(self, message: str) -> NoReturn:
        if found := _NO_VALUE.fullmatch(message):
            message = f"{found.group(1)} needs a value"
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
    for argument in arguments(function).values():
        _add(parser, argument)
    for title, group in (extra or {}).items():
        section = parser.add_argument_group(title)
        for argument in group.values():
            _add(section, argument)
    return parser


def _add(parser: argparse._ActionsContainer, argument: Argument) -> None:
    help_ = argument.help.replace("%", "%%")
    if not argument.required and argument.default not in (None, False, ""):
        shown = "on" if argument.default is True else argument.default
        if isinstance(shown, list | tuple):
            shown = " ".join(map(str, shown))
        help_ += f" [{shown}]".replace("%", "%%")
    choices = "{" + argument.type_name + "}" if argument.choices else ""
    if argument.positional:
        if argument.many:
            nargs: str | None = "+" if argument.required else "*"
        else:
            nargs = None if argument.required else "?"
        parser.add_argument(
            argument.name,
            nargs=nargs,
            metavar=choices or argument.option,
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
            metavar=choices or argument.type_name.removesuffix("..."),
            required=argument.required,
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
    for action in parser._actions:
        action.required = False  # what is missing is told below, with all other faults
    found, left = parser.parse_known_args(list(words))
    given, groups = vars(found), extra or {}
    own = arguments(function)
    settings, faults = checked(own, {k: v for k, v in given.items() if k in own})
    chosen = {title: _given(group, given) for title, group in groups.items()}
    faults += [fault for _, wrong in chosen.values() for fault in wrong]
    known = [a.option for group in (own, *groups.values()) for a in group.values()]
    strays = _out_of_place(left, known)
    if len(strays) == 1 and not faults and strays[0][1]:
        raise SettingError(prog, *strays[0])
    faults += [f"{fault} ({hint})" if hint else fault for fault, hint in strays]
    if faults:
        page = f"{prog} {words[0]}" if extra and words and words[0][:1] != "-" else prog
        raise SettingError(prog, ", ".join(faults), f"see `{page} --help`")
    return settings, {title: values for title, (values, _) in chosen.items()}


def _out_of_place(left: Sequence[str], known: Sequence[str]) -> list[tuple[str, str]]:
    """Each unknown option with the nearest known one, else the first word too many."""
    options = [word.split("=")[0] for word in left if word.startswith("-")]
    if not options:
        return [(f"the word '{word}' has no place", "") for word in left[:1]]
    names = [option.lstrip("-") for option in known]
    matches = [nearest(option.lstrip("-"), names) for option in options]
    hints = [f"did you mean '--{match}'?" if match else "" for match in matches]
    return [(f"unknown option '{o}'", hint) for o, hint in zip(options, hints, strict=True)]


def _given(
    group: Mapping[str, Argument], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """What was given of a group, converted, and its faults; defaults are left to the function."""
    chosen = {name: value for name, value in given.items() if name in group}
    return checked({name: group[name] for name in chosen}, chosen)
