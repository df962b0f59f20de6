"""The prose of Python's own documentation topics, which come with every Python: no download.

What `help("assignment")` shows, less headings, grammar and examples. Each version of Python has
its own, so figures found on it name the version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fathom.data.sources import Source

SOURCE = Source(
    name="pydoc",
    title="pydoc: the topics of Python's documentation, some 24,000 words of English, built in",
    home="https://docs.python.org/3/reference/",
    licence="PSF License Version 2",
    kind="text",
)
_PROSE = re.compile(r"[A-Z].*[.:]", re.DOTALL)


def pieces() -> Iterator[str]:
    """Its paragraphs in lower-case letters, as the book cleans its text; each ends in a space."""
    from fathom.text.tokenise import letters

    for paragraph in paragraphs():
        yield "".join(f"{line} " for line in letters(paragraph))


def paragraphs() -> Iterator[str]:
    """Every paragraph once, on one line: those that begin with a capital and end in a stop."""
    from pydoc_data.topics import topics

    seen = set()
    for name in sorted(topics):
        for block in topics[name].split("\n\n"):
            paragraph = " ".join(block.split())
            if block[:1].isspace() or paragraph in seen or not _PROSE.fullmatch(paragraph):
                continue  # an example, told before, or no sentence
            seen.add(paragraph)
            yield paragraph
