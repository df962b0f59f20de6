"""`fathom data`: data sets, where they are, and how to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fathom.cli.output import Answer, short, table
from fathom.core.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from fathom.data.sources import Source


def data(action: Literal["list", "get", "check", "where"], name: str | None = None, /) -> Answer:
    """Data sets: what they are, fetch, verify, where their files are.

    Files are looked for in $FATHOM_DATA/NAME/, then in the cache, then fetched; each is verified
    by its sha256 before use. FATHOM_OFFLINE=1 forbids fetching.

    Args:
        action: list, get (fetch), check (verify what is here) or where (folders looked into)
        name: a data set; all, for check

    Example:
        fathom data list
        fathom data get fashion-mnist
    """
    from fathom.data.sources import source_named, sources

    if action == "list":
        return _list(list(sources().values()))
    if action == "where":
        return _where([source_named(name)] if name else list(sources().values()))
    if action == "check":
        return _check([source_named(name)] if name else list(sources().values()))
    if name is None:
        raise SettingError("fathom data get", "needs a name", "see `fathom data list`")
    return _get(source_named(name))


def _facts(source: Source) -> dict[str, Any]:
    from fathom.data.sources import found

    built_in = not source.packings
    return {
        "name": source.name,
        "title": source.title,
        "kind": source.kind,
        "bytes": source.size,
        "licence": source.licence,
        "home": source.home,
        "here": built_in or found(source) is not None,
        "built_in": built_in,
    }


def _list(sources: list[Source]) -> Answer:
    rows = [_facts(source) for source in sources]

    def page(console: Console) -> None:
        cells = [
            [
                row["name"],
                row["title"],
                "built in" if row["built_in"] else f"{row['bytes'] / 1e6:.1f} MB",
                "yes" if row["here"] else "no",
                row["licence"],
            ]
            for row in rows
        ]
        console.print(table(["name", "", "size", "here", "licence"], cells))

    return Answer(rows, page)


def _where(sources: list[Source]) -> Answer:
    from fathom.core.paths import data_dirs
    from fathom.data.sources import found, place

    rows: list[dict[str, Any]] = []
    for source in sources:
        here = found(source) or {}
        rows.append(
            {
                "name": source.name,
                "looked_into": [
                    *(str(folder / source.name) for folder in data_dirs()),
                    str(place(source)),
                ],
                "files": {name: str(path) for name, path in here.items()},
                "built_in": not source.packings,
            }
        )

    def page(console: Console) -> None:
        for row in rows:
            console.print(f"[bold]{row['name']}[/bold]")
            if row["built_in"]:
                console.print("  built in")
                continue
            for folder in row["looked_into"]:
                console.print(f"  looked into {folder}")
            for path in row["files"].values():
                console.print(f"  found       {path}")

    return Answer(rows, page)


def _check(sources: list[Source]) -> Answer:
    from fathom.data.sources import check

    rows: list[dict[str, Any]] = [
        {"name": source.name, "file": report.file, "status": report.status}
        | {"path": str(report.path) if report.path else None, "wrong": report.wrong}
        for source in sources
        for report in check(source)
    ]

    def page(console: Console) -> None:
        cells = [[r["name"], r["file"], r["status"], r["wrong"] or r["path"]] for r in rows]
        console.print(table(["", "file", "", ""], cells))

    bad = any(row["status"] == "wrong" for row in rows)
    return Answer(rows, page, exit_status=3 if bad else 0)


def _get(source: Source) -> Answer:
    from fathom.cli.downloads import shown_downloads
    from fathom.data.sources import fetch

    with shown_downloads():
        paths = fetch(source)

    def page(console: Console) -> None:
        for path in paths.values():
            console.print(f"have     {short(path)}")
        if not paths:
            console.print(f"{source.name} is built in")

    return Answer({"name": source.name, "files": {n: str(p) for n, p in paths.items()}}, page)
