"""Disks and folders that fail, fill up, are shared or oddly named: T5, T6, T20, T22, T24."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import re
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import digest, go_on, leftovers, start, steps
from forked import Child, run
from toy import TOY, surroundings

from fathom.core.errors import FathomError
from fathom.engine import manifest, session
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.loop import Clock
from fathom.engine.manifest import verify
from fathom.engine.options import Options
from fathom.engine.runs import create

WIDE = {"width": 9000}  # a checkpoint of 1.2 MB
NEW_USERS, NEW_MOUNTS, REMOUNT = 0x10000000, 0x00020000, 32


def mount_small_disk(folder: Path, size: str, flags: int = 0) -> None:
    """A disk of that size, for this process only; needs no rights where users may be mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not flags:
        faulthandler.cancel_dump_traceback_later()  # its thread forbids a name space of users
        user, root = os.getuid(), os.getuid() == 0
        if libc.unshare(NEW_MOUNTS if root else NEW_USERS | NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "no name space")
        if not root:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    name, words = str(folder).encode(), f"size={size}".encode()
    if libc.mount(b"tmpfs", name, b"tmpfs", flags, words):
        raise OSError(ctypes.get_errno(), "no mount")


def fill_a_small_disk(folder: Path) -> dict[str, Any]:
    try:
        mount_small_disk(folder, "4m")
    except OSError as error:
        return {"skip": str(error)}
    found: dict[str, Any] = {}
    told = failing_start(folder / "run")
    found |= {"told": told, "left": leftovers(folder), "steps": list(steps(folder / "run"))}
    for path in steps(folder / "run").values():
        verify(path)
    (folder / "ballast").write_bytes(b"0" * os.statvfs(folder).f_bavail * 4096)
    found["again"] = told_by(go_on, folder / "run")
    mount_small_disk(folder, "64m", REMOUNT)
    go_on(folder / "run")
    return found | {"digest": digest(folder / "run")}


def told_by(function: Any, *given: Any, **words: Any) -> tuple[int, str]:
    try:
        function(*given, **words)
    except FathomError as error:
        return error.exit_status, str(error)
    return 0, ""


def failing_start(folder: Path) -> tuple[int, str, str]:
    around, said = surroundings()
    options = Options(out=str(folder), precision="fp32", threads="1", save_every=1, quiet=True)
    status, error = told_by(session.start, TOY, WIDE, options, around)
    return status, error, said.getvalue()


def test_t05_full_disk(quick):
    assert run(start, quick / "whole", TOY, WIDE).status == 0
    disk = quick / "disk"
    disk.mkdir()
    found = run(fill_a_small_disk, disk).result
    if "skip" in found:
        pytest.skip(f"mounting is forbidden here: {found['skip']}")
    status, error, said = found["told"]
    size, good = r"\(needs 1\.\d MB, 0\.\d MB free\)", found["steps"][-1]
    first, second = said.splitlines()
    assert re.fullmatch(
        rf"error: checkpoint step {good + 1}: disk full {size}; "
        rf"training goes on with step {good} as last good",
        first,
    )
    assert f"checkpoint step {good + 2}: disk full" in second
    assert status == 7
    assert f"checkpoint step {good + 3}: disk full" in error
    assert f"stopped with step {good} as last good; free the disk and resume" in error
    assert not found["left"]
    status, error = found["again"]
    assert status == 7
    assert "checkpoints: may not be written (No space left on device)" in error
    assert found["digest"] == digest(quick / "whole")


def limited_start(folder: Path) -> tuple[int, str, str]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    return failing_start(folder)


def start_on_the_full_device(folder: Path) -> tuple[int, str, str]:
    def full(path: Path, mode: str = "r", **words: Any) -> Any:
        return open("/dev/full" if "w" in mode else path, mode, **words)

    manifest.open = full  # type: ignore[attr-defined]
    return failing_start(folder)


@pytest.mark.parametrize(
    ("function", "words"),
    [(limited_start, "larger than files may be here"), (start_on_the_full_device, "disk full")],
)
def test_t05_limit_and_full_device(quick, function, words):
    outcome = run(function, quick / "run")
    status, error, said = outcome.result
    assert f"error: checkpoint step 1: {words} (needs 1." in said
    assert "training goes on with no checkpoint yet" in said
    assert status == 7
    assert f"checkpoint step 3: {words}" in error
    assert not leftovers(quick)
    assert not steps(quick / "run")
    assert "Exception ignored" not in outcome.output


def as_nobody(function: Any, *given: Any) -> None:
    """Root may write everywhere: leave it."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    function(*given)


def test_t06_a_folder_that_may_not_be_written(quick):
    quick.chmod(0o755)
    (quick / "out").mkdir(mode=0o555)
    outcome = run(as_nobody, start, quick / "out")
    assert outcome.status == 7
    assert f"{quick}/out: may not be written (Permission denied)" in outcome.error


def test_t06_checkpoints_of_another_owner(quick):
    """Noticed at the start, not at the first save."""
    quick.chmod(0o755)
    folder = quick / "out"
    assert run(start, folder, TOY, {"epochs": 1}).status == 0
    for path in [folder, *folder.iterdir()]:
        if path.name != "checkpoints" and os.getuid() == 0:
            os.chown(path, 65534, 65534)
    (folder / "checkpoints").chmod(0o555)
    before = (folder / "run.json").read_bytes()
    outcome = run(as_nobody, go_on, folder, TOY, {"epochs": 2})
    (folder / "checkpoints").chmod(0o755)
    assert outcome.status == 7
    assert f"{folder}/checkpoints: may not be written (Permission denied)" in outcome.error
    assert "epoch 1/2" not in outcome.output
    assert (folder / "run.json").read_bytes() == before


def hold(folder: Path, ready: Path) -> None:
    held = create("toy", str(folder))
    held.begin(arguments=TOY.settings({}))
    ready.touch()
    time.sleep(60)


def test_t20_two_processes_want_one_folder(quick):
    """The kernel holds the lock: a dead holder frees it."""
    folder, ready = quick / "run", quick / "ready"
    holder = Child(hold, folder, ready)
    while not ready.exists():
        time.sleep(0.005)
    for function in (start, go_on):
        outcome = run(function, folder)
        assert outcome.status == 2
        assert re.search(rf"run: already in use by pid {holder.pid} since \d\d:\d\d", outcome.error)
    holder.kill(signal.SIGKILL)
    holder.wait()
    assert run(go_on, folder).status == 0


def save_a_thousand_times(folder: Path) -> dict[str, Any]:
    model = torch.nn.Linear(3, 2)
    training = Training(model, torch.optim.SGD(model.parameters(), 0.1), Clock())
    kept = Checkpoints(folder, {}, say=print)
    most, sizes = 0, []
    for step in range(1, 1001):
        training.clock.step = step
        loss = 1.0 if step != 57 else 0.1
        row = {"step": step, "epoch": step, "split": "valid", "loss": loss}
        training.clock.history = [*training.clock.history[-50:], row]
        if step > 57:
            training.clock.history.append({**row, "step": 57, "loss": 0.1})
        assert kept.save(training) is not None
        most = max(most, len(list(folder.iterdir())))
        if step in (200, 1000):
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
            sizes.append((len(os.listdir("/proc/self/fd")), resident))
    return {"most": most, "sizes": sizes, "steps": list(kept.steps())}


def test_t22_a_thousand_saves(quick):
    outcome = run(save_a_thousand_times, quick / "checkpoints")
    found = outcome.result
    assert outcome.status == 0, outcome.output
    assert found["steps"] == [57, 998, 999, 1000]
    assert found["most"] <= 4
    (files, memory), (files_after, memory_after) = found["sizes"]
    assert files_after == files
    assert memory_after - memory < 4e6


def start_as_the_clock_jumps(folder: Path) -> None:
    real, calls = time.time, 0

    def jumping() -> float:
        nonlocal calls
        calls += 1
        return real() - 1e6 * calls

    time.time = jumping
    start(folder)


def test_t24_the_clock_jumps_back(quick, undisturbed):
    outcome = run(start_as_the_clock_jumps, quick / "run")
    assert outcome.status == 0, outcome.output
    assert digest(quick / "run") == undisturbed[0]


@pytest.mark.parametrize("name", ["with spaces", "a#b", "运行 1", "[bold]100%", "n" * 200])
def test_t24_odd_names_of_folders(quick, undisturbed, name):
    folder = quick / name
    assert run(start, folder, TOY, {"epochs": 2}).status == 0
    outcome = run(go_on, folder, TOY, {"epochs": 3})
    assert outcome.status == 0, outcome.output
    assert f"{folder}: going on from step 16" in outcome.output
    assert digest(folder) == undisturbed[0]
    outcome = run(go_on, folder, TOY, {"width": 9})
    assert outcome.status == 4
    assert f"{folder}: width was 8 and is now 9" in outcome.error
