"""The long CSV layout: one reading a line, columns named in the first line in any order.

`meter,register,start,value,unit[,quality][,interval_minutes][,commodity][,flow]`; `start` is ISO 8601 with its offset, or local to a
named zone.
An empty value is a missing reading. Without interval_minutes the interval of a channel is the least spacing of its rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.metering.formats import csv_scan as scan
from mains.metering.formats.assemble import DAY, Rows, assemble, refuse
from mains.metering.formats.csv_table import (
    UNKNOWN_QUALITY,
    Name,
    Table,
    interning,
    names_of,
    open_table,
    qualities_of,
    read_header,
    refuse_all,
)
from mains.metering.formats.findings import Findings
from mains.metering.formats.local_time import AMBIGUOUS, SKIPPED, to_instants
from mains.metering.formats.scan import EMPTY, NO_OFFSET
from mains.metering.formats.source import Block, Source, blocks, line_bounds
from mains.metering.model import ParsedFile, Quality

NEEDED = ("meter", "register", "start", "value", "unit")

_FAULTS = {
    scan.WRONG_FIELDS: ("wrong-field-count", "the row has not the fields that the first line names"),
    scan.BAD_TIME: ("bad-time", "the start is no time like 2026-07-01T00:00-05:00"),
    2: ("not-a-number", "the value is no plain decimal"),
    3: ("absurd-value", "the value is longer than any meter's"),
    4: ("finer-than-storable", "the value has more digits than can be kept"),
}


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a long CSV file; `timezone` (IANA) reads the times that carry no offset and fixes the standard day."""
    table = open_table(timezone)
    for part, block in enumerate(blocks(source.stream), start=1):
        findings = Findings(source.name)
        overlong = block.report_overlong(findings)
        first = int(part == 1)
        if table and first:
            line, _, _ = block.data.partition(b"\n")
            table = table if read_header(line, table, findings, needed=NEEDED) else None
        found, channels, reads = overlong, [], []
        if table is None:
            found += _all_refused(block, findings, part, timezone)
        else:
            rows, held = _block(block, first, table, findings)
            channels, reads = assemble(rows, table.streams, findings, limits=limits)
            found += held
        yield ParsedFile(
            file=source.name,
            format="csv_long",
            sha256=source.sha256,
            found=found,
            channels=channels,
            register_reads=reads,
            issues=findings.issues(),
            part=part,
        )


def _all_refused(block: Block, findings: Findings, part: int, timezone: str | None) -> int:
    """Without columns no line can be read: each but the first counts as one reading refused."""
    lines = sum(1 for line in block.data.split(b"\n") if line.strip()) - (part == 1)
    return refuse_all(max(lines, 0), first_line=block.first_line, timezone=timezone, findings=findings)


def _block(block: Block, first: int, table: Table, findings: Findings) -> tuple[Rows, int]:
    """The rows of a block and how many lines hold a reading, refused ones included."""
    starts, ends = line_bounds(block.data)
    buf = np.frombuffer(block.data, dtype=np.uint8)
    n = len(starts)
    names, words = interning(n, scan.KEYS), interning(n, 1)
    raw: tuple[Any, ...] = (
        np.empty(n, np.int64),
        np.empty(n, np.int32),
        np.empty(n, np.int64),
        np.empty(n, np.int16),
        np.empty(n, np.uint8),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
    )
    faults = np.empty((n, 2), dtype=np.int64)
    count, faulty, known, said = scan.long_rows(buf, starts, ends, first, table.roles, names, words, raw, faults)
    for fault, index in faults[:faulty].tolist():
        code, message = _FAULTS[fault]
        findings.add(code, message, line=block.first_line + index, count=1)
    wall, offset, mantissa, exponent, state, name_of, word_of, line = (column[:count] for column in raw)
    meant = [table.name(key) for key in names_of(block.data, names[1], known)]
    quality = np.append(qualities_of(block.data, words[1], said), np.uint8(0))[word_of]
    rows = Rows(
        stream=np.array([name.stream for name in meant] or [0], dtype=np.int32)[name_of],
        interval=_column(meant, "interval_s", np.int32)[name_of],
        start=wall,
        mantissa=mantissa,
        exponent=exponent + _column(meant, "exponent", np.int16)[name_of],
        line=line + np.int32(block.first_line),
        quality=np.where(state == EMPTY, np.uint8(Quality.MISSING), quality),
    )
    kept = refuse_unnamed(rows, name_of, meant, findings)
    rows, offset = rows.where(kept), offset[kept]
    rows = _timed(rows, offset, table, findings)
    rows = refuse(rows, rows.quality == UNKNOWN_QUALITY, "unknown-quality", "the quality word is not known", findings)
    return _spaced(rows, table, findings), count + faulty


def refuse_unnamed(rows: Rows, name_of: NDArray[np.int32], meant: list[Name], findings: Findings) -> NDArray[np.bool_]:
    """Which rows have a channel; the others become issues that say what is wrong with its name."""
    bad = rows.stream < 0
    for number in np.unique(name_of[bad]).tolist():
        name = meant[number]
        lines, counts = np.unique(rows.line[bad & (name_of == number)], return_counts=True)
        findings.add_lines(name.code, name.message, lines=lines.tolist(), counts=counts.tolist())
    return ~bad


def _column(meant: list[Name], field: str, kind: type[np.int32] | type[np.int16]) -> np.ndarray:
    return np.array([getattr(name, field) for name in meant] or [0], dtype=kind)


def _timed(rows: Rows, offset: NDArray[np.int32], table: Table, findings: Findings) -> Rows:
    """Rows at instants: wall-clock times less their offset, or read in the named zone."""
    is_local = offset == NO_OFFSET
    start = rows.start - offset.astype(np.int64) * 60
    bad = np.zeros(len(rows), dtype=np.uint8)
    if is_local.any():
        if table.zone is None:
            bad[is_local] = 3
        else:
            start[is_local], bad[is_local] = to_instants(rows.start[is_local], table.zone)
    rows.start = start
    good = ~is_local & (bad == 0)
    for stream in np.unique(rows.stream).tolist():
        mine = rows.stream == stream
        seen = offset[mine & good]
        table.set_offset(stream, at=int(start[mine][0]), seen=int(seen.min()) if len(seen) else None)
    for state, code, message in (
        (3, "missing-offset", "a local time, and no time zone is named"),
        (AMBIGUOUS, "ambiguous-local-time", "a local time that the clock shows twice"),
        (SKIPPED, "nonexistent-local-time", "a local time that the clock skips"),
    ):
        kept = bad != state
        rows, bad = refuse(rows, ~kept, code, message, findings), bad[kept]
    return rows


def _spaced(rows: Rows, table: Table, findings: Findings) -> Rows:
    """Rows with their interval: as given, else the least spacing seen in their channel."""
    open_rows = rows.interval == 0
    if not open_rows.any():
        return rows
    order = np.lexsort((rows.start, rows.stream))
    stream, start = rows.stream[order], rows.start[order]
    step = np.diff(start)
    step = np.where((np.diff(stream) == 0) & (step > 0), step, np.iinfo(np.int64).max)
    least = np.full(len(table.streams), np.iinfo(np.int64).max)
    np.minimum.at(least, stream[1:], step)
    for number in np.unique(rows.stream[open_rows]).tolist():
        table.inferred.setdefault(number, int(least[number]) if least[number] <= 32 * DAY else 0)
    lengths = np.array([table.inferred.get(number, 0) for number in range(len(table.streams))], dtype=np.int32)
    rows.interval = np.where(open_rows, lengths[rows.stream], rows.interval)
    return refuse(rows, rows.interval == 0, "unknown-interval", "the interval length is neither given nor to be seen", findings)
