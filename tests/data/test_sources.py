"""Every source: well formed, listed lightly, found, verified, fetched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from faulty_server import CONTENT, SHA256, serving

from fathom.core.errors import DataError, SettingError
from fathom.data import download, verify
from fathom.data import sources as module
from fathom.data.sources import (
    File,
    Packing,
    Source,
    check,
    fetch,
    file_of,
    find,
    place,
    reporting,
    source_named,
    sources,
)

OTHER = CONTENT[::-1]


def toy(url="https://example.org/x", **more):
    packed = Packing("bin", (File("x.bin", len(CONTENT), SHA256, (url,)),))
    plain = Packing("other", (File("x.txt", len(OTHER), hashlib.sha256(OTHER).hexdigest()),))
    return Source("toy", "a toy", "https://example.org", "none", "table", (packed, plain), **more)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Two folders in $FATHOM_DATA."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        (folder / "toy").mkdir(parents=True)
    monkeypatch.setenv("FATHOM_DATA", os.pathsep.join(map(str, folders)))
    return folders


@pytest.mark.parametrize("name", sorted(sources()))
def test_every_source_says_all_there_is_to_say(name):
    source = sources()[name]
    assert source.name == name
    assert source.title
    assert source.licence
    assert source.home.startswith("https://")
    for packing in source.packings:
        for file in packing.files:
            assert file.size > 0
            assert len(bytes.fromhex(file.sha256)) == 32
            assert all(url.startswith("https://") for url in file.urls)
    assert all(file.urls for file in source.files)


@pytest.mark.parametrize("name", sorted(sources()))
def test_the_files_that_are_here_are_good(name):
    for report in check(sources()[name]):
        assert report.status in ("good", "missing"), report


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from fathom.data.sources import check, sources\n"
        "[check(source) for source in sources().values()]\n"
        "assert not {'torch', 'numpy', 'PIL', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_name_has_a_near_match():
    with pytest.raises(SettingError, match="did you mean 'fashion-mnist'") as error:
        source_named("fashion_mnist")
    assert error.value.exit_status == 2


def test_found_in_the_first_folder_that_has_a_good_copy(shelf):
    source, (file,) = toy(), toy().files
    assert find(source, file) is None
    (shelf[1] / "toy" / "x.bin").write_bytes(CONTENT)
    assert find(source, file) == shelf[1] / "toy" / "x.bin"
    (shelf[0] / "toy" / "x.bin").write_bytes(OTHER)
    assert find(source, file) == shelf[1] / "toy" / "x.bin"
    assert fetch(source) == {"x.bin": shelf[1] / "toy" / "x.bin"}
    (shelf[0] / "toy" / "x.bin").write_bytes(CONTENT)
    assert find(source, file) == shelf[0] / "toy" / "x.bin"


def test_found_where_other_tools_leave_it(shelf):
    source = toy(folders=("", "raw"))
    (shelf[0] / "toy" / "raw").mkdir()
    (shelf[0] / "toy" / "raw" / "x.bin").write_bytes(CONTENT)
    assert fetch(source)["x.bin"].parent.name == "raw"


def test_another_packing_will_do(shelf):
    (shelf[0] / "toy" / "x.txt").write_bytes(OTHER)
    paths = fetch(toy())
    assert paths == {"x.txt": shelf[0] / "toy" / "x.txt"}
    assert [report.file for report in check(toy())] == ["x.txt"]
    assert file_of({"a.gz": shelf[0]}, "a") == file_of({"a": shelf[0]}, "a") == shelf[0]


def test_d8_a_file_in_a_read_only_cache_is_used_and_nothing_is_written(shelf):
    source = toy()
    place(source).mkdir(parents=True)
    (place(source) / "x.bin").write_bytes(CONTENT)
    place(source).chmod(0o555)
    try:
        assert fetch(source) == {"x.bin": place(source) / "x.bin"}
        assert [p.name for p in place(source).iterdir()] == ["x.bin"]
    finally:
        place(source).chmod(0o755)


def test_fetched_into_the_cache_in_place_of_a_wrong_file(shelf, monkeypatch):
    def from_here(*words, **more):
        return download.download(*words, plain_hosts=("127.0.0.1",), **more)

    monkeypatch.setattr(module, "download", from_here)
    with serving() as server:
        source = toy(server.url)
        place(source).mkdir(parents=True)
        (place(source) / "x.bin").write_bytes(OTHER)
        (report,) = check(source)
        assert (report.status, report.path) == ("wrong", place(source) / "x.bin")
        assert "sha256" in report.wrong
        told = []
        with reporting(lambda *words: told.append(words)):
            assert fetch(source)["x.bin"].read_bytes() == CONTENT
        assert told[-1] == ("x.bin", len(CONTENT), len(CONTENT))
        fetch(source)
        assert len(server.requests) == 1
    (report,) = check(source)
    assert report.status == "good"


def test_without_a_network_a_wrong_copy_is_the_first_clue(shelf, monkeypatch):
    monkeypatch.setenv("FATHOM_OFFLINE", "1")
    (shelf[0] / "toy" / "x.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError) as error:
        fetch(toy())
    assert str(error.value) == (
        "toy: x.bin is not on this machine, and FATHOM_OFFLINE is set; put x.bin in "
        f"$FATHOM_DATA/toy/ ({shelf[0] / 'toy' / 'x.bin'} has 599,999 bytes, not 600,000)"
    )


def test_a_file_is_hashed_once_while_it_stays_the_same(shelf, monkeypatch):
    path = shelf[0] / "toy" / "x.bin"
    path.write_bytes(CONTENT)
    hashed = []
    real = hashlib.file_digest
    monkeypatch.setattr(
        verify.hashlib, "file_digest", lambda *words: hashed.append(1) or real(*words)
    )
    for _ in range(3):
        assert find(toy(), toy().files[0]) == path
    assert len(hashed) == 1
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    assert find(toy(), toy().files[0]) is None
    assert len(hashed) == 2
