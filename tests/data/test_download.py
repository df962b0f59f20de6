"""Faults of servers, networks, disks and neighbours: D1 to D9."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest
from child_process import drop_rights, open_folder, start, status
from faulty_server import CONTENT, HTML, SHA256, serving

from fathom.core.errors import DataError, ResourceError
from fathom.data import download as module
from fathom.data import http, locks
from fathom.data.download import download

HERE = ("127.0.0.1",)


def get(target, *servers, **settings):
    wanted = {"size": len(CONTENT), "sha256": SHA256, "thing": "airfoil", "patience": 2.0}
    urls = [getattr(server, "url", server) for server in servers]
    remedy = "put it in $FATHOM_DATA/airfoil/"
    return download(urls, target, remedy=remedy, plain_hosts=HERE, **{**wanted, **settings})


def left(folder):
    """What lies in the cache, but for the lock."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def test_d1_goes_on_by_range_after_three_cuts(tmp_path):
    with serving(cut=[200_000, 100_000, 50_000]) as server:
        path = get(tmp_path / "x.bin", server)
    assert path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert server.requests == ["", "bytes=200000-", "bytes=300000-", "bytes=350000-"]
    assert left(tmp_path) == ["x.bin"]


def test_d1_a_new_process_goes_on_where_the_last_one_gave_up(tmp_path):
    with serving(cut=[200_000, *[0] * 100]) as server:
        with pytest.raises(DataError):
            get(tmp_path / "x.bin", server, patience=0.3)
        assert len(left(tmp_path)) == 1
        server.cut.clear()
        assert get(tmp_path / "x.bin", server).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert left(tmp_path) == ["x.bin"]


def test_d2_a_server_without_ranges_sends_it_all_again(tmp_path):
    with serving(ranges=False, cut=[200_000]) as server:
        assert get(tmp_path / "x.bin", server).read_bytes() == CONTENT
    assert server.sent == len(CONTENT) + 200_000


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("padding", [0, 600_000 - len(HTML)])
def test_d3_a_web_page_instead_of_the_file(tmp_path, kind, padding):
    with (
        serving(content=HTML + b" " * padding, kind=kind) as server,
        pytest.raises(DataError) as error,
    ):
        get(tmp_path / "x.bin", server)
    assert error.value.exit_status == 3
    text = one_line(error)
    assert text.startswith(f"airfoil: the server 127.0.0.1:{server.port} sent a web page, not the")
    assert "nothing kept" in text
    assert "$FATHOM_DATA/airfoil/" in text
    assert left(tmp_path) == []
    assert len(server.requests) == 1


def test_d4_one_byte_is_wrong(tmp_path):
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    with serving(content=wrong) as server, pytest.raises(DataError) as error:
        get(tmp_path / "x.bin", server)
    assert SHA256[:10] in one_line(error)
    assert left(tmp_path) == []


def test_d4_the_next_mirror_has_the_right_one(tmp_path):
    with serving(content=CONTENT[::-1]) as bad, serving(status=404) as gone, serving() as good:
        assert get(tmp_path / "x.bin", bad, gone, good).read_bytes() == CONTENT


def test_d4_a_partial_file_with_wrong_bytes_is_begun_again(tmp_path):
    with serving(cut=[200_000, *[0] * 100]) as server:
        with pytest.raises(DataError):
            get(tmp_path / "x.bin", server, patience=0.3)
        (part,) = [p for p in tmp_path.iterdir() if ".part-" in p.name]
        part.write_bytes(b"?" * 200_000)
        server.cut.clear()
        assert get(tmp_path / "x.bin", server).read_bytes() == CONTENT
    assert server.requests[-2:] == ["bytes=200000-", ""]


def test_d4_another_size_is_refused_before_it_is_read(tmp_path):
    with serving(content=CONTENT + b"more") as server, pytest.raises(DataError, match="600,004"):
        get(tmp_path / "x.bin", server)
    assert left(tmp_path) == []


def test_d5_eight_processes_one_download(tmp_path):
    with serving(slow=0.002) as server:
        children = [start(get, tmp_path / "x.bin", server) for _ in range(8)]
        assert [status(pid) for pid in children] == [0] * 8
        assert len(server.requests) == 1
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["x.bin"]


def test_d6_a_waiting_process_goes_on_when_the_holder_is_killed(tmp_path):
    with serving(slow=0.02) as server:
        holder = start(get, tmp_path / "x.bin", server)
        while server.sent < 100_000:
            time.sleep(0.01)
        waiting = [start(get, tmp_path / "x.bin", server) for _ in range(3)]
        time.sleep(0.1)
        os.kill(holder, signal.SIGKILL)
        assert status(holder) == -signal.SIGKILL
        server.slow = 0.0
        assert [status(pid) for pid in waiting] == [0, 0, 0]
        assert len(server.requests) == 2
        assert int(server.requests[1].removeprefix("bytes=").rstrip("-")) >= 50_000
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["x.bin"]


def test_d7_where_locks_do_nothing_nobody_touches_anothers_file(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.fcntl, "flock", lambda descriptor, how: None)
    with serving(slow=0.002, cut=[300_000]) as server:
        children = [start(get, tmp_path / "x.bin", server) for _ in range(4)]
        assert [status(pid) for pid in children] == [0] * 4
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["x.bin"]


def test_d7_another_machines_partial_file_is_left_alone_while_it_may_grow(tmp_path):
    foreign = tmp_path / ".x.bin.part-elsewhere-1-abcd"
    foreign.write_bytes(CONTENT[:1000])
    with serving() as server:
        get(tmp_path / "x.bin", server)
        assert server.requests == [""]
        assert foreign.exists()
        (tmp_path / "x.bin").unlink()
        os.utime(foreign, (time.time() - 2 * module.ABANDONED,) * 2)
        get(tmp_path / "x.bin", server)
    assert server.requests[1:] == ["bytes=1000-"]
    assert not foreign.exists()


def _absent_in_a_cache_of_others(folder, url):
    drop_rights()
    with pytest.raises(ResourceError) as error:
        get(folder / "x.bin", url)
    assert error.value.exit_status == 7
    assert str(folder) in one_line(error)
    assert "FATHOM_CACHE" in one_line(error)


def test_d8_a_cache_that_may_not_be_written_to():
    with open_folder() as folder:
        folder.chmod(0o555)
        pid = start(_absent_in_a_cache_of_others, folder, "https://example.org/x.bin")
        assert status(pid) == 0
        assert list(folder.iterdir()) == []


def test_d9_the_connection_is_refused(tmp_path):
    with serving() as server:
        port = server.port
    began = time.monotonic()
    with pytest.raises(DataError, match="refused the connection") as error:
        get(tmp_path / "x.bin", f"http://127.0.0.1:{port}/x", patience=1.0)
    assert time.monotonic() - began < 3
    assert error.value.exit_status == 3
    assert f"127.0.0.1:{port}" in one_line(error)
    assert "$FATHOM_DATA/airfoil/" in one_line(error)


def test_d9_the_host_has_no_address(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.invalid is not known"):
        get(tmp_path / "x.bin", "https://nowhere.invalid/x.bin", patience=0.5)


def test_d9_a_name_server_or_a_server_that_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ANSWER", 0.6)
    with serving(silent=True) as server:
        began = time.monotonic()
        with pytest.raises(DataError, match="gave no answer in time"):
            get(tmp_path / "x.bin", server, patience=1.0)
        assert time.monotonic() - began < 4

    def silence(*words, **more):
        time.sleep(3)
        raise http.socket.gaierror("too late")

    monkeypatch.setattr(http.socket, "getaddrinfo", silence)
    began = time.monotonic()
    with pytest.raises(DataError, match="gave no answer in time"):
        get(tmp_path / "x.bin", "https://example.org/x.bin", patience=1.0)
    assert time.monotonic() - began < 4


def test_d9_the_whole_patience_is_less_than_fifteen_seconds():
    assert module.PATIENCE + module.PAUSE + 0.5 < 15
    assert module.ANSWER < module.PATIENCE


@pytest.mark.parametrize("code", [404, 503])
def test_d9_an_error_from_the_server(tmp_path, code):
    with serving(status=code) as server, pytest.raises(DataError, match=f"answered {code}"):
        get(tmp_path / "x.bin", server, patience=0.5)
    assert left(tmp_path) == []
    assert len(server.requests) == 1 or code == 503


def test_d9_a_redirect_to_http_is_refused(tmp_path):
    with (
        serving(location="http://example.org/file.bin") as server,
        pytest.raises(DataError, match="redirects to http address, not https"),
    ):
        get(tmp_path / "x.bin", server)
    with serving(location="file:///etc/passwd") as server, pytest.raises(DataError):
        get(tmp_path / "x.bin", server)


def test_d9_a_redirect_is_followed(tmp_path):
    with serving() as good, serving(location=good.url) as server:
        assert get(tmp_path / "x.bin", server).read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org/x", "file:///etc/x"])
def test_d9_nothing_but_https(tmp_path, url):
    with pytest.raises(DataError, match="not https"):
        get(tmp_path / "x.bin", url)


def test_d9_the_offline_switch(tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_OFFLINE", "1")
    with serving() as server, pytest.raises(DataError, match="FATHOM_OFFLINE") as error:
        get(tmp_path / "x.bin", server)
    assert server.requests == []
    assert "put it in $FATHOM_DATA/airfoil/" in one_line(error)


def test_a_full_disk_keeps_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with serving() as server, pytest.raises(ResourceError, match="disk full") as error:
        get(tmp_path / "x.bin", server)
    assert error.value.exit_status == 7
    assert left(tmp_path) == []


def test_too_small_a_disk_is_seen_before(tmp_path):
    with serving() as server, pytest.raises(ResourceError, match="disk full"):
        get(tmp_path / "x.bin", server, size=1 << 60)
    assert server.requests == []


def test_progress_is_told(tmp_path):
    told = []
    with serving() as server:
        get(tmp_path / "x.bin", server, progress=lambda *words: told.append(words))
    assert told[-1] == ("x.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
