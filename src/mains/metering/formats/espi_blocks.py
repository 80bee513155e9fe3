"""The readings of one Green Button IntervalBlock, taken in bulk where it is regular and one by one where it is not."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs
from numpy.typing import NDArray

from mains.metering.formats.espi_scan import NAMES, NO_QUALITY, readings
from mains.metering.formats.findings import Findings
from mains.metering.model import Quality

ESPI = "http://naesb.org/espi"
ATOM = "http://www.w3.org/2005/Atom"

UNKNOWN_QUALITY = 255

QUALITIES: dict[str, Quality] = {
    "0": Quality.ACTUAL,
    "7": Quality.EDITED,
    "8": Quality.ESTIMATED,
    "9": Quality.ESTIMATED,
    "10": Quality.QUESTIONABLE,
    "11": Quality.DERIVED,
    "12": Quality.FORECAST,
    "13": Quality.ESTIMATED,
    "14": Quality.RAW,
    "15": Quality.DERIVED,
    "16": Quality.QUESTIONABLE,
    "17": Quality.VALIDATED,
    "18": Quality.VALIDATED,
    "19": Quality.VALIDATED,
}
"""ESPI QualityOfReading; 13 (mixed) counts as estimated, 15 (weather-normalised) as derived, 16 (other) as questionable."""

_MEANT = np.full(256, UNKNOWN_QUALITY, dtype=np.uint8)
_MEANT[NO_QUALITY] = NO_QUALITY
_MEANT[[int(code) for code in QUALITIES]] = list(QUALITIES.values())

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
_LONGEST = 400 * 86_400
_LATEST = 7_258_118_400  # the year 2200
_ONE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntervalBlock:
    """Good readings of one block, arrays of one length: starts (epoch s), durations (s, 0 where not said), values, qualities or
    NO_QUALITY; and its line."""

    starts: NDArray[np.int64]
    durations: NDArray[np.int64]
    values: NDArray[np.int64]
    qualities: NDArray[np.uint8]
    lines: NDArray[np.int32]
    line: int


def _path(path: str) -> Any:
    return etree.XPath(path, namespaces={"e": ESPI}, smart_strings=False)


_READINGS = _path("e:IntervalReading")
_ONE_QUALITY = _path("e:ReadingQuality/e:quality/text()")


def read_block(element: Any, findings: Findings) -> tuple[IntervalBlock, int]:
    """The readings of an IntervalBlock element, and how many it holds, refused ones included."""
    line = int(element.sourceline or 0)
    text = etree.tostring(element, encoding="utf-8", with_tail=False)
    room = text.count(b"IntervalReading") // 2 + 1
    starts, durations, values = (np.empty(room, dtype=np.int64) for _ in range(3))
    said = np.empty(room, dtype=np.uint8)
    count = readings(np.frombuffer(text, dtype=np.uint8), NAMES, starts, durations, values, said)
    if count >= 0:
        qualities = _MEANT[said[:count]]
        starts, durations, values = starts[:count], durations[:count], values[:count]
        if count == 0 or (_in_reach(starts, durations) and not (qualities == UNKNOWN_QUALITY).any()):
            lines = np.full(count, line, dtype=np.int32)
            return IntervalBlock(starts=starts, durations=durations, values=values, qualities=qualities, lines=lines, line=line), count
    return _one_by_one(element, findings, line), len(_READINGS(element))


def _in_reach(starts: NDArray[np.int64], durations: NDArray[np.int64]) -> bool:
    return bool(starts.min() >= 0 and starts.max() < _LATEST and durations.min() > 0 and durations.max() <= _LONGEST)


def _worst(texts: list[str]) -> int:
    """The least trusted of several qualities."""
    if not texts:
        return NO_QUALITY
    found = [QUALITIES.get(text.strip()) for text in texts]
    known = [quality for quality in found if quality is not None]
    return max(known, key=_WORSE.index) if len(known) == len(found) else UNKNOWN_QUALITY


def _one_by_one(element: Any, findings: Findings, line: int) -> IntervalBlock:
    """The good readings of an irregular block; each of the others becomes an issue at its own line."""
    kept: list[tuple[int, int, int, int, int]] = []
    for reading in _READINGS(element):
        where = int(reading.sourceline or 0)
        texts = [
            reading.findall(f"{{{ESPI}}}timePeriod/{{{ESPI}}}start"),
            reading.findall(f"{{{ESPI}}}timePeriod/{{{ESPI}}}duration"),
            reading.findall(f"{{{ESPI}}}value"),
        ]
        fault = _fault(texts, _worst(_ONE_QUALITY(reading)))
        if fault:
            findings.add(fault[0], fault[1], line=where or None, count=1)
            continue
        start, duration, value = (int(each[0].text) if each else 0 for each in texts)
        kept.append((start, duration, value, _worst(_ONE_QUALITY(reading)), where))
    columns = np.array(kept, dtype=np.int64).reshape(-1, 5)
    return IntervalBlock(
        starts=columns[:, 0],
        durations=columns[:, 1],
        values=columns[:, 2],
        qualities=columns[:, 3].astype(np.uint8),
        lines=columns[:, 4].astype(np.int32),
        line=line,
    )


def _fault(texts: list[list[Any]], quality: int) -> tuple[str, str] | None:
    """What is wrong with one reading, from its start, duration and value elements."""
    starts, durations, values = texts
    if len(starts) != 1 or len(values) != 1 or len(durations) > 1:
        return "missing-field", "an IntervalReading without exactly one start and one value"
    start, duration, value = (_ONE.fullmatch((each[0].text or "").strip()) if each else None for each in texts)
    if start is None or not 0 <= int(start[0]) < _LATEST:
        return "bad-time", "the start of a reading is no number of seconds from 1970"
    if durations and (duration is None or not 0 < int(duration[0]) <= _LONGEST):
        return "unsupported-interval", "the duration of a reading is no number of seconds up to 400 days"
    if value is None:
        return "not-a-number", "the value of a reading is no whole number"
    if quality == UNKNOWN_QUALITY:
        return "unknown-quality", "the quality of a reading is no ESPI code"
    return None
