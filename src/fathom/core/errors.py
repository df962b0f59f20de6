"""Errors a user can mend: one line that names the thing, what is wrong with it, what to do.

Each class has the exit status of the command line's contract. Anything that is not a
`FathomError` is our bug and ends with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FathomError(Exception):
    """`thing`: what is concerned; `wrong`: what is wrong with it; `remedy`: what to do."""

    exit_status = 1

    def __init__(self, thing: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{thing}: {wrong}; {remedy}")
        self.thing, self.wrong, self.remedy = thing, wrong, remedy

    def __reduce__(self) -> tuple[object, tuple[object, ...], dict[str, object]]:
        """Errors come whole out of other processes, whatever arguments their class takes."""
        return FathomError.__new__, (type(self), *self.args), self.__dict__


class SettingError(FathomError):
    """Wrong words on the command line, or a setting out of range."""

    exit_status = 2


class DataError(FathomError):
    """Data that cannot be read, or a download that cannot be trusted."""

    exit_status = 3


class CheckpointError(FathomError):
    """A checkpoint or run that cannot be used."""

    exit_status = 4


class DivergedError(FathomError):
    """A loss or gradient that is no longer a finite number."""

    exit_status = 5


class WorkerError(FathomError):
    """A loader worker or a rank that died, hung or raised."""

    exit_status = 6


class ResourceError(FathomError):
    """No disk, no memory, no permission."""

    exit_status = 7


class ServerError(FathomError):
    """A local server that could not start."""

    exit_status = 8


class StoppedError(FathomError):
    """A run stopped by a signal, with its state saved: 130 for Ctrl-C, 143 for SIGTERM."""

    def __init__(self, thing: str, wrong: str, remedy: str, *, signal: int) -> None:
        super().__init__(thing, wrong, remedy)
        self.exit_status = 128 + signal


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, if one is close."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a wrong word: the nearest known one, or `otherwise`."""
    match = nearest(word, known)
    return f"did you mean '{match}'?" if match else otherwise
