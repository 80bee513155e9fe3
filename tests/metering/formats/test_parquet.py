"""Parquet files in the two layouts: what is read, and what is refused with its row and reason."""

import io
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import codes, read, read_one

from mains.metering.formats import parquet
from mains.metering.model import MISSING, Quality

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
START = 1767247200  # 2026-01-01 00:00 at UTC-6


def packed(table, **options) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def long_table(count: int = 96, **changes):
    columns = {
        "meter": pa.array(["M1"] * count),
        "register": pa.array(["1"] * count),
        "start": pa.array([(START + 900 * i) * 1000 for i in range(count)], pa.int64()).cast(pa.timestamp("ms", "UTC")),
        "value": pa.array([Decimal(i) / 1000 for i in range(count)], pa.decimal128(12, 3)),
        "unit": pa.array(["kWh"] * count),
        "interval_s": pa.array([900] * count, pa.int32()),
        "utc_offset_min": pa.array([-360] * count, pa.int16()),
    }
    return pa.table({name: column for name, column in (columns | changes).items() if column is not None})


def blocks_table(days: int = 3, *, numbers=None, slots: int = 96, **changes):
    numbers = np.arange(days * slots, dtype=np.int32) % 900 if numbers is None else numbers
    columns = {
        "meter": pa.array([f"M{i % 2}" for i in range(days)]),
        "register": pa.array(["1"] * days),
        "day": pa.array([date(2026, 1, 1) + timedelta(days=i) for i in range(days)], pa.date32()),
        "values": pa.FixedSizeListArray.from_arrays(pa.array(numbers, pa.int32()), slots),
        "unit": pa.array(["Wh"] * days),
        "utc_offset_min": pa.array([-360] * days, pa.int16()),
    }
    return pa.table({name: column for name, column in (columns | changes).items() if column is not None})


def dense(part):
    """{(meter, start): (value, quality)} of a part's blocks and channels."""
    found = {}
    for each in part.blocks:
        quality = each.quality if each.quality.ndim == 2 else np.repeat(each.quality[:, None], each.values.shape[1], axis=1)
        for i, start in enumerate(each.block_start.tolist()):
            for k, value in enumerate(each.values[i].tolist()):
                found[each.meters[each.which[i]], start + k * each.interval_s] = None if value == MISSING else (value * Decimal(10) ** each.pow10, int(quality[i, k]))
    for each in part.channels:
        for start, value, quality in zip(each.starts.tolist(), each.values.tolist(), each.quality.tolist(), strict=True):
            found[each.key.meter, start] = None if value == MISSING else (value * Decimal(10) ** each.pow10, quality)
    return found


def test_the_long_layout():
    quality = pa.array(["estimated", None] * 48).dictionary_encode()
    value = pa.array([None, *(Decimal(i) / 1000 for i in range(1, 96))], pa.decimal128(12, 3))
    part = read_one(packed(long_table(quality=quality, value=value)))
    (channel,) = part.channels

    assert (part.format, part.found, part.issues) == ("parquet", 96, [])
    assert (channel.key.meter, channel.commodity, channel.flow, channel.unit, channel.pow10, channel.utc_offset_min) == ("M1", "electric", "delivered", "Wh", 0, -360)
    assert channel.values.tolist() == [MISSING, *range(1, 96)]
    assert channel.quality.tolist()[:3] == [Quality.MISSING, Quality.ACTUAL, Quality.ESTIMATED]
    assert channel.starts.tolist() == [START + 900 * i for i in range(96)]


def test_the_layout_of_blocks_goes_through_as_arrays():
    part = read_one(packed(blocks_table(4, commodity=pa.array(["electric"] * 4), quality=pa.array([0, 2, 0, 1], pa.uint8()), pow10=pa.array([-3] * 4, pa.int8()))))
    (block,) = part.blocks

    assert (part.found, part.accepted, part.channels, part.issues) == (384, 384, [], [])
    assert (block.meters, block.registers, block.which.tolist(), block.pow10, block.interval_s) == (["M0", "M1"], ["1", "1"], [0, 1, 0, 1], -3, 900)
    assert block.block_start.tolist() == [START + 86400 * i for i in range(4)]
    assert block.values[1].tolist() == list(range(96, 192))
    assert block.quality.tolist() == [0, 2, 0, 1]
    assert block.lines.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int16()), pa.list_(pa.int32(), 96)])
def test_lists_of_any_kind_and_missing_readings(kind):
    rows = [[None, *range(1, 96)], list(range(96))]
    marks = pa.array([[0] * 96, [2] * 96], pa.list_(pa.uint8()))
    part = read_one(packed(blocks_table(2, values=pa.array(rows, kind), qualities=marks)))
    found = dense(part)

    assert found["M0", START] is None
    assert found["M0", START + 900] == (1, 0)
    assert found["M1", START + 86400] == (0, 2)


def test_days_of_several_lengths_in_one_file():
    part = read_one(packed(blocks_table(2, values=pa.array([[1] * 24, [2] * 96], pa.list_(pa.int32())))))
    assert sorted(each.interval_s for each in part.blocks) == [900, 3600]
    assert part.accepted == 120


def test_odd_days_are_judged_reading_by_reading():
    values = np.arange(4 * 96, dtype=np.int64) % 900
    values[5], values[100], values[200:202] = -7, 2_000_000_000, -1
    table = blocks_table(4, numbers=values)
    twice = pa.concat_tables([table, table.slice(3, 1)])
    part = read_one(packed(twice))

    assert codes(part) == {"negative-value": 3, "absurd-value": 1, "duplicate-in-file": 96}
    assert (part.found, part.accepted) == (480, 380)
    assert {issue.line for issue in part.issues if issue.code == "negative-value"} == {1, 3}
    assert read_one(packed(blocks_table(4, numbers=np.where(values > 10**9, 0, values), flow=pa.array(["net"] * 4)))).accepted == 384


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"value": pa.array([0.5] * 96)}, "wrong-type"),
        ({"meter": pa.array(range(96))}, "wrong-type"),
        ({"meter": pa.array([b"M"] * 96)}, "wrong-type"),
        ({"start": pa.array(["2026-01-01"] * 96)}, "wrong-type"),
        ({"value": pa.array([[1]] * 96)}, "wrong-type"),
        ({"value": pa.array([{"a": 1}] * 96)}, "wrong-type"),
        ({"unit": pa.array([5] * 96).dictionary_encode()}, "wrong-type"),
        ({"interval_s": None}, "missing-column"),
        ({"note": pa.array(["x"] * 96)}, "unknown-column"),
    ],
)
def test_a_file_with_another_column_is_refused_and_the_column_named(changes, code):
    part = read_one(packed(long_table(**changes)))
    assert (part.found, codes(part)) == (0, {code: 0})
    assert part.issues[0].field in (*changes, "interval_s")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start": pa.array([(START + 900 * i) for i in range(96)], pa.int64()).cast(pa.timestamp("s"))}, {"missing-offset": 96}),
        ({"start": pa.array([START * 1000 + 900_000 * i + (i == 3) for i in range(96)]).cast(pa.timestamp("ms", "UTC"))}, {"bad-time": 1}),
        ({"start": pa.array([START + 900 * i if i else None for i in range(96)]).cast(pa.timestamp("s", "UTC"))}, {"missing-field": 1}),
        ({"start": pa.array([-(10**17) + i for i in range(96)]).cast(pa.timestamp("us", "UTC"))}, {"bad-time": 96}),
        ({"meter": pa.array([None, *["M1"] * 95])}, {"missing-field": 1}),
        ({"unit": pa.array(["furlong", *["kWh"] * 95])}, {"unknown-unit": 1}),
        ({"quality": pa.array(["good", *["actual"] * 95])}, {"unknown-quality": 1}),
        ({"quality": pa.array([77, *[0] * 95])}, {"unknown-quality": 1}),
        ({"interval_s": pa.array([None, *[900] * 95], pa.int32())}, {"missing-field": 1}),
        ({"interval_s": pa.array([901, *[900] * 95], pa.int32())}, {"unsupported-interval": 1}),
        ({"utc_offset_min": pa.array([9999] * 96, pa.int16())}, {"missing-offset": 96}),
        ({"value": pa.array([Decimal(10) ** 30] * 96, pa.decimal128(38, 3))}, {"absurd-value": 96}),
        ({"value": pa.array([2**63] * 96, pa.uint64())}, {"absurd-value": 96}),
        ({"value": pa.array([Decimal(-1)] * 96, pa.decimal256(40, 3))}, {"negative-value": 96}),
        ({"flow": pa.array(["sideways"] * 96)}, {"unknown-flow": 96}),
    ],
)
def test_a_row_that_cannot_be_is_refused_alone(changes, expected):
    assert codes(read_one(packed(long_table(**changes)))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"values": pa.array([None, [1] * 96], pa.list_(pa.int32(), 96))}, {"null-value": 1}),
        ({"values": pa.array([[1] * 7, [1] * 96], pa.list_(pa.int32()))}, {"wrong-interval-count": 7}),
        ({"values": pa.array([[], [1] * 96], pa.list_(pa.int32()))}, {"wrong-interval-count": 0}),
        ({"day": pa.array([None, date(2026, 1, 1)], pa.date32())}, {"missing-field": 96}),
        ({"day": pa.array([date(1950, 1, 1), date(2026, 1, 1)], pa.date32())}, {"bad-date": 96}),
        ({"meter": pa.array(["", "M"])}, {"missing-field": 96}),
        ({"utc_offset_min": pa.array([None, 0], pa.int16())}, {"missing-offset": 96}),
        ({"quality": pa.array(["odd", "actual"])}, {"unknown-quality": 96}),
        ({"qualities": pa.array([[0] * 5, [0] * 96], pa.list_(pa.uint8()))}, {"wrong-interval-count": 96}),
        ({"qualities": pa.array([[99] + [0] * 95, [0] * 96], pa.list_(pa.uint8()))}, {"unknown-quality": 1}),
        ({"unit": pa.array(["m3", "Wh"])}, {"unknown-commodity": 96}),
        ({"pow10": pa.array([99, 0], pa.int8())}, {"bad-record": 96}),
        ({"pow10": pa.array([-5, 0], pa.int8())}, {"finer-than-storable": 96}),
    ],
)
def test_a_day_that_cannot_be_is_refused(changes, expected):
    values = {"values": pa.array([[1] * 96] * 2, pa.list_(pa.int32()))}
    assert codes(read_one(packed(blocks_table(2, **(values | changes))))) == expected


def test_local_times_are_read_in_the_named_zone():
    walls = [START - 6 * 3600 + 900 * i for i in range(96)]
    table = long_table(start=pa.array(walls, pa.int64()).cast(pa.timestamp("s")), utc_offset_min=None)
    (channel,) = read_one(packed(table), timezone="America/Chicago").channels
    assert (channel.starts[0], channel.utc_offset_min) == (START, -360)
    assert codes(read_one(packed(table), timezone="Mars/Base")) == {"missing-offset": 0}


def test_broken_files_are_refused():
    whole = packed(blocks_table(50), compression="zstd")
    for data in (whole[:-9], whole[: len(whole) // 2], b"PAR1" + b"\xff" * 50, b"PAR1", whole[:8] + b"\xff" * 400 + whole[408:]):
        part = read(data)[-1]
        assert part.accepted == 0
        assert set(codes(part)) <= {"malformed-table", "wrong-type", "unknown-column", "missing-column", "archive-too-large"}
    assert codes(read_one(packed(blocks_table(2).slice(0, 0)))) == {"empty-file": 0}


def test_a_file_that_unpacks_to_far_more_than_it_is_refused():
    values = np.zeros(96 * 80_000, dtype=np.int32)
    table = blocks_table(80_000, numbers=values, meter=pa.array(["M"] * 80_000), day=pa.array([date(2026, 1, 1)] * 80_000))
    assert codes(read_one(packed(table, compression="zstd", use_dictionary=False, data_page_size=64 << 20))) == {"archive-too-large": 0}
    wide = pa.table({"values": pa.array([[1] * 2000], pa.list_(pa.int32(), 2000))})
    assert "unsupported-interval" in codes(read_one(packed(blocks_table(1, values=wide.column(0)))))


def test_a_long_file_comes_in_parts(monkeypatch):
    monkeypatch.setattr(parquet, "BATCH", 960)
    parts = read(packed(blocks_table(100)))
    assert [part.part for part in parts] == list(range(1, 11))
    assert sum(part.accepted for part in parts) == 9600
    assert parts[3].blocks[0].lines.tolist() == list(range(31, 41))


@QUICK
@given(st.data())
def test_damage_never_raises_and_every_reading_is_accounted_for(data):
    table = long_table(40) if data.draw(st.booleans()) else blocks_table(5)
    raw = bytearray(packed(table, compression=data.draw(st.sampled_from(("none", "snappy", "zstd")))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] = data.draw(st.integers(0, 255))
        else:
            del raw[at : at + data.draw(st.integers(1, 30))]
    read(bytes(raw), format="parquet")


@QUICK
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-5, 10**6)), min_size=24, max_size=24), min_size=1, max_size=6), st.sampled_from(("net", "delivered")))
def test_days_come_back_exactly(rows, flow):
    table = blocks_table(len(rows), slots=24, values=pa.array(rows, pa.list_(pa.int32(), 24)), flow=pa.array([flow] * len(rows)))
    part = read_one(packed(table))
    expected = {
        (f"M{i % 2}", START + 86400 * i + 3600 * k): None if value is None else (value, 0)
        for i, row in enumerate(rows)
        for k, value in enumerate(row)
        if flow == "net" or value is None or value >= 0
    }
    assert dense(part) == expected
