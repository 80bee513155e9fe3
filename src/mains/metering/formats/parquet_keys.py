"""What the two Parquet layouts share: the names of a row's channel, its quality, and what a batch comes to."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mains.metering.formats.csv_table import QUALITY_WORDS, UNKNOWN_QUALITY, Name, Table
from mains.metering.formats.findings import Findings
from mains.metering.model import ParsedBlocks, ParsedChannel, PeriodRead, Quality


@dataclass(slots=True, kw_only=True)
class Held:
    """What a batch comes to: readings found, and those accepted."""

    found: int
    channels: list[ParsedChannel] = field(default_factory=list)
    reads: list[PeriodRead] = field(default_factory=list)
    blocks: list[ParsedBlocks] = field(default_factory=list)


def codes_of(column: Any) -> tuple[np.ndarray, list[Any]]:
    """A column as numbers into the list of its distinct values; None is one of them where there are nulls."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def combined(batch: Any, columns: tuple[str, ...]) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """For each row the number of its combination of some columns, and the combinations; None stands for a null and for a column that is not there."""
    code = np.zeros(len(batch), dtype=np.int64)
    for name in columns:
        if name in batch.schema.names:
            found, distinct = codes_of(batch.column(name))
            if len(distinct) > 1:
                _, code = _renumbered(code * len(distinct) + found)
    first, number = _renumbered(code)
    picked = pa.array(first)
    values = [batch.column(name).take(picked).to_pylist() if name in batch.schema.names else [None] * len(first) for name in columns]
    return number, list(zip(*values, strict=True))


def name_of(
    table: Table, *, meter: str | None, register: str | None, unit: str | None, interval_s: int | None, commodity: str | None, flow: str | None, offset: int | None
) -> Name:
    """What a channel's columns come to; an offset is minutes east."""
    if interval_s is not None and (interval_s <= 0 or interval_s % 60):
        return Name(stream=-1, code="unsupported-interval", message=f"an interval of {interval_s} s is no whole number of minutes")
    if offset is not None and not -720 <= offset <= 840:
        return Name(stream=-1, code="missing-offset", message=f"utc_offset_min {offset} is beyond 14 hours")
    shift = "" if offset is None else f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    minutes = "" if interval_s is None else str(interval_s // 60)
    return table.name(tuple((text or "").encode() for text in (meter, register, unit, minutes, commodity, flow, shift)))


def _renumbered(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each distinct code, and for each row the number of its code."""
    _, first, number = np.unique(code, return_index=True, return_inverse=True)
    return first, number.astype(np.int64)


def qualities_of(batch: Any, name: str = "quality") -> np.ndarray:
    """`Quality` of each row, UNKNOWN_QUALITY where the word or number is not known; a null is actual."""
    if name not in batch.schema.names:
        return np.full(len(batch), Quality.ACTUAL, dtype=np.uint8)
    code, distinct = codes_of(batch.column(name))
    return np.array([QUALITY_WORDS.get("" if each is None else str(each).lower(), UNKNOWN_QUALITY) for each in distinct] or [0], dtype=np.uint8)[code]


def refuse_rows(bad: np.ndarray, row: int, each: int, code: str, message: str, findings: Findings) -> None:
    """One issue for each bad row, `each` readings it holds; `row` is the number of the first."""
    for at in np.flatnonzero(bad).tolist():
        findings.add(code, message, line=row + at, count=each)
