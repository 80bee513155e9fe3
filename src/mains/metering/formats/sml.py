"""SML (smart message language) of German meters: what the dials showed, from the frames that a meter sends.

A file holds frames as bytes, one after another, or as lines of hexadecimal digits, each with the time of its reading before it (ISO 8601
with its offset). Read of a frame: the energy registers C.8.E of its GetList responses, at the meter's own time where it has a clock, else
at the noted time: a meter that only counts seconds does not know when it is. Source: BSI TR-03109-1 annex IV, smart message language
1.04.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mains.metering.formats import obis
from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import FIRST, LATEST, Gathering, instant
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.sml_frames import BadChecksumError, Frame, MalformedFrameError, content, frames, messages
from mains.metering.formats.source import Source, blocks
from mains.metering.model import ChannelKey, ParsedFile, Quality

GET_LIST = 0x0701
_PIECE = 1 << 20
_UNITS = {30: "Wh", 31: "VAh", 32: "varh", 13: "m3"}
"""Units of IEC 62056-62 that dials count in."""

_MOST_SCALER = 12
_HEX_LINE = re.compile(rb"\s*(?:(\d{4}-\d\d-\d\d[T ]\S+?)[\s,;]+)?((?:[0-9A-Fa-f]{2}\s*)+)\s*")
_TIME_TAGS = (2, 3)


class _RefusedError(Exception):
    """Why a register cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known across the frames of a file; `number` counts the frames, or the lines where they are written in hexadecimal."""

    gathering: Gathering
    offset_of: Any
    timezone: str | None
    number: int = 0


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a file of SML frames; `timezone` (IANA) gives the standard offset of its days, else that of Germany."""
    gathering = Gathering(source=source, format="sml", limits=limits)
    zone = zone_named(timezone) if timezone else zone_named("Europe/Berlin")
    reading = _Reading(gathering=gathering, offset_of=lambda at: standard_offset_min(zone, at) if zone else 60, timezone=timezone)
    if is_hex(source.head()):
        yield from _of_lines(source, reading)
    else:
        yield from _of_bytes(source, reading)
    if not reading.number:
        gathering.findings.add("empty-file", "the file holds no SML frame")
    yield gathering.part()


def is_hex(head: bytes) -> bool:
    """Whether a file's first line is a frame in hexadecimal digits."""
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0][:4096]
    return re.match(rb"(?:\d{4}-\d\d-\d\d[T ]\S+[\s,;]+)?(?:1[bB]\s?){4}(?:01\s?){4}", line) is not None


def _of_bytes(source: Source, reading: _Reading) -> Iterator[ParsedFile]:
    """Frames as bytes, in pieces."""
    held, at = b"", 0
    while True:
        piece = source.stream.read(_PIECE)
        is_last = not piece
        held += piece
        found, used = frames(held, at=at, is_last=is_last)
        for frame in found:
            reading.number += 1
            _frame(frame, None, reading)
            yield from reading.gathering.parts_when_full()
        held, at = held[used:], at + used
        if is_last:
            return


def _of_lines(source: Source, reading: _Reading) -> Iterator[ParsedFile]:
    """Frames in hexadecimal, one a line, each with its time."""
    gathering = reading.gathering
    for block in blocks(source.stream, size=_PIECE):
        gathering.found += block.report_overlong(gathering.findings)
        for number, text in enumerate(block.data.split(b"\n"), start=block.first_line):
            reading.number = number
            if not text.strip():
                continue
            found = _HEX_LINE.fullmatch(text)
            if found is None:
                _refuse_whole("malformed-frame", "a line that is no time and frame in hexadecimal", reading)
                continue
            noted = instant(found[1].decode(errors="replace")) if found[1] else None
            if found[1] and (noted is None or noted[1] is None):
                _refuse_whole("bad-time", f"the time {found[1][:40].decode(errors='replace')!r} is no ISO 8601 time with its offset", reading)
                continue
            data = bytes.fromhex(found[2].decode())
            frames_held, _ = frames(data, at=0, is_last=True)
            if not frames_held:
                _refuse_whole("malformed-frame", "a line without a frame", reading)
            for frame in frames_held:
                _frame(frame, noted[0] if noted else None, reading)
            yield from gathering.parts_when_full()


def _refuse_whole(code: str, message: str, reading: _Reading) -> None:
    """Refuse a frame whose registers cannot be counted: it counts as one reading."""
    reading.gathering.found += 1
    reading.gathering.refuse(code, message, line=reading.number)


def _frame(frame: Frame, noted: int | None, reading: _Reading) -> None:
    """The registers of one frame."""
    try:
        inner = content(frame)
        lists = [found[3][1] for found, _, _ in messages(inner) if _is_list_response(found)]
    except MalformedFrameError as why:
        _refuse_whole("malformed-frame", str(why), reading)
        return
    except BadChecksumError as why:
        _refuse_whole("bad-checksum", str(why), reading)
        return
    for each in lists:
        _list(each, noted, reading)


def _is_list_response(message: list[Any]) -> bool:
    body = message[3]
    return isinstance(body, list) and len(body) == 2 and body[0] == GET_LIST and isinstance(body[1], list)


def _list(response: list[Any], noted: int | None, reading: _Reading) -> None:
    """One GetList response: meter, time, and the entries that are dials."""
    gathering = reading.gathering
    if len(response) != 7 or not isinstance(response[4], list):
        _refuse_whole("malformed-frame", "a GetList response without its seven elements", reading)
        return
    entries = [each for each in response[4] if isinstance(each, list) and len(each) == 7 and isinstance(each[0], bytes) and len(each[0]) == 6]
    if len(entries) != len(response[4]):
        gathering.refuse("malformed-frame", "an entry of the list that has not seven elements and an OBIS code", line=reading.number, count=0)
    dials = [each for each in entries if _register(each[0]) is not None]
    doubled = obis.sums((each[0][2], each[0][4]) for each in dials if each[0][0] == 1)
    sensor = _time(response[3]) or _time(response[6])
    for entry in dials:
        if entry[0][0] == 1 and entry[0][4] == 0 and entry[0][2] in doubled:
            continue
        gathering.found += 1
        try:
            _take(entry, response[1], _time(entry[2]) or sensor or noted, reading)
        except _RefusedError as why:
            gathering.refuse(why.code, str(why), line=reading.number)


def _register(code: bytes) -> obis.Register | None:
    """What the register of an OBIS code counts, where it is a dial."""
    a, _, c, d, e, _ = code
    if a == 1 and d == obis.DIAL and e < 64:
        return obis.electric(c)
    return obis.volume(a, c, d)


def _take(entry: list[Any], server: Any, at: int | None, reading: _Reading) -> None:
    """One dial.

    Raises:
        _RefusedError: it cannot be read.
    """
    code, _, _, unit, scaler, value, _ = entry
    register = _register(code)
    assert register is not None  # only such entries are dials
    name = f"{code[0]}-{code[1]}:{code[2]}.{code[3]}.{code[4]}"
    if not isinstance(server, bytes):
        raise _RefusedError("missing-field", "the list does not name its meter")
    if not isinstance(value, int) or isinstance(value, bool):
        raise _RefusedError("not-a-number", f"the value of {name} is no number")
    base = _UNITS.get(unit) if isinstance(unit, int) else None
    if base != register.unit:
        raise _RefusedError("unknown-unit", f"the register {name} counts {register.unit}; its unit code is {unit if isinstance(unit, int) else 'left out'}")
    power = scaler if isinstance(scaler, int) else 0
    if abs(power) > _MOST_SCALER:
        raise _RefusedError("bad-record", f"the scaler {power} of {name} is beyond {_MOST_SCALER}")
    if at is None:
        raise _RefusedError("missing-time", f"the meter of {name} counts seconds and has no clock, and no time is noted before the frame")
    if not FIRST <= at < LATEST:
        raise _RefusedError("bad-time", f"the time of {name} lies before 1900 or after 2200")
    stream = Stream(
        key=ChannelKey(meter=meter_of(server), register=name), commodity=register.commodity, flow=register.flow, unit=register.unit,
        utc_offset_min=reading.offset_of(at), serial_hint=meter_of(server), timezone_hint=reading.timezone,
    )  # fmt: skip
    reading.gathering.index(stream, str(value), at=at, quality=Quality.ACTUAL, line=reading.number, shift=power)


def meter_of(server: bytes) -> str:
    """The number of a meter from its server id: 0A, medium, three letters of the maker, block and number as it is printed on the meter;
    any other id in hexadecimal.

    >>> meter_of(bytes.fromhex("0a014c475a000282c0b0")), meter_of(bytes.fromhex("0600000001"))
    ('1LGZ0042123440', '0600000001')
    """
    if len(server) == 10 and server[0] == 0x0A and all(65 <= each <= 90 for each in server[2:5]):
        return f"{server[1]:X}{server[2:5].decode()}{server[5]:02X}{int.from_bytes(server[6:], 'big'):08d}"
    return server.hex()


def _time(value: Any) -> int | None:
    """Epoch seconds of an SML time that is a time of day; None where it counts seconds, is left out, or is none."""
    if not (isinstance(value, list) and len(value) == 2 and value[0] in _TIME_TAGS):
        return None
    stamp = value[1]
    if value[0] == 3:  # the local time is told beside its offsets; the timestamp itself is UTC
        stamp = stamp[0] if isinstance(stamp, list) and len(stamp) == 3 else None
    return stamp if isinstance(stamp, int) and not isinstance(stamp, bool) and stamp > 0 else None
