"""The readings of a Green Button file as rows: those the scan took out of the bytes, and those read one by one from their elements."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mains.metering.formats import espi_scan as scan
from mains.metering.formats.espi_scan import NO_QUALITY
from mains.metering.formats.findings import Findings
from mains.metering.model import Quality
from mains.metering.quality import UnknownQualityCode, from_espi

ESPI = "http://naesb.org/espi"
ATOM = "http://www.w3.org/2005/Atom"

UNKNOWN_QUALITY = 255
_CODES = range(20)

ROW = np.dtype([("start", "i8"), ("value", "i8"), ("duration", "i4"), ("line", "i4"), ("quality", "u1")])
"""One reading: start (epoch s), value, duration (s, 0 where it is not said), line, `Quality` or NO_QUALITY."""

_IN_MEMORY = 256 << 20
_WORSE = (
    Quality.ACTUAL,
    Quality.VALIDATED,
    Quality.RAW,
    Quality.DERIVED,
    Quality.EDITED,
    Quality.ESTIMATED,
    Quality.FORECAST,
    Quality.QUESTIONABLE,
)


def _meant() -> np.ndarray:
    """`Quality` of each ESPI code, UNKNOWN_QUALITY where there is none."""
    found = np.full(len(_CODES), UNKNOWN_QUALITY, dtype=np.uint8)
    for code in _CODES:
        try:
            found[code] = from_espi(code)
        except UnknownQualityCode:
            continue
    return found


MEANT = _meant()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Some bytes of a file without their regular readings: what the XML parser gets, and the rows.

    `runs` are the rows of each run (first, end) and how many costs and tariff periods they held, in the order of their numbers.
    """

    text: bytes
    rows: np.ndarray
    runs: list[tuple[int, int, int]]


@dataclass(slots=True, kw_only=True)
class Excision:
    """Takes the regular readings out of a file's bytes, piece after piece; each run becomes an element `IntervalReading` with the attribute `mark`.

    The mark is made from the file's own hash, so no file can hold it. Lines stay where they are: an element is followed by the line ends of its run.
    """

    mark: str
    is_on: bool = True
    line: int = 1
    carry: bytes = b""
    numbered: int = 0

    def of(self, data: bytes, *, is_last: bool) -> Piece:
        """The next piece; what is cut off at its end waits for the next."""
        if not self.is_on:
            return Piece(text=data, rows=np.empty(0, dtype=ROW), runs=[])
        data = self.carry + data
        buf = np.frombuffer(data, dtype=np.uint8)
        room = len(buf) // 80 + 1
        starts, durations, values = (np.empty(room, dtype=np.int64) for _ in range(3))
        qualities, lines, runs = np.empty(room, dtype=np.uint8), np.empty(room, dtype=np.int32), np.empty((room, 7), dtype=np.int64)
        count, found, end, self.line = scan.excise(
            buf, self.line, is_last, scan.NAMES, MEANT, starts, durations, values, qualities, lines, runs
        )
        self.carry = data[end:]
        rows = np.empty(count, dtype=ROW)
        for name, column in (("start", starts), ("value", values), ("duration", durations), ("line", lines), ("quality", qualities)):
            rows[name] = column[:count]
        kept, at = [], 0
        numbered = []
        for begin, after, first, size, ends, prefix, asides in runs[:found].tolist():
            name = data[begin + 1 : begin + 1 + prefix].decode("ascii")
            kept += [data[at:begin], f'<{name}IntervalReading {self.mark}="{self.numbered}"/>'.encode(), b"\n" * ends]
            at = after
            self.numbered += 1
            numbered.append((first, first + size, asides))
        kept.append(data[at:end])
        return Piece(text=b"".join(kept), rows=rows, runs=numbered)


@dataclass(slots=True, kw_only=True)
class Block:
    """An IntervalBlock: its links, and its line."""

    line: int
    own: str = ""
    up: str = ""
    related: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Kept:
    """All readings of a file, by block, in memory or on disk however many there are."""

    blocks: list[Block] = field(default_factory=list)
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    count: int = 0
    _alone: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _of_alone: list[int] = field(default_factory=list)
    _file: Any = None

    def keep(self, rows: np.ndarray) -> int:
        """Put rows behind those before; the number of the first."""
        if self._file is None:
            self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with the rows
        self._file.write(rows.tobytes())
        first = self.count
        self.count += len(rows)
        return first

    def keep_one(self, row: tuple[int, int, int, int, int], block: int) -> None:
        """Put one row of a block, as `ROW`."""
        self._alone.append(row)
        self._of_alone.append(block)
        if len(self._alone) >= 1 << 16:
            self.flush()

    def flush(self) -> None:
        """Put away the rows that came one by one."""
        if not self._alone:
            return
        first = self.keep(np.array(self._alone, dtype=ROW))
        edges = [0, *(np.flatnonzero(np.diff(self._of_alone)) + 1).tolist(), len(self._alone)]
        self.ranges += [(first + a, first + b, self._of_alone[a]) for a, b in pairwise(edges)]
        self._alone, self._of_alone = [], []

    def parts(self, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows in the order of the file and the number of the block of each, some `most` rows at a time."""
        self.flush()
        ranges = np.array(sorted(self.ranges), dtype=np.int64).reshape(-1, 3)
        sizes = np.cumsum(ranges[:, 1] - ranges[:, 0])
        at = 0
        while at < len(ranges):
            upto = max(int(np.searchsorted(sizes, (sizes[at - 1] if at else 0) + most, side="right")), at + 1)
            chosen = ranges[at:upto]
            first, end = int(chosen[0, 0]), int(chosen[-1, 1])
            self._file.seek(first * ROW.itemsize)
            rows = np.frombuffer(self._file.read((end - first) * ROW.itemsize), dtype=ROW)
            counts = chosen[:, 1] - chosen[:, 0]
            block = np.repeat(chosen[:, 2], counts)
            if len(block) != len(rows):  # some stood where no reading belongs
                rows = rows[np.repeat(chosen[:, 0] - first - np.append(0, np.cumsum(counts)[:-1]), counts) + np.arange(len(block))]
            yield rows, block
            at = upto

    def close(self) -> None:
        """Let the rows go."""
        if self._file is not None:
            self._file.close()


def asides_of(reading: Any) -> int:
    """How many costs and tariff periods an IntervalReading element holds."""
    return sum(len(reading.findall(f"{{{ESPI}}}{name}")) for name in ("cost", "tou", "consumptionTier", "cpp"))


def read_one(reading: Any, findings: Findings) -> tuple[int, int, int, int, int] | None:
    """The row of one IntervalReading element; None where it is refused, with an issue at its own line."""
    line = int(reading.sourceline or 0)
    texts = [
        reading.findall(f"{{{ESPI}}}timePeriod/{{{ESPI}}}start"),
        reading.findall(f"{{{ESPI}}}timePeriod/{{{ESPI}}}duration"),
        reading.findall(f"{{{ESPI}}}value"),
    ]
    quality = _worst([each.text or "" for each in reading.findall(f"{{{ESPI}}}ReadingQuality/{{{ESPI}}}quality")])
    fault = _fault(texts, quality)
    if fault:
        findings.add(fault[0], fault[1], line=line or None, count=1)
        return None
    start, duration, value = (_whole(each[0].text) or 0 if each else 0 for each in texts)
    return start, value, duration, line, quality


def _worst(texts: list[str]) -> int:
    """The least trusted of several qualities."""
    if not texts:
        return NO_QUALITY
    codes = [_whole(text) for text in texts]
    found = [int(MEANT[code]) if code is not None and 0 <= code < len(MEANT) else UNKNOWN_QUALITY for code in codes]
    return UNKNOWN_QUALITY if UNKNOWN_QUALITY in found else max((Quality(each) for each in found), key=_WORSE.index)


def _whole(text: str | None) -> int | None:
    """A whole number of up to 18 digits; None where it is none."""
    digits = (text or "").strip(" \t\r\n")
    bare = digits.removeprefix("-")
    return int(digits) if bare.isascii() and bare.isdigit() and len(bare) <= 18 else None


def _fault(texts: list[list[Any]], quality: int) -> tuple[str, str] | None:
    """What is wrong with one reading, from its start, duration and value elements."""
    starts, durations, values = texts
    if len(starts) != 1 or len(values) != 1 or len(durations) > 1:
        return "missing-field", "an IntervalReading without exactly one start and one value"
    start, duration, value = (_whole(each[0].text) if each else None for each in texts)
    if start is None or not 0 <= start < scan.LATEST:
        return "bad-time", "the start of a reading is no number of seconds from 1970"
    if durations and (duration is None or not 0 < duration <= scan.LONGEST):
        return "unsupported-interval", "the duration of a reading is no number of seconds up to 400 days"
    if value is None:
        return "not-a-number", "the value of a reading is no whole number"
    if quality == UNKNOWN_QUALITY:
        return "unknown-quality", "the quality of a reading is no ESPI code"
    return None
