"""An export as the bytes of a file, piece by piece, in any of the formats."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, cast
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.metering.exporting import csv_layout, green_button, register_reads, tables
from mains.metering.exporting.selecting import Stretch
from mains.metering.exporting.spans import spans

FORMATS = {"espi": "application/atom+xml", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.stream"}
"""Formats that readings are exported in, and their media types."""

ENDINGS = {"espi": "xml", "csv": "csv", "parquet": "parquet", "arrow": "arrows"}
_IN_MEMORY, _PIECE = 32 << 20, 1 << 20


def pieces(
    conn: Connection,
    stretches: Sequence[Stretch],
    *,
    format: str,  # noqa: A002 - the word the command line uses
    zone: ZoneInfo,
    at: datetime,
    title: str = "Green Button usage",
) -> Iterator[tuple[bytes, int]]:
    """The bytes, and how many readings with a value each piece brings; `zone` is the utility's, `at` now."""
    found = spans(conn, stretches)
    if format == "csv":
        yield from ((text.encode(), count) for text, count in csv_layout.csv_pieces(found, zone))
    elif format == "espi":
        usages = register_reads.held_by_green_button(register_reads.usages(conn, stretches))
        yield from ((text.encode(), count) for text, count in green_button.feed(found, stretches, zone=zone, title=title, at=at, usages=usages))
    elif format == "arrow":
        yield from tables.arrow_pieces(found, tables.schema(stretches))
    else:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
            yield b"", tables.write_parquet(cast("IO[bytes]", whole), found, tables.schema(stretches))
            whole.seek(0)
            while piece := whole.read(_PIECE):
                yield piece, 0


def write(file: IO[bytes], found: Iterator[tuple[bytes, int]]) -> int:
    """Write pieces; how many readings with a value they held."""
    count = 0
    for piece, readings in found:
        file.write(piece)
        count += readings
    return count

