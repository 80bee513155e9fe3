"""DSMR P1 telegrams (versions 2.2 to 5, and those of Belgium and Luxembourg): what the dials showed, one telegram or many in a file.

Read of a telegram: the energy registers C.8.E of the meter at the telegram's own time, and the gas, water and other meters on its M-Bus
at the time they were read. Versions 4 and later must have the right CRC16. Versions 2.2 and 3 send no time of their own: a line with the
time (ISO 8601 with its offset) before the telegram gives it. Sources: Netbeheer Nederland, DSMR P1 companion standard 2.2, 3.0, 4.2 and
5.0; Fluvius e-MUCS P1.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from mains.metering.formats import obis
from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import Gathering, instant
from mains.metering.formats.local_time import AMBIGUOUS, PLAIN, SKIPPED, standard_offset_min, to_instants, zone_named
from mains.metering.formats.source import Source, blocks
from mains.metering.model import ChannelKey, Commodity, Flow, ParsedFile, Quality

ZONE = "Europe/Amsterdam"
"""The zone of the telegrams' clocks where the import names none."""

MOST_LINES = 2000
"""Lines of the longest telegram that is read."""

_FIRST_WITH_CRC = 40
_OBIS = re.compile(rb"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*\d{1,3})?((?:\([^()]*\))*)")
_VALUES = re.compile(rb"\(([^()]*)\)")
_STAMP = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW]?)", re.ASCII)
_UNITS: dict[str, tuple[str, int]] = {
    "wh": ("Wh", 0), "kwh": ("Wh", 3), "mwh": ("Wh", 6), "varh": ("varh", 0), "kvarh": ("varh", 3), "vah": ("VAh", 0), "kvah": ("VAh", 3),
    "m3": ("m3", 0),
}  # fmt: skip
_SERIALS = ((0, 0, 96, 1, 1), (0, 0, 96, 1, 0), (0, 0, 96, 1, 255), (1, 0, 96, 1, 0), (1, 0, 0, 0, 0), (0, 0, 42, 0, 0))
"""Where the number of the meter itself stands."""

_DEVICES: dict[int, Commodity] = {2: "electric", 3: "gas", 6: "water", 7: "water"}
"""Kinds of M-Bus devices that are read; heat and cold (4, 10 to 13) are not."""


class _RefusedError(Exception):
    """Why a line cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line of a telegram: its code A, B, C, D, E, its values and its number in the file."""

    code: tuple[int, int, int, int, int]
    values: tuple[str, ...]
    number: int


@dataclass(slots=True, kw_only=True)
class _Telegram:
    """One telegram while its lines come: bytes of it, its lines, the time noted before it."""

    first_line: int
    noted: int | None
    crc: int = 0
    lines: list[_Line] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known across the blocks of a file; `shown` is the last read of each M-Bus meter, which every telegram repeats."""

    zone: ZoneInfo
    gathering: Gathering
    telegram: _Telegram | None = None
    noted: int | None = None
    has_telegram: bool = False
    shown: dict[ChannelKey, tuple[int, str]] = field(default_factory=dict)


def _table() -> list[int]:
    """The CRC-16 of each byte: polynomial 0x8005, reflected."""
    found = []
    for each in range(256):
        crc = each
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        found.append(crc)
    return found


_CRC = _table()


def crc16(data: bytes, crc: int = 0) -> int:
    """CRC-16/ARC of bytes, going on from `crc`.

    >>> hex(crc16(b"123456789"))
    '0xbb3d'
    """
    for each in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ each) & 0xFF]
    return crc


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a file of telegrams; `timezone` (IANA) is the zone of the meters' clocks, else that of the Netherlands."""
    gathering = Gathering(source=source, format="p1", limits=limits)
    zone = zone_named(timezone) if timezone else ZoneInfo(ZONE)
    if zone is None:
        gathering.findings.add("missing-offset", f"there is no time zone {str(timezone)[:60]!r}: that of the Netherlands was taken", severity="warning")
        zone = ZoneInfo(ZONE)
    reading = _Reading(zone=zone, gathering=gathering)
    for block in blocks(source.stream, size=1 << 20):
        gathering.found += block.report_overlong(gathering.findings)
        number = block.first_line
        for text in block.data.splitlines(keepends=True):
            _line(text, number, reading)
            number += text.endswith(b"\n")
            yield from gathering.parts_when_full()
    if reading.telegram is not None:
        _refuse_all(reading.telegram, reading, "malformed-telegram", "the file ends within a telegram")
    if not reading.has_telegram:
        gathering.findings.add("empty-file", "the file holds no telegram")
    yield gathering.part()


def _line(text: bytes, number: int, reading: _Reading) -> None:
    """One line with its end: the start of a telegram, a part of one, its end, or something between two."""
    telegram = reading.telegram
    if text.startswith(b"/"):
        if telegram is not None:
            _refuse_all(telegram, reading, "malformed-telegram", "a telegram that does not end before the next begins")
        reading.has_telegram = True
        reading.telegram = _Telegram(first_line=number, noted=reading.noted, crc=crc16(text))
        reading.noted = None
        return
    if telegram is None:
        found = instant(text.decode(errors="replace"))
        if found is not None and found[1] is not None:
            reading.noted = found[0]
        return
    if text.startswith(b"!"):
        reading.telegram = None
        telegram.crc = crc16(b"!", telegram.crc)
        _close(telegram, text[1:].strip().decode(errors="replace"), reading)
        return
    telegram.crc = crc16(text, telegram.crc)
    telegram.count += 1
    if telegram.count > MOST_LINES:
        _refuse_all(telegram, reading, "malformed-telegram", f"a telegram of more than {MOST_LINES} lines")
        reading.telegram = None
        return
    _content(text.strip(), number, telegram)


def _content(text: bytes, number: int, telegram: _Telegram) -> None:
    """One line of the telegram; what versions 2.2 and 3 write on the line after a gas read belongs to that read."""
    if text.startswith(b"(") and text.endswith(b")") and telegram.lines and telegram.lines[-1].code[2:] == (24, 3, 0):
        last = telegram.lines[-1]
        telegram.lines[-1] = _Line(code=last.code, values=(*last.values, text[1:-1].decode(errors="replace")), number=last.number)
        return
    found = _OBIS.fullmatch(text)
    if found is None:
        if text:
            telegram.bad.append(number)
        return
    a, b, c, d, e = (int(each) for each in found.groups()[:5])
    values = tuple(each.decode(errors="replace") for each in _VALUES.findall(found[6]))
    telegram.lines.append(_Line(code=(a, b, c, d, e), values=values, number=number))


def _dials(telegram: _Telegram) -> list[_Line]:
    """The lines that hold what a dial showed: energy of the meter, and M-Bus meters that have shown something; sums of tariffs are left aside."""
    energy = [line for line in telegram.lines if line.code[0] == 1 and line.code[3] == obis.DIAL and obis.electric(line.code[2]) is not None]
    doubled = obis.sums((line.code[2], line.code[4]) for line in energy)
    kept = [line for line in energy if not (line.code[4] == 0 and line.code[2] in doubled)]
    return kept + [line for line in telegram.lines if line.code[0] == 0 and line.code[2] == 24 and line.code[3] in (2, 3) and line.code[4] in (0, 1, 3) and any(line.values)]


def _refuse_all(telegram: _Telegram, reading: _Reading, code: str, message: str) -> None:
    """Refuse every read of a telegram."""
    count = len(_dials(telegram))
    reading.gathering.found += count
    reading.gathering.refuse(code, message, line=telegram.first_line, count=count)
    reading.telegram = None


def _close(telegram: _Telegram, said: str, reading: _Reading) -> None:
    """A whole telegram: its checksum, its time, and its dials."""
    version = next((line.values[0] for line in telegram.lines if line.code in ((1, 3, 0, 2, 8), (0, 0, 96, 1, 4)) and line.values), "")
    has_crc = bool(re.fullmatch(r"[0-9A-Fa-f]{4}", said))
    has_clock = any(line.code == (0, 0, 1, 0, 0) for line in telegram.lines)
    if said and not has_crc:
        _refuse_all(telegram, reading, "bad-checksum", f"the CRC {said[:12]!r} is not four hexadecimal digits")
    elif has_crc and int(said, 16) != telegram.crc:
        _refuse_all(telegram, reading, "bad-checksum", f"the telegram says CRC {said.upper()}, its bytes have {telegram.crc:04X}")
    elif not has_crc and (has_clock or (version[:2].isdigit() and int(version[:2]) >= _FIRST_WITH_CRC)):
        _refuse_all(telegram, reading, "bad-checksum", "a telegram of this version ends with a CRC; this one has none")
    else:
        for number in telegram.bad:
            reading.gathering.refuse("malformed-telegram", "a line that is no OBIS code with values", line=number, count=0)
        _take(telegram, reading)


def _take(telegram: _Telegram, reading: _Reading) -> None:
    """The dials of a good telegram."""
    gathering = reading.gathering
    stated = {line.code: line for line in telegram.lines}
    clock = stated.get((0, 0, 1, 0, 0))
    try:
        at = _stamp(clock.values[0] if clock.values else "", reading) if clock else telegram.noted
        why = None
    except _RefusedError as refusal:
        at, why = None, refusal
    for line in _dials(telegram):
        try:
            key_at = _read(line, stated, at, why, reading)
        except _RefusedError as refusal:
            gathering.found += 1
            gathering.refuse(refusal.code, str(refusal), line=line.number)
            continue
        stream, moment, text, power = key_at
        if stream.commodity != "electric" or line.code[2] == 24:
            if reading.shown.get(stream.key) == (moment, text):
                continue  # every telegram says the last read of the M-Bus again
            reading.shown[stream.key] = (moment, text)
        gathering.found += 1
        gathering.index(stream, text, at=moment, quality=Quality.ACTUAL, line=line.number, shift=power)


def _read(line: _Line, stated: dict[tuple[int, int, int, int, int], _Line], at: int | None, why: _RefusedError | None, reading: _Reading) -> tuple[Stream, int, str, int]:
    """Stream, instant (epoch s), decimal and power of ten of one dial.

    Raises:
        _RefusedError: it cannot be read.
    """
    if line.code[2] == 24:
        return _of_bus(line, stated, reading)
    if why is not None:
        raise why
    if at is None:
        raise _RefusedError("missing-time", "a telegram without a time, and none is noted before it")
    register = obis.electric(line.code[2])
    assert register is not None  # only such lines are dials
    value, unit = _split(line.values[-1] if line.values else "")
    base, power = _unit(unit, line)
    if base != register.unit:
        raise _RefusedError("unknown-unit", f"the register {_name(line)} counts {register.unit}, the telegram says {unit[:20]!r}")
    meter = _serial(stated, 0)
    a, b, c, d, e = line.code
    stream = _stream(meter, f"{a}-{b}:{c}.{d}.{e}", register.commodity, register.flow, base, at, reading)
    return stream, at, value, power


def _of_bus(line: _Line, stated: dict[tuple[int, int, int, int, int], _Line], reading: _Reading) -> tuple[Stream, int, str, int]:
    """The read of a meter on the M-Bus, at its own time."""
    number = line.code[1]
    kind = stated.get((0, number, 24, 1, 0))
    text = kind.values[0] if kind and kind.values else ""
    commodity = _DEVICES.get(int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else None
    if commodity is None:
        raise _RefusedError("unknown-commodity", f"the M-Bus meter {number} is of kind {text[:20]!r}, which is not read")
    if line.code[3] == 3:  # versions 2.2 and 3: time, …, unit, and the value on the next line
        if len(line.values) < 7:
            raise _RefusedError("malformed-telegram", f"the read of M-Bus meter {number} has not its seven values")
        stamp, unit, value = line.values[0], line.values[5], line.values[6]
    else:
        if len(line.values) != 2:
            raise _RefusedError("malformed-telegram", f"the read of M-Bus meter {number} is not a time and a value")
        stamp, (value, unit) = line.values[0], _split(line.values[1])
    base, power = _unit(unit, line)
    if (base == "m3") != (commodity != "electric"):
        raise _RefusedError("unknown-unit", f"the unit {unit[:20]!r} of M-Bus meter {number} does not go with {commodity}")
    at = _stamp(stamp, reading)
    flow: Flow = "delivered"
    return _stream(_serial(stated, number), f"0-{number}:24.2.{line.code[4] if line.code[3] == 2 else 1}", commodity, flow, base, at, reading), at, value, power


def _stream(meter: str, register: str, commodity: Commodity, flow: Flow, unit: str, at: int, reading: _Reading) -> Stream:
    return Stream(
        key=ChannelKey(meter=meter, register=register), commodity=commodity, flow=flow, unit=unit, utc_offset_min=standard_offset_min(reading.zone, at),
        serial_hint=meter, timezone_hint=reading.zone.key,
    )  # fmt: skip


def _split(text: str) -> tuple[str, str]:
    value, _, unit = text.partition("*")
    return value, unit


def _unit(text: str, line: _Line) -> tuple[str, int]:
    found = _UNITS.get(text.strip().lower())
    if found is None:
        raise _RefusedError("unknown-unit", f"the unit {text[:20]!r} of {_name(line)} is not known")
    return found


def _name(line: _Line) -> str:
    return "{}-{}:{}.{}.{}".format(*line.code)


def _serial(stated: dict[tuple[int, int, int, int, int], _Line], number: int) -> str:
    """The number of a meter: letters written as hexadecimal, or as they are.

    Raises:
        _RefusedError: the telegram has none.
    """
    for code in ((0, number, 96, 1, 0), (0, number, 96, 1, 1)) if number else _SERIALS:
        line = stated.get(code)
        text = line.values[0].strip() if line and line.values else ""
        if not text:
            continue
        try:
            plain = bytes.fromhex(text).decode("ascii") if len(text) % 2 == 0 else ""
        except ValueError:
            plain = ""
        return plain if plain and plain.isprintable() and plain.strip() == plain else text
    raise _RefusedError("missing-field", f"the telegram does not name {f'its M-Bus meter {number}' if number else 'its meter'}")


def _stamp(text: str, reading: _Reading) -> int:
    """A clock time YYMMDDhhmmss with S (summer) or W (winter), or, in old versions, without, as epoch seconds.

    Raises:
        _RefusedError: it is none, or the zone's clock does not show it.
    """
    found = _STAMP.fullmatch(text.strip())
    wall = instant(f"20{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}") if found else None
    if found is None or wall is None:
        raise _RefusedError("bad-time", f"the time {text[:20]!r} is no time of the form YYMMDDhhmmss with S or W")
    instants, states = to_instants(np.array([wall[0]], dtype=np.int64), reading.zone)
    if not found[7]:
        if states[0] != PLAIN:
            code = {AMBIGUOUS: "ambiguous-local-time", SKIPPED: "nonexistent-local-time"}[int(states[0])]
            raise _RefusedError(code, f"the clock of {reading.zone.key} shows {text} twice, or not at all")
        return int(instants[0])
    at = wall[0] - 60 * standard_offset_min(reading.zone, wall[0]) - (3600 if found[7] == "S" else 0)
    if states[0] == SKIPPED or (states[0] == PLAIN and at != instants[0]):
        raise _RefusedError("bad-time", f"the clock of {reading.zone.key} does not show {text}: its season is the other one")
    return at
