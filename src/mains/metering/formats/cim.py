"""CIM MeterReadings (IEC 61968-9) in XML, alone or as the payload of a message: IntervalBlocks and Readings of meters and usage points.

The ReadingType's code of eighteen numbers decides what a reading is: usage of an interval, usage of a stretch, or what a dial showed. An
interval reading without a timePeriod is stamped with its end, as the standard says. The channel is (meter, code). One MeterReading is
held at a time. A MeterReading of a broken document that was whole before the break is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import Gathering, instant
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.reading_type import ReadingType, UnsupportedReadingTypeError, reading_type
from mains.metering.formats.source import Source
from mains.metering.formats.xml_stream import DoctypeError, Malformed, child, drop_before, elements, report, text_of
from mains.metering.model import ChannelKey, ParsedFile, Quality
from mains.metering.quality import UnknownQualityCode, from_iec

MOST_HELD = 2_000_000
"""Readings of one MeterReading."""

_WORSE = (
    Quality.ACTUAL, Quality.VALIDATED, Quality.RAW, Quality.DERIVED, Quality.EDITED, Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE,
    Quality.FORECAST, Quality.QUESTIONABLE, Quality.FAILED_CHECK, Quality.MISSING,
)  # fmt: skip
_LONGEST, _LONGEST_INTERVAL = 400 * 86_400, 3600
_TAGS = ("MeterReadings", "MeterReading", "IntervalBlocks", "IntervalReadings", "Readings")


class _RefusedError(Exception):
    """Why a reading cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One reading as its element says it: texts, quality codes, and its line."""

    stamp: str
    start: str
    end: str
    value: str
    qualities: tuple[str, ...]
    line: int


@dataclass(slots=True, kw_only=True)
class _Held:
    """One MeterReading while its elements come: readings by code, and those of the block whose code comes after them."""

    line: int = 0
    count: int = 0
    waiting: list[_Said] = field(default_factory=list)
    by_code: dict[str, list[_Said]] = field(default_factory=dict)

    def hold(self, code: str, said: list[_Said]) -> None:
        """Readings of a code, as many as may be held."""
        self.by_code.setdefault(code, []).extend(said)


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a MeterReadings document; `timezone` (IANA) fixes the standard day, else the least offset of a meter's times."""
    gathering = Gathering(source=source, format="cim", limits=limits)
    if timezone and zone_named(timezone) is None:
        gathering.findings.add("no-local-time", f"there is no time zone {timezone[:60]!r}", severity="warning")
        timezone = None
    held, has_root = _Held(), False
    try:
        for event, name, element in elements(source.stream, _TAGS):
            has_root |= name == "MeterReadings"
            if event == "start":
                if name == "MeterReading":
                    _refuse_loose(held, gathering)
                    held = _Held(line=element.sourceline or 0)
                continue
            if name == "MeterReading":
                _take(element, held, timezone, gathering)
                held = _Held()
                drop_before(element)
                yield from gathering.parts_when_full()
            elif name != "MeterReadings":
                gathering.found += _hold(name, element, held)
                drop_before(element)
    except (DoctypeError, Malformed) as error:
        report(error, gathering.findings, held.count)
        yield gathering.part()
        return
    _refuse_loose(held, gathering)
    if not has_root:
        gathering.findings.add("unknown-format", "the document holds no MeterReadings", line=1)
    elif not gathering.found and gathering.number == 1:
        gathering.findings.add("empty-file", "the document holds no reading", line=1)
    yield gathering.part()


def _refuse_loose(held: _Held, gathering: Gathering) -> None:
    """Refuse the readings that stand in no MeterReading of their own."""
    if held.count:
        gathering.refuse("missing-meter", "readings outside a MeterReading, or in one that holds another", line=held.line, count=held.count)


def _hold(name: str, element: Any, held: _Held) -> int:
    """Take up an element of a MeterReading that ends; how many readings it is."""
    if name == "IntervalBlocks":
        held.hold(_code(element), held.waiting)
        held.waiting = []
        return 0
    held.count += 1
    if held.count > MOST_HELD:
        return 1
    if name == "Readings":
        held.hold(_code(element), [_said(element)])
    else:
        held.waiting.append(_said(element))
    return 1


def _said(element: Any) -> _Said:
    """What a reading's element says."""
    period = child(element, "timePeriod")
    qualities = tuple(code for each in element.iterchildren("{*}ReadingQualities") if (code := _quality_code(each)))
    return _Said(
        stamp=text_of(element, "timeStamp"), start=text_of(period, "start") if period is not None else "",
        end=text_of(period, "end") if period is not None else "", value=text_of(element, "value"), qualities=qualities, line=element.sourceline or 0,
    )  # fmt: skip


def _quality_code(element: Any) -> str:
    kind = child(element, "ReadingQualityType")
    return ((kind.get("ref") or "") if kind is not None else element.get("ref") or "").strip()


def _code(element: Any) -> str:
    kind = child(element, "ReadingType")
    return (kind.get("ref") or "").strip() if kind is not None else ""


def _meter(element: Any) -> tuple[str, str | None]:
    """The name of a MeterReading's meter, or else of its usage point; and the usage point's, where both are there."""
    names = []
    for kind in ("Meter", "UsagePoint"):
        found = child(element, kind)
        names.append((text_of(found, "Names", "name") or text_of(found, "mRID")) if found is not None else "")
    return names[0] or names[1], names[1] or None


def _take(element: Any, held: _Held, timezone: str | None, gathering: Gathering) -> None:
    """The readings of a MeterReading."""
    meter, point = _meter(element)
    if held.waiting:
        held.hold("", held.waiting)
    if held.count > MOST_HELD:
        gathering.refuse("file-too-large", f"a MeterReading of {held.count} readings; at most {MOST_HELD} are held", line=held.line, count=held.count)
        return
    if not meter:
        gathering.refuse("missing-meter", "a MeterReading that names neither its meter nor its usage point", line=held.line, count=held.count)
        return
    offset = _offset(held, timezone)
    for code, readings in held.by_code.items():
        try:
            kind = reading_type(code)
        except UnsupportedReadingTypeError as why:
            gathering.refuse(why.code, f"{meter[:40]}: {why}", line=readings[0].line if readings else held.line, count=len(readings))
            continue
        stream = Stream(
            key=ChannelKey(meter=meter, register=code), commodity=kind.commodity, flow=kind.flow, unit=kind.unit, utc_offset_min=offset,
            service_point_hint=point, serial_hint=meter, timezone_hint=timezone,
        )  # fmt: skip
        for said in readings:
            try:
                _one(said, kind, stream, gathering)
            except _RefusedError as why:
                gathering.refuse(why.code, f"{meter[:40]}: {why}", line=said.line)


def _offset(held: _Held, timezone: str | None) -> int:
    """Standard offset in minutes: of the named zone in the year of the first reading, else the least that is written."""
    first, least = None, None
    for readings in held.by_code.values():
        for said in readings:
            found = instant(said.stamp or said.start)
            if found is not None:
                first = found[0] if first is None else first
                if found[1] is not None:
                    least = found[1] if least is None else min(least, found[1])
    zone = zone_named(timezone) if timezone else None
    if zone is not None and first is not None:
        return standard_offset_min(zone, first)
    return least or 0


def _one(said: _Said, kind: ReadingType, stream: Stream, gathering: Gathering) -> None:
    """One reading.

    Raises:
        _RefusedError: it cannot be read.
    """
    quality = _worst(said.qualities)
    if not said.value and quality is not Quality.MISSING:
        raise _RefusedError("missing-value", "a reading without a value")
    if kind.counts == "dial":
        gathering.index(stream, said.value, at=_at(said.stamp or said.end, "the time stamp"), quality=quality, line=said.line, shift=kind.power)
        return
    if said.start or said.end:
        start, end = _at(said.start, "the start of the period"), _at(said.end, "the end of the period")
        length = end - start
        if not 0 < length <= _LONGEST:
            raise _RefusedError("bad-period", f"a period of {length} s")
        if kind.length_s and length != kind.length_s:
            raise _RefusedError("bad-period", f"a period of {length} s, where the reading type says {kind.length_s}")
    elif kind.length_s:
        length = kind.length_s
        start = _at(said.stamp, "the time stamp") - length
    else:
        raise _RefusedError("unknown-interval", "neither the reading type nor a timePeriod says how long the reading is")
    is_interval = bool(kind.length_s) or (length <= _LONGEST_INTERVAL and 86_400 % length == 0)
    take = gathering.interval if is_interval else gathering.period
    take(stream, said.value, start=start, length=length, quality=quality, line=said.line, shift=kind.power)


def _at(text: str, what: str) -> int:
    found = instant(text)
    if found is None:
        raise _RefusedError("bad-time", f"{what} {text[:40]!r} is no ISO 8601 time on a whole second")
    if found[1] is None:
        raise _RefusedError("missing-offset", f"{what} {text[:40]!r} has no offset")
    return found[0]


def _worst(codes: tuple[str, ...]) -> Quality:
    """The least trusted of a reading's qualities; a reading that names none was measured."""
    try:
        return max((from_iec(code) for code in codes), key=_WORSE.index, default=Quality.ACTUAL)
    except UnknownQualityCode as why:
        raise _RefusedError("unknown-quality", str(why)) from why
