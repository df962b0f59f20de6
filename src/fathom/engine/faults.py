"""How a run ends when it does not end well: its papers say so, its log keeps the traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from fathom.core.errors import FathomError, ResourceError, StoppedError
from fathom.engine.runs import Run
from fathom.engine.watchers import WatcherError

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate")


class InternalError(FathomError):
    """Our bug: what failed, and where the traceback is."""


@contextmanager
def carried_out(run: Run) -> Iterator[None]:
    """Around the whole of a run: keep its papers true and free its folder, whatever happens.

    Raises FathomError as it came, ResourceError where memory was refused, InternalError for
    anything else. What is no fault of a run that has begun changes nothing in its papers.
    """
    try:
        yield
        run.note("done")
    except StoppedError as error:
        _end(run, "stopped", error)
        raise
    except FathomError as error:
        _end(run, "failed", error)
        raise
    except Exception as error:
        told = _told(run, error)
        _end(run, "failed", error, told)
        raise told from error
    except BaseException as error:
        _end(run, "stopped", error)
        raise
    finally:
        run.unlock()


def _told(run: Run, error: Exception) -> FathomError:
    """An error that nobody foresaw, as one line."""
    place = f" in {error.place}" if isinstance(error, WatcherError) else ""
    cause = error.__cause__ if isinstance(error, WatcherError) else error
    assert isinstance(cause, Exception)
    words = (str(cause).strip() or "no more is known").splitlines()[0]
    if is_out_of_memory(cause):
        remedy = "try a smaller --batch-size or a smaller model"
        return ResourceError(str(run.folder), f"not enough memory{place} ({words})", remedy)
    remedy = f"this is a bug: please report it with {run.log}"
    return InternalError(str(run.folder), f"{type(cause).__name__}{place}: {words}", remedy)


def _end(run: Run, status: str, error: BaseException, told: FathomError | None = None) -> None:
    run.note("".join(traceback.format_exception(error)))
    if run.begun:
        with suppress(ResourceError):
            run.write(status=status, error=str(told or error))


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation was refused, on the CPU or an accelerator."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in words for word in _NO_MEMORY)
