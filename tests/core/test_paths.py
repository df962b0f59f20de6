"""Files that are written whole or not at all; where data, cache and runs are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fathom.core import paths
from fathom.core.errors import ResourceError
from fathom.core.paths import cache_dir, data_dirs, runs_dir, write_whole


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a" / "b.txt", "häufig\n")
    write_whole(tmp_path / "a" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "häufig\n"
    assert (tmp_path / "a" / "c.bin").read_bytes() == b"\x00\xff"
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["b.txt", "c.bin"]


class Crash(BaseException):
    """As sudden as a kill: no handler for errors sees it."""


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_crash_leaves_the_old_file(tmp_path, monkeypatch, place):
    file = tmp_path / "run.json"
    write_whole(file, "old")

    def crash(*_):
        raise Crash

    monkeypatch.setattr(paths.os, place, crash)
    with pytest.raises(Crash):
        write_whole(file, "new and longer")
    assert file.read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, place, number):
    file = tmp_path / "run.json"
    write_whole(file, "old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(paths.os, place, fail)
    with pytest.raises(ResourceError) as caught:
        write_whole(file, "new")
    assert os.strerror(number) in str(caught.value)
    assert caught.value.exit_status == 7
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    assert file.read_text() == "old"


def test_the_file_is_synced_before_it_takes_the_name(tmp_path, monkeypatch):
    seen = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(paths.os, "fsync", lambda fd: (seen.append("sync"), real_sync(fd))[1])
    monkeypatch.setattr(
        paths.os, "replace", lambda a, b: (seen.append("rename"), real_replace(a, b))[1]
    )
    write_whole(tmp_path / "x", "x")
    assert seen == ["sync", "rename", "sync"], "file, name, folder"


def test_a_place_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError, match="could not be written"):
        write_whole(tmp_path / "file" / "inside", "x")


def test_data_folders_are_a_list(monkeypatch):
    monkeypatch.setenv("FATHOM_DATA", os.pathsep.join(["/a", "", "~/b"]))
    assert data_dirs() == [Path("/a"), Path.home() / "b"]
    monkeypatch.delenv("FATHOM_DATA")
    assert data_dirs() == []


def test_the_cache_is_where_the_platform_has_it(monkeypatch):
    monkeypatch.setenv("FATHOM_CACHE", "~/mine")
    assert cache_dir() == Path.home() / "mine"
    monkeypatch.delenv("FATHOM_CACHE")
    monkeypatch.setattr(paths.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_dir() == Path("/x/fathom")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_dir() == Path.home() / ".cache" / "fathom"
    monkeypatch.setattr(paths.sys, "platform", "darwin")
    assert cache_dir() == Path.home() / "Library" / "Caches" / "fathom"


def test_runs_are_here_unless_said(monkeypatch):
    monkeypatch.setenv("FATHOM_RUNS", "/r")
    assert runs_dir() == Path("/r")
    monkeypatch.delenv("FATHOM_RUNS")
    assert runs_dir() == Path("runs")
