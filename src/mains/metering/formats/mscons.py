"""MSCONS, the UN/EDIFACT message of metered services (D.04B, as German market rules 2.2 to 2.4c use it): load profiles, energy and dials.

Segments come from pydifact's tokenizer, a piece of the file at a time; what they mean is read here. LOC+172 names the meter, PIA+5 the
OBIS code, QTY the value and how far it can be trusted, DTM 163 and 164 its period, DTM 7 or 9 the instant of a dial. The channel is (location, OBIS
code). In the issues a line is the number of the segment. Source: BDEW/EDI@Energy, MSCONS MIG 2.4c.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from pydifact.control.characters import Characters
from pydifact.parser import Parser, TokenIterator
from pydifact.tokenizer import Tokenizer

from mains.metering.formats import obis
from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import Gathering, instant
from mains.metering.formats.local_time import PLAIN, standard_offset_min, to_instants, zone_named
from mains.metering.formats.source import Source
from mains.metering.model import ChannelKey, ParsedFile, Quality

ZONE = "Europe/Berlin"
MOST_SEGMENT = 1 << 16
"""Characters of the longest segment that is read."""

_PIECE = 1 << 18
_LONGEST_INTERVAL, _LONGEST = 3600, 400 * 86_400

QUALITIES: dict[str, Quality] = {
    "220": Quality.ACTUAL, "67": Quality.SUBSTITUTED, "201": Quality.ESTIMATED, "20": Quality.FAILED_CHECK, "187": Quality.FORECAST,
    "Z18": Quality.RAW, "Z30": Quality.MISSING,
}  # fmt: skip
"""Qualifiers of QTY: true, substitute, proposed, unusable, forecast, provisional and missing values; sums of balances (79) are not read."""

_UNITS = {"KWH": ("Wh", 3), "MWH": ("Wh", 6), "K3": ("varh", 3), "MTQ": ("m3", 0)}
_IMPLIED = {"Wh": ("Wh", 3), "varh": ("varh", 3), "VAh": ("VAh", 3), "m3": ("m3", 0)}
"""Units where the message names none: kWh, kvarh, kVAh and m³."""

_OBIS = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*\d{1,3})?", re.ASCII)
_STAMPS = {"303": re.compile(r"(\d{12})([+-]\d\d)", re.ASCII), "304": re.compile(r"(\d{14})([+-]\d\d)", re.ASCII), "203": re.compile(r"(\d{12})()", re.ASCII)}
_OF_PERIODS = (obis.OF_INTERVAL, obis.USED, obis.SINCE_RESET)


class _RefusedError(Exception):
    """Why a quantity cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _BrokenError(Exception):
    """The segments cannot be told apart from here on."""


@dataclass(slots=True, kw_only=True)
class _Quantity:
    """One QTY with the times after it: components, times by qualifier as (value, format), number of its segment."""

    parts: list[str]
    number: int
    times: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known while the segments of a file come."""

    zone: ZoneInfo
    has_zone: bool
    gathering: Gathering
    number: int = 0
    has_interchange: bool = False
    is_ended: bool = False
    opened_at: int = 0
    fault: tuple[str, str] | None = None
    location: str = ""
    other_location: str = ""
    device: str = ""
    product: str = ""
    open: _Quantity | None = None


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of an MSCONS interchange; `timezone` (IANA) reads times without an offset and fixes the standard day, else Germany's."""
    gathering = Gathering(source=source, format="mscons", limits=limits)
    zone = zone_named(timezone) if timezone else None
    reading = _Reading(zone=zone or ZoneInfo(ZONE), has_zone=zone is not None, gathering=gathering)
    try:
        for segment in _segments(source):
            reading.number += 1
            _segment(segment, reading)
            yield from gathering.parts_when_full()
    except _BrokenError as why:
        _close_quantity(reading, why=("malformed-edifact", "the file breaks off after this quantity"))
        gathering.findings.add("malformed-edifact", f"after segment {reading.number}: {why}; the rest is not read", line=reading.number + 1)
    else:
        _close_quantity(reading, why=None if reading.is_ended else ("malformed-edifact", "the file ends within this position"))
        if not reading.number:
            gathering.findings.add("empty-file", "the file holds no segment")
        elif not reading.is_ended:
            gathering.findings.add("malformed-edifact", "the interchange ends without UNZ", line=reading.number)
        elif not gathering.found and gathering.number == 1:
            gathering.findings.add("empty-file", "the interchange holds no quantity", line=reading.number)
    yield gathering.part()


def _segments(source: Source) -> Iterator[list[list[str]]]:
    """Each segment as its elements, each a list of components; the first is the tag.

    Raises:
        _BrokenError: the segments cannot be told apart.
    """
    source.stream.seek(0)
    head = source.stream.read(64).decode("latin-1").removeprefix("ï»¿").lstrip()
    advice = head[3:9] if head.startswith("UNA") else ":+.? '"
    if len(advice) < 6 or len({advice[i] for i in (0, 1, 3, 5)}) < 4 or any(advice[i].isalnum() or advice[i].isspace() for i in (0, 1, 3, 5)):
        raise _BrokenError(f"the service string advice {advice!r} names no separators")
    characters = Characters.from_str(advice)
    source.stream.seek(0)
    held, is_first = "", True
    while True:
        piece = source.stream.read(_PIECE).decode("latin-1")
        is_last = not piece
        held += piece
        if is_first and held:
            held = held.removeprefix("ï»¿").lstrip()
            held = held[9:].lstrip("\r\n ") if held.startswith("UNA") else held
            is_first = False
        end = _after_last(held, characters)
        yield from _tokens(held[:end], characters)
        held = held[end:]
        if is_last:
            if held.strip():
                raise _BrokenError("the last segment has no end")
            return
        if len(held) > _PIECE + MOST_SEGMENT:
            raise _BrokenError(f"a segment of more than {MOST_SEGMENT} characters")


def _after_last(text: str, characters: Characters) -> int:
    """Where the last whole segment ends, with the line ends after it."""
    at = len(text)
    while True:
        at = text.rfind(characters.segment_terminator, 0, at)
        if at < 0:
            return 0
        run = at
        while run > 0 and text[run - 1] == characters.escape_character:
            run -= 1
        if (at - run) % 2 == 0:
            break
    at += 1
    while at < len(text) and text[at] in "\r\n ":
        at += 1
    return at


def _tokens(text: str, characters: Characters) -> Iterator[list[list[str]]]:
    """The segments of a piece that ends with one, by pydifact."""
    try:
        for raw in Parser().convert_tokens_to_raw_segments(TokenIterator(Tokenizer().get_tokens(text, characters))):
            yield [each if isinstance(each, list) else [each] for each in raw]
    except Exception as error:  # the tokenizer raises many kinds on bad input
        raise _BrokenError(f"no segments of EDIFACT: {str(error)[:100] or type(error).__name__}") from error


def _part(segment: list[list[str]], element: int, component: int = 0) -> str:
    """One component of a segment; empty where it has none."""
    return segment[element][component].strip() if len(segment) > element and len(segment[element]) > component else ""


def _segment(segment: list[list[str]], reading: _Reading) -> None:
    """One segment."""
    tag = _part(segment, 0)
    if tag == "QTY":
        _close_quantity(reading)
        reading.open = _Quantity(parts=[_part(segment, 1, place) for place in range(3)], number=reading.number)
        return
    if tag == "DTM":
        if reading.open is not None:
            reading.open.times[_part(segment, 1)] = (_part(segment, 1, 1), _part(segment, 1, 2))
        return
    if tag == "STS":
        return
    _close_quantity(reading)
    if tag in ("LOC", "NAD"):
        reading.product = reading.device = ""
        if tag == "NAD":
            reading.location = reading.other_location = ""
        elif _part(segment, 1) == "172":
            reading.location = _part(segment, 2)
        else:
            reading.other_location = _part(segment, 1)
    elif tag == "RFF" and _part(segment, 1) == "MG":
        reading.device = _part(segment, 1, 1)
    elif tag == "LIN":
        reading.product = ""
    elif tag == "PIA" and _part(segment, 1) == "5":
        reading.product = _part(segment, 2)
    else:
        _envelope(tag, segment, reading)


def _envelope(tag: str, segment: list[list[str]], reading: _Reading) -> None:
    """The segments around the data: interchange and message, with their counts."""
    gathering = reading.gathering
    if tag == "UNB":
        reading.has_interchange, reading.is_ended = True, False
    elif tag == "UNH":
        reading.location = reading.other_location = reading.product = reading.device = ""
        kind = [_part(segment, 2, place) for place in range(3)]
        reading.opened_at = reading.number
        reading.fault = None
        if kind != ["MSCONS", "D", "04B"]:
            reading.fault = ("unsupported-message", f"the message is {':'.join(kind)[:40]}, not MSCONS:D:04B")
            gathering.findings.add(*reading.fault, line=reading.number)
    elif tag == "UNT":
        said, held = _part(segment, 1), reading.number - reading.opened_at + 1
        if said != str(held):
            message = f"the message says {said[:12]!r} segments and has {held}: some may be lost"
            gathering.findings.add("malformed-edifact", message, line=reading.number, severity="warning")
        reading.fault = ("malformed-edifact", "a quantity after the end of its message")
    elif tag == "UNZ":
        reading.is_ended = True


def _close_quantity(reading: _Reading, *, why: tuple[str, str] | None = None) -> None:
    """Take the open quantity, or refuse it."""
    quantity, reading.open = reading.open, None
    if quantity is None:
        return
    reading.gathering.found += 1
    if why is None:
        why = reading.fault if reading.has_interchange else ("malformed-edifact", "a quantity before the interchange begins (UNB)")
    if why is not None:
        reading.gathering.refuse(why[0], f"segment {quantity.number}: {why[1]}", line=quantity.number)
        return
    try:
        _take(quantity, reading)
    except _RefusedError as refusal:
        reading.gathering.refuse(refusal.code, f"segment {quantity.number}: {refusal}", line=quantity.number)


def _take(quantity: _Quantity, reading: _Reading) -> None:
    """One quantity with its times.

    Raises:
        _RefusedError: it cannot be read.
    """
    qualifier, value, unit = quantity.parts
    quality = QUALITIES.get(qualifier)
    if quality is None:
        raise _RefusedError("unknown-quality", f"the qualifier {qualifier[:10]!r} of QTY is not read")
    if not reading.location:
        what = f"a location of kind {reading.other_location[:10]!r} is no meter" if reading.other_location else "no LOC+172 names the meter"
        raise _RefusedError("missing-meter", what)
    name, kind, register = _register(reading.product)
    base, power = _unit(unit, register, name)
    text = value.replace(",", ".", 1)
    if kind == obis.DIAL or register.unit == "m3":
        at = _at(quantity, reading)
        stream = _stream(name, register, base, at, reading)
        reading.gathering.index(stream, text, at=at, quality=quality, line=quantity.number, shift=power)
        return
    start, end = (_instant(*quantity.times[each], reading) if each in quantity.times else None for each in ("163", "164"))
    if start is None or end is None:
        raise _RefusedError("missing-time", f"the usage of {name} without its beginning (DTM+163) and end (DTM+164)")
    if not 0 < end - start <= _LONGEST:
        raise _RefusedError("bad-period", f"the usage of {name} ends {end - start} s after it begins")
    stream = _stream(name, register, base, start, reading)
    is_interval = end - start <= _LONGEST_INTERVAL and 86_400 % (end - start) == 0
    take = reading.gathering.interval if is_interval else reading.gathering.period
    take(stream, text, start=start, length=end - start, quality=quality, line=quantity.number, shift=power)


def _register(product: str) -> tuple[str, int, obis.Register]:
    """Name, kind (D) and meaning of an OBIS code.

    Raises:
        _RefusedError: it is none, or is neither usage nor a dial.
    """
    found = _OBIS.fullmatch(product)
    if found is None:
        raise _RefusedError("unsupported-reading-type", f"the position {product[:40]!r} is no OBIS code")
    a, _, c, d, _ = (int(each) for each in found.groups())
    register = obis.electric(c) if a == 1 and d in (obis.DIAL, *_OF_PERIODS) else obis.volume(a, c, d)
    if register is None:
        raise _RefusedError("unsupported-reading-type", f"the register {product[:40]} is neither a dial nor usage that is read")
    return product, d, register


def _unit(text: str, register: obis.Register, name: str) -> tuple[str, int]:
    base, power = _UNITS.get(text, ("", 0)) if text else _IMPLIED[register.unit]
    if base != register.unit:
        raise _RefusedError("unknown-unit", f"the unit {text[:10]!r} does not go with {name}, which counts {register.unit}")
    return base, power


def _stream(name: str, register: obis.Register, unit: str, at: int, reading: _Reading) -> Stream:
    return Stream(
        key=ChannelKey(meter=reading.location, register=name), commodity=register.commodity, flow=register.flow, unit=unit,
        utc_offset_min=standard_offset_min(reading.zone, at), service_point_hint=reading.location, serial_hint=reading.device or None,
        timezone_hint=reading.zone.key,
    )  # fmt: skip


def _at(quantity: _Quantity, reading: _Reading) -> int:
    """The instant of a dial: the time it counts for (DTM+7), else the time it was read (DTM+9).

    Raises:
        _RefusedError: there is none, or only a date.
    """
    for each in ("7", "9"):
        if each in quantity.times:
            if quantity.times[each][1] == "102":
                raise _RefusedError("missing-time", f"the dial was read on {quantity.times[each][0][:12]}, at a time that is not said (send DTM+7)")
            return _instant(*quantity.times[each], reading)
    raise _RefusedError("missing-time", "a dial without the time it counts for (DTM+7) or was read (DTM+9)")


def _instant(text: str, form: str, reading: _Reading) -> int:
    """Epoch seconds of a DTM value in format 303, 304 or 203.

    Raises:
        _RefusedError: it is no such time, or names no offset and no zone is named.
    """
    found = _STAMPS[form].fullmatch(text) if form in _STAMPS else None
    digits: Any = found[1].ljust(14, "0") if found else ""
    at = instant(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}{f'{found[2]}:00' if found and found[2] else ''}") if found else None
    if at is None:
        raise _RefusedError("bad-time", f"the time {text[:20]!r} of format {form[:5]!r} is none that is read")
    if at[1] is not None:
        return at[0]
    if not reading.has_zone:
        raise _RefusedError("missing-offset", f"the time {text[:20]} has no offset, and no time zone is named")
    instants, states = to_instants(np.array([at[0]], dtype=np.int64), reading.zone)
    if states[0] != PLAIN:
        raise _RefusedError("ambiguous-local-time", f"the clock of {reading.zone.key} shows {text[:20]} twice, or not at all")
    return int(instants[0])
