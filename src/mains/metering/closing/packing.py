"""Blocks of a closed month to rows of `metering.closed_months` and back, to the byte. Pure; no database.

A row is a run of days of one channel with one interval length and offset. Its payload is

    flags (1 byte: 1 several deliveries, 2 something odd), the first day's delivery (4 bytes, little-endian)
    where there are several: length (2), and the differences from delivery to delivery, int32 in byte planes, deflated
    where something is odd: length (4), and deflated: versions (2 a day), qualities (2), 1 for a four-byte block + 2 for mixed qualities (1),
        a bit an interval that is missing, and the qualities of the mixed blocks (1 an interval)
    the values (`coding`), each missing one as the one before it

A day is odd where it is not its first version, of one quality `ACTUAL`, whole, and as wide as its values need.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.metering.blocks import DAY, MISSING_16
from mains.metering.model import MISSING, Quality
from mains.metering.wire import Packed, unpack

_SEVERAL, _ODD = 1, 2
_WIDE, _MIXED = 1, 2
_EPOCH_2000 = 946_684_800
_ESTIMATED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)
_ALONE = 500_000
"""Readings that are not worth a second thread."""


class NotPackable(ValueError):
    """Blocks that would not come back as they are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Stored blocks of one interval length, all that the store keeps of them but what follows from their values; arrays have an element (`values`, `qual`: a row) a block.

    `block_start` epoch seconds; `values` int32 [blocks, intervals] with `MISSING`; `width` 2 or 4; `qual` uint8 like `values`, which counts where `is_mixed`.
    """

    interval_s: int
    channel_id: NDArray[np.int64]
    block_start: NDArray[np.int64]
    utc_offset_min: NDArray[np.int16]
    version: NDArray[np.int16]
    batch_id: NDArray[np.int32]
    quality: NDArray[np.int16]
    width: NDArray[np.int16]
    is_mixed: NDArray[np.bool_]
    values: NDArray[np.int32]
    qual: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.channel_id)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Kept":
        """The chosen blocks, by mask, by order or by slice."""
        return Kept(interval_s=self.interval_s, **{name: getattr(self, name)[chosen] for name in self.__slots__ if name != "interval_s"})

    @property
    def n_valid(self) -> NDArray[np.int16]:
        """Intervals of each block that have a value."""
        return (self.values != MISSING).sum(axis=1).astype(np.int16)

    @property
    def total(self) -> NDArray[np.int64]:
        """Sum of each block's values."""
        return np.where(self.values == MISSING, 0, self.values).sum(axis=1, dtype=np.int64)

    @property
    def peak(self) -> NDArray[np.int32]:
        """Largest value of each block, 0 where there is none."""
        top = self.values.max(axis=1)
        return np.where(top == MISSING, 0, top).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRow:
    """A row of `metering.closed_months`; `first_day_at` epoch seconds."""

    channel_id: int
    first_day_at: int
    total: int
    peak: int
    n_valid: int
    n_estimated: int
    interval_s: int
    utc_offset_min: int
    days: int
    day_sums: bytes
    payload: bytes


# To rows -------------------------------------------------------------------------------------------------------------------------------------------------------


def pack(kept: Kept, *, cuts: Mapping[int, Iterable[int]] | None = None) -> list[ClosedRow]:
    """Rows of blocks that lie in one UTC month. `cuts` are instants (epoch seconds) by channel before which a new row begins.

    Raises:
        NotPackable: a block's numbers cannot be told from its values (two-byte blocks with values that need four).
    """
    if not len(kept):
        return []
    kept = kept.where(np.lexsort((kept.block_start, kept.utc_offset_min, kept.channel_id)))
    n, slots = kept.values.shape
    is_gap = kept.values == MISSING
    needs = np.where(is_gap, 0, kept.values)
    width = np.where((needs.max(axis=1) > 2**15 - 1) | (needs.min(axis=1) <= MISSING_16), 4, 2)
    if (kept.width < width).any():
        raise NotPackable(f"channel {kept.channel_id[(kept.width < width).argmax()]} has two-byte blocks whose values need four")
    n_valid, total, peak = kept.n_valid, needs.sum(axis=1, dtype=np.int64), kept.peak
    odd = (kept.version != 1) | (kept.quality != Quality.ACTUAL) | kept.is_mixed | (kept.width != width) | (n_valid < slots)
    estimated = np.where(kept.is_mixed, np.isin(kept.qual, _ESTIMATED).sum(axis=1), np.where(np.isin(kept.quality, _ESTIMATED), n_valid, 0))
    begins = _runs(kept, cuts or {})
    ends = np.append(begins[1:], n)
    from mains.metering.closing import coding

    series = coding.encode(_filled(kept.values, is_gap, begins).reshape(-1), np.append(begins, n) * slots, slots=slots)
    any_odd, peaks = np.logical_or.reduceat(odd, begins), np.maximum.reduceat(peak, begins)
    totals, valid, guessed = (np.add.reduceat(each, begins, dtype=np.int64) for each in (total, n_valid, estimated))
    rows = []
    for i, (a, b) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        rows.append(
            ClosedRow(
                channel_id=int(kept.channel_id[a]), first_day_at=int(kept.block_start[a]), total=int(totals[i]), peak=int(peaks[i]), n_valid=int(valid[i]),
                n_estimated=int(guessed[i]), interval_s=kept.interval_s, utc_offset_min=int(kept.utc_offset_min[a]), days=b - a,
                day_sums=_day_sums(total[a:b], peak[a:b], n_valid[a:b], slots),
                payload=_about(kept, is_gap, slice(a, b), is_odd=bool(any_odd[i])) + series[i],
            )
        )  # fmt: skip
    return rows


def _runs(kept: Kept, cuts: Mapping[int, Iterable[int]]) -> NDArray[np.int64]:
    """Where each run of days begins among sorted blocks: at another channel or offset, after a hole, at a cut."""
    breaks = np.ones(len(kept), dtype=bool)
    breaks[1:] = (np.diff(kept.channel_id) != 0) | (np.diff(kept.utc_offset_min) != 0) | (np.diff(kept.block_start) != DAY)
    for channel, instants in cuts.items():
        first, last = np.searchsorted(kept.channel_id, [channel, channel + 1])
        starts = kept.block_start[first:last]
        for instant in instants:
            breaks[first:last] |= (starts >= instant) & (starts - DAY < instant)
    return np.flatnonzero(breaks)


def _filled(values: NDArray[np.int32], is_gap: NDArray[np.bool_], begins: NDArray[np.int64]) -> NDArray[np.int32]:
    """Values with each missing one as the one before it in its run, 0 where there is none."""
    if not is_gap.any():
        return values
    flat, gaps = values.reshape(-1), is_gap.reshape(-1)
    first = np.zeros(flat.size, dtype=bool)
    first[begins * values.shape[1]] = True
    source = np.maximum.accumulate(np.where(~gaps | first, np.arange(flat.size), 0))
    found = flat[source]
    found[found == MISSING] = 0
    return found.reshape(values.shape)


def _day_sums(total: NDArray[np.int64], peak: NDArray[np.int32], n_valid: NDArray[np.int16], slots: int) -> bytes:
    """The days' totals, peaks and counts as `metering.closed_days` reads them."""
    wide, high, counted = _bytes_for(total), _bytes_for(peak), 2 if (n_valid < slots).any() else 0
    return bytes((wide, high, counted)) + _big_endian(total, wide) + _big_endian(peak, high) + (n_valid.astype(">i2").tobytes() if counted else b"")


def _bytes_for(numbers: NDArray[np.integer]) -> int:
    """Bytes that each of some signed numbers fits."""
    low, high = int(numbers.min()), int(numbers.max())
    return (max(low ^ (low >> 63), high ^ (high >> 63)).bit_length() + 8) // 8


def _big_endian(numbers: NDArray[np.integer], width: int) -> bytes:
    return numbers.astype(">i8").view(np.uint8).reshape(-1, 8)[:, 8 - width :].tobytes()


def _about(kept: Kept, is_gap: NDArray[np.bool_], rows: slice, *, is_odd: bool) -> bytes:
    """What a payload says before the values."""
    batches = kept.batch_id[rows]
    steps = np.diff(batches)
    several = steps.any()
    head = struct.pack("<Bi", (_SEVERAL if several else 0) | (_ODD if is_odd else 0), int(batches[0]))
    if several:
        told = _deflated(steps.astype("<i4").view(np.uint8).reshape(-1, 4).T.tobytes())
        head += struct.pack("<H", len(told)) + told
    if is_odd:
        mixed = kept.is_mixed[rows]
        marks = ((kept.width[rows] == 4) * _WIDE | mixed * _MIXED).astype(np.uint8)
        parts = (kept.version[rows].astype("<i2"), kept.quality[rows].astype("<i2"), marks, np.packbits(is_gap[rows]), kept.qual[rows][mixed])
        told = _deflated(b"".join(part.tobytes() for part in parts))
        head += struct.pack("<I", len(told)) + told
    return head


def _deflated(data: bytes) -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return made.compress(data) + made.flush()


# And back ------------------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is needed of a closed row to have its blocks back."""

    channel_id: int
    first_day_at: int
    interval_s: int
    utc_offset_min: int
    days: int
    payload: bytes


_WIRE = struct.Struct(">qqihh")


def told(record: bytes) -> Told:
    """A row as `packed_blocks` in metering/queries.sql sends it: channel, start (µs from 2000), interval length, offset, days, payload."""
    channel, start, interval_s, offset, days = _WIRE.unpack_from(record)
    return Told(channel_id=channel, first_day_at=start // 1_000_000 + _EPOCH_2000, interval_s=interval_s, utc_offset_min=offset, days=days, payload=record[_WIRE.size :])


def unpack_rows(rows: Sequence[Told]) -> list[Kept]:
    """The blocks of rows, one `Kept` an interval length, rows in their order.

    Raises:
        closing.coding.NotDecodable, zlib.error, struct.error: a payload is damaged.
    """
    return [_unpack_alike([row for row in rows if row.interval_s == interval_s]) for interval_s in sorted({row.interval_s for row in rows})]


def has_sums(row: Told, sums: bytes) -> bool:
    """Whether the readings of a row have the sums that its columns say: total, peak, count and estimated (8, 4, 4 and 4 bytes, big-endian), then the days' sums."""
    try:
        (kept,) = unpack_rows([row])
        (again,) = pack(kept)
    except ValueError:  # not decodable, or no longer one row
        return False
    except zlib.error:
        return False
    return struct.pack(">qiii", again.total, again.peak, again.n_valid, again.n_estimated) + again.day_sums == sums


def _unpack_alike(rows: list[Told]) -> Kept:
    interval_s = rows[0].interval_s
    slots = DAY // interval_s
    days = np.array([row.days for row in rows], dtype=np.int64)
    ends = np.cumsum(days)
    begins = ends - days
    n = int(ends[-1])
    day = np.arange(n) - np.repeat(begins, days)
    batches, version, quality = np.empty(n, dtype=np.int32), np.ones(n, dtype=np.int16), np.full(n, Quality.ACTUAL, dtype=np.int16)
    skipped = np.empty(len(rows), dtype=np.int64)
    odd: list[tuple[int, int, bytes]] = []
    for i, (row, a) in enumerate(zip(rows, begins.tolist(), strict=True)):
        skipped[i] = _read_about(row.payload, batches[a : a + row.days])
        if row.payload[0] & _ODD:
            odd.append((a, row.days, _odd_of(row.payload)))
    values = _values(rows, skipped, np.append(begins, n) * slots, slots).reshape(n, slots)
    width = np.where((values.max(axis=1) > 2**15 - 1) | (values.min(axis=1) <= MISSING_16), 4, 2).astype(np.int16)
    mixed = np.zeros(n, dtype=bool)
    qual = np.zeros((n, slots) if odd else (n, 0), dtype=np.uint8)
    for a, count, data in odd:
        _apply_odd(data, count, slots, values[a : a + count], version[a : a + count], quality[a : a + count], width[a : a + count], mixed[a : a + count], qual[a : a + count])
    return Kept(
        interval_s=interval_s,
        channel_id=np.repeat(np.array([row.channel_id for row in rows], dtype=np.int64), days),
        block_start=np.repeat(np.array([row.first_day_at for row in rows], dtype=np.int64), days) + day * DAY,
        utc_offset_min=np.repeat(np.array([row.utc_offset_min for row in rows], dtype=np.int16), days),
        version=version, batch_id=batches, quality=quality, width=width, is_mixed=mixed, values=values, qual=qual,
    )  # fmt: skip


def _read_about(payload: bytes, batches: NDArray[np.int32]) -> int:
    """Fill the deliveries of a row's days; where its values begin."""
    flags, first = struct.unpack_from("<Bi", payload)
    at = 5
    batches[:] = first
    if flags & _SEVERAL:
        (length,) = struct.unpack_from("<H", payload, at)
        planes = zlib.decompress(payload[at + 2 : at + 2 + length], -15)
        steps = np.frombuffer(planes, dtype=np.uint8).reshape(4, -1).T.copy().view("<i4")[:, 0]
        batches[1:] += np.cumsum(steps, dtype=np.int32)
        at += 2 + length
    if flags & _ODD:
        (length,) = struct.unpack_from("<I", payload, at)
        at += 4 + length
    return at


def _odd_of(payload: bytes) -> bytes:
    """What a payload says of odd days."""
    at = 5
    if payload[0] & _SEVERAL:
        at += 2 + struct.unpack_from("<H", payload, at)[0]
    (length,) = struct.unpack_from("<I", payload, at)
    return zlib.decompress(payload[at + 4 : at + 4 + length], -15)


def _apply_odd(
    data: bytes, n: int, slots: int, values: NDArray[np.int32], version: NDArray[np.int16], quality: NDArray[np.int16], width: NDArray[np.int16], mixed: NDArray[np.bool_],
    qual: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Put what is odd of a row's days into them."""
    version[:], quality[:] = np.frombuffer(data, "<i2", n), np.frombuffer(data, "<i2", n, 2 * n)
    marks = np.frombuffer(data, np.uint8, n, 4 * n)
    width[:], mixed[:] = np.where(marks & _WIDE, 4, 2), (marks & _MIXED) != 0
    gaps = np.frombuffer(data, np.uint8, -(-n * slots // 8), 5 * n)
    values[np.unpackbits(gaps, count=n * slots).reshape(n, slots).astype(bool)] = MISSING
    if mixed.any():
        qual[mixed] = np.frombuffer(data, np.uint8, -1, 5 * n + len(gaps)).reshape(-1, slots)


def _values(rows: list[Told], skipped: NDArray[np.int64], begins: NDArray[np.int64], slots: int) -> NDArray[np.int32]:
    """The values of rows, one after the other; by two threads where there are many."""
    from mains.metering.closing import coding

    lengths = np.array([len(row.payload) for row in rows], dtype=np.int64)
    ends = np.cumsum(lengths)
    firsts = ends - lengths + skipped
    data = b"".join([row.payload for row in rows])
    if begins[-1] < _ALONE or len(rows) < 2:
        return coding.decode(data, firsts, ends, begins, slots=slots)
    values = np.empty(int(begins[-1]), dtype=np.int32)
    half = len(rows) // 2

    def some(part: slice) -> None:
        edges = begins[part.start : part.stop + 1]
        values[edges[0] : edges[-1]] = coding.decode(data, firsts[part], ends[part], edges - edges[0], slots=slots)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(some, (slice(0, half), slice(half, len(rows)))))
    return values


def as_packed(kept: Kept) -> list[Packed]:
    """The blocks as the records that the live tier sends, one group a size: the same bytes."""
    n_valid = kept.n_valid
    found = []
    for width in (2, 4):
        for is_mixed in (False, True):
            chosen = np.flatnonzero((kept.width == width) & (kept.is_mixed == is_mixed))
            if not len(chosen):
                continue
            every = len(chosen) == len(kept)
            records = np.empty(len(chosen), dtype=unpack(b"", interval_s=kept.interval_s, width=width, is_mixed=is_mixed).records.dtype)
            records["channel_id"], records["block_start"] = kept.channel_id[chosen], (kept.block_start[chosen] - _EPOCH_2000) * 1_000_000
            records["version"], records["offset"] = kept.version[chosen], kept.utc_offset_min[chosen].astype(np.int32) + 2**15
            records["quality"], records["n_valid"] = kept.quality[chosen], n_valid[chosen]
            values = kept.values if every else kept.values[chosen]
            records["vals"] = values
            if width == 2 and (n_valid[chosen] < values.shape[1]).any():
                records["vals"][values == MISSING] = MISSING_16
            if is_mixed:
                records["qual"] = kept.qual[chosen]
            found.append(Packed(interval_s=kept.interval_s, records=records))
    return found
