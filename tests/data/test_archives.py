"""Hostile, broken and good archives: D11 to D14, and D23's names."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import zipfile

import pytest

from fathom.core.errors import DataError, ResourceError
from fathom.data import archives
from fathom.data.archives import extract

GOOD = {"set/a.txt": b"first", "set/deep/er/b.txt": b"second" * 1000, "c": b""}


def entry(name, kind=tarfile.REGTYPE, *, link="", mode=0o644, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, size
    return info


def tar(path, entries, mode="w", form=tarfile.PAX_FORMAT):
    with tarfile.open(path, mode, format=form) as file:
        for info, data in entries:
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def zipped(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            file.writestr(name, data)
    return path


def refused(archive, tmp_path, match):
    """It is refused, and nothing was written, inside or out."""
    before = sorted(p for p in tmp_path.rglob("*"))
    with pytest.raises(DataError, match=match) as error:
        extract(archive, tmp_path / "out" / "set")
    assert error.value.exit_status == 3
    assert "\n" not in str(error.value)
    after = sorted(p for p in tmp_path.rglob("*") if p != tmp_path / "out")
    assert after == before
    return str(error.value)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_good_tar(tmp_path, mode):
    path = tar(tmp_path / "x.tar", [(entry(name), data) for name, data in GOOD.items()], mode)
    assert contents(extract(path, tmp_path / "out")) == GOOD
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "x.tar"]


def test_a_good_zip(tmp_path):
    path = zipped(tmp_path / "x.zip", [("set/", b""), *GOOD.items()])
    assert contents(extract(path, tmp_path / "out")) == GOOD


def test_real_archives_of_other_tools(tmp_path, real_file):
    folder = extract(real_file("camvid/CamVid_subset.zip"), tmp_path / "camvid")
    with zipfile.ZipFile(real_file("camvid/CamVid_subset.zip")) as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
        assert sorted(contents(folder)) == sorted(names)
        assert contents(folder)[names[0]] == file.read(names[0])


LINK = tarfile.SYMTYPE
D11 = {
    "dots": ([entry("a"), entry("../esc.txt")], "member 2 '../esc.txt': leaves the folder"),
    "dots inside": ([entry("a/../../esc.txt")], "leaves the folder"),
    "absolute": ([entry("/etc/esc.txt")], "is an absolute path"),
    "symlink": ([entry("l", LINK, link=".."), entry("l/esc.txt")], "member 1 'l': is a symbolic"),
    "hard link": ([entry("l", tarfile.LNKTYPE, link="/etc/passwd")], "is a hard link"),
    "pipe": ([entry("p", tarfile.FIFOTYPE)], "is a pipe"),
    "device": ([entry("d", tarfile.CHRTYPE)], "is a device"),
    "block device": ([entry("d", tarfile.BLKTYPE)], "is a device"),
    "setuid": ([entry("s", mode=0o4755)], "setuid"),
    "setgid": ([entry("s", mode=0o2755)], "setuid"),
    "duplicate": ([entry("a"), entry("b"), entry("a")], "member 3 'a': is there twice"),
    "file and folder": ([entry("a"), entry("a/b")], "is there twice"),
    "folder and file": ([entry("a/b"), entry("./a")], "is there twice"),
    "case": ([entry("Cat/1"), entry("cat/2")], "differs from 'Cat' in case only"),
    "long": ([entry("x/" * 149 + "yy")], "has a name of 300 characters"),
    "longer": ([entry("x" * 5000)], "has a name of 5000 characters"),
    "backslash": ([entry("..\\esc.txt")], "has a backslash"),
    "drive": ([entry("C:esc.txt")], "is an absolute path"),
    "newline": ([entry("a\nb")], "control character"),
    "unknown kind": ([entry("v", b"V")], "is of an unknown kind"),
    "nothing": ([], "holds nothing"),
}


@pytest.mark.parametrize("case", D11)
def test_d11_tar_members_that_are_not_what_they_should_be(tmp_path, case):
    entries, match = D11[case]
    for mode in ("w", "w:gz"):
        path = tar(tmp_path / "x.tar", [(info, b"") for info in entries], mode)
        refused(path, tmp_path, match)


def test_d11_tar_names_with_a_nul(tmp_path):
    info = entry("a")
    info.pax_headers = {"path": "a\0b"}
    refused(tar(tmp_path / "x.tar", [(info, b"")]), tmp_path, "control character")


def test_d11_tar_of_a_million_members(tmp_path, monkeypatch):
    one = tarfile.TarInfo("x" * 10).tobuf(tarfile.USTAR_FORMAT)
    named = []
    for number in range(3000):
        info = tarfile.TarInfo(f"file-{number}")
        named.append(info.tobuf(tarfile.USTAR_FORMAT))
    assert len(one) == 512
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2000)
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(named) + bytes(1024))
    refused(path, tmp_path, "more than 2,000 members")


def test_d11_modes_become_plain(tmp_path):
    entries = [(entry("run.sh", mode=0o777), b"x"), (entry("d", tarfile.DIRTYPE, mode=0o2000), b"")]
    folder = extract(tar(tmp_path / "x.tar", entries), tmp_path / "out")
    assert (folder / "run.sh").stat().st_mode & 0o7777 == 0o644
    assert (folder / "d").stat().st_mode & 0o7000 == 0


def test_d11_a_header_too_large_for_memory(tmp_path):
    info = entry("a")
    info.pax_headers = {"comment": "x" * (8 << 20)}
    refused(tar(tmp_path / "x.tar", [(info, b"")], "w:gz"), tmp_path, "a header of more than")


def zip_entry(name, *, mode=0, encrypted=False):
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    info.flag_bits |= 1 if encrypted else 0
    return info


D12 = {
    "dots": ([zip_entry("a"), zip_entry("../esc.txt")], "member 2 '../esc.txt': leaves the"),
    "absolute": ([zip_entry("/esc.txt")], "is an absolute path"),
    "symlink": ([zip_entry("l", mode=0o120777)], "is a symbolic link"),
    "device": ([zip_entry("l", mode=0o020666)], "is neither file nor folder"),
    "case": ([zip_entry("Read.me"), zip_entry("README.ME"), zip_entry("read.ME")], "in case only"),
    "backslash": ([zip_entry("..\\esc.txt")], "has a backslash"),
    "nul": ([zip_entry("a\0b")], "control character"),
    "empty": ([], "holds nothing"),
}


@pytest.mark.parametrize("case", D12)
def test_d12_zip_members_that_are_not_what_they_should_be(tmp_path, case):
    entries, match = D12[case]
    refused(zipped(tmp_path / "x.zip", [(info, b"x") for info in entries]), tmp_path, match)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_d12_zip_with_a_name_twice(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a", b"1"), ("b", b"2"), ("a", b"3")])
    refused(path, tmp_path, "member 3 'a': is there twice")


def test_d12_an_encrypted_zip(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a", b"1")])
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + place] |= 1
    path.write_bytes(data)
    refused(path, tmp_path, "is encrypted")


def test_d13_a_zip_bomb_is_refused_by_what_it_declares(tmp_path):
    path = zipped(tmp_path / "x.zip", [("zeros", bytes(1 << 20))])
    data = bytearray(path.read_bytes())
    assert (1 << 20) / len(data) > 500
    place = data.index(b"PK\1\2") + 24
    data[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, tmp_path, "over 1 GB from")


def test_d13_a_zip_that_holds_more_than_the_data_set(tmp_path):
    path = zipped(tmp_path / "x.zip", [("zeros", bytes(1 << 20))])
    with pytest.raises(DataError, match="more than the 900,000 bytes declared"):
        extract(path, tmp_path / "out", declared=900_000)
    extract(path, tmp_path / "out", declared=1_000_000)


def test_d13_a_zip_within_a_zip_is_a_file(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("zeros", bytes(1 << 20))]).read_bytes()
    folder = extract(zipped(tmp_path / "x.zip", [("inner.zip", inner)]), tmp_path / "out")
    assert contents(folder) == {"inner.zip": inner}


def test_d13_a_tar_that_declares_more_than_it_may(tmp_path):
    head = entry("zeros", size=10 << 30).tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / "x.tar"
    path.write_bytes(head + bytes(10_240))
    refused(path, tmp_path, "over 1 GB from")
    path = tar(tmp_path / "y.tar", [(entry("zeros"), bytes(1 << 20))], "w:gz")
    with pytest.raises(DataError, match="more than the 900,000 bytes declared"):
        extract(path, tmp_path / "out", declared=900_000)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_d14_a_truncated_tar_leaves_nothing(tmp_path, mode):
    whole = tar(
        tmp_path / "x.tar",
        [(entry("a"), os.urandom(49_152)), (entry("b"), os.urandom(10_000))],
        mode,
    ).read_bytes()
    tarfile_end = 512 + 49_152 + 512 + 10_240  # where the last member ends in a plain tar
    lengths = [10, 511, 512, 30_000, 512 + 49_152, len(whole) - 15_000]
    lengths += [tarfile_end, tarfile_end - 1] if mode == "w" else [len(whole) - 1]
    for length in lengths:
        path = tmp_path / "x.tar"
        path.write_bytes(whole[:length])
        refused(path, tmp_path, "is cut short|damaged or cut short|trailer is missing")


def test_d14_a_truncated_zip_leaves_nothing(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a", os.urandom(5000)), ("b", os.urandom(5000))])
    whole = path.read_bytes()
    for length in (30, 2000, 5060, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, tmp_path, "cut short|is not zip")


def test_d14_damage_within_a_zip_leaves_nothing(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a", b"x" * 5000), ("b", os.urandom(5000))])
    whole = bytearray(path.read_bytes())
    whole[-3000] ^= 0xFF
    path.write_bytes(whole)
    refused(path, tmp_path, "damaged or cut short")


def test_d14_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*words):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tar(tmp_path / "x.tar", [(entry("a"), b"x")])
    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    with pytest.raises(ResourceError, match="disk full"):
        extract(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar"]


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    path = tar(tmp_path / "x.tar", [(entry("a"), b"x")])
    assert contents(extract(path, tmp_path / "out")) == {}


def test_an_archive_that_is_none(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"<html>not here</html>")
    refused(path, tmp_path, "is a web page")
    path.write_bytes(os.urandom(5000))
    refused(path, tmp_path, "damaged or cut short")
    with pytest.raises(DataError, match="does not exist"):
        extract(tmp_path / "gone.tar", tmp_path / "out")
