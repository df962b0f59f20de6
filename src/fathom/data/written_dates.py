"""Dates and numbers as people write them, and in ISO form: a translation learned in a minute.

Built in and without end: `the 5th of march 1999` is `1999-03-05`, `two thousand and twelve` is
`2012`. The parts change places, months become numbers and words digits: all that makes
translation harder than copying, in a vocabulary of some ninety words.
"""

from __future__ import annotations

import calendar
import random
import re
from collections.abc import Sequence

from fathom.data.sources import Source

SOURCE = Source(
    name="dates",
    title="dates and numbers written out, to ISO form: 12,000 pairs, made from a seed, built in",
    home="https://www.iso.org/iso-8601-date-and-time-format.html",
    licence="made by Fathom: public domain",
    kind="pairs",
)
PAIRS = 12_000
YEARS = 1900, 2099
NUMBERS_SHARE = 0.15

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_TOKEN = re.compile(r"[^\W\d_]+|\S")
_TOO_WIDE = re.compile(
    r"(?<=\d) (?=(?:\d|st|nd|rd|th)\b)| (?=[,.\-/])|(?<=[-/]) |(?<=\d \.) |(?<=\d ,) (?=\d \d \d$)"
)


def tokens(text: str) -> list[str]:
    """Words, digits one by one, and signs: `5th Mar, '99` is 5 th mar , ' 9 9."""
    return _TOKEN.findall(text.lower())


def text(tokens: Sequence[str]) -> str:
    """Tokens as they were written: digits together, no space before a comma."""
    return _TOO_WIDE.sub("", " ".join(tokens))


def pairs(count: int = PAIRS, seed: int = 0) -> list[tuple[str, str]]:
    """`count` pairs of what is written and its ISO form; nothing is written twice."""
    chance = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        written, meant = _number(chance) if chance.random() < NUMBERS_SHARE else _date(chance)
        made[written] = meant
    return list(made.items())


def _date(chance: random.Random) -> tuple[str, str]:
    year, month = chance.randint(*YEARS), chance.randint(1, 12)
    day = chance.randint(1, calendar.monthrange(year, month)[1])
    name, weekday = _MONTHS[month - 1], _DAYS[calendar.weekday(year, month, day)]
    suffixed, ordinal, spoken = f"{day}{_suffix(day)}", _ordinal(day), _spoken_year(year)
    forms = [
        f"{day} {name} {year}",
        f"{day} {name[:3]} {year}",
        f"{suffixed} {name} {year}",
        f"{name} {day}, {year}",
        f"{name[:3]}. {day}, {year}",
        f"{name} {suffixed}, {year}",
        f"the {suffixed} of {name} {year}",
        f"the {ordinal} of {name} {spoken}",
        f"{name} the {ordinal}, {spoken}",
        f"{month}/{day}/{year}",  # with strokes the month comes first, with dots the day
        f"{day}.{month}.{year}",
        f"{weekday}, {day} {name} {year}",
    ]
    return chance.choice(forms), f"{year}-{month:02}-{day:02}"


def _number(chance: random.Random) -> tuple[str, str]:
    number = chance.randrange(10 ** chance.choice([2, 3, 4, 4]))
    forms = [_spoken(number)]
    if number >= 1000:
        forms.append(f"{number:,}")
    return chance.choice(forms), str(number)


def _suffix(day: int) -> str:
    return "th" if day // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _below_hundred(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    tens, units = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_UNITS[units]}" if units else "")


def _spoken(number: int) -> str:
    """A number below 10,000 in words, as in Britain: nine hundred and five."""
    thousands, below = divmod(number, 1000)
    hundreds, rest = divmod(below, 100)
    parts = [f"{_UNITS[thousands]} thousand"] if thousands else []
    parts += [f"{_UNITS[hundreds]} hundred"] if hundreds else []
    if rest or not parts:
        parts += ["and"] if parts else []
        parts.append(_below_hundred(rest))
    return " ".join(parts)


def _ordinal(number: int) -> str:
    """A number below 100 as a place: twenty-first."""
    head, dash, last = _below_hundred(number).rpartition("-")
    if last in _IRREGULAR:
        return head + dash + _IRREGULAR[last]
    return head + dash + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def _spoken_year(year: int) -> str:
    """Nineteen ninety-nine, nineteen hundred, nineteen oh five, two thousand and five."""
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return _spoken(year)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {'oh ' if rest < 10 else ''}{_below_hundred(rest)}"
