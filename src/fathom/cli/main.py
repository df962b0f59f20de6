"""Find the verb, hand it its settings, print its answer, give the exit status.

Nothing heavy is imported here: `fathom --help` and `fathom list` answer at once.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fathom import __version__
from fathom.cli.output import Answer, print_error, print_json, stdout
from fathom.cli.parser import Groups, build, parse
from fathom.core.errors import FathomError, ResourceError, SettingError, did_you_mean

_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Verb:
    """Where a verb's function is. `groups` gives further options, once the first word is known."""

    module: str
    function: str
    summary: str
    groups: str | None = None


VERBS = {
    "list": Verb("look", "list_recipes", "the catalogue of recipes"),
    "show": Verb(
        "look", "show", "a recipe's documentation, arguments, results and network", "shown_groups"
    ),
    "try": Verb(
        "train", "try_", "run a recipe on built-in data, offline, in a minute", "recipe_groups"
    ),
    "run": Verb("train", "run", "run a recipe as in the book", "recipe_groups"),
    "resume": Verb("train", "resume", "go on where a run stopped", "run_groups"),
    "eval": Verb("use", "evaluate", "measure a trained model", "data_groups"),
    "predict": Verb("predict", "predict", "use a trained model"),
    "export": Verb("use", "export", "take a trained model elsewhere"),
    "compare": Verb("compare", "compare", "runs side by side"),
    "data": Verb("data", "data", "data sets: list, get, check, where"),
    "check": Verb("prove", "check", "certificates: scratch equals torch"),
    "bench": Verb("prove", "bench", "timings against peers, as ratios"),
    "reproduce": Verb(
        "planned", "reproduce", "the book's experiments on the book's data (planned)"
    ),
    "doctor": Verb("doctor", "doctor", "this machine: devices, precision, speed, memory"),
    "copy": Verb("copy", "copy", "a recipe's source as a script of your own"),
    "lab": Verb("planned", "lab", "the local web lab (planned)"),
    "book": Verb("planned", "book", "the book's own notebooks on Fathom (planned)"),
}

HELP = """usage: fathom VERB … [--json] [--debug]

The techniques of Dive into Deep Learning, to read, to run and to build on.

{verbs}

`fathom VERB --help` tells more. Start with `fathom try lenet`.
--version, --print-completion bash|zsh|fish|tcsh
"""


def run(words: Sequence[str]) -> int:
    """Carry out a command line; the exit status is in the contract of `core/errors.py`."""
    words = list(words)
    debug = "--debug" in words
    json_wanted = "--json" in words
    words = [word for word in words if word not in ("--debug", "--json")]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title in Chinese is no reason to stop
            stream.reconfigure(errors="replace")
    try:
        answer = _answer(words)
        if json_wanted:
            print_json(answer.document)
        else:
            answer.page(stdout())
        sys.stdout.flush()
        return answer.exit_status
    except FathomError as error:
        _tell(error, debug=debug, json_wanted=json_wanted)
        return error.exit_status
    except KeyboardInterrupt:
        print_error("fathom: stopped by Ctrl-C; nothing was lost")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `fathom list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        wrapped = _wrapped(error)
        wrapped.__cause__ = error
        _tell(wrapped, debug=debug, json_wanted=json_wanted)
        return wrapped.exit_status


def _wrapped(error: Exception) -> FathomError:
    """What no verb foresaw: the machine's lack of something, else our bug."""
    if isinstance(error, OSError) and error.errno in _REFUSED:
        thing = str(error.filename or "fathom")
        return ResourceError(thing, os.strerror(error.errno), "free the disk or choose another")
    if isinstance(error, MemoryError):
        return ResourceError("fathom", "not enough memory", "free some, or give it less at once")
    wrong = f"{type(error).__name__}: {error}"
    return FathomError("fathom", wrong, "this is a bug: run again with --debug")


def _tell(error: FathomError, *, debug: bool, json_wanted: bool) -> None:
    if debug:
        traceback.print_exception(error)
    if json_wanted:
        print_json({"error": str(error), "exit_status": error.exit_status})
    print_error(str(error))


def _answer(words: list[str]) -> Answer:
    if words in ([], ["help"]) or words[0] in ("-h", "--help"):
        return Answer({"verbs": {n: v.summary for n, v in VERBS.items()}}, _print_help)
    if words[0] in ("--version", "-V"):
        return Answer({"version": __version__}, lambda console: console.print(__version__))
    if words[0] == "--print-completion":
        from fathom.cli.completion import script

        text = script(words[1] if len(words) > 1 else "")
        return Answer({"script": text}, lambda console: print(text))
    if words[0] == "help":
        words = [*words[1:], "--help"]
    if words[0] not in VERBS:
        remedy = did_you_mean(words[0], VERBS, "see `fathom --help`")
        raise SettingError(words[0], "there is no verb of that name", remedy)
    prog = f"fathom {words[0]}"
    function, groups = load(words[0], words[1:])
    if {"-h", "--help"} & set(words[1:]):
        text = build(function, prog, groups).format_help()
        return Answer({"help": text}, lambda console: print(text, end=""))
    own, extra = parse(function, prog, words[1:], groups)
    positional = [own.pop(name) for name in _positional(function)]
    answer: Answer = function(
        *positional, **own, **({"given": extra} if groups is not None else {})
    )
    return answer


def load(name: str, words: Sequence[str]) -> tuple[Callable[..., Answer], Groups | None]:
    """A verb's function, and the groups of options that its first word brings along."""
    verb = VERBS[name]
    module = importlib.import_module(f"fathom.cli.{verb.module}")
    function: Callable[..., Answer] = getattr(module, verb.function)
    if verb.groups is None:
        return function, None
    groups: Groups = getattr(module, verb.groups)(name, words)
    return function, groups


def _positional(function: Callable[..., Any]) -> list[str]:
    from fathom.core.arguments import arguments

    return [name for name, argument in arguments(function).items() if argument.positional]


def _print_help(console: Any) -> None:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    print(HELP.format(verbs=verbs), end="")
