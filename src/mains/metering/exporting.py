"""Readings on their way out: one value an interval, in the channel's unit, exact, and the CSV layout that import reads back to the same readings."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.metering.load import as_instant, packed_blocks
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel
from mains.metering.wire import with_gaps_marked

COLUMNS = ("meter", "register", "start", "value", "unit", "quality", "interval_minutes", "commodity", "flow")
"""The long CSV layout."""


class Text(Protocol):
    """What takes text."""

    def write(self, text: str, /) -> object:
        """Take a piece."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One interval of a channel: `value` in the channel's unit, None where it is missing."""

    channel: Channel
    start: datetime
    interval_s: int
    value: Decimal | None
    quality: Quality

    def as_row(self, zone: ZoneInfo) -> dict[str, object]:
        """The reading as a line of `COLUMNS`, its start in a zone."""
        value = None if self.value is None else format(self.value.normalize(), "f")
        start = self.start.astimezone(zone).isoformat(timespec="minutes")
        channel = self.channel
        row = (channel.meter_number, channel.register, start, value, channel.unit, self.quality.name.lower(), self.interval_s // 60, channel.commodity, channel.flow)
        return dict(zip(COLUMNS, row, strict=True))


def readings(conn: Connection, channels: Sequence[Channel], from_at: datetime, to_at: datetime) -> Iterator[Reading]:
    """Intervals of stored blocks that start in [from_at, to_at), channel after channel in order of time, whatever their lengths."""
    begin, end = from_at.timestamp(), to_at.timestamp()
    for channel in channels:
        step = channel.step
        days = []
        for packed in packed_blocks(conn, np.array([channel.channel_id]), from_at, to_at):
            values = packed.values()
            quality = with_gaps_marked(values, packed.quality())
            days += [(start, packed.interval_s, *day) for start, *day in zip(packed.block_start.tolist(), values.tolist(), quality.tolist(), strict=True)]
        for first, interval_s, values, quality in sorted(days):
            for i, (raw, mark) in enumerate(zip(values, quality, strict=True)):
                start = first + i * interval_s
                if begin <= start < end:
                    value = None if raw == MISSING else raw * step
                    yield Reading(channel=channel, start=as_instant(start), interval_s=interval_s, value=value, quality=Quality(mark))


def write_csv(file: Text, rows: Iterable[Reading], zone: ZoneInfo) -> int:
    """Write readings that have a value in the long layout; how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for reading in rows:
        if reading.value is not None:
            writer.writerow(reading.as_row(zone).values())
            count += 1
    return count
