"""`fathom data`: list, where, check, get; with no network at all."""

from __future__ import annotations

import pytest

from calling import call, done


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("FATHOM_OFFLINE", "1")
    monkeypatch.delenv("FATHOM_DATA", raising=False)


def test_list():
    rows = {row["name"]: row for row in done("data", "list", "--json").json}
    assert {"digits", "fashion-mnist", "airfoil", "house-prices"} <= set(rows)
    assert rows["digits"]["built_in"]
    assert rows["digits"]["here"]
    assert not rows["fashion-mnist"]["here"]
    assert rows["fashion-mnist"]["bytes"] > 30e6
    assert all(row["licence"] and row["home"] and row["title"] for row in rows.values())
    out = done("data", "list").out
    assert "built in" in out
    assert "30.9 MB" in out


def test_where(tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_DATA", "/a:/b")
    (row,) = done("data", "where", "airfoil", "--json").json
    assert row["looked_into"] == [
        "/a/airfoil",
        "/b/airfoil",
        str(tmp_path / "cache" / "data" / "airfoil"),
    ]
    out = done("data", "where").out
    assert "digits\n  built in\n" in out
    assert "looked into /a/fashion-mnist" in out


def test_check_what_is_missing():
    rows = done("data", "check", "airfoil", "--json").json
    assert [row["status"] for row in rows] == ["missing"]


def test_check_what_is_wrong(tmp_path, monkeypatch):
    place = tmp_path / "mine" / "airfoil"
    place.mkdir(parents=True)
    (place / "airfoil_self_noise.dat").write_bytes(b"800 0 0.3048\n")
    monkeypatch.setenv("FATHOM_DATA", str(tmp_path / "mine"))
    said = call("data", "check", "airfoil", "--json")
    assert said.status == 3
    assert said.json[0]["status"] == "wrong"
    assert said.json[0]["wrong"]
    assert "airfoil_self_noise.dat" in call("data", "check", "airfoil").out


def test_get_what_is_built_in():
    assert done("data", "get", "digits").out == "digits is built in\n"
    assert done("data", "get", "digits", "--json").json == {"name": "digits", "files": {}}


def test_get_offline_says_so():
    said = call("data", "get", "airfoil")
    assert said.status == 3
    assert "FATHOM_OFFLINE" in said.error
