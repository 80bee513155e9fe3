"""Readings taken one by one, for formats whose records are not rows of text: plain decimals, times, and the columns that `assemble` takes.

A gathering holds one part of a file; `MOST` readings end it, so memory stays bounded however long the file is.
"""

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mains.metering.formats.assemble import Rows, Stream, assemble, assemble_indexes, assemble_periods
from mains.metering.formats.findings import Findings
from mains.metering.formats.scan import ABSURD, EMPTY, FINER, NOT_A_NUMBER, OK
from mains.metering.formats.source import Source
from mains.metering.model import ParsedFile, Quality

MOST = 400_000
"""Readings of one part."""

FIRST, LATEST = -2_208_988_800, 7_258_118_400
"""The instants that are read: 1900 to 2200, in epoch seconds."""

_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)  # fmt: skip
_DIGITS = 18
_LONGEST = 10 * 366 * 86_400
_LONGEST = 10 * 366 * 86_400

NUMBER_FAULTS = {
    NOT_A_NUMBER: ("not-a-number", "a value that is no plain decimal"),
    ABSURD: ("absurd-value", "a value longer than any meter's"),
    FINER: ("finer-than-storable", "a value with more digits than can be kept"),
    EMPTY: ("missing-value", "a reading without a value"),
}
"""What the states of a decimal say: issue code and message."""


def plain_decimal(text: str) -> tuple[int, int, int]:
    """A plain decimal as (mantissa, exponent of ten, state of `scan`), digits after the point kept as written.

    >>> plain_decimal("012.50"), plain_decimal("1e5")[2] == NOT_A_NUMBER
    ((1250, -2, 0), True)
    """
    found = _DECIMAL.fullmatch(text.strip())
    if found is None:
        return 0, 0, NOT_A_NUMBER
    sign, whole, fraction = found[1], found[2].lstrip("0"), found[3] or ""
    if not found[2] and not fraction:
        return 0, 0, NOT_A_NUMBER if text.strip() else EMPTY
    if len(whole) > _DIGITS:
        return 0, 0, ABSURD
    if len(whole) + len(fraction) > _DIGITS:
        fraction = fraction.rstrip("0")
        if len(whole) + len(fraction) > _DIGITS and whole + fraction.lstrip("0") and len((whole + fraction).lstrip("0")) > _DIGITS:
            return 0, 0, FINER
    number = int((whole + fraction) or "0")
    return (-number if sign == "-" else number), -len(fraction), OK


def instant(text: str) -> tuple[int, int | None] | None:
    """An ISO 8601 time as (epoch seconds, offset in minutes east), where one without an offset is given as if it were UTC; None where it
    is no time.

    Fractions of a second must be zero: a reading begins on a whole second.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None or (found[7] and found[7].strip("0")):
        return None
    try:
        wall = datetime(*(int(part or 0) for part in found.groups()[:6]), tzinfo=UTC)
    except ValueError:
        return None
    zone = found[8]
    shift = timedelta(0)
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        if hours > 15 or minutes > 59:
            return None
        shift = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        seconds = int((wall - shift).timestamp())
    except OverflowError:
        return None
    return (seconds, int(shift.total_seconds()) // 60 if zone else None) if FIRST <= seconds < LATEST else None


@dataclass(slots=True, kw_only=True)
class Columns:
    """One kind of reading of a part, a column each of `Rows`."""

    stream: "array[int]" = field(default_factory=lambda: array("i"))
    interval: "array[int]" = field(default_factory=lambda: array("i"))
    start: "array[int]" = field(default_factory=lambda: array("q"))
    mantissa: "array[int]" = field(default_factory=lambda: array("q"))
    exponent: "array[int]" = field(default_factory=lambda: array("h"))
    quality: "array[int]" = field(default_factory=lambda: array("B"))
    line: "array[int]" = field(default_factory=lambda: array("i"))

    def add(self, *, stream: int, interval: int, start: int, mantissa: int, exponent: int, quality: int, line: int) -> None:
        """One reading."""
        self.stream.append(stream)
        self.interval.append(interval)
        self.start.append(start)
        self.mantissa.append(mantissa)
        self.exponent.append(exponent)
        self.quality.append(quality)
        self.line.append(min(line, 2**31 - 1))

    def rows(self) -> Rows:
        """The columns as arrays."""
        kinds: dict[str, Any] = {"stream": np.int32, "interval": np.int32, "start": np.int64, "mantissa": np.int64, "exponent": np.int16, "quality": np.uint8, "line": np.int32}
        return Rows(**{name: np.array(getattr(self, name), dtype=kind) for name, kind in kinds.items()})


@dataclass(slots=True, kw_only=True)
class Gathering:
    """One part of a file while it is read: `found` counts every reading met, taken or refused, until `part` closes it."""

    source: Source
    format: str
    findings: Findings = field(init=False)
    limits: Mapping[str, float] | None = None
    number: int = 1
    found: int = 0
    intervals: Columns = field(default_factory=Columns)
    periods: Columns = field(default_factory=Columns)
    indexes: Columns = field(default_factory=Columns)
    _streams: dict[Stream, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.findings = Findings(self.source.name)

    @property
    def is_full(self) -> bool:
        """Whether the part has as many readings as it should have."""
        return self.found >= MOST

    def interval(self, stream: Stream, text: str, *, start: int, length: int, quality: int, line: int, shift: int = 0) -> None:
        """One interval's usage, decimal x 10^`shift` base units from `start` (epoch s) for `length` s. Nothing here counts as found."""
        self._take(self.intervals, stream, text, start=start, length=length, quality=quality, line=line, shift=shift)

    def period(self, stream: Stream, text: str, *, start: int, length: int, quality: int, line: int, shift: int = 0) -> None:
        """The usage of a stretch that is no interval of a day."""
        self._take(self.periods, stream, text, start=start, length=length, quality=quality, line=line, shift=shift)

    def index(self, stream: Stream, text: str, *, at: int, quality: int, line: int, shift: int = 0) -> None:
        """What a register showed at an instant; the value is the decimal x 10^`shift` base units."""
        self._take(self.indexes, stream, text, start=at, length=1, quality=quality, line=line, shift=shift)

    def refuse(self, code: str, message: str, *, line: int, count: int = 1) -> None:
        """Readings that are counted already and are not taken."""
        self.findings.add(code, message, line=line or None, count=count)

    def _take(
        self, columns: Columns, stream: Stream, text: str, *, start: int, length: int, quality: int, line: int, shift: int
    ) -> None:
        if quality == Quality.MISSING:
            mantissa, exponent, state = 0, 0, OK
        else:
            mantissa, exponent, state = plain_decimal(text)
        if state != OK:
            self.refuse(*NUMBER_FAULTS[state], line=line)
            return
        if not FIRST <= start < LATEST:
            self.refuse("bad-time", "a time before 1900 or after 2200", line=line)
            return
        if length > _LONGEST:
            self.refuse("bad-period", f"a stretch of {length} s: more than ten years", line=line)
            return
        if length > _LONGEST:
            self.refuse("bad-period", f"a stretch of {length} s: more than ten years", line=line)
            return
        number = self._streams.setdefault(stream, len(self._streams))
        columns.add(stream=number, interval=length, start=start, mantissa=mantissa, exponent=exponent + shift, quality=quality, line=line)

    def part(self) -> ParsedFile:
        """Close the part, and begin the next."""
        streams = list(self._streams)
        channels, reads = assemble(self.intervals.rows(), streams, self.findings, limits=self.limits)
        reads += assemble_periods(self.periods.rows(), streams, self.findings, limits=self.limits)
        indexes = assemble_indexes(self.indexes.rows(), streams, self.findings)
        done = ParsedFile(
            file=self.source.name, format=self.format, sha256=self.source.sha256, found=self.found, channels=channels, register_reads=reads,
            index_reads=indexes, issues=self.findings.issues(), part=self.number,
        )  # fmt: skip
        self.findings = Findings(self.source.name)
        self.number, self.found, self._streams = self.number + 1, 0, {}
        self.intervals, self.periods, self.indexes = Columns(), Columns(), Columns()
        return done

    def parts_when_full(self) -> Iterator[ParsedFile]:
        """The part, where it has enough readings; else nothing."""
        if self.is_full:
            yield self.part()
