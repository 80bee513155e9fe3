"""The long Parquet layout: a row a reading. Instants carry a zone, values are decimals or whole numbers, never floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mains.metering.formats.assemble import Rows, assemble, refuse
from mains.metering.formats.csv_table import UNKNOWN_QUALITY, Name, Table
from mains.metering.formats.findings import Findings
from mains.metering.formats.local_time import AMBIGUOUS, SKIPPED, standard_offset_min, to_instants, zone_named
from mains.metering.formats.parquet_keys import Held, combined, name_of, qualities_of, refuse_rows
from mains.metering.formats.scan import NO_OFFSET, offset_minutes
from mains.metering.model import Quality

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NO_PLACE = 4
_NO_INTERVAL = Name(stream=-1, code="missing-field", message="a row without interval_s")
_FARTHEST = 7_258_118_400


def read(batch: Any, row: int, table: Table, findings: Findings, limits: Mapping[str, float] | None) -> Held:
    """The readings of a batch, the first of which is row `row` of the file."""
    place, keys = combined(batch, ("meter", "register", "unit", "interval_s", "commodity", "flow", "utc_offset_min"))
    named = ("meter", "register", "unit", "interval_s", "commodity", "flow", "offset")
    names = [name_of(table, **dict(zip(named, key, strict=True))) if key[3] is not None else _NO_INTERVAL for key in keys]
    mantissa, exponent, state = _values(batch.column("value"))
    start, bad = _starts(batch.column("start"), table)
    quality = qualities_of(batch)
    stream = np.array([name.stream for name in names] or [0], dtype=np.int32)[place]
    rows = Rows(
        stream=stream,
        interval=np.array([name.interval_s for name in names] or [0], dtype=np.int32)[place],
        start=start,
        mantissa=mantissa,
        exponent=np.array([name.exponent for name in names] or [0], dtype=np.int16)[place] + np.int16(exponent),
        quality=np.where(state == 1, np.uint8(Quality.MISSING), quality),
        line=(row + np.arange(len(batch))).astype(np.int32),
    )
    for number in np.unique(place[stream < 0]).tolist():
        refuse_rows((stream < 0) & (place == number), row, 1, names[number].code, names[number].message, findings)
    for at, code, message in (
        (1, "missing-field", "a row without a start"),
        (2, "bad-time", "a start that is no whole second between 1970 and 2200"),
        (3, "missing-offset", "a start without a zone, and no time zone is named"),
        (_NO_PLACE + AMBIGUOUS, "ambiguous-local-time", "a local time that the clock shows twice"),
        (_NO_PLACE + SKIPPED, "nonexistent-local-time", "a local time that the clock skips"),
    ):
        refuse_rows((bad == at) & (stream >= 0), row, 1, code, message, findings)
    fits = (stream >= 0) & (bad == 0)
    rows, state = rows.where(fits), state[fits]
    is_wide = state == 2
    rows = refuse(rows, is_wide, "absurd-value", "a value longer than any meter's", findings)
    rows = refuse(rows, rows.quality == UNKNOWN_QUALITY, "unknown-quality", "the quality is not known", findings)
    _set_offsets(rows, batch.schema.field("start").type.tz, table)
    channels, reads = assemble(rows, table.streams, findings, limits=limits)
    return Held(found=len(batch), channels=channels, reads=reads)


def _values(column: Any) -> tuple[np.ndarray, int, np.ndarray]:
    """Mantissas, their power of ten, and for each row 0, 1 where it is null or 2 where it is longer than 18 digits."""
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type):
        numbers, scale = column.fill_null(0), 0
        is_wide = numbers.to_numpy(zero_copy_only=False).astype(np.uint64) > 2**63 - 1 if pa.types.is_uint64(column.type) else np.zeros(len(column), dtype=bool)
        low = np.where(is_wide, 0, numbers.to_numpy(zero_copy_only=False)).astype(np.int64)
    else:
        scale = column.type.scale
        whole = column.cast(pa.decimal256(76, scale)) if pa.types.is_decimal256(column.type) else column.cast(pa.decimal128(38, scale))
        width = 4 if pa.types.is_decimal256(column.type) else 2
        words = np.frombuffer(whole.buffers()[1], dtype="<i8").reshape(-1, width)[whole.offset : whole.offset + len(whole)]
        low = words[:, 0].astype(np.int64)
        is_wide = (words[:, 1:] != (low >> 63)[:, None]).any(axis=1) & ~is_null
    is_wide |= np.abs(low) > 10**18
    low = np.where(is_null | is_wide, 0, low)
    while scale > 0 and not (low % 10).any():
        low, scale = low // 10, scale - 1
    return low, -scale, np.where(is_null, 1, np.where(is_wide, 2, 0)).astype(np.uint8)


def _starts(column: Any, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Instants in epoch seconds, and for each row 0 or what is wrong: 1 null, 2 no whole second in reach, 3 no zone, more than 3 a local time that is none."""
    per = _PER_SECOND[column.type.unit]
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    ticks = column.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    start, rest = np.divmod(ticks, per)
    bad = np.where(is_null, 1, np.where((rest != 0) | (start < 0) | (start >= _FARTHEST), 2, 0)).astype(np.uint8)
    if column.type.tz is None:
        if table.zone is None:
            return start, np.where(bad == 0, 3, bad).astype(np.uint8)
        good = bad == 0
        start = np.where(good, start, 0)
        start[good], states = to_instants(start[good], table.zone)
        bad[good] = np.where(states == 0, 0, _NO_PLACE + states)
    return np.where(bad == 0, start, 0), bad


def _set_offsets(rows: Rows, tz: str | None, table: Table) -> None:
    """The standard offset of streams that do not say theirs: the named zone's, else that of the column's."""
    if not len(rows):
        return
    first = int(rows.start[0])
    seen = None
    if tz is not None:
        zone = zone_named(tz)
        fixed = offset_minutes(np.frombuffer(tz.encode(), dtype=np.uint8), 0, len(tz)) if zone is None else NO_OFFSET
        seen = standard_offset_min(zone, first) if zone else (int(fixed) if fixed != NO_OFFSET else 0)
    for stream in np.unique(rows.stream).tolist():
        if table.streams[stream].utc_offset_min == 15 * 60:  # not said
            table.set_offset(stream, at=first, seen=seen if seen is not None else 0)

