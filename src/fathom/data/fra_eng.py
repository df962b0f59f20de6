"""English sentences with their French translations: 167,130 pairs, the shortest first.

Source   Tatoeba's sentences as www.manythings.org/anki exported them on 2019-04-07; book 9.5.
Differs  The book's archive holds the same text in a folder `fra-eng/`.
"""

from __future__ import annotations

import zipfile

from fathom.data.sources import File, Packing, Source, fetch

SOURCE = Source(
    name="fra-eng",
    title="English sentences and their French translations: 167,130 pairs of Tatoeba",
    home="https://www.manythings.org/anki/",
    licence="CC BY 2.0 FR, Tatoeba",
    kind="pairs",
    packings=(
        Packing(
            "zip",
            (
                File(
                    "fra-eng.zip",
                    3_423_204,
                    "036e7dc4e83d393db24720ca0c7b7ddcb4b6b6053960438a5c0e1d6d8f2528f5",
                    (
                        "https://github.com/d2l-ai/d2l-en/raw/b55adcf78796dd82c5d68e52156b3f5992aa4601/"
                        "chapter_attention-mechanism/fra-eng.zip",
                    ),
                ),
            ),
        ),
        Packing(
            "text",
            (
                File(
                    "fra.txt",
                    11_669_748,
                    "0bb85dbaa1c896844649094d7eaf2e34bee34e84fe362b26ce7e8f2e12aae104",
                ),
            ),
        ),
    ),
)


def text() -> str:
    """The file as it is: on each line a sentence, a tab, its translation."""
    (path,) = fetch(SOURCE).values()
    if path.suffix == ".txt":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as archive:  # verified: it is the file that we know
        return archive.read("fra.txt").decode("utf-8")
