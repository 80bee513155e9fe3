"""Parquet files of readings, in two layouts: long (a row a reading) and blocks (a row a channel and standard-time day, the fast one).

Read batch by batch, however large the file or its row groups. Strict: a column that is not documented, of another type or missing refuses the file; a null or a
value that cannot be refuses its row, which the issue names as its line, counted from 1. docs/reference/formats.md has the columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mains.metering.formats import parquet_blocks, parquet_long
from mains.metering.formats.csv_table import open_table
from mains.metering.formats.findings import Findings
from mains.metering.formats.source import Source
from mains.metering.model import ParsedFile

BATCH = 2_000_000
"""Readings of a batch."""
MOST_SLOTS = 1440
MOST_RATIO, FREE = 200, 16 << 20
"""Unpacked over packed size of a file, above the first bytes."""
MOST_IN_LISTS = 64_000_000
"""Values of a row group whose lists are of any length."""

_TEXT = ("text", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)))
_WHOLE = ("whole numbers", pa.types.is_integer)
_EXACT = ("decimals or whole numbers", lambda kind: pa.types.is_integer(kind) or pa.types.is_decimal(kind))
_QUALITY = ("text or whole numbers", lambda kind: _TEXT[1](kind) or pa.types.is_integer(kind))
_DAY = ("dates", pa.types.is_date32)
_INSTANT = ("timestamps", pa.types.is_timestamp)
_LISTS = ("lists of 16- or 32-bit numbers", lambda kind: _is_list(kind, (pa.types.is_int16, pa.types.is_int32)))
_MARKS = ("lists of unsigned bytes", lambda kind: _is_list(kind, (pa.types.is_uint8,)))

LONG: dict[str, tuple[tuple[str, Any], bool]] = {
    "meter": (_TEXT, True), "register": (_TEXT, True), "start": (_INSTANT, True), "value": (_EXACT, True), "unit": (_TEXT, True), "interval_s": (_WHOLE, True),
    "quality": (_QUALITY, False), "commodity": (_TEXT, False), "flow": (_TEXT, False), "utc_offset_min": (_WHOLE, False),
}  # fmt: skip
"""Columns of the long layout: what they hold, and whether they are needed."""

BLOCKS: dict[str, tuple[tuple[str, Any], bool]] = {
    "meter": (_TEXT, True), "register": (_TEXT, True), "day": (_DAY, True), "values": (_LISTS, True), "unit": (_TEXT, True), "utc_offset_min": (_WHOLE, True),
    "pow10": (_WHOLE, False), "commodity": (_TEXT, False), "flow": (_TEXT, False), "quality": (_QUALITY, False), "qualities": (_MARKS, False),
}  # fmt: skip
"""Columns of the layout of blocks."""


def _is_list(kind: Any, of: tuple[Any, ...]) -> bool:
    return (pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)) and any(test(kind.value_type) for test in of)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A file that may be read: its layout and how many readings a row is, 0 where the lists are of any length."""

    file: pq.ParquetFile
    is_blocks: bool
    slots: int


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The parts of a Parquet file, one at least; `timezone` (IANA) reads times without a zone and fixes the standard day where the file does not say it."""
    findings = Findings(source.name)
    opened, table = _opened(source, findings), open_table(timezone)
    if table is None:
        findings.add("missing-offset", f"there is no time zone {str(timezone)[:60]!r}")
    if opened is None or table is None:
        yield ParsedFile(file=source.name, format="parquet", sha256=source.sha256, found=0, issues=findings.issues())
        return
    part, row = 0, 1
    try:
        for batch in opened.file.iter_batches(batch_size=max(1, BATCH // max(opened.slots, 1)), use_threads=False):
            part += 1
            read = parquet_blocks.read if opened.is_blocks else parquet_long.read
            held = read(batch, row, table, findings, limits)
            yield ParsedFile(
                file=source.name, format="parquet", sha256=source.sha256, found=held.found, channels=held.channels, register_reads=held.reads, blocks=held.blocks,
                issues=findings.issues(), part=part,
            )  # fmt: skip
            findings = Findings(source.name)
            row += len(batch)
    except (pa.ArrowException, OSError, ValueError) as error:
        findings = Findings(source.name)
        findings.add("malformed-table", f"the rows from {row} on cannot be read: {_short(error)}", line=row)
    if findings.issues() or not part:
        if not findings.issues():
            findings.add("empty-file", "the file holds no row")
        yield ParsedFile(file=source.name, format="parquet", sha256=source.sha256, found=0, issues=findings.issues(), part=part + 1)


def _opened(source: Source, findings: Findings) -> _Open | None:
    """The file, where its columns are those of a layout and its sizes are believable; else None and an issue."""
    source.stream.seek(0)
    try:
        file = pq.ParquetFile(source.stream, buffer_size=1 << 20, pre_buffer=False)
        schema, packed = file.schema_arrow, file.metadata
        groups = [packed.row_group(i) for i in range(packed.num_row_groups)]
        unpacked = sum(group.total_byte_size for group in groups)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        findings.add("malformed-table", f"the file cannot be opened as Parquet: {_short(error)}")
        return None
    if unpacked > FREE and unpacked > MOST_RATIO * max(source.size, 1):
        findings.add("archive-too-large", f"the file unpacks to {unpacked} bytes from {source.size}")
        return None
    is_blocks = "values" in schema.names
    if not _has_columns(schema, BLOCKS if is_blocks else LONG, "blocks" if is_blocks else "long", findings):
        return None
    slots = _slots(schema, groups, findings) if is_blocks else 1
    return None if slots is None else _Open(file=file, is_blocks=is_blocks, slots=slots)


def _has_columns(schema: Any, wanted: Mapping[str, tuple[tuple[str, Any], bool]], layout: str, findings: Findings) -> bool:
    """Whether the columns are those of a layout; an issue for each that is not."""
    is_good = True
    for name in dict.fromkeys(schema.names):
        if name not in wanted:
            findings.add("unknown-column", f"the {layout} layout has no column {name[:60]!r}", field=name[:60])
            is_good = False
        elif schema.names.count(name) > 1:
            findings.add("missing-column", f"the column {name!r} is there twice", field=name)
            is_good = False
        elif not wanted[name][0][1](schema.field(name).type):
            findings.add("wrong-type", f"the column {name!r} holds {str(schema.field(name).type)[:80]}, not {wanted[name][0][0]}", field=name)
            is_good = False
    for name, (_, is_needed) in wanted.items():
        if is_needed and name not in schema.names:
            findings.add("missing-column", f"the {layout} layout needs a column {name!r}", field=name)
            is_good = False
    return is_good


def _slots(schema: Any, groups: list[Any], findings: Findings) -> int | None:
    """How many readings a day of the file holds, 0 where that is not told by its type; None where it is no number of intervals."""
    kind = schema.field("values").type
    if pa.types.is_fixed_size_list(kind):
        if not 0 < kind.list_size <= MOST_SLOTS or MOST_SLOTS % kind.list_size:
            findings.add("unsupported-interval", f"lists of {kind.list_size} values do not divide the day into whole minutes", field="values")
            return None
        return kind.list_size
    for group in groups:
        most = max((group.column(i).num_values for i in range(group.num_columns)), default=0)
        if most > MOST_IN_LISTS or most > MOST_SLOTS * max(group.num_rows, 1):
            findings.add("archive-too-large", f"a row group of {group.num_rows} rows holds {most} values", field="values")
            return None
    return 96


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

