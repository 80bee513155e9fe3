"""From flat rows to channels: the checks that all formats share, done for a whole part of a file at once.

Decided here: the power of ten of a channel, what is absurd, duplicates and conflicts, the interval grid, and mixed lengths in a day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.base.units import UNITS
from mains.metering.formats.findings import Findings
from mains.metering.model import MISSING, ChannelKey, Commodity, Flow, IndexRead, ParsedBlocks, ParsedChannel, PeriodRead, Quality

DAY = 86_400
FINEST = -3
"""The finest power of ten of a base unit that is stored of an interval or a stretch of time."""

FINEST_INDEX = -6
"""The finest power of ten of a base unit that is stored of a dial: some show a ten-thousandth of a watt-hour."""

MOST_INDEX = 10**12
"""The most base units that a dial may show."""

DEFAULT_LIMITS: Mapping[str, float] = {
    "energy": 1e9, "reactive_energy": 1e9, "apparent_energy": 1e9, "heat": 1e9, "power": 1e9, "apparent_power": 1e9, "volume": 1e5,
}  # fmt: skip
"""The most that one meter may measure in an hour, in base units (Wh, m³, W): 1 GWh or 100,000 m³."""

_WIDEST = 2**31 - 1
_TENS = 10 ** np.arange(19, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a file says of one channel before its readings: names, unit (a base name such as Wh) and standard offset (minutes east)."""

    key: ChannelKey
    commodity: Commodity
    flow: Flow
    unit: str
    utc_offset_min: int
    service_point_hint: str | None = None
    serial_hint: str | None = None
    timezone_hint: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Rows:
    """Readings in file order, one element each: stream number, interval (s), start (epoch s), value = mantissa x 10^exponent base units,
    quality, line."""

    stream: NDArray[np.int32]
    interval: NDArray[np.int32]
    start: NDArray[np.int64]
    mantissa: NDArray[np.int64]
    exponent: NDArray[np.int16]
    quality: NDArray[np.uint8]
    line: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.start)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """The chosen rows, by mask or by order."""
        return Rows(**{name: getattr(self, name)[chosen] for name in self.__slots__})


SplitOff = Callable[[Rows, list[Stream], NDArray[np.int64]], tuple[list[ParsedBlocks], Rows]]
"""Takes rows out that can be handed on as blocks: `whole_days.split_off`."""


def assemble(
    rows: Rows, streams: list[Stream], findings: Findings, *, limits: Mapping[str, float] | None = None
) -> tuple[list[ParsedChannel], list[PeriodRead]]:
    """Channels and period reads of one part; what is refused goes to `findings` with its line and count."""
    _, channels, periods = assemble_with_blocks(rows, streams, findings, limits=limits, split_off=lambda rows, _streams, _pow10: ([], rows))
    return channels, periods


def assemble_with_blocks(
    rows: Rows, streams: list[Stream], findings: Findings, *, split_off: SplitOff, limits: Mapping[str, float] | None = None
) -> tuple[list[ParsedBlocks], list[ParsedChannel], list[PeriodRead]]:
    """The same, with blocks of what `split_off` takes out."""
    if not len(rows):
        return [], [], []
    offset = np.array([stream.utc_offset_min * 60 for stream in streams], dtype=np.int64)
    rows = _without_negatives(rows, streams, findings)
    rows, pow10 = _scaled(rows, streams, findings, limits or DEFAULT_LIMITS)
    rows, periods = _apart(rows, streams, offset, findings)
    rows = _without_off_grid(rows, offset, findings)
    rows = _without_repeats(_in_order(rows), findings)
    rows = _without_mixed_days(rows, offset, findings)
    blocks, rows = split_off(rows, streams, pow10)
    return blocks, _channels(rows, streams, pow10), _period_reads(periods, streams, pow10, findings)


def assemble_periods(rows: Rows, streams: list[Stream], findings: Findings, *, limits: Mapping[str, float] | None = None) -> list[PeriodRead]:
    """Period reads of rows whose `interval` is any length of time (s); what is refused goes to `findings`."""
    if not len(rows):
        return []
    rows = refuse(rows, rows.interval <= 0, "bad-period", "a stretch of time that ends before it begins", findings)
    rows = _without_negatives(rows, streams, findings)
    rows, pow10 = _scaled(rows, streams, findings, limits or DEFAULT_LIMITS)
    return _period_reads(rows, streams, pow10, findings)


def assemble_indexes(rows: Rows, streams: list[Stream], findings: Findings) -> list[IndexRead]:
    """What registers showed, by stream and instant (`rows.start`, epoch s); each stream at the finest power of ten it is written with."""
    if not len(rows):
        return []
    rows = refuse(rows, rows.quality == Quality.MISSING, "missing-value", "a read of a dial without a value", findings)
    rows = _without_negatives(rows, streams, findings)
    finest = np.zeros(len(streams), dtype=np.int64)
    np.minimum.at(finest, rows.stream, rows.exponent)
    pow10 = np.maximum(finest, FINEST_INDEX)
    shift = rows.exponent - pow10[rows.stream]
    up, down = _TENS[np.clip(shift, 0, 18)], _TENS[np.clip(-shift, 0, 18)]
    most = MOST_INDEX * _TENS[np.clip(-pow10[rows.stream], 0, 6)]
    is_finer = rows.mantissa % down != 0
    is_absurd = np.abs(rows.mantissa // down) > most // up
    rows.mantissa = np.where(is_absurd, 0, rows.mantissa // down) * up
    kept = refuse(rows, is_absurd, "absurd-value", "more than any dial shows", findings)
    kept = refuse(kept, is_finer[~is_absurd], "finer-than-storable", "more digits than a millionth of the base unit", findings)
    kept = _without_repeats(_in_order(kept), findings)
    return [
        IndexRead(
            key=streams[number].key, commodity=streams[number].commodity, flow=streams[number].flow, unit=streams[number].unit, pow10=int(pow10[number]),
            at=at, value=value, quality=Quality(quality), line=line, service_point_hint=streams[number].service_point_hint,
            serial_hint=streams[number].serial_hint, timezone_hint=streams[number].timezone_hint,
        )
        for number, at, value, quality, line in zip(
            kept.stream.tolist(), kept.start.tolist(), kept.mantissa.tolist(), kept.quality.tolist(), kept.line.tolist(), strict=True
        )
    ]  # fmt: skip


def refuse(rows: Rows, bad: NDArray[np.bool_], code: str, message: str, findings: Findings) -> Rows:
    """The rows that are not bad; the bad ones become one issue for each line."""
    if not bad.any():
        return rows
    lines, counts = np.unique(rows.line[bad], return_counts=True)
    findings.add_lines(code, message, lines=lines.tolist(), counts=counts.tolist())
    return rows.where(~bad)


def _without_negatives(rows: Rows, streams: list[Stream], findings: Findings) -> Rows:
    is_signed = np.array([stream.flow == "net" for stream in streams])
    bad = (rows.mantissa < 0) & ~is_signed[rows.stream] & (rows.quality != Quality.MISSING)
    return refuse(rows, bad, "negative-value", "a negative value on a channel that counts one direction", findings)


def _scaled(rows: Rows, streams: list[Stream], findings: Findings, limits: Mapping[str, float]) -> tuple[Rows, NDArray[np.int64]]:
    """Rows whose mantissa is the raw value at their stream's power of ten, and that power for each stream."""
    is_missing = rows.quality == Quality.MISSING
    pow10 = np.zeros(len(streams), dtype=np.int64)
    if len(rows):
        exponent = np.where(is_missing, np.int16(0), rows.exponent)
        heads = np.flatnonzero(np.append(True, np.diff(rows.stream) != 0))  # a stream's rows mostly stand together
        np.minimum.at(pow10, rows.stream[heads], np.minimum.reduceat(exponent, heads))
    pow10 = np.maximum(pow10, FINEST)
    shift = rows.exponent - pow10[rows.stream]
    up, down = _TENS[np.clip(shift, 0, 18)], _TENS[np.clip(-shift, 0, 18)]
    is_finer = (rows.mantissa % down != 0) & ~is_missing
    # first bounded, then multiplied: nothing overflows
    is_wide = (np.abs(rows.mantissa // down) > _WIDEST // up) & ~is_missing
    raw = np.where(is_wide | is_missing, 0, rows.mantissa // down) * up
    per_hour = np.array([float(UNITS[stream.unit].factor) / limits[UNITS[stream.unit].quantity] for stream in streams]) * 10.0**pow10
    is_power = np.array([UNITS[stream.unit].quantity.endswith("power") for stream in streams])
    hours = np.where(is_power[rows.stream], 1.0, rows.interval / 3600)
    is_absurd = is_wide | ((np.abs(raw) * per_hour[rows.stream] > hours) & ~is_missing)
    rows.mantissa = np.where(is_missing, MISSING, raw)
    is_finer &= ~is_absurd
    kept = refuse(rows, is_absurd, "absurd-value", "more than any meter measures in this time, or more than 32 bits hold", findings)
    return refuse(kept, is_finer[~is_absurd], "finer-than-storable", "more digits than a thousandth of the base unit", findings), pow10


def _apart(rows: Rows, streams: list[Stream], offset: NDArray[np.int64], findings: Findings) -> tuple[Rows, Rows]:
    """Interval readings, and period reads: a day or more that is no standard-time day (then all of that stream's days)."""
    interval = np.maximum(rows.interval, 1)
    is_long = interval >= 23 * 3600
    is_odd_day = is_long & ((interval != DAY) | ((rows.start + offset[rows.stream]) % DAY != 0))
    has_odd_day = np.zeros(len(streams), dtype=bool)
    has_odd_day[rows.stream[is_odd_day]] = True
    is_period = is_long & has_odd_day[rows.stream]
    bad = ~is_period & ((interval < 60) | (DAY % interval != 0))
    periods = rows.where(is_period)
    message = "an interval that does not divide the day, or is shorter than a minute"
    return refuse(rows.where(~is_period), bad[~is_period], "unsupported-interval", message, findings), periods


def _without_off_grid(rows: Rows, offset: NDArray[np.int64], findings: Findings) -> Rows:
    bad = (rows.start + offset[rows.stream]) % rows.interval != 0
    return refuse(rows, bad, "off-grid", "a reading that does not start on a multiple of its interval", findings)


def _in_order(rows: Rows) -> Rows:
    """By stream, then start, then line."""
    same = np.diff(rows.stream)
    if ((same > 0) | ((same == 0) & (np.diff(rows.start) > 0))).all():
        return rows
    return rows.where(np.lexsort((rows.line, rows.start, rows.stream)))


def _without_repeats(rows: Rows, findings: Findings) -> Rows:
    """One of identical readings of an interval is kept; of differing ones none is."""
    again = (rows.stream[1:] == rows.stream[:-1]) & (rows.start[1:] == rows.start[:-1])
    if not again.any():
        return rows
    same_length = np.append(rows.interval[1:] == rows.interval[:-1], True)
    first = np.append(True, ~again)
    run = np.cumsum(first) - 1
    differs = np.append(False, again & ((rows.mantissa[1:] != rows.mantissa[:-1]) | (rows.quality[1:] != rows.quality[:-1])))
    is_mixed = np.zeros(run[-1] + 1, dtype=bool)
    is_mixed[run[np.flatnonzero(~same_length & np.append(again, False))]] = True
    is_torn = np.zeros(run[-1] + 1, dtype=bool)
    is_torn[run[differs]] = True
    conflict = (is_torn & ~is_mixed)[run]
    repeat = ~first & ~conflict & ~is_mixed[run]
    kept = refuse(rows, conflict, "conflicting-in-file", "two different values for one interval", findings)
    return refuse(kept, repeat[~conflict], "duplicate-in-file", "the same reading a second time", findings)


def _without_mixed_days(rows: Rows, offset: NDArray[np.int64], findings: Findings) -> Rows:
    """Days of a stream that hold two interval lengths are refused whole."""
    if not len(rows):
        return rows
    changes = (np.diff(rows.interval) != 0) & (np.diff(rows.stream) == 0)
    if not changes.any():
        return rows
    day = (rows.start + offset[rows.stream]) // DAY
    is_new_day = np.append(True, (np.diff(day) != 0) | (np.diff(rows.stream) != 0))
    heads = np.flatnonzero(is_new_day)
    group = np.cumsum(is_new_day) - 1
    is_mixed = np.minimum.reduceat(rows.interval, heads) != np.maximum.reduceat(rows.interval, heads)
    within = group[1:] == group[:-1]
    laps = within & (rows.start[1:] < rows.start[:-1] + rows.interval[:-1])
    overlaps = np.zeros(len(heads), dtype=bool)
    overlaps[group[1:][laps]] = True
    overlapping, mixed = (is_mixed & overlaps)[group], (is_mixed & ~overlaps)[group]
    kept = refuse(rows, overlapping, "overlapping-intervals", "readings of different lengths overlap in one day", findings)
    return refuse(kept, mixed[~overlapping], "mixed-interval-lengths", "two interval lengths in one day", findings)


def _channels(rows: Rows, streams: list[Stream], pow10: NDArray[np.int64]) -> list[ParsedChannel]:
    if not len(rows):
        return []
    if ((np.diff(rows.interval) != 0) & (np.diff(rows.stream) == 0)).any():
        rows = rows.where(np.lexsort((rows.start, rows.interval, rows.stream)))
    edges = np.flatnonzero((np.diff(rows.stream) != 0) | (np.diff(rows.interval) != 0)) + 1
    bounds = [0, *edges.tolist(), len(rows)]
    heads = bounds[:-1]
    found = []
    for a, b, number, interval in zip(heads, bounds[1:], rows.stream[heads].tolist(), rows.interval[heads].tolist(), strict=True):
        stream = streams[number]
        found.append(
            ParsedChannel(
                key=stream.key,
                commodity=stream.commodity,
                flow=stream.flow,
                unit=stream.unit,
                pow10=int(pow10[number]),
                interval_s=interval,
                utc_offset_min=stream.utc_offset_min,
                starts=rows.start[a:b],
                values=rows.mantissa[a:b],
                quality=rows.quality[a:b],
                lines=rows.line[a:b],
                service_point_hint=stream.service_point_hint,
                serial_hint=stream.serial_hint,
                timezone_hint=stream.timezone_hint,
            )
        )
    return found


def _period_reads(rows: Rows, streams: list[Stream], pow10: NDArray[np.int64], findings: Findings) -> list[PeriodRead]:
    """Period reads in order of stream and start; repeats and conflicts go the way of interval readings."""
    if not len(rows):
        return []
    rows = refuse(rows, rows.quality == Quality.MISSING, "missing-value", "a stretch of time without a value", findings)
    rows = _without_repeats(_in_order(rows), findings)
    end = rows.start + rows.interval
    laps = (np.diff(rows.stream) == 0) & (rows.start[1:] < end[:-1])
    touched = np.append(laps, False) | np.append(False, laps)
    rows = refuse(rows, touched, "overlapping-intervals", "two periods of one channel overlap", findings)
    return [
        PeriodRead(
            key=streams[number].key,
            commodity=streams[number].commodity,
            flow=streams[number].flow,
            unit=streams[number].unit,
            pow10=int(pow10[number]),
            start=start,
            duration_s=length,
            value=value,
            quality=Quality(quality),
            line=line,
            service_point_hint=streams[number].service_point_hint,
            timezone_hint=streams[number].timezone_hint,
        )
        for number, start, length, value, quality, line in zip(
            rows.stream.tolist(),
            rows.start.tolist(),
            rows.interval.tolist(),
            rows.mantissa.tolist(),
            rows.quality.tolist(),
            rows.line.tolist(),
            strict=True,
        )
    ]
