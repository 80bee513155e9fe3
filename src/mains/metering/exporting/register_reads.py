"""Register reads on their way out: usages of periods, which Green Button holds, and what a format has to leave out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from psycopg import Connection

from mains.base.sql import Statements
from mains.metering.blocks import DAY
from mains.metering.exporting.selecting import Stretch

_sql = Statements("mains.metering.exporting", "register_reads.sql")
_SHORTEST = 23 * 3600
"""Seconds from which import takes a reading of Green Button for a usage of a period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a channel counted from `start` (epoch s) for `duration_s`, in raw steps of the channel; `quality` is a code of `Quality`."""

    stretch: Stretch
    start: int
    duration_s: int
    raw: int
    quality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Register reads of the stretches asked that a format does not hold: usages that Green Button holds, usages that no format holds, and figures of dials."""

    format: str
    usages: int
    odd_usages: int
    indexes: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.usages + self.odd_usages + self.indexes

    def as_json(self) -> dict[str, int]:
        """Counts by what they are, and by the format that holds them."""
        return {"usages_held_by_espi": self.usages, "usages_held_by_no_format": self.odd_usages, "dial_figures_held_by_no_format": self.indexes}

    def sentence(self) -> str:
        """What was left out, and which format holds it."""
        named = [
            (self.usages, "usages of periods (--format espi holds them)"),
            (self.odd_usages, "usages that would read back as intervals (no format holds them)"),
            (self.indexes, "dial figures (no format holds them)"),
        ]
        return f"{self.total:,} register reads left out of {self.format}: {', '.join(f'{count:,} {what}' for count, what in named if count)}"


def usages(conn: Connection, stretches: Sequence[Stretch]) -> list[Usage]:
    """Usages that begin in the stretches, in the order of these and of time."""
    rows = conn.execute(_sql.usages, _asked(stretches)).fetchall()
    return [Usage(stretch=stretches[n - 1], start=start, duration_s=stop - start, raw=raw, quality=quality) for n, start, stop, raw, quality in rows]


def held_by_green_button(found: Sequence[Usage]) -> list[Usage]:
    """Those that import reads back from Green Button as the usages they are.

    Import takes a reading of 23 hours or more for a usage where one of its register at least is no standard-time day; a feed of whole days alone would read back as daily
    intervals, and beside daily intervals a usage would turn these into usages: such are not held.
    """
    long = sorted((each for each in found if each.duration_s >= _SHORTEST), key=_register_of)
    held: set[tuple[str, str]] = set()
    for register, mine in groupby(long, key=_register_of):
        listed = list(mine)
        if any(map(_is_odd, listed)) and all(each.stretch.channel.interval_s != DAY for each in listed):
            held.add(register)
    return [each for each in found if each.duration_s >= _SHORTEST and _register_of(each) in held]


def left_out(conn: Connection, stretches: Sequence[Stretch], *, format: str) -> LeftOut:  # noqa: A002 - the word the command line uses
    """What of the stretches' register reads an export in a format does not hold."""
    found = usages(conn, stretches)
    held = len(held_by_green_button(found))
    row = conn.execute(_sql.count_indexes, _asked(stretches)).fetchone()
    return LeftOut(format=format, usages=0 if format == "espi" else held, odd_usages=len(found) - held, indexes=row[0] if row else 0)


def _asked(stretches: Sequence[Stretch]) -> dict[str, list[object]]:
    return {
        "channels": [each.channel.channel_id for each in stretches],
        "starts": [each.from_at for each in stretches],
        "ends": [each.to_at for each in stretches],
    }


def _register_of(usage: Usage) -> tuple[str, str]:
    return usage.stretch.channel.meter_number, usage.stretch.channel.register


def _is_odd(usage: Usage) -> bool:
    return usage.duration_s != DAY or (usage.start + usage.stretch.channel.utc_offset_min * 60) % DAY != 0
