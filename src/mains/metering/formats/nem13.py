"""AEMO NEM13 accumulated meter data: 100, 250, 550 and 900 records, in market time (UTC+10 all year).

A 250 record names two reads of a register and the quantity between them. The quantity is the truth and is stored as the usage of that
stretch: the market settles on it, and the dial's figures do not say its multiplier. They check the quantity instead, and a difference is
a warning. Where a record has no quantity, the two figures are stored as what the dial showed. Source: AEMO, Meter Data File Format NEM12
& NEM13.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from mains.metering.formats.assemble import Stream
from mains.metering.formats.gather import Gathering, plain_decimal
from mains.metering.formats.nem12 import MARKET_OFFSET_MIN, UNITS, market_time
from mains.metering.formats.scan import OK
from mains.metering.formats.source import Block, Source, blocks
from mains.metering.model import ChannelKey, Flow, ParsedFile, Quality
from mains.metering.quality import UnknownQualityCode, from_nem12

_FIELDS = 23
_FLOWS: dict[str, Flow] = {"E": "delivered", "I": "received"}
_MOST_SHOWN = 100_000
_TRANSACTIONS = frozenset("ACDEGNORS")


class _RefusedError(Exception):
    """Why a record cannot be read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A 250 record that can be read: its stream, instants (epoch s) and decimals as text; `quantity` is empty where there is none."""

    stream: Stream
    power: int
    previous: str
    from_at: int
    previous_quality: Quality
    current: str
    to_at: int
    quality: Quality
    quantity: str


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known across the blocks of one file; `shown` are the dial figures already handed over."""

    timezone: str | None
    has_header: bool = False
    is_refused: bool = False
    is_ended: bool = False
    records: int = 0
    had_250: bool = False
    steps: dict[ChannelKey, Fraction] = field(default_factory=dict)
    shown: dict[tuple[ChannelKey, int], str] = field(default_factory=dict)


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a NEM13 file; `timezone` is only a hint, instants are market time."""
    reading, gathering = _Reading(timezone=timezone), Gathering(source=source, format="nem13", limits=limits)
    line = 1
    for block in blocks(source.stream):
        gathering.found += block.report_overlong(gathering.findings)
        for number, text in enumerate(block.data.split(b"\n"), start=block.first_line):
            line = number
            if text.strip():
                is_cut = block.is_last and not block.data.endswith(b"\n") and _is_last(block, number)
                _line(text, number, reading, gathering, is_cut=is_cut)
        if block.is_last:
            _end(reading, gathering, line)
        yield gathering.part()


def _is_last(block: Block, number: int) -> bool:
    return number == block.first_line + block.data.count(b"\n")


def _end(reading: _Reading, gathering: Gathering, line: int) -> None:
    """What the end of the file says of the whole."""
    if not (reading.has_header or reading.is_refused):
        gathering.findings.add("empty-file", "the file holds no record")
    elif reading.has_header and not reading.is_ended:
        gathering.findings.add("truncated-file", "the file ends without its 900 record", line=line)
    elif reading.has_header and not reading.records:
        gathering.findings.add("empty-file", "the file holds no reading", line=line)


def _line(text: bytes, number: int, reading: _Reading, gathering: Gathering, *, is_cut: bool) -> None:
    """One record."""
    fields = [each.strip() for each in text.decode("utf-8", errors="replace").split(",")]
    kind = fields[0]
    counts = int(kind == "250")
    gathering.found += counts
    reading.records += counts
    if not reading.has_header:
        _header(fields, number, counts, reading, gathering)
    elif reading.is_ended:
        gathering.refuse("record-after-end", "a record after the 900 record", line=number, count=counts)
    elif kind == "900":
        reading.is_ended = True
    elif is_cut:
        gathering.refuse("truncated-file", "the file ends within this record", line=number, count=counts)
    elif kind == "250":
        reading.had_250 = True
        try:
            _take(_record(fields, reading.timezone), number, reading, gathering)
        except _RefusedError as why:
            gathering.refuse(why.code, str(why), line=number)
    elif kind == "550":
        _details(fields, number, reading, gathering)
    else:
        gathering.refuse("unknown-record", "no NEM13 record begins like this line", line=number, count=0)


def _header(fields: list[str], number: int, counts: int, reading: _Reading, gathering: Gathering) -> None:
    """The first record must be a 100 that says NEM13; without it every reading of the file is refused."""
    if reading.is_refused:
        gathering.refuse("missing-header", "the first record is not 100,NEM13", line=number, count=counts)
        return
    reading.has_header = fields[0] == "100" and len(fields) > 1 and fields[1] == "NEM13"
    if not reading.has_header:
        reading.is_refused = True
        gathering.refuse("missing-header", "the first record is not 100,NEM13", line=number, count=counts)


def _details(fields: list[str], number: int, reading: _Reading, gathering: Gathering) -> None:
    """A 550 record says which business event the two reads belong to; it is checked and has no reading of its own."""
    if not reading.had_250:
        gathering.refuse("orphan-record", "a 550 record without a 250 record before it", line=number, count=0)
    elif len(fields) != 5:
        gathering.refuse("bad-record", f"a 550 record has 5 fields, this one {len(fields)}", line=number, count=0)
    elif any(fields[place] and fields[place] not in _TRANSACTIONS for place in (1, 3)):
        gathering.refuse("bad-record", f"the transaction codes {fields[1]!r} and {fields[3]!r} are not of NEM13", line=number, count=0)


def _record(fields: list[str], timezone: str | None) -> _Record:
    """A 250 record from its fields.

    Raises:
        _RefusedError: it cannot be read.
    """
    if len(fields) != _FIELDS:
        raise _RefusedError("bad-record", f"a 250 record has {_FIELDS} fields, this one {len(fields)}")
    nmi, suffix, serial, direction, unit = fields[1], fields[4], fields[6], fields[7], fields[19].upper()
    if not (1 <= len(nmi) <= 10 and nmi.isascii() and nmi.isalnum()):
        raise _RefusedError("bad-record", f"the NMI {nmi[:40]!r} is not 1 to 10 letters and digits")
    if not (len(suffix) == 2 and suffix.isascii() and suffix.isalnum()):
        raise _RefusedError("bad-record", f"the NMI suffix {suffix[:40]!r} is not two letters or digits")
    if direction not in _FLOWS:
        raise _RefusedError("unknown-flow", f"the direction {direction[:40]!r} is neither E (export to the customer) nor I (import)")
    base, power = UNITS.get(unit.encode(), ("", 0))
    if not base.endswith("h"):
        raise _RefusedError("unknown-unit", f"the unit {fields[19][:40]!r} of {nmi} {suffix} is not an energy that is accumulated")
    from_at, to_at = _at(fields[9]), _at(fields[14])
    if from_at >= to_at:
        raise _RefusedError("bad-period", f"the current read at {fields[14]} is not after the previous one at {fields[9]}")
    key = ChannelKey(meter=nmi, register=suffix)
    stream = Stream(
        key=key, commodity="electric", flow=_FLOWS[direction], unit=base, utc_offset_min=MARKET_OFFSET_MIN, service_point_hint=nmi,
        serial_hint=serial or None, timezone_hint=timezone,
    )  # fmt: skip
    return _Record(
        stream=stream, power=power, previous=fields[8], from_at=from_at, previous_quality=_quality(fields[10]), current=fields[13], to_at=to_at,
        quality=_quality(fields[15]), quantity=fields[18],
    )  # fmt: skip


def _at(text: str) -> int:
    """A date and time of market time, YYYYMMDDhhmmss, as epoch seconds."""
    found = market_time(text)
    if found is None:
        raise _RefusedError("bad-time", f"the read time {text[:40]!r} is no time of the form YYYYMMDDhhmmss")
    return found


def _quality(text: str) -> Quality:
    """The quality of a flag and method such as A or E62; a read without one is actual."""
    if text == "V":
        raise _RefusedError("bad-quality", "the quality V is for interval data only")
    try:
        return from_nem12(text)
    except UnknownQualityCode as why:
        raise _RefusedError("bad-quality", str(why)) from why


def _take(record: _Record, line: int, reading: _Reading, gathering: Gathering) -> None:
    """The usage of a record, or, where it has none, what the dial showed before and after."""
    if record.quantity:
        is_received = record.stream.flow == "received"
        text = record.quantity.removeprefix("-") if is_received else record.quantity  # an import is written as a negative quantity
        gathering.period(
            record.stream, text, start=record.from_at, length=record.to_at - record.from_at, quality=record.quality, line=line, shift=record.power
        )
        _check(record, line, reading, gathering)
        return
    gathering.found -= 1
    for text, at, quality in ((record.previous, record.from_at, record.previous_quality), (record.current, record.to_at, record.quality)):
        known = reading.shown.get((record.stream.key, at))
        if len(reading.shown) > _MOST_SHOWN:
            reading.shown.clear()
        if known != text:  # the current read comes again as the next record's previous one
            reading.shown[record.stream.key, at] = text
            gathering.found += 1
            gathering.index(record.stream, text, at=at, quality=quality, line=line, shift=record.power)


def _check(record: _Record, line: int, reading: _Reading, gathering: Gathering) -> None:
    """Warn where the quantity is not the difference of the dial's figures times a whole multiplier that stays the same."""
    dials = [plain_decimal(text) for text in (record.previous, record.current, record.quantity)]
    if any(state != OK for _, _, state in dials):
        message = f"the dial's figures {record.previous[:20]!r} and {record.current[:20]!r} are no plain decimals: the quantity is not checked"
        gathering.findings.add("quantity-differs", message, line=line, severity="warning")
        return
    before, after, quantity = (Fraction(mantissa) * Fraction(10) ** exponent for mantissa, exponent, _ in dials)
    used, finest = after - before, Fraction(10) ** min(dials[0][1], dials[1][1])
    turn = Fraction(10) ** len(record.previous.split(".")[0].strip())
    said = abs(quantity)
    candidates = {abs(used), used + turn if used < 0 else used}
    known = reading.steps.get(record.stream.key)
    for each in candidates:
        if said == each or (known is not None and abs(said - known * each) <= known * finest):
            return
        if each > 0 and said >= each and (said / each).denominator == 1 and known is None:
            reading.steps[record.stream.key] = said / each
            return
    message = f"the quantity {record.quantity[:20]} is no multiple of the difference of {record.previous[:20]} and {record.current[:20]}"
    gathering.findings.add("quantity-differs", message, line=line, severity="warning")
