"""The wide CSV layout: one channel and local day a line, then one value an interval.

`meter,register,date,unit,interval_minutes[,quality][,commodity][,flow][,utc_offset],00:00,00:15,…`: the values follow each other from
local midnight on, so a
line of 15-minute values holds 96, on the day summer time begins 92 and on the day it ends 100. A line of 96 on the short day is read when
the skipped hour is empty.
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
from mains.metering.formats.local_time import day_bounds, skipped_seconds
from mains.metering.formats.scan import EMPTY, NO_OFFSET, OK
from mains.metering.formats.source import Block, Source, blocks, line_bounds
from mains.metering.model import ParsedFile, Quality

NEEDED = ("meter", "register", "date", "unit", "interval_minutes")

_CELL_FAULTS = (
    (2, "not-a-number", "values that are no plain decimals"),
    (3, "absurd-value", "values longer than any meter's"),
    (4, "finer-than-storable", "values with more digits than can be kept"),
)


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a wide CSV file; days are local to `timezone` (IANA) unless a row has its utc_offset."""
    table = open_table(timezone)
    for part, block in enumerate(blocks(source.stream), start=1):
        findings = Findings(source.name)
        overlong = block.report_overlong(findings)
        if table and part == 1:
            line, _, _ = block.data.partition(b"\n")
            table = table if read_header(line, table, findings, needed=NEEDED) else None
        found, channels, reads = overlong, [], []
        if table is None:
            found += _all_refused(block, findings, part, timezone)
        else:
            rows, held = _block(block, int(part == 1), table, findings)
            channels, reads = assemble(rows, table.streams, findings, limits=limits)
            found += held
        yield ParsedFile(
            file=source.name,
            format="csv_wide",
            sha256=source.sha256,
            found=found,
            channels=channels,
            register_reads=reads,
            issues=findings.issues(),
            part=part,
        )


def _all_refused(block: Block, findings: Findings, part: int, timezone: str | None) -> int:
    """Without columns no value can be read: all cells after the named columns count as refused."""
    held = sum(max(line.count(b",") - len(NEEDED) + 1, 1) for line in block.data.split(b"\n")[part == 1 :] if line.strip())
    return refuse_all(held, first_line=block.first_line, timezone=timezone, findings=findings)


def _block(block: Block, first: int, table: Table, findings: Findings) -> tuple[Rows, int]:
    """The rows of a block and how many readings it holds, refused ones included."""
    starts, ends = line_bounds(block.data)
    buf = np.frombuffer(block.data, dtype=np.uint8)
    n, room = len(starts), block.data.count(b",") + len(starts)
    names, words = interning(n, scan.KEYS), interning(n, 1)
    days: tuple[Any, ...] = (
        np.empty(n, np.int64),
        *(np.empty(n, np.int32) for _ in range(3)),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
    )
    cells = (np.empty(room, np.int64), np.empty(room, np.int16), np.empty(room, np.uint8))
    faults = np.empty((n, 3), dtype=np.int64)
    count, _, faulty, known, said = scan.wide_rows(buf, starts, ends, first, table.roles, names, words, days, cells, faults)
    for fault, index, held in faults[:faulty].tolist():
        code, message = (
            ("wrong-field-count", "the row holds no values")
            if fault == scan.WRONG_FIELDS
            else ("bad-date", "the date is no date like 2026-07-01")
        )
        findings.add(code, message, line=block.first_line + index, count=held)
    day, name_of, word_of, line, head, width = (column[:count] for column in days)
    meant = [table.name(key) for key in names_of(block.data, names[1], known)]
    quality = np.append(qualities_of(block.data, words[1], said), np.uint8(0))[word_of]
    good, begins, expected = _expected(day, name_of, meant, table)
    positions, is_kept, cell_row = _positions(day, name_of, head, width, cells[2], expected, meant, table)
    fits = good & (np.bincount(cell_row[is_kept], minlength=count) == expected) if count else good
    filled = (
        np.bincount(cell_row[cells[2][: len(cell_row)] != EMPTY], minlength=count)[:count]
        if len(cell_row)
        else np.zeros(count, dtype=np.int64)
    )
    held_bad = _report(~fits, good, np.maximum(filled, 1), name_of, meant, line + block.first_line, findings, table)
    chosen = np.flatnonzero(is_kept & fits[cell_row]) if len(cell_row) else np.zeros(0, dtype=np.int64)
    owner = cell_row[chosen]
    interval = np.array([name.interval_s for name in meant] or [0], dtype=np.int32)[name_of][owner]
    state = cells[2][chosen]
    rows = Rows(
        stream=np.array([name.stream for name in meant] or [0], dtype=np.int32)[name_of][owner],
        interval=interval,
        start=begins[owner] + positions[chosen] * interval,
        mantissa=cells[0][chosen],
        exponent=cells[1][chosen] + np.array([name.exponent for name in meant] or [0], dtype=np.int16)[name_of][owner],
        quality=np.where(state == EMPTY, np.uint8(Quality.MISSING), quality[owner]),
        line=(line[owner] + block.first_line).astype(np.int32),
    )
    for number in np.unique(rows.stream).tolist():
        table.set_offset(number, at=int(rows.start[rows.stream == number][0]), seen=None)
    total = len(rows) + held_bad + int(faults[:faulty, 2].sum())
    for fault, code, message in _CELL_FAULTS:
        rows, state = refuse(rows, state == fault, code, message, findings), state[state != fault]
    assert (state <= max(OK, EMPTY)).all()
    return refuse(rows, rows.quality == UNKNOWN_QUALITY, "unknown-quality", "the quality word is not known", findings), total


def _expected(
    day: NDArray[np.int64], name_of: NDArray[np.int32], meant: list[Name], table: Table
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """For each row: whether its channel and day can be known, the instant its day begins, and the intervals the day has."""
    offset = np.array([name.offset_min for name in meant] or [0], dtype=np.int64)[name_of]
    interval = np.array([name.interval_s for name in meant] or [0], dtype=np.int64)[name_of]
    stream = np.array([name.stream for name in meant] or [0], dtype=np.int64)[name_of]
    begins, ends = day * DAY - offset * 60, (day + 1) * DAY - offset * 60
    is_local = offset == NO_OFFSET
    if table.zone is not None and is_local.any():
        begins[is_local], ends[is_local] = day_bounds(day[is_local], table.zone)
    good = (stream >= 0) & (interval > 0) & (~is_local | (table.zone is not None))
    length = np.maximum(interval, 1)
    good &= (ends - begins) % length == 0
    return good, begins, np.where(good, (ends - begins) // length, -1)


def _positions(
    day: NDArray[np.int64],
    name_of: NDArray[np.int32],
    head: NDArray[np.int64],
    width: NDArray[np.int64],
    states: NDArray[np.uint8],
    expected: NDArray[np.int64],
    meant: list[Name],
    table: Table,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """For each cell: its place in the day, whether it counts, and its row. Empty cells past the day's end, or in its skipped hour, do not
    count."""
    cell_row = np.repeat(np.arange(len(day)), width)
    positions = np.arange(len(cell_row)) - np.repeat(head, width)
    past_end = positions >= expected[cell_row]
    is_kept = ~(past_end & (states[: len(cell_row)] == EMPTY))
    for row in np.flatnonzero((expected > 0) & (width > expected)).tolist():
        interval = meant[name_of[row]].interval_s
        if table.zone is None or meant[name_of[row]].offset_min != NO_OFFSET or width[row] * interval != DAY:
            continue
        span = slice(int(head[row]), int(head[row] + width[row]))
        gap = sorted({second // interval for second in skipped_seconds(int(day[row]), table.zone)})
        if gap and len(gap) == width[row] - expected[row] and (states[span][gap] == EMPTY).all():
            is_kept[span] = True
            is_kept[span.start + np.array(gap)] = False
            positions[span] = np.cumsum(is_kept[span]) - 1
    return positions, is_kept, cell_row


def _report(
    bad: NDArray[np.bool_],
    good: NDArray[np.bool_],
    held: NDArray[np.int64],
    name_of: NDArray[np.int32],
    meant: list[Name],
    line: NDArray[np.int32],
    findings: Findings,
    table: Table,
) -> int:
    """Issues of the rows that cannot be read, and how many readings they held."""
    for row in np.flatnonzero(bad).tolist():
        name = meant[name_of[row]]
        if name.stream < 0:
            code, message = name.code, name.message
        elif good[row]:
            code, message = "wrong-interval-count", "the row does not hold one value for each interval of its local day"
        elif name.offset_min == NO_OFFSET and table.zone is None:
            code, message = "missing-offset", "a local day, and no time zone is named"
        else:
            code, message = "unsupported-interval", f"an interval of {name.interval_s} s does not divide the local day"
        findings.add(code, message, line=int(line[row]), count=int(held[row]))
    return int(held[bad].sum())
