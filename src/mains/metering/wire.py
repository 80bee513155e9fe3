"""Blocks on the wire: the COPY BINARY rows that go in, and the packed records that bulk reads bring out. Pure numpy; no database.

In: PostgreSQL's COPY BINARY format (documentation, "COPY", section "Binary Format"): a count of fields, then each field with its length; numbers big-endian, instants in
microseconds from 2000-01-01 UTC. Out: the server strings rows of equal size together into one value (`packed_blocks` in queries.sql), and that is read as an array of records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from mains.metering.blocks import DAY, MISSING_16, Blocks
from mains.metering.model import MISSING, Quality

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

COLUMNS = (
    "channel_id", "block_start", "total", "utility_id", "peak", "batch_id", "interval_s", "utc_offset_min", "n_valid", "quality", "width", "vals", "qual",
)  # fmt: skip
"""Columns of `metering.interval_blocks` in the order in which `to_copy_binary` writes them."""

_EPOCH_2000 = 946_684_800
_CHUNK = 4096


def to_copy_binary(blocks: Blocks, *, utility_id: UUID, batch_id: int, chunk: int = _CHUNK) -> Iterator[memoryview]:
    """The rows of `COLUMNS`, without the stream's header and trailer, some `chunk` rows a piece; blocks of one size are written together."""
    for at in range(0, len(blocks), chunk):
        rows = slice(at, at + chunk)
        is_wide, is_mixed = blocks.is_wide[rows], blocks.is_mixed[rows]
        for wide in (False, True):
            for mixed in (False, True):
                chosen = (is_wide == wide) & (is_mixed == mixed)
                if chosen.all():
                    yield _rows(blocks.where(rows), utility_id=utility_id, batch_id=batch_id, width=4 if wide else 2, mixed=mixed)
                elif chosen.any():
                    picked = np.flatnonzero(chosen) + at
                    yield _rows(blocks.where(picked), utility_id=utility_id, batch_id=batch_id, width=4 if wide else 2, mixed=mixed)


def _rows(blocks: Blocks, *, utility_id: UUID, batch_id: int, width: int, mixed: bool) -> memoryview:
    """Rows of equal size as one piece of the stream."""
    n, slots = blocks.values.shape
    lengths = {"channel_id": 8, "block_start": 8, "total": 8, "utility_id": 16, "peak": 4, "batch_id": 4, "interval_s": 4}
    lengths |= {"utc_offset_min": 2, "n_valid": 2, "quality": 2, "width": 2, "vals": width * slots, "qual": slots if mixed else -1}
    kinds: dict[str, object] = {"utility_id": "V16", "vals": (f"<i{width}", (slots,)), "qual": ("u1", (slots,))}
    fields: list[tuple[str, object]] = [("fields", ">i2")]
    for name, length in lengths.items():
        fields.append((f"length_of_{name}", ">i4"))
        if length >= 0:
            fields.append((name, kinds.get(name, f">i{length}")))
    row = np.empty(n, dtype=np.dtype(fields))
    row["fields"] = len(lengths)
    for name, length in lengths.items():
        row[f"length_of_{name}"] = length
    row["channel_id"], row["total"], row["peak"] = blocks.channel_id, blocks.total, blocks.peak
    row["block_start"] = (blocks.block_start - _EPOCH_2000) * 1_000_000
    row["utility_id"], row["batch_id"], row["interval_s"] = np.void(utility_id.bytes), batch_id, blocks.interval_s
    row["utc_offset_min"], row["n_valid"], row["quality"], row["width"] = blocks.utc_offset_min, blocks.n_valid, blocks.quality, width
    row["vals"] = blocks.values
    if width == 2 and (blocks.n_valid < slots).any():
        row["vals"][blocks.values == MISSING] = MISSING_16
    if mixed:
        row["qual"] = blocks.qual
    return row.view(np.uint8).data


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packed:
    """Stored blocks of one interval length and size as they come from the database: one record a block, `vals` still in the width they are stored in."""

    interval_s: int
    records: np.ndarray

    @property
    def width(self) -> int:
        """Bytes a value: 2 or 4."""
        return self.records.dtype["vals"].base.itemsize

    @property
    def channel_id(self) -> NDArray[np.int64]:
        """The channel of each block."""
        return self.records["channel_id"].astype(np.int64)

    @property
    def block_start(self) -> NDArray[np.int64]:
        """Epoch seconds of standard-time midnight of each block."""
        return self.records["block_start"].astype(np.int64) // 1_000_000 + _EPOCH_2000

    @property
    def utc_offset_min(self) -> NDArray[np.int16]:
        """Standard offset of each block, minutes east."""
        return (self.records["offset"].astype(np.int32) - 2**15).astype(np.int16)

    @property
    def has_gaps(self) -> NDArray[np.bool_]:
        """Whether each block misses some interval."""
        return self.records["n_valid"] < DAY // self.interval_s

    def values(self) -> NDArray[np.int32]:
        """Values, int32 [blocks, intervals], `MISSING` in the gaps."""
        found = self.records["vals"].astype(np.int32)
        if self.width == 2:
            found[found == MISSING_16] = MISSING
        return found

    def quality(self) -> NDArray[np.uint8]:
        """Quality, uint8: [blocks, intervals] where each reading has its own, else [blocks, 1]. A gap's quality is not marked here."""
        if "qual" in (self.records.dtype.names or ()):
            return self.records["qual"]
        return self.records["quality"].astype(np.uint8)[:, None]


def unpack(data: bytes, *, interval_s: int, width: int, is_mixed: bool) -> Packed:
    """Records that `packed_blocks` strung together."""
    slots = DAY // interval_s
    fields: list[tuple[str, object]] = [("channel_id", ">i8"), ("block_start", ">i8"), ("version", ">u2"), ("offset", ">u2"), ("quality", ">u2"), ("n_valid", ">u2")]
    fields.append(("vals", (f"<i{width}", (slots,))))
    if is_mixed:
        fields.append(("qual", ("u1", (slots,))))
    record = np.dtype(fields)
    return Packed(interval_s=interval_s, records=np.frombuffer(data, dtype=record))


def with_gaps_marked(values: NDArray[np.int32], quality: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Quality of every reading, uint8 like `values`, with `Quality.MISSING` in the gaps."""
    found = np.array(np.broadcast_to(quality, values.shape))
    found[values == MISSING] = Quality.MISSING
    return found
