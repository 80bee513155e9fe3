"""CSV of any layout, read by a map that says which column is what: one reading a row (long), or a stretch of readings a row (wide).

Values are in the unit that the map or the row names; there is no multiplier. In a wide row the columns follow one another in elapsed time
from the row's start, so the day on which summer time begins has fewer values and the day it ends more.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from mains.base.units import UNITS as BASE_UNITS
from mains.metering.formats.assemble import Stream
from mains.metering.formats.csv_map import CsvMap
from mains.metering.formats.csv_table import QUALITY_WORDS, UNITS
from mains.metering.formats.gather import Gathering, instant
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.source import Source, blocks
from mains.metering.model import ChannelKey, ParsedFile, Quality

_LONGEST_INTERVAL, _LONGEST = 3600, 400 * 86_400
_DAY = 86_400

_PATTERNS = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d\d)", "m": r"(?P<m>\d\d?)", "d": r"(?P<d>\d\d?)", "j": r"(?P<j>\d{1,3})", "H": r"(?P<H>\d\d?)", "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)", "z": r"(?P<z>Z|[+-]\d\d:?\d\d)", "F": r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", "T": r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)", "%": "%",
}  # fmt: skip

Instant = tuple[int, int | None]
"""Epoch seconds and the offset that was written, minutes east, None where it was local."""


class _RefusedError(Exception):
    """Why a row or value cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True)
class _Layout:
    """A map bound to one file: the place of each column, and how its times are read."""

    layout: CsvMap
    places: dict[str, int]
    values: list[tuple[int, int]]
    width: int
    at: Callable[[str], Instant]
    zone: ZoneInfo | None
    streams: dict[tuple[str, str, str, str], tuple[Stream, int]] = field(default_factory=dict)


def parse(source: Source, *, layout: CsvMap, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a CSV file by its map; `timezone` (IANA) is the zone of local times where the map names none."""
    gathering = Gathering(source=source, format="csv_mapped", limits=limits)
    bound: _Layout | None = None
    fault: tuple[str, str] | None = None
    zone_name = layout.zone or timezone
    zone = zone_named(zone_name) if zone_name and layout.offset_min is None else None
    if zone_name and layout.offset_min is None and zone is None:
        fault = ("missing-offset", f"there is no time zone {zone_name[:60]!r}")
    elif not layout.has_header:
        bound = _bind(layout, None, zone)
    for block in blocks(source.stream):
        gathering.found += block.report_overlong(gathering.findings)
        for number, raw in enumerate(block.data.split(b"\n"), start=block.first_line):
            if number <= layout.skip_rows or not raw.strip():
                continue
            is_header = fault is None and bound is None
            try:
                cells = _cells(raw, layout, is_first=number == 1)
                if any(cells[0].startswith(mark) for mark in layout.skip_lines_starting):
                    continue
                if is_header:
                    bound = _bind(layout, cells, zone)
                else:
                    _row(cells, number, bound, fault, gathering)
            except _RefusedError as why:
                fault = (why.code, str(why)) if is_header else fault
                gathering.found += not is_header
                gathering.refuse(why.code, str(why), line=number, count=int(not is_header))
        yield from gathering.parts_when_full()
    if bound is None and fault is None:
        gathering.findings.add("empty-file", "the file holds no row after those that the map skips")
    yield gathering.part()


def _cells(raw: bytes, layout: CsvMap, *, is_first: bool) -> list[str]:
    """The fields of a line."""
    try:
        text = raw.decode("utf-8-sig" if is_first and layout.encoding == "utf-8-sig" else layout.encoding.removesuffix("-sig")).rstrip("\r")
    except UnicodeDecodeError as error:
        raise _RefusedError("wrong-encoding", f"the row is not {layout.encoding.removesuffix('-sig')}") from error
    if '"' not in text:
        return [cell.strip() for cell in text.split(layout.delimiter)]
    try:
        rows = list(csv.reader((text,), delimiter=layout.delimiter, strict=True))
    except csv.Error as error:
        raise _RefusedError("bad-record", f"the row's quotes are not closed, or a field is too long: {str(error)[:80]}") from error
    return [cell.strip() for cell in rows[0]] if rows and rows[0] else [""]


def _bind(layout: CsvMap, header: list[str] | None, zone: ZoneInfo | None) -> _Layout:
    """The map with the places of its columns; `header` None where the file has none and columns are numbered from 1.

    Raises:
        _RefusedError: a column is not there.
    """
    roles = {
        "meter": layout.meter_column, "register": layout.register_column, "start": layout.start_column, "end": layout.end_column, "time": layout.time_column,
        "unit": layout.unit_column, "quality": layout.quality_column, "flow": layout.flow_column,
    }  # fmt: skip
    places = {role: _place(column, header) for role, column in roles.items() if column is not None}
    values = []
    for column, seconds in layout.value_columns:
        first, plus, more = column.rpartition("+") if layout.shape == "wide" and "+" in column and (header is None or column not in header) else (column, "", "0")
        values.append((_place(first, header) + (int(more) if plus else 0), seconds))
    width = len(header) if header is not None else max([*places.values(), *(place for place, _ in values)]) + 1
    if header is not None and values and max(place for place, _ in values) >= width:
        raise _RefusedError("missing-column", f"the map has {len(values)} columns of values; the first line ends before the last")
    return _Layout(layout=layout, places=places, values=values, width=width, at=_reader(layout, zone), zone=zone)


def _place(column: str, header: list[str] | None) -> int:
    if header is None:
        if not (column.isascii() and column.isdigit() and 1 <= int(column[:9]) <= 100_000):
            raise _RefusedError("missing-column", f"the file has no header, and the column {column[:40]!r} is no number from 1")
        return int(column) - 1
    if header.count(column) != 1:
        raise _RefusedError("missing-column", f"the column {column[:40]!r} is {'twice' if header.count(column) else 'not'} in the first line")
    return header.index(column)


def _reader(layout: CsvMap, zone: ZoneInfo | None) -> Callable[[str], Instant]:
    """What reads the times of a layout; texts come again and again, so their instants are kept."""
    pattern = None if layout.time_format == "iso" else _pattern(layout.time_format)

    @lru_cache(maxsize=200_000)
    def read(text: str) -> Instant:
        found = (instant(text if len(text) > 10 else f"{text}T00:00") if pattern is None else _formatted(text, pattern))
        if found is None:
            raise _RefusedError("bad-time", f"the time {text[:40]!r} is not as the map says")
        if found[1] is not None:
            return found
        if layout.offset_min is not None:
            return found[0] - 60 * layout.offset_min, layout.offset_min
        if zone is None:
            raise _RefusedError("missing-offset", f"the time {text[:40]!r} has no offset, and neither the map nor the import names a zone")
        return _local(found[0], zone, text), None

    return read


def _pattern(form: str) -> re.Pattern[str]:
    """A format of strptime as an expression."""
    parts = re.split(r"%(.)", form)
    used: set[str] = set()
    text = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            text += re.escape(part)
        elif part in used:
            text += r"\d+"
        else:
            used.add(part)
            text += _PATTERNS[part]
    return re.compile(text, re.ASCII)


def _formatted(text: str, pattern: re.Pattern[str]) -> Instant | None:
    """A time of a format, one without an offset as if it were UTC."""
    found = pattern.fullmatch(text)
    if found is None:
        return None
    held = found.groupdict()
    year = int(held.get("Y") or 2000 + int(held.get("y") or 0))
    clock = f"{int(held.get('H') or 0):02}:{int(held.get('M') or 0):02}:{int(held.get('S') or 0):02}{held.get('z') or ''}"
    if held.get("j"):
        try:
            day = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(held["j"]) - 1)
        except (ValueError, OverflowError):
            return None
        if day.year != year:
            return None
        return instant(f"{year:04}-{day.month:02}-{day.day:02}T{clock}")
    return instant(f"{year:04}-{int(held.get('m') or 1):02}-{int(held.get('d') or 1):02}T{clock}")


def _local(wall: int, zone: ZoneInfo, text: str) -> int:
    """Epoch seconds of a wall-clock time.

    Raises:
        _RefusedError: the clock shows it twice, or skips it.
    """
    plain = datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone)
    first, second = (int(plain.replace(fold=fold).utcoffset().total_seconds()) for fold in (0, 1))  # type: ignore[union-attr]  # a zone has one
    if first != second:
        code, what = ("ambiguous-local-time", "shows twice") if first > second else ("nonexistent-local-time", "skips")
        raise _RefusedError(code, f"a local time that the clock {what}: {text[:40]}")
    return wall - first


def _row(cells: list[str], line: int, bound: _Layout | None, fault: tuple[str, str] | None, gathering: Gathering) -> None:
    """One row of readings."""
    if bound is None or fault is not None:
        gathering.found += 1
        gathering.refuse(*(fault or ("missing-column", "the columns are not known")), line=line)
        return
    held = [(cells[place] if place < len(cells) else "", seconds) for place, seconds in bound.values]
    missing = bound.layout.missing
    count = max(sum(text not in missing for text, _ in held), 1)
    if len(cells) != bound.width and (bound.layout.has_header or len(cells) < bound.width):
        gathering.found += count
        gathering.refuse("wrong-field-count", f"the row has {len(cells)} fields, the layout {bound.width}", line=line, count=count)
        return
    try:
        _take(cells, held, line, bound, gathering)
    except _RefusedError as why:
        gathering.found += count
        gathering.refuse(why.code, str(why), line=line, count=count)


def _take(cells: list[str], held: list[tuple[str, int]], line: int, bound: _Layout, gathering: Gathering) -> None:
    """The readings of a row whose columns are all there.

    Raises:
        _RefusedError: nothing of it can be read; nothing was counted.
    """
    layout = bound.layout
    said = {role: cells[place] for role, place in bound.places.items()}
    quality = _quality(said.get("quality"), layout)
    if layout.kind == "dial":
        at, offset = bound.at(said["time"])
        stream, power = _stream(said, at, offset, bound)
        gathering.found += 1
        text, is_missing = _value(held[0][0], layout)
        gathering.index(stream, text, at=at, quality=Quality.MISSING if is_missing else quality, line=line, shift=power)
        return
    start, length, offset = _span(said, bound)
    stream, power = _stream(said, start, offset, bound)
    end = _day_end(start, bound) if layout.shape == "wide" else None
    is_interval = length <= _LONGEST_INTERVAL and _DAY % length == 0
    for cell, seconds in held:
        text, is_missing = _value(cell, layout)
        is_beyond = end is not None and start + seconds >= end
        if is_beyond and is_missing:
            continue
        gathering.found += 1
        if is_beyond:
            gathering.refuse("nonexistent-local-time", "a value after the local day of its row has ended", line=line)
            continue
        take = gathering.interval if is_interval or layout.shape == "wide" else gathering.period
        take(stream, text, start=start + seconds, length=length, quality=Quality.MISSING if is_missing else quality, line=line, shift=power)


def _value(cell: str, layout: CsvMap) -> tuple[str, bool]:
    """A value with a point as its decimal mark, and whether it is missing."""
    if cell in layout.missing:
        return "", True
    if layout.decimal == ",":
        cell = cell.replace(",", ".") if "." not in cell else "x"  # a point would group thousands
    return cell, False


def _span(said: dict[str, str], bound: _Layout) -> tuple[int, int, int | None]:
    """Start and length of a row's (first) interval, and the offset that was written."""
    layout = bound.layout
    start = bound.at(said["start"]) if "start" in said else None
    end = bound.at(said["end"]) if "end" in said else None
    if start is None:
        assert end is not None  # a map names one of the two
        return end[0] - layout.interval_s, layout.interval_s, end[1]
    if end is None:
        return start[0], layout.interval_s, start[1]
    length = end[0] - start[0]
    if not 0 < length <= _LONGEST or (layout.interval_s and length != layout.interval_s):
        raise _RefusedError("bad-period", f"the row lasts {length} s")
    return start[0], length, start[1]


def _day_end(start: int, bound: _Layout) -> int | None:
    """Where the local day of a wide row ends, where the row begins at a local midnight."""
    if bound.zone is None:
        return None
    local = datetime.fromtimestamp(start, UTC).astimezone(bound.zone)
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return None
    following = local.date() + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=bound.zone).timestamp())


def _quality(word: str | None, layout: CsvMap) -> Quality:
    if not word:
        return layout.qualities.get("", Quality.ACTUAL)
    found = layout.qualities.get(word) if layout.qualities else QUALITY_WORDS.get(word.lower())
    if found is None:
        raise _RefusedError("unknown-quality", f"the quality {word[:40]!r} is not in the map")
    return found


def _stream(said: dict[str, str], at: int, offset: int | None, bound: _Layout) -> tuple[Stream, int]:
    """The channel of a row and the power of ten of its unit.

    Raises:
        _RefusedError: a name is empty, or a word is not known.
    """
    layout = bound.layout
    meter, register = said.get("meter", layout.meter or ""), said.get("register", layout.register or "")
    unit, flow = said.get("unit", layout.unit or ""), said.get("flow", "")
    known = bound.streams.get((meter, register, unit, flow))
    if known is not None:
        return known
    empty = [role for role, text in (("meter", meter), ("register", register), ("unit", unit)) if not text]
    if empty:
        raise _RefusedError("missing-field", f"{' and '.join(empty)} empty")
    word = layout.units.get(unit, unit.lower())
    if word not in UNITS:
        raise _RefusedError("unknown-unit", f"the unit {unit[:40]!r} is not known")
    base, power = UNITS[word]
    if (BASE_UNITS[base].quantity in ("volume", "heat")) != (layout.commodity != "electric") and not (layout.commodity == "gas" and base == "Wh"):
        raise _RefusedError("unknown-commodity", f"the unit {unit[:40]!r} does not measure {layout.commodity}: set constants.commodity")
    meant = layout.flows.get(flow, flow.lower()) if flow else layout.flow
    if meant not in ("delivered", "received", "net", "total"):
        raise _RefusedError("unknown-flow", f"the flow {flow[:40]!r} is not known")
    shift = layout.offset_min if layout.offset_min is not None else standard_offset_min(bound.zone, at) if bound.zone else offset or 0
    stream = Stream(
        key=ChannelKey(meter=meter, register=register), commodity=layout.commodity, flow=meant, unit=base, utc_offset_min=shift,
        timezone_hint=bound.zone.key if bound.zone else None,
    )  # fmt: skip
    if len(bound.streams) > 1_000_000:
        bound.streams.clear()
    bound.streams[meter, register, unit, flow] = stream, power
    return stream, power
