"""The Parquet layout of blocks: a row a channel and standard-time day, its readings a list; whole days go through as arrays.

A day with anything to be said about single readings (a negative or absurd value, a repeated day …) is taken apart and judged reading by reading, as in other formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mains.base.units import UNITS
from mains.metering.formats.assemble import DAY, DEFAULT_LIMITS, FINEST, Rows, Stream, assemble, refuse
from mains.metering.formats.csv_table import UNKNOWN_QUALITY, Table
from mains.metering.formats.findings import Findings
from mains.metering.formats.parquet_keys import Held, combined, name_of, qualities_of
from mains.metering.model import MISSING, ParsedBlocks, Quality

MOST_SLOTS = 1440
_MOST_POWER = 9
_IS_KNOWN = np.zeros(256, dtype=bool)
_IS_KNOWN[[int(each) for each in Quality if each is not Quality.MISSING]] = True


@dataclass(slots=True, kw_only=True, eq=False)
class _Days:
    """Days of one number of intervals: rows in the file, channels and kinds by number, days from 1970, values, qualities (one a day, or one a reading)."""

    line: np.ndarray
    channel: np.ndarray
    kind: np.ndarray
    day: np.ndarray
    values: np.ndarray
    quality: np.ndarray

    def where(self, chosen: np.ndarray) -> "_Days":
        """Some of them."""
        return _Days(**{name: getattr(self, name)[chosen] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What channels have in common: their columns, the power of ten of a value in base units; `stream` without a name, or why there is none."""

    said: tuple[Any, ...]
    stream: Stream | None
    pow10: int = 0
    code: str = ""
    message: str = ""


def read(batch: Any, row: int, table: Table, findings: Findings, limits: Mapping[str, float] | None) -> Held:
    """The days of a batch, the first of which is row `row` of the file."""
    channel, pairs = combined(batch, ("meter", "register"))
    kind, said = combined(batch, ("unit", "commodity", "flow", "utc_offset_min", "pow10"))
    kinds = [_kind(each) for each in said]
    found, days = _days(batch, row, (channel, kind), findings)
    held = Held(found=found)
    nameless = np.array([not (meter and register) for meter, register in pairs] or [False])
    for each in days:
        _refuse(each, nameless[each.channel], "missing-field", "a row without a meter or a register", findings)
        each = each.where(~nameless[each.channel]) if nameless.any() else each  # noqa: PLW2901 - the rest of them
        for number, one in enumerate(kinds):
            mine = each if len(kinds) == 1 else each.where(each.kind == number)
            if one.stream is None:
                _refuse(mine, np.ones(len(mine.line), dtype=bool), one.code, one.message, findings)
            elif len(mine.line):
                _take(mine, one, one.stream, pairs, table, findings, limits or DEFAULT_LIMITS, held)
    return held


def _take(
    days: _Days, kind: _Kind, stream: Stream, pairs: list[tuple[Any, ...]], table: Table, findings: Findings, limits: Mapping[str, float], held: Held
) -> None:
    """Days of one kind: whole where there is nothing to judge, else reading by reading."""
    is_odd = _is_odd(days, stream, kind.pow10, limits)
    if kind.pow10 < FINEST:
        is_odd[:] = True
    if is_odd.any():
        rows = _apart(days.where(is_odd), kind, pairs, table)
        rows = refuse(rows, rows.quality == UNKNOWN_QUALITY, "unknown-quality", "the quality of a reading is not known", findings)
        channels, reads = assemble(rows, table.streams, findings, limits=limits)
        held.channels += channels
        held.reads += reads
        days = days.where(~is_odd)
    if len(days.line):
        held.blocks.append(_blocks(days, kind, stream, pairs))


def _kind(said: tuple[Any, ...]) -> _Kind:
    """What the columns that channels share come to."""
    unit, commodity, flow, offset, power = said
    scratch = Table(zone=None, zone_name=None)
    name = name_of(scratch, meter="-", register="-", unit=unit, interval_s=None, commodity=commodity, flow=flow, offset=offset)
    if name.stream < 0:
        return _Kind(said=said, stream=None, code=name.code, message=name.message)
    if offset is None:
        return _Kind(said=said, stream=None, code="missing-offset", message="a row without utc_offset_min: its day could begin anywhere")
    if abs(power or 0) > _MOST_POWER:
        return _Kind(said=said, stream=None, code="bad-record", message=f"the power of ten {power} is beyond {_MOST_POWER}")
    return _Kind(said=said, stream=scratch.streams[0], pow10=name.exponent + (power or 0))


def _days(batch: Any, row: int, numbers: tuple[np.ndarray, np.ndarray], findings: Findings) -> tuple[int, list[_Days]]:
    """How many readings a batch holds, and its days that have all they need, by their number of intervals; the others become issues."""
    column = batch.column("values")
    sizes = _sizes(column)
    found = int(sizes.sum())
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    found += int(is_null.sum())
    line = row + np.arange(len(batch), dtype=np.int32)
    no_day = batch.column("day").is_null().to_numpy(zero_copy_only=False)
    day = batch.column("day").fill_null(0).cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    fits = (sizes > 0) & (sizes <= MOST_SLOTS)
    fits[fits] = MOST_SLOTS % sizes[fits] == 0
    marks, sized = (batch.column("qualities"), _sizes(batch.column("qualities"))) if "qualities" in batch.schema.names else (None, sizes)
    quality = qualities_of(batch)
    refused = np.zeros(len(batch), dtype=bool)
    for bad, code, message in (
        (is_null, "null-value", "a row without values"),
        (~fits, "wrong-interval-count", "a list whose values do not divide the day into whole minutes"),
        (no_day, "missing-field", "a row without a day"),
        ((day < 0) | (day >= 84_006), "bad-date", "a day before 1970 or after 2199"),
        ((sized != sizes) & (marks is not None), "wrong-interval-count", "a row whose qualities are not as many as its values"),
        (quality == UNKNOWN_QUALITY, "unknown-quality", "the quality is not known"),
    ):
        for at in np.flatnonzero(bad & ~refused).tolist():
            findings.add(code, message, line=int(line[at]), count=int(sizes[at]) or int(is_null[at]))
        refused |= bad
    flat = _flat(column, MISSING)
    marked = None if marks is None else _flat(marks, 0)
    days = []
    for slots in np.unique(sizes[~refused]).tolist():
        chosen = np.flatnonzero((sizes == slots) & ~refused)
        values = _rows(flat, sizes, chosen, slots)
        each = quality[chosen] if marked is None else _rows(marked, sized, chosen, slots).astype(np.uint8)
        days.append(_Days(line=line[chosen], channel=numbers[0][chosen], kind=numbers[1][chosen], day=day[chosen], values=values, quality=each))
    return found, days


def _rows(flat: np.ndarray, sizes: np.ndarray, chosen: np.ndarray, slots: int) -> np.ndarray:
    """The lists of the chosen rows, [rows, slots], out of the values of all."""
    if len(chosen) == len(sizes):
        return flat.reshape(-1, slots)
    return flat[(np.cumsum(sizes)[chosen] - slots)[:, None] + np.arange(slots)]


def _sizes(column: Any) -> np.ndarray:
    """How many values the list of each row holds; none where the row is null."""
    if pa.types.is_fixed_size_list(column.type):
        return np.where(column.is_null().to_numpy(zero_copy_only=False), 0, column.type.list_size).astype(np.int64)
    return column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)


def _flat(column: Any, null: int) -> np.ndarray:
    """The values of all lists one behind the other, int32, `null` where they are null; those of null rows are left out."""
    child = column.flatten().cast(pa.int32())
    return (child.fill_null(null) if child.null_count else child).to_numpy(zero_copy_only=False)


def _is_odd(days: _Days, stream: Stream, pow10: int, limits: Mapping[str, float]) -> np.ndarray:
    """Which days have to be judged reading by reading."""
    top, low = days.values.max(axis=1).astype(np.int64), days.values.min(axis=1).astype(np.int64)
    gaps = low == MISSING
    if gaps.any():
        known = np.where(days.values[gaps] == MISSING, 0, days.values[gaps])
        low[gaps], top[gaps] = known.min(axis=1), known.max(axis=1)
    is_odd = np.maximum(np.abs(top), np.abs(low)) * 10.0**pow10 > _most(stream.unit, DAY // days.values.shape[1], limits)
    if stream.flow != "net":
        is_odd |= low < 0
    if days.quality.ndim == 1:
        is_odd |= days.quality == Quality.MISSING
    else:
        is_odd |= ~_IS_KNOWN[days.quality].all(axis=1)
    order = np.lexsort((days.day, days.channel))
    again = np.flatnonzero((np.diff(days.channel[order]) == 0) & (np.diff(days.day[order]) == 0))
    is_odd[order[again]] = is_odd[order[again + 1]] = True
    return is_odd


def _most(unit: str, interval_s: int, limits: Mapping[str, float]) -> float:
    """The most that one interval may hold, in a unit."""
    measured = UNITS[unit]
    hours = 1.0 if measured.quantity.endswith("power") else interval_s / 3600
    return limits[measured.quantity] / float(measured.factor) * hours


def _blocks(days: _Days, kind: _Kind, stream: Stream, pairs: list[tuple[Any, ...]]) -> ParsedBlocks:
    """Days of one kind as they are."""
    used, which = np.unique(days.channel, return_inverse=True)
    names = [pairs[number] for number in used.tolist()]
    return ParsedBlocks(
        commodity=stream.commodity, flow=stream.flow, unit=stream.unit, pow10=kind.pow10, interval_s=DAY // days.values.shape[1], utc_offset_min=stream.utc_offset_min,
        meters=[meter for meter, _ in names], registers=[register for _, register in names], which=which.astype(np.int32),
        block_start=days.day * DAY - stream.utc_offset_min * 60, values=days.values, quality=days.quality, lines=days.line,
    )  # fmt: skip


def _apart(days: _Days, kind: _Kind, pairs: list[tuple[Any, ...]], table: Table) -> Rows:
    """The readings of days one by one."""
    n, slots = days.values.shape
    unit, commodity, flow, offset, _ = kind.said
    stream_of = {}
    for number in np.unique(days.channel).tolist():
        meter, register = pairs[number]
        stream_of[number] = name_of(table, meter=meter, register=register, unit=unit, interval_s=None, commodity=commodity, flow=flow, offset=offset).stream
    quality = np.broadcast_to(days.quality[:, None] if days.quality.ndim == 1 else days.quality, (n, slots))
    known = np.where(_IS_KNOWN[quality] | (quality == Quality.MISSING), quality, np.uint8(UNKNOWN_QUALITY))
    return Rows(
        stream=np.repeat(np.array([stream_of[number] for number in days.channel.tolist()], dtype=np.int32), slots),
        interval=np.full(n * slots, DAY // slots, dtype=np.int32),
        start=((days.day * DAY - offset * 60)[:, None] + np.arange(slots) * (DAY // slots)).reshape(-1),
        mantissa=days.values.reshape(-1).astype(np.int64),
        exponent=np.full(n * slots, kind.pow10, dtype=np.int16),
        quality=np.where(days.values == MISSING, np.uint8(Quality.MISSING), known).reshape(-1),
        line=np.repeat(days.line, slots).astype(np.int32),
    )


def _refuse(days: _Days, bad: np.ndarray, code: str, message: str, findings: Findings) -> None:
    for line in days.line[bad].tolist():
        findings.add(code, message, line=line, count=days.values.shape[1])
