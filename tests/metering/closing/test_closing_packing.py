"""Blocks of any kind come back from closed rows as they were, to the byte of the records that bulk reads yield."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mains.metering.blocks import DAY, MISSING_16, encode
from mains.metering.closing import coding, packing
from mains.metering.closing.operations import as_told
from mains.metering.model import MISSING

MARCH = 1_772_323_200
"""2026-03-01 00:00 UTC."""
QUALITIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def blocks(seed: int, slots: int, *, n: int = 60) -> packing.Kept:
    """Random blocks of several channels: wide and narrow, whole and with gaps, of one quality and of many, of several offsets, versions and deliveries, with days missing."""
    rng = np.random.default_rng(seed)
    channel, day = np.unique(np.stack([rng.integers(1, 5, n), rng.integers(1, 29, n)]), axis=1)
    n = len(channel)
    offset = np.where(channel == 3, -360, np.where(day > 20, 60, 570)).astype(np.int16)
    scale = rng.choice(np.array([0, 3, 200, 40_000, 2**31 - 1]), n)[:, None]
    values = (rng.integers(-(2**31) + 1, 2**31, (n, slots)) % (2 * scale + 1) - scale).astype(np.int32)
    values[rng.random((n, slots)) < 0.02] = MISSING
    values[rng.random(n) < 0.1] = MISSING
    quality = np.broadcast_to(rng.choice(QUALITIES, n)[:, None], (n, slots)).astype(np.uint8)
    mixed = rng.random(n) < 0.3
    quality[mixed] = rng.choice(QUALITIES, (int(mixed.sum()), slots))
    made = encode(channel_id=channel, block_start=MARCH + day * DAY - offset.astype(np.int64) * 60, values=values, utc_offset_min=offset, quality=quality)
    return packing.Kept(
        interval_s=DAY // slots, channel_id=made.channel_id, block_start=made.block_start, utc_offset_min=made.utc_offset_min,
        version=rng.integers(1, 4, n).astype(np.int16), batch_id=rng.choice(np.array([7, 8, 9, 2**31 - 1], dtype=np.int32), n), quality=made.quality.astype(np.int16),
        width=np.where(made.is_wide | (rng.random(n) < 0.1), 4, 2).astype(np.int16), is_mixed=made.is_mixed, values=values,
        qual=np.zeros((n, 0), np.uint8) if made.qual is None else made.qual,
    )  # fmt: skip


def records(kept: packing.Kept) -> dict[tuple[int, int], tuple[int, int, bytes]]:
    """Each block's record as bulk reads yield it."""
    found = {}
    for packed in packing.as_packed(kept):
        for channel, start, record in zip(packed.channel_id.tolist(), packed.block_start.tolist(), packed.records, strict=True):
            found[channel, start] = (packed.interval_s, packed.width, record.tobytes())
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), slots=st.sampled_from([1, 2, 3, 24, 48, 96, 288]), cut=st.integers(1, 28))
def test_blocks_come_back_to_the_byte(seed: int, slots: int, cut: int) -> None:
    kept = blocks(seed, slots)
    rows = packing.pack(kept, cuts={2: [MARCH + cut * DAY]})
    again = packing.unpack_rows([as_told(row) for row in rows])[0]
    assert records(again) == records(kept)
    key = {(channel, start): batch for channel, start, batch in zip(kept.channel_id.tolist(), kept.block_start.tolist(), kept.batch_id.tolist(), strict=True)}
    assert {(c, s): b for c, s, b in zip(again.channel_id.tolist(), again.block_start.tolist(), again.batch_id.tolist(), strict=True)} == key
    assert sum(row.total for row in rows) == int(kept.total.sum())
    assert sum(row.n_valid for row in rows) == int(kept.n_valid.sum())
    assert max(row.peak for row in rows) == int(kept.peak.max())


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=300), min_size=1, max_size=4), st.sampled_from([1, 24, 96]))
def test_any_series_comes_back(series: list[list[int]], slots: int) -> None:
    series = [each for each in series if each] or [[0]]
    values = np.array([number for each in series for number in each], dtype=np.int32)
    begins = np.cumsum([0, *map(len, series)])
    coded = coding.encode(values, begins, slots=slots)
    ends = np.cumsum([len(each) for each in coded])
    assert np.array_equal(coding.decode(b"".join(coded), ends - [len(each) for each in coded], ends, begins, slots=slots), values)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_damaged_bytes_are_refused_or_read_as_numbers_and_never_run_away(data: bytes) -> None:
    with suppress(coding.NotDecodable):
        coding.decode(data, np.array([0]), np.array([len(data)]), np.array([0, 96]), slots=96)


def test_a_whole_month_of_one_delivery_says_nothing_but_its_values() -> None:
    values = np.random.default_rng(1).integers(0, 300, (31, 96)).astype(np.int32)
    kept = packing.Kept(
        interval_s=900, channel_id=np.full(31, 5), block_start=MARCH + DAY * np.arange(31), utc_offset_min=np.zeros(31, np.int16), version=np.ones(31, np.int16),
        batch_id=np.full(31, 3, np.int32), quality=np.zeros(31, np.int16), width=np.full(31, 2, np.int16), is_mixed=np.zeros(31, bool),
        values=values, qual=np.zeros((31, 0), np.uint8),
    )  # fmt: skip
    (row,) = packing.pack(kept)
    assert row.payload[0] == 0
    assert row.days == 31
    assert len(row.day_sums) == 3 + 31 * (2 + 2)


def test_two_byte_blocks_whose_values_need_four_are_refused() -> None:
    kept = blocks(1, 24)
    narrow = packing.Kept(**{name: getattr(kept, name) for name in packing.Kept.__slots__ if name != "width"}, width=np.full(len(kept), 2, np.int16))
    with pytest.raises(packing.NotPackable):
        packing.pack(narrow)
    assert MISSING_16 == -(2**15)
