"""RSM-012, the Danish message of metered data (NotifyValidatedMeasureData_MarketDocument), in CIM XML and in JSON.

Each Series is read or refused as a whole where its point, kind, unit, registration or period is wrong, and point by point else. Intervals
of minutes and hours become interval readings; days and months, which the Danish clock bounds, become reads of a stretch. The channel is
(marketEvaluationPoint.mRID, product). A Series of a broken document that was whole before the break is kept. Sources: Energinet, RSM-012
guide; IEC 62325-351.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import Gathering, instant
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.source import Source
from mains.metering.formats.xml_stream import DoctypeError, Malformed, child, drop_before, elements, report, text_of
from mains.metering.model import ChannelKey, Flow, ParsedFile, Quality
from mains.metering.quality import UnknownQualityCode, from_cim

ROOT = "NotifyValidatedMeasureData_MarketDocument"
ZONE = "Europe/Copenhagen"
MOST_JSON = 32 << 20
"""Bytes of a JSON document, which is held whole."""

MOST_POINTS = 1_000_000
"""Points of one Series."""

_NEEDED = (
    "mRID", "marketEvaluationPoint.mRID", "marketEvaluationPoint.type", "registration_DateAndOrTime.dateTime", "quantity_Measure_Unit.name",
    "Period.resolution", "Period.timeInterval.start", "Period.timeInterval.end",
)  # fmt: skip
_UNITS = {"KWH": ("Wh", 3), "MWH": ("Wh", 6), "K3": ("varh", 3)}
_FLOWS: dict[str, Flow] = {
    "E17": "delivered", "D07": "delivered", "D10": "delivered", "D12": "delivered", "D14": "delivered", "D15": "delivered", "D17": "delivered",
    "E18": "received", "D05": "received", "D06": "received", "D09": "received", "D11": "received", "D18": "received",
}  # fmt: skip
"""Kinds of metering points seen from the customer: consumption is delivered, production received; exchange between grids is neither."""

_FIXED = re.compile(r"PT(\d{1,4})([MH])", re.ASCII)
_MOST_STEPS = 10_000


class _RefusedError(Exception):
    """Why a Series cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True)
class _Series:
    """One Series: its plain members by name, its points as (position, quantity, quality, line), and its line or number."""

    stated: dict[str, str] = field(default_factory=dict)
    points: list[tuple[str, str | None, str | None, int]] = field(default_factory=list)
    line: int = 0
    count: int = 0


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of an RSM-012 document; `timezone` (IANA) is the zone of days and months, else that of Denmark."""
    gathering = Gathering(source=source, format="rsm012", limits=limits)
    zone = zone_named(timezone) if timezone else ZoneInfo(ZONE)
    if zone is None:
        gathering.findings.add("no-local-time", f"there is no time zone {str(timezone)[:60]!r}: that of Denmark was taken", severity="warning")
        zone = ZoneInfo(ZONE)
    head = source.head(4096).replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    yield from _json(source, zone, gathering) if head.startswith(b"{") else _xml(source, zone, gathering)
    yield gathering.part()


def _xml(source: Source, zone: ZoneInfo, gathering: Gathering) -> Iterator[ParsedFile]:
    """The Series of a CIM XML document, one after another."""
    series, kind, has_root = _Series(), None, False
    try:
        for event, name, element in elements(source.stream, (ROOT, "Series", "Point")):
            has_root |= name == ROOT
            if event == "start":
                if name == "Series":
                    _refuse_loose(series, gathering)
                    kind = text_of(element.getparent(), "type") if kind is None else kind
                    series = _Series(line=element.sourceline or 0)
                continue
            if name == "Point":
                gathering.found += 1
                series.count += 1
                if series.count <= MOST_POINTS:
                    series.points.append((text_of(element, "position"), _maybe(element, "quantity"), _maybe(element, "quality"), element.sourceline or 0))
                drop_before(element)
            elif name == "Series":
                _stated(element, series)
                _take(series, kind or "", zone, gathering)
                series = _Series()
                drop_before(element)
                yield from gathering.parts_when_full()
    except (DoctypeError, Malformed) as error:
        report(error, gathering.findings, series.count)
        return
    _refuse_loose(series, gathering)
    if not has_root:
        gathering.findings.add("unknown-format", f"the document is no {ROOT}", line=1)
    elif not gathering.found and gathering.number == 1:
        gathering.findings.add("empty-file", "the document holds no point", line=1)


def _refuse_loose(series: _Series, gathering: Gathering) -> None:
    """Refuse the points that stand in no Series of their own."""
    if series.count:
        gathering.refuse("missing-element", "points outside a Series, or in one that holds another", line=series.line, count=series.count)


def _maybe(element: Any, name: str) -> str | None:
    return text_of(element, name) if child(element, name) is not None else None


def _stated(element: Any, series: _Series) -> None:
    """The plain members of a Series element."""
    for name in (*_NEEDED[:5], "product"):
        series.stated[name] = text_of(element, name)
    period = child(element, "Period")
    if period is not None:
        series.stated["Period.resolution"] = text_of(period, "resolution")
        series.stated["Period.timeInterval.start"] = text_of(period, "timeInterval", "start")
        series.stated["Period.timeInterval.end"] = text_of(period, "timeInterval", "end")


def _json(source: Source, zone: ZoneInfo, gathering: Gathering) -> Iterator[ParsedFile]:
    """The Series of a JSON document."""
    if source.size > MOST_JSON:
        gathering.findings.add("file-too-large", f"the JSON document has {source.size} bytes; at most {MOST_JSON} are held")
        return
    try:
        held = json.loads(source.stream.read().decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        gathering.findings.add("malformed-json", f"not well-formed: {str(error)[:200]}", line=getattr(error, "lineno", None))
        return
    document = held.get(ROOT) if isinstance(held, dict) else None
    if not isinstance(document, dict):
        gathering.findings.add("unknown-format", f"the document is no {ROOT}", line=1)
        return
    listed = document.get("Series")
    listed = listed if isinstance(listed, list) else [listed] if isinstance(listed, dict) else []
    for number, each in enumerate(listed, start=1):
        series = _series_of(each, number)
        gathering.found += series.count
        _take(series, _plain(document.get("type")) or "", zone, gathering)
        yield from gathering.parts_when_full()
    if not gathering.found and gathering.number == 1:
        gathering.findings.add("empty-file", "the document holds no point", line=1)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members have different names."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object with two members of one name")
    return found


def _plain(value: Any) -> str | None:
    """The text of a member, which may stand in an object as its `value`; None where there is none."""
    if isinstance(value, dict):
        value = value.get("value")
    return value.strip() if isinstance(value, str) else None


def _series_of(each: Any, number: int) -> _Series:
    """A Series from its JSON object."""
    series = _Series(line=number)
    if not isinstance(each, dict):
        return series
    for name in (*_NEEDED[:5], "product"):
        series.stated[name] = _plain(each.get(name)) or ""
    period = each.get("Period")
    period = period[0] if isinstance(period, list) and len(period) == 1 else period
    if isinstance(period, dict):
        bounds = period.get("timeInterval")
        series.stated["Period.resolution"] = _plain(period.get("resolution")) or ""
        for name in ("start", "end"):
            series.stated[f"Period.timeInterval.{name}"] = (_plain(bounds.get(name)) if isinstance(bounds, dict) else None) or ""
        points = period.get("Point")
        for point in points if isinstance(points, list) else []:
            members = point if isinstance(point, dict) else {}
            series.points.append((_plain(members.get("position")) or "", _plain(members.get("quantity")), _plain(members.get("quality")), number))
        series.count = len(series.points)
    return series


def _take(series: _Series, kind: str, zone: ZoneInfo, gathering: Gathering) -> None:
    """The points of a Series, or its refusal with all of them."""
    where = f"Series {series.stated.get('mRID', '')[:40] or 'without mRID'}"
    if kind != "E66":
        message = f"{where}: the document is of type {kind[:20]!r}; RSM-012 is E66"
        gathering.refuse("unsupported-message", message, line=series.line, count=series.count)
        return
    try:
        stream, power, bounds, is_calendar = _read(series, zone)
    except _RefusedError as why:
        gathering.refuse(why.code, f"{where}: {why}", line=series.line, count=series.count)
        return
    seen = set()
    for position, quantity, quality, line in series.points:
        at = int(position) - 1 if position.isascii() and position.isdigit() and len(position) < 7 else -1
        if not 0 <= at < len(bounds) - 1:
            gathering.refuse("bad-position", f"{where}: the position {position[:20]!r} is not one of 1 to {len(bounds) - 1}", line=line)
            continue
        seen.add(at)
        known = _quality(quality)
        fault = _fault(quantity, known, quality)
        if fault is not None or known is None:
            code, message = fault or ("unknown-quality", "")
            gathering.refuse(code, f"{where}, position {position}: {message}", line=line)
            continue
        take = gathering.period if is_calendar else gathering.interval
        take(stream, quantity or "", start=bounds[at], length=bounds[at + 1] - bounds[at], quality=known, line=line, shift=power)
    missing = len(bounds) - 1 - len(seen)
    if missing:
        gathering.findings.add("missing-positions", f"{where}: {missing} of {len(bounds) - 1} positions are not there", line=series.line or None, severity="warning")


def _quality(code: str | None) -> Quality | None:
    """The quality of a point; a point that names none was measured. None where the code is not known."""
    try:
        return from_cim(code) if code else Quality.ACTUAL
    except UnknownQualityCode:
        return None


def _fault(quantity: str | None, known: Quality | None, code: str | None) -> tuple[str, str] | None:
    """What is wrong between a point's quantity and quality."""
    if known is None:
        return "unknown-quality", f"the quality {str(code)[:20]!r} is none of A01 to A06"
    if not quantity and known is not Quality.MISSING:
        return "missing-value", "a point without a quantity, whose quality is not A02"
    if quantity and known is Quality.MISSING:
        return "unknown-quality", "a point with a quantity, whose quality says that there is none (A02)"
    return None


def _read(series: _Series, zone: ZoneInfo) -> tuple[Stream, int, list[int], bool]:
    """The channel of a Series, the power of ten of its unit, the bounds of its points (epoch s), and whether the calendar sets them.

    Raises:
        _RefusedError: it cannot be read.
    """
    stated = series.stated
    absent = [name for name in _NEEDED if not stated.get(name)]
    if absent:
        raise _RefusedError("missing-element", f"without {' and '.join(absent)}")
    if instant(stated[_NEEDED[3]]) is None:
        raise _RefusedError("bad-time", f"the registration {stated[_NEEDED[3]][:40]!r} is no time")
    kind, unit = stated["marketEvaluationPoint.type"], stated["quantity_Measure_Unit.name"]
    if kind not in _FLOWS:
        raise _RefusedError("unsupported-reading-type", f"metering points of type {kind[:20]!r} are not read")
    if unit not in _UNITS:
        raise _RefusedError("unknown-unit", f"the unit {unit[:20]!r} is not known")
    if series.count > MOST_POINTS:
        raise _RefusedError("file-too-large", f"{series.count} points; at most {MOST_POINTS} are held")
    bounds = [instant(stated[f"Period.timeInterval.{name}"]) for name in ("start", "end")]
    if any(each is None or each[1] is None for each in bounds):
        raise _RefusedError("bad-time", "the period's start or end is no time with its offset")
    start, end = (each[0] for each in bounds if each is not None)
    if start >= end:
        raise _RefusedError("bad-period", "the period ends before it begins")
    edges, is_calendar = _edges(stated["Period.resolution"], start, end, zone)
    base, power = _UNITS[unit]
    point = stated["marketEvaluationPoint.mRID"]
    stream = Stream(
        key=ChannelKey(meter=point, register=stated.get("product") or kind), commodity="electric", flow=_FLOWS[kind], unit=base,
        utc_offset_min=standard_offset_min(zone, start), service_point_hint=point, timezone_hint=zone.key,
    )  # fmt: skip
    return stream, power, edges, is_calendar


def _edges(resolution: str, start: int, end: int, zone: ZoneInfo) -> tuple[list[int], bool]:
    """The bounds of the points of a period, one more than it has positions, and whether they are days or months of the local clock."""
    fixed = _FIXED.fullmatch(resolution)
    if fixed is not None:
        step = int(fixed[1]) * (60 if fixed[2] == "M" else 3600)
        if step <= 0 or (end - start) % step or (end - start) // step > MOST_POINTS:
            raise _RefusedError("bad-period", f"the period is no whole number of {resolution}, or holds more than {MOST_POINTS}")
        return list(range(start, end + 1, step)), False
    if resolution not in ("P1D", "P1M"):
        raise _RefusedError("unsupported-interval", f"the resolution {resolution[:20]!r} is not read")
    local = datetime.fromtimestamp(start, UTC).astimezone(zone)
    if (local.hour, local.minute, local.second) != (0, 0, 0) or (resolution == "P1M" and local.day != 1):
        raise _RefusedError("bad-period", f"the period does not begin at midnight of {zone.key}{', the first of a month' if resolution == 'P1M' else ''}")
    edges, day = [start], local.date()
    while edges[-1] < end and len(edges) <= _MOST_STEPS:
        day = day + timedelta(days=1) if resolution == "P1D" else (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        edges.append(int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()))
    if edges[-1] != end:
        raise _RefusedError("bad-period", f"the period does not end at midnight of {zone.key}{', the first of a month' if resolution == 'P1M' else ''}")
    return edges, True
