"""What the two CSV layouts share: the first line, the names of a channel, units and quality words."""

from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

import numpy as np

from mains.metering.formats.assemble import Stream
from mains.metering.formats.csv_scan import KEYS, QUALITY, TIME, VALUE
from mains.metering.formats.findings import Findings
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.scan import NO_OFFSET, offset_minutes
from mains.metering.model import ChannelKey, Commodity, Flow, Quality

KEY_COLUMNS = ("meter", "register", "unit", "interval_minutes", "commodity", "flow", "utc_offset")
_UNNAMED = -1

UNITS: dict[str, tuple[str, int]] = {
    "wh": ("Wh", 0),
    "kwh": ("Wh", 3),
    "mwh": ("Wh", 6),
    "varh": ("varh", 0),
    "kvarh": ("varh", 3),
    "vah": ("VAh", 0),
    "kvah": ("VAh", 3),
    "w": ("W", 0),
    "kw": ("W", 3),
    "mw": ("W", 6),
    "va": ("VA", 0),
    "kva": ("VA", 3),
    "m3": ("m3", 0),
    "l": ("L", 0),
    "ft3": ("ft3", 0),
    "ccf": ("ft3", 2),
    "gal": ("gal", 0),
    "kgal": ("gal", 3),
    "therm": ("therm", 0),
    "btu": ("Btu", 0),
    "mmbtu": ("Btu", 6),
}
"""Unit words, in any case: base unit and power of ten."""

_COMMODITY_OF: dict[str, Commodity] = {
    "Wh": "electric",
    "varh": "electric",
    "VAh": "electric",
    "W": "electric",
    "VA": "electric",
    "therm": "gas",
    "Btu": "gas",
    "gal": "water",
    "L": "water",
}

QUALITY_WORDS: dict[str, Quality] = {
    "": Quality.ACTUAL,
    "actual": Quality.ACTUAL,
    "valid": Quality.ACTUAL,
    "validated": Quality.VALIDATED,
    "estimated": Quality.ESTIMATED,
    "substituted": Quality.SUBSTITUTED,
    "final": Quality.FINAL_SUBSTITUTE,
    "edited": Quality.EDITED,
    "questionable": Quality.QUESTIONABLE,
    "failed": Quality.FAILED_CHECK,
    "derived": Quality.DERIVED,
    "forecast": Quality.FORECAST,
    "raw": Quality.RAW,
    "missing": Quality.MISSING,
} | {str(int(each)): each for each in Quality}
"""Quality words, in any case, and the numbers of `Quality`."""

UNKNOWN_QUALITY = 255

_UNSET = 15 * 60  # east of every offset in use: the least of those seen replaces it


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What the key columns of a row come to: stream number, or -1 and why not; power of ten, interval (s, 0 where not given), offset (min
    or NO_OFFSET)."""

    stream: int
    exponent: int = 0
    interval_s: int = 0
    offset_min: int = NO_OFFSET
    code: str = ""
    message: str = ""


@dataclass(slots=True, kw_only=True)
class Table:
    """What is known across the blocks of one CSV file."""

    zone: ZoneInfo | None
    zone_name: str | None
    roles: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    labels: list[str] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    names: dict[tuple[bytes, ...], Name] = field(default_factory=dict)
    numbers: dict[tuple[ChannelKey, str], int] = field(default_factory=dict)
    inferred: dict[int, int] = field(default_factory=dict)

    def name(self, key: tuple[bytes, ...]) -> Name:
        """The meaning of one combination of key columns."""
        found = self.names.get(key)
        if found is None:
            found = self.names[key] = self._read(key)
        return found

    def set_offset(self, stream: int, *, at: int, seen: int | None) -> None:
        """Fix a stream's standard offset: the zone's at an instant (epoch s), else the least offset seen (minutes)."""
        if self.zone is not None:
            offset = standard_offset_min(self.zone, at)
        elif seen is not None:
            offset = min(seen, self.streams[stream].utc_offset_min)
        else:
            return
        if offset != self.streams[stream].utc_offset_min:
            self.streams[stream] = replace(self.streams[stream], utc_offset_min=offset)

    def _read(self, key: tuple[bytes, ...]) -> Name:
        try:
            meter, register, unit, minutes, commodity, flow, offset = (each.decode() for each in key)
        except UnicodeDecodeError:
            return Name(stream=_UNNAMED, code="wrong-encoding", message="a name in this row is not UTF-8")
        missing = [name for name, text in (("meter", meter), ("register", register), ("unit", unit)) if not text]
        if missing:
            return _refused("missing-field", f"{' and '.join(missing)} empty")
        if unit.lower() not in UNITS:
            return _refused("unknown-unit", f"the unit {unit[:40]!r} is not known")
        base, exponent = UNITS[unit.lower()]
        commodity = commodity.lower() or _COMMODITY_OF.get(base, "")
        if commodity not in get_args(Commodity):
            return _refused("unknown-commodity", f"commodity {commodity[:40]!r} of a channel in {unit}")
        flow = flow.lower() or "delivered"
        if flow not in get_args(Flow):
            return _refused("unknown-flow", f"the flow {flow[:40]!r} is not known")
        if minutes and not (minutes.isascii() and minutes.isdigit() and len(minutes) < 7 and int(minutes)):
            return _refused("unsupported-interval", f"interval_minutes {minutes[:40]!r} is not a whole number of minutes")
        shift = _offset(offset)
        if offset and shift == NO_OFFSET:
            return _refused("missing-offset", f"utc_offset {offset[:40]!r} is not like +10:00")
        number = self.numbers.setdefault((ChannelKey(meter=meter, register=register), base), len(self.streams))
        if number == len(self.streams):
            self.streams.append(
                Stream(
                    key=ChannelKey(meter=meter, register=register), commodity=cast(Commodity, commodity), flow=cast(Flow, flow), unit=base,
                    utc_offset_min=_UNSET if shift == NO_OFFSET else shift, timezone_hint=self.zone_name,
                )
            )  # fmt: skip
        return Name(stream=number, exponent=exponent, interval_s=int(minutes or 0) * 60, offset_min=shift)


def open_table(timezone: str | None) -> Table | None:
    """A table that reads local times in a named zone; None where there is no such zone."""
    zone = zone_named(timezone) if timezone else None
    return None if timezone and zone is None else Table(zone=zone, zone_name=timezone)


def refuse_all(held: int, *, first_line: int, timezone: str | None, findings: Findings) -> int:
    """Refuse the readings of a block whose time zone or columns are not known; their number."""
    if timezone and zone_named(timezone) is None:
        findings.add("missing-offset", f"there is no time zone {timezone[:60]!r}", line=first_line, count=held)
    elif held:
        findings.add("missing-column", f"{held} readings cannot be told apart", line=first_line, count=held)
    return held


def read_header(line: bytes, table: Table, findings: Findings, *, needed: tuple[str, ...]) -> bool:
    """Set the roles of the columns (and the time labels of the wide layout) from the first line; whether it has all that is needed."""
    try:
        cells = [cell.strip().strip('"').strip() for cell in line.decode().rstrip("\r\n").split(",")]
    except UnicodeDecodeError:
        findings.add("wrong-encoding", "the first line is not UTF-8", line=1)
        return False
    wide = "date" in needed
    cut = next((i for i, cell in enumerate(cells) if wide and is_label(cell)), len(cells))
    columns = [cell.lower() for cell in cells[:cut]]
    table.labels = cells[cut:]
    roles = {name: index for index, name in enumerate(KEY_COLUMNS)} | {"date" if wide else "start": TIME, "quality": QUALITY}
    if not wide:
        roles["value"] = VALUE
    missing = [name for name in needed if name not in columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if missing or twice:
        findings.add("missing-column", f"missing: {', '.join(missing) or 'none'}; twice: {', '.join(twice) or 'none'}", line=1)
        return False
    table.roles = np.array([roles.get(name, -1) for name in columns], dtype=np.int64)
    return True


def is_label(cell: str) -> bool:
    """Whether a column is headed by a time of day such as 00:15."""
    return len(cell) == 5 and cell[2] == ":" and cell[:2].isdigit() and cell[3:].isdigit()


def interning(lines: int, width: int) -> tuple[Any, Any]:
    """An empty hash table and the room for the first spans of each key, for as many keys as lines."""
    size = 1 << max(4, (2 * lines + 2).bit_length())
    return np.full(size, -1, dtype=np.int64), np.zeros((lines + 1, width, 2), dtype=np.int64)


def names_of(data: bytes, firsts: np.ndarray, count: int) -> list[tuple[bytes, ...]]:
    """The keys of a block in the order of their numbers."""
    return [tuple(_unquoted(data[a:b]) for a, b in spans) for spans in firsts[:count].tolist()]


def _unquoted(cell: bytes) -> bytes:
    """A cell of a key as it is meant: one that kept its quotes has each of those inside doubled.

    >>> _unquoted(b'"5"" pipe"')
    b'5" pipe'
    """
    return cell[1:-1].replace(b'""', b'"') if len(cell) >= 2 and cell[:1] == cell[-1:] == b'"' else cell


def qualities_of(data: bytes, firsts: np.ndarray, count: int) -> np.ndarray:
    """`Quality` of each quality word of a block, or UNKNOWN_QUALITY; uint8."""
    words = [data[a:b].decode(errors="replace").lower() for ((a, b),) in firsts[:count, :1].tolist()]
    return np.array([QUALITY_WORDS.get(word, UNKNOWN_QUALITY) for word in words], dtype=np.uint8)


def _refused(code: str, message: str) -> Name:
    return Name(stream=_UNNAMED, code=code, message=message)


def _offset(text: str) -> int:
    raw = np.frombuffer(text.encode() or b" ", dtype=np.uint8)
    return int(offset_minutes(raw, 0, len(text.encode()))) if text else NO_OFFSET


assert len(KEY_COLUMNS) == KEYS
