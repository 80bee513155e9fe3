"""AEMO NEM12 interval data: 100, 200, 300, 400, 500 and 900 records, in market time (UTC+10 all year).

Strict where a reading's meaning hangs on it; the whole record goes where its count of values, date or quality is wrong, a single value
where only that is.
A file without its 900 record keeps its complete records; a last line without a line end is refused. What a 500 record says the register
showed is kept as a read of its dial. Source: AEMO, Meter Data File Format NEM12 & NEM13.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from mains.metering.formats import nem12_scan as scan
from mains.metering.formats.assemble import Rows, Stream, assemble_indexes, assemble_with_blocks
from mains.metering.formats.findings import Findings
from mains.metering.formats.gather import NUMBER_FAULTS, Columns, instant, plain_decimal
from mains.metering.formats.scan import OK
from mains.metering.formats.source import Block, Source, blocks, line_bounds
from mains.metering.formats.whole_days import split_off
from mains.metering.model import ChannelKey, Flow, ParsedFile, Quality

MARKET_OFFSET_MIN = 600
INTERVALS = (5, 10, 15, 30, 60)

UNITS: dict[bytes, tuple[str, int]] = {
    b"WH": ("Wh", 0), b"KWH": ("Wh", 3), b"MWH": ("Wh", 6), b"VARH": ("varh", 0), b"KVARH": ("varh", 3), b"MVARH": ("varh", 6),
    b"VAH": ("VAh", 0), b"KVAH": ("VAh", 3), b"MVAH": ("VAh", 6), b"W": ("W", 0), b"KW": ("W", 3), b"MW": ("W", 6),
    b"VA": ("VA", 0), b"KVA": ("VA", 3), b"MVA": ("VA", 6),
}  # fmt: skip
"""UOM of the 200 record, in capitals: base unit and power of ten."""

FLOWS: dict[str, Flow] = {
    "E": "delivered",
    "Q": "delivered",
    "D": "delivered",
    "P": "delivered",
    "B": "received",
    "K": "received",
    "A": "received",
    "J": "received",
    "N": "net",
    "X": "net",
}
"""First letter of the NMI suffix, seen from the customer; any other counts as total."""

_MESSAGES: dict[int, tuple[str, str]] = {
    scan.UNKNOWN: ("unknown-record", "no NEM12 record begins like this line"),
    scan.WRONG_COUNT: ("wrong-interval-count", "the 300 record does not hold the {detail} values that its 200 record asks for"),
    scan.BAD_DATE: ("bad-date", "the interval date of the 300 record is no date of the form YYYYMMDD"),
    scan.BAD_QUALITY: ("bad-quality", "the quality flag of the 300 record is none of A, N, V, Enn, Fnn, Snn"),
    scan.NOT_COVERED: ("quality-not-covered", "the 300 record has quality V, and its 400 records do not cover its intervals"),
    scan.AFTER_END: ("record-after-end", "a record after the 900 record"),
    scan.ORPHAN: ("orphan-record", "a 300 record without a 200 record before it"),
    scan.BAD_VALUE: ("not-a-number", "interval values that are no plain decimals"),
    scan.ABSURD_VALUE: ("absurd-value", "interval values longer than any meter's"),
    scan.FINE_VALUE: ("finer-than-storable", "interval values with more digits than can be kept"),
    scan.CUT_OFF: ("truncated-file", "the file ends within this record"),
    scan.STRAY_400: ("unknown-record", "a 400 record without a 300 record before it"),
    scan.OUT_OF_ORDER: ("date-order", "an earlier day than the record before"),
}


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known across the blocks of one file."""

    timezone: str | None
    streams: dict[tuple[bytes, str, str], int] = field(default_factory=dict)
    alike: dict[tuple[bytes, ...], tuple[str, str, int, int]] = field(default_factory=dict)
    listed: list[Stream] = field(default_factory=list)
    heads: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    carried: np.ndarray = field(default_factory=lambda: np.array([-1, 0, 0, 0, 0, 0], dtype=np.int64))
    has_header: bool = False
    is_nem12: bool = True


def parse(source: Source, *, limits: Mapping[str, float] | None = None, timezone: str | None = None) -> Iterator[ParsedFile]:
    """The parts of a NEM12 file: one for each 8 MiB, and one at least. `timezone` is only a hint; instants are market time."""
    reading = _Reading(timezone=timezone)
    for part, block in enumerate(blocks(source.stream, cut=_before_last_group), start=1):
        findings = Findings(source.name)
        overlong = block.report_overlong(findings)
        opened = int(reading.carried[0]), int(reading.carried[2]), bool(reading.carried[3])
        rows, found, lines = _block(block, reading, findings)
        shown, counted = _dials(block, lines, opened, findings)
        days, channels, reads = assemble_with_blocks(rows, reading.listed, findings, limits=limits, split_off=split_off)
        indexes = assemble_indexes(shown, reading.listed, findings)
        yield ParsedFile(
            file=source.name, format="nem12", sha256=source.sha256, found=found + overlong + counted, channels=channels, register_reads=reads,
            index_reads=indexes, issues=findings.issues(), part=part, blocks=days,
        )  # fmt: skip


def _before_last_group(data: bytes) -> int:
    """A block ends before a 200 record, else before a 300 record, so that 400 records stay with theirs."""
    return max(data.rfind(b"\n200,"), data.rfind(b"\n300,")) + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lines:
    """The lines of a block: where each starts and ends, its record indicator, and what each 200 record sets."""

    starts: np.ndarray
    ends: np.ndarray
    kind: np.ndarray
    heads: np.ndarray


def market_time(text: str) -> int | None:
    """A date and time of market time, YYYYMMDDhhmmss, as epoch seconds; None where it is none.

    >>> market_time("20250301000000")
    1740751200
    """
    if not (len(text) == 14 and text.isascii() and text.isdigit()):
        return None
    found = instant(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}+10:00")
    return found and found[0]


def _dials(block: Block, lines: _Lines, opened: tuple[int, int, bool], findings: Findings) -> tuple[Rows, int]:
    """What the 500 records of a block say the registers showed, and how many figures there are; `opened` is the stream, its power of
    ten and whether the file had ended, as the block began."""
    columns, counted = Columns(), 0
    stream, power, is_ended = opened
    for i in np.flatnonzero((lines.kind == 200) | (lines.kind == 500) | (lines.kind == 900)).tolist():
        if lines.kind[i] == 200:
            stream, power = int(lines.heads[i, 0]), int(lines.heads[i, 2])
            continue
        is_ended |= bool(lines.kind[i] == 900)
        fields = [each.strip() for each in block.data[lines.starts[i] : lines.ends[i]].decode(errors="replace").split(",")]
        if lines.kind[i] == 900 or len(fields) < 5 or not fields[4]:
            continue
        counted += 1
        at, (mantissa, exponent, state), line = market_time(fields[3]), plain_decimal(fields[4]), block.first_line + i
        if is_ended:
            findings.add("record-after-end", "a record after the 900 record", line=line, count=1)
        elif stream < 0:
            findings.add("orphan-record", "a 500 record without a 200 record that is read before it", line=line, count=1)
        elif at is None:
            findings.add("bad-time", f"the read time {fields[3][:40]!r} is no time of the form YYYYMMDDhhmmss", line=line, count=1)
        elif state != OK:
            findings.add(*NUMBER_FAULTS[state], line=line, count=1)
        else:
            columns.add(stream=stream, interval=1, start=at, mantissa=mantissa, exponent=exponent + power, quality=Quality.ACTUAL, line=line)
    return columns.rows(), counted


def _block(block: Block, reading: _Reading, findings: Findings) -> tuple[Rows, int, _Lines]:
    """The rows of a block, how many readings it holds, refused ones included, and its lines."""
    starts, ends = line_bounds(block.data)
    buf = np.frombuffer(block.data, dtype=np.uint8)
    kind = scan.kinds(buf, starts, ends)
    _header(block, reading, findings, starts, ends, kind)
    heads = np.zeros((len(kind), 3), dtype=np.int32)
    for i in np.flatnonzero(kind == 200).tolist():
        text = block.data[starts[i] : ends[i]]
        head = reading.heads.get(text)
        heads[i] = reading.heads[text] = head if head is not None else _head(text, reading, findings, block.first_line + i)
    is_ended = bool(reading.carried[3]) or bool((kind == 900).any())
    is_cut = block.is_last and not is_ended and not block.data.endswith(b"\n")
    room = block.data.count(b",") + 1
    rows = Rows(
        start=np.empty(room, np.int64),
        mantissa=np.empty(room, np.int64),
        exponent=np.empty(room, np.int16),
        quality=np.empty(room, np.uint8),
        stream=np.empty(room, np.int32),
        interval=np.empty(room, np.int32),
        line=np.empty(room, np.int32),
    )
    faults = np.empty((5 * len(kind) + 1, 4), dtype=np.int64)
    before = int(reading.carried[5])
    columns = (rows.start, rows.mantissa, rows.exponent, rows.quality, rows.stream, rows.interval, rows.line)
    written, faulty = scan.records(buf, starts, ends, kind, heads, reading.carried, is_cut, columns, faults)
    rows = Rows(**{name: getattr(rows, name)[:written] for name in Rows.__slots__})
    rows.line += block.first_line
    _report(faults[:faulty], block.first_line, reading, findings)
    if block.is_last and not is_ended and reading.has_header:
        findings.add("truncated-file", "the file ends without its 900 record", line=block.first_line + max(len(kind) - 1, 0))
    if block.is_last and reading.has_header and not reading.carried[5]:
        findings.add("empty-file", "the file holds no reading", line=block.first_line + max(len(kind) - 1, 0))
    return rows, int(reading.carried[5]) - before, _Lines(starts=starts, ends=ends, kind=kind, heads=heads)


def _header(block: Block, reading: _Reading, findings: Findings, starts: np.ndarray, ends: np.ndarray, kind: np.ndarray) -> None:
    """The first record must be a 100 that says NEM12; without it every reading of the file is refused."""
    if reading.has_header or reading.refusals:
        return
    lines = np.flatnonzero(kind != scan.BLANK)
    if not len(lines):
        if block.is_last:
            findings.add("empty-file", "the file holds no record")
        return
    first = int(lines[0])
    fields = block.data[starts[first] : ends[first]].split(b",")
    reading.has_header = fields[0].strip() == b"100" and len(fields) > 1 and fields[1].strip() == b"NEM12"
    if not reading.has_header:
        message = "the first record is not 100,NEM12"
        findings.add("missing-header", message, line=block.first_line + first)
        reading.refusals.append(("missing-header", message))
        reading.carried[0] = -2


def _head(text: bytes, reading: _Reading, findings: Findings, line: int) -> tuple[int, int, int]:
    """Stream number (or -2 - refusal number), interval minutes and power of ten that a 200 record sets."""
    if not reading.has_header:
        return -2, 0, 0
    fields = text.split(b",")
    alike = tuple(fields[4:5] + fields[7:]) if len(fields) == 10 else ()
    known = reading.alike.get(alike)
    if known is None or not (len(fields[1]) <= 10 and fields[1].isalnum()):
        fields = [each.strip() for each in fields]
        fault = _head_fault(fields)
        if fault:
            findings.add(fault[0], fault[1], line=line)
            reading.refusals.append((fault[0], f"its 200 record is refused: {fault[1]}"))
            return -1 - len(reading.refusals), 0, 0
        known = reading.alike[alike] = fields[4].decode(), *UNITS[fields[7].upper()], int(fields[8])
    suffix, unit, exponent, minutes = known
    place = (fields[1], suffix, unit)
    number = reading.streams.get(place)
    if number is None:
        nmi = fields[1].decode()
        number = reading.streams[place] = len(reading.listed)
        reading.listed.append(
            Stream(
                key=ChannelKey(meter=nmi, register=suffix),
                commodity="electric",
                flow=FLOWS.get(suffix[0], "total"),
                unit=unit,
                utc_offset_min=MARKET_OFFSET_MIN,
                service_point_hint=nmi,
                serial_hint=fields[6].strip().decode(errors="replace") or None,
                timezone_hint=reading.timezone,
            )
        )
    return number, minutes, exponent


def _head_fault(fields: list[bytes]) -> tuple[str, str] | None:
    """What is wrong with a 200 record, if anything."""
    if len(fields) != 10:
        return "bad-record", f"a 200 record has 10 fields, this one {len(fields)}"
    nmi, suffix, unit, length = fields[1], fields[4], fields[7], fields[8]
    if not (1 <= len(nmi) <= 10 and nmi.isalnum()):
        return "bad-record", f"the NMI {_shown(nmi)} is not 1 to 10 letters and digits"
    if not (len(suffix) == 2 and suffix.isalnum()):
        return "bad-record", f"the NMI suffix {_shown(suffix)} is not two letters or digits"
    if not unit:
        return "unknown-unit", f"the 200 record of {_shown(nmi)} {_shown(suffix)} names no unit; the specification asks for one"
    if unit.upper() not in UNITS:
        return "unknown-unit", f"the unit {_shown(unit)} of {_shown(nmi)} {_shown(suffix)} is not an energy or power unit of interval data"
    if not (length.isdigit() and len(length) < 4 and int(length) in INTERVALS):
        return "unsupported-interval", f"the interval length {_shown(length)} is not 5, 10, 15, 30 or 60 minutes"
    return None


def _shown(text: bytes) -> str:
    return repr(text[:40].decode(errors="replace"))


def _report(faults: np.ndarray, first_line: int, reading: _Reading, findings: Findings) -> None:
    for what, index, count, detail in faults.tolist():
        if what == scan.REFUSED:
            code, message = reading.refusals[detail]
        else:
            code, message = _MESSAGES[what]
        severity = "warning" if what == scan.OUT_OF_ORDER else "error"
        findings.add(
            code,
            message.format(detail=detail) if what == scan.WRONG_COUNT else message,
            line=first_line + index,
            count=count,
            severity=severity,
        )
