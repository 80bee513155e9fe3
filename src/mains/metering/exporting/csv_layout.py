"""The long CSV layout that import reads back to the same readings; written a span at a time."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mains.metering.exporting.daylight import local_offsets
from mains.metering.exporting.spans import Span
from mains.metering.model import MISSING, Quality

COLUMNS = ("meter", "register", "start", "value", "unit", "quality", "interval_minutes", "commodity", "flow")
"""The long CSV layout."""

QUALITY_NAMES = {quality: quality.name.lower() for quality in Quality} | {Quality.FINAL_SUBSTITUTE: "final", Quality.FAILED_CHECK: "failed"}
"""The words of the layout that import reads."""


class Text(Protocol):
    """What takes text."""

    def write(self, text: str, /) -> object:
        """Take a piece."""
        ...


def write_csv(file: Text, found: Iterable[Span], zone: ZoneInfo) -> int:
    """Write readings that have a value in the long layout; how many."""
    count = 0
    for text, lines in csv_pieces(found, zone):
        file.write(text)
        count += lines
    return count


def csv_pieces(found: Iterable[Span], zone: ZoneInfo) -> Iterator[tuple[str, int]]:
    """The text of the long layout and how many readings each piece holds; the first is the heading."""
    yield ",".join(COLUMNS) + "\n", 0
    for span in found:
        has_value = span.values != MISSING
        kept = span if has_value.all() else span.where(has_value)
        if len(kept.starts):
            yield _lines(kept, zone), len(kept.starts)


def local_times(starts: NDArray[np.int64], zone: ZoneInfo) -> list[str]:
    """Instants (epoch s) as 2026-07-01T00:00-05:00 in a zone."""
    offsets = local_offsets(starts, zone)
    named = {offset: datetime(2000, 1, 1, tzinfo=timezone(timedelta(seconds=offset))).isoformat()[19:] for offset in np.unique(offsets).tolist()}
    walls = np.datetime_as_string((starts + offsets).astype("datetime64[s]"), unit="m").tolist()
    return [wall + named[offset] for wall, offset in zip(walls, offsets.tolist(), strict=True)]


def _lines(span: Span, zone: ZoneInfo) -> str:
    channel = span.stretch.channel
    distinct, where = np.unique(span.values, return_inverse=True)
    texts = np.array([format((raw * channel.step).normalize(), "f") for raw in distinct.tolist()], dtype=object)[where].tolist()
    head = f"{cell(channel.meter_number)},{cell(channel.register)},"
    behind = f"{span.interval_s // 60},{channel.commodity},{channel.flow}\n"
    tails = {quality: f",{channel.unit},{QUALITY_NAMES[Quality(quality)]},{behind}" for quality in np.unique(span.quality).tolist()}
    rows = zip(local_times(span.starts, zone), texts, span.quality.tolist(), strict=True)
    return "".join([f"{head}{start},{value}{tails[quality]}" for start, value, quality in rows])


def cell(text: str) -> str:
    """A field, quoted where it has to be: import trims what is not."""
    return '"' + text.replace('"', '""') + '"' if text != text.strip() or any(sign in text for sign in ',"\r\n') else text

