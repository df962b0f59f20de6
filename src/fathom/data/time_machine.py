"""The Time Machine by H. G. Wells (1895): the book's text for language models.

Source   Book 8.2, whose cleaning it gets: letters only, 170,580 of them with the spaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from fathom.data.sources import File, Packing, Source, fetch

SOURCE = Source(
    name="time-machine",
    title="The Time Machine: a novel of 32,775 words, in English",
    home="https://www.gutenberg.org/ebooks/35",
    licence="public domain",
    kind="text",
    packings=(
        Packing(
            "txt",
            (
                File(
                    "timemachine.txt",
                    178_979,
                    "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
                    ("https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",),
                ),
            ),
        ),
    ),
)


def pieces() -> Iterator[str]:
    """The 3,221 lines in lower-case letters. As in the book no space joins a line to the next."""
    from fathom.text.tokenise import letters

    (path,) = fetch(SOURCE).values()
    return iter(letters(path.read_text(encoding="utf-8")))
