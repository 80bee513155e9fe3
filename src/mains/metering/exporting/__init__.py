"""Readings on their way out: exact values in the channel's unit, as rows, CSV, Parquet, Arrow or Green Button.

A stretch says whose readings of which time are meant (`selecting`); spans are its readings as arrays (`spans`); `csv_layout`, `tables` and `green_button` write them,
piece by piece however long the stretch, and import reads each of them back to the same readings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.metering.exporting.csv_layout import COLUMNS, Text, write_csv
from mains.metering.exporting.selecting import Stretch, of_channels
from mains.metering.exporting.spans import spans
from mains.metering.load import as_instant
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel

__all__ = ["COLUMNS", "Reading", "Text", "of_stretches", "readings", "write_csv"]


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
    return of_stretches(conn, of_channels(channels, from_at, to_at))


def of_stretches(conn: Connection, stretches: Sequence[Stretch]) -> Iterator[Reading]:
    """Intervals of stretches, one after the other in order of time."""
    for span in spans(conn, stretches):
        channel = span.stretch.channel
        for start, raw, quality in zip(span.starts.tolist(), span.values.tolist(), span.quality.tolist(), strict=True):
            value = None if raw == MISSING else raw * channel.step
            yield Reading(channel=channel, start=as_instant(start), interval_s=span.interval_s, value=value, quality=Quality(quality))

