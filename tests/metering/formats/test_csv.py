"""CSV files in the two documented layouts."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meterfiles import csv_long, csv_wide, exact
from reading import codes, read, read_one

from mains.metering.exporting import csv_layout
from mains.metering.formats import csv_long as long_layout
from mains.metering.formats.source import blocks
from mains.metering.model import MISSING, Quality

CHICAGO = {"timezone": "America/Chicago"}


def row(start="2026-01-05T00:00-06:00", value="0.250", unit="kWh", quality="actual", minutes=15, meter="M1", register="1"):
    return meter, register, start, value, unit, quality, minutes


def test_readings_with_their_offset():
    part = read_one(
        csv_long(
            [row(), row(start="2026-01-05T00:15-06:00", value="1.5", quality="estimated"), row(start="2026-01-05 00:30:00Z", value="")]
        )
    )
    (channel,) = part.channels

    assert (part.format, part.found, part.issues) == ("csv_long", 3, [])
    assert (channel.unit, channel.pow10, channel.interval_s, channel.utc_offset_min) == ("Wh", 0, 900, -360)
    assert channel.values.tolist() == [MISSING, 250, 1500]
    assert channel.quality.tolist() == [Quality.MISSING, Quality.ACTUAL, Quality.ESTIMATED]
    assert channel.lines.tolist() == [4, 2, 3]


def test_columns_come_in_any_order_and_quotes_byte_order_mark_and_crlf_are_no_matter():
    data = (
        b'\xef\xbb\xbf"unit","value",note,meter,start,register\r\nkWh,"1.5","a, b",M1,2026-01-05T00:00Z,1\r\nkWh,2,,M1,2026-01-05T01:00Z,1'
    )
    (channel,) = read_one(data).channels

    assert (channel.values.tolist(), channel.interval_s) == ([1500, 2000], 3600)


def test_water_and_gas_in_their_units():
    columns = "meter,register,start,value,unit,commodity,interval_minutes,flow"
    rows = [
        ("W", "1", "2026-01-05T00:00Z", "1.25", "kgal", "", 60, ""),
        ("G", "1", "2026-01-05T00:00Z", "0.125", "m3", "gas", 60, "delivered"),
    ]
    water, gas = read_one(csv_long(rows, columns=columns)).channels

    assert (water.commodity, water.unit, exact(water).popitem()[1]) == ("water", "gal", Decimal(1250))
    assert (gas.commodity, gas.unit, gas.pow10, exact(gas).popitem()[1]) == ("gas", "m3", -3, Decimal("0.125"))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (row(value="-1"), "negative-value"),
        (row(value="NaN"), "not-a-number"),
        (row(value="1e400"), "not-a-number"),
        (row(value="inf"), "not-a-number"),
        (row(value="9999999999999999999999999"), "absurd-value"),
        (row(value="999999999"), "absurd-value"),
        (row(value="0.1234567"), "finer-than-storable"),
        (row(start="2026-02-30T00:00Z"), "bad-time"),
        (row(start="2026-01-05"), "bad-time"),
        (row(start="2026-01-05T00:00"), "missing-offset"),
        (row(start="2026-01-05T00:07-06:00"), "off-grid"),
        (row(unit="furlong"), "unknown-unit"),
        (row(unit=""), "missing-field"),
        (row(meter=""), "missing-field"),
        (row(unit="m3"), "unknown-commodity"),
        (row(quality="superb"), "unknown-quality"),
        (row(minutes=7), "unsupported-interval"),
        (row(minutes="x"), "unsupported-interval"),
        (row(meter="M\xe9t\xe9o\udcff"), "wrong-encoding"),
        ((*row(), "extra"), "wrong-field-count"),
        (row()[:4], "wrong-field-count"),
    ],
)
def test_one_bad_row_is_refused_with_its_line_and_the_rest_is_kept(bad, expected):
    good = [row(start=f"2026-01-06T{hour:02}:00-06:00", meter="M2") for hour in range(3)]
    data = "\n".join([",".join(map(str, each)) for each in [*good[:2], bad, good[2]]])
    part = read_one(b"meter,register,start,value,unit,quality,interval_minutes\n" + data.encode("utf-8", "surrogateescape"))

    assert (codes(part), part.accepted) == ({expected: 1}, 3)
    assert [(issue.line, bool(issue.cure)) for issue in part.issues] == [(4, True)]


def test_a_negative_value_is_right_where_the_channel_counts_both_ways():
    (channel,) = read_one(
        csv_long([(*row(value="-1.5"), "net")], columns="meter,register,start,value,unit,quality,interval_minutes,flow")
    ).channels
    assert channel.values.tolist() == [-1500]


def test_local_times_on_the_days_the_clock_changes():
    spring = read_one(csv_long([row(start=f"2026-03-08T{hour:02}:30", minutes=30) for hour in range(4)]), **CHICAGO)
    assert (codes(spring), spring.accepted) == ({"nonexistent-local-time": 1}, 3)
    autumn = read_one(csv_long([row(start=f"2026-11-01T{hour:02}:30", minutes=30) for hour in range(4)]), **CHICAGO)
    assert (codes(autumn), autumn.accepted) == ({"ambiguous-local-time": 1}, 3)
    told = read_one(csv_long([row(start=f"2026-11-01T01:30{offset}", minutes=30) for offset in ("-05:00", "-06:00")]), **CHICAGO)
    assert (told.issues, told.channels[0].starts.tolist()) == ([], [1793514600, 1793518200])
    assert told.channels[0].utc_offset_min == -360


def test_repeats_conflicts_and_overlaps():
    assert codes(read_one(csv_long([row(), row()]))) == {"duplicate-in-file": 1}
    assert codes(read_one(csv_long([row(), row(value="9")]))) == {"conflicting-in-file": 2}
    assert codes(read_one(csv_long([row(minutes=60), row(start="2026-01-05T00:15-06:00")]))) == {"overlapping-intervals": 2}
    assert codes(read_one(csv_long([row(minutes=60), row(start="2026-01-05T06:15-06:00")]))) == {"mixed-interval-lengths": 2}


def test_an_interval_that_nothing_tells_is_asked_for():
    columns = "meter,register,start,value,unit"
    assert codes(read_one(csv_long([row()[:5]], columns=columns))) == {"unknown-interval": 1}


def test_a_first_line_without_the_columns_refuses_all_rows():
    assert codes(read_one(b"meter,start,value\nM1,2026-01-05T00:00Z,1\nM1,2026-01-05T01:00Z,1\n")) == {"missing-column": 2}


def test_an_unknown_time_zone_refuses_all_rows():
    assert codes(read_one(csv_long([row()]), timezone="Atlantis/Capital")) == {"missing-offset": 1}


def wide_row(day, count, cells=("M1", "1"), minutes=15, unit="kWh"):
    return (*cells, day, unit, minutes), [f"{index % 90 / 1000:.3f}" for index in range(count)]


@pytest.mark.parametrize(("day", "count"), [("2026-01-05", 96), ("2026-03-08", 92), ("2026-11-01", 100)])
def test_a_local_day_holds_as_many_values_as_the_clock_has_quarters(day, count):
    part = read_one(csv_wide([wide_row(day, count)]), **CHICAGO)
    (channel,) = part.channels

    assert (part.format, part.found, part.issues) == ("csv_wide", count, [])
    assert (channel.starts[-1] - channel.starts[0], channel.utc_offset_min) == ((count - 1) * 900, -360)
    assert channel.values.tolist() == [index % 90 for index in range(count)]


def test_a_short_day_may_leave_the_skipped_hour_empty():
    cells, values = wide_row("2026-03-08", 96)
    values[8:12] = [""] * 4
    (channel,) = read_one(csv_wide([(cells, values)]), **CHICAGO).channels

    assert len(channel.starts) == 92
    assert (channel.starts[1:] - channel.starts[:-1] == 900).all()
    assert channel.values[7:9].tolist() == [7, 12]


@pytest.mark.parametrize(
    ("day", "count", "held"), [("2026-01-05", 95, 95), ("2026-03-08", 96, 96), ("2026-11-01", 96, 96), ("2026-01-05", 97, 97)]
)
def test_a_day_with_another_number_of_values_is_refused(day, count, held):
    assert codes(read_one(csv_wide([wide_row(day, count)]), **CHICAGO)) == {"wrong-interval-count": held}


def test_wide_rows_with_faults():
    assert codes(read_one(csv_wide([wide_row("2026-13-05", 96)]), **CHICAGO)) == {"bad-date": 96}
    assert codes(read_one(csv_wide([wide_row("2026-01-05", 96)]))) == {"missing-offset": 96}
    assert codes(read_one(csv_wide([wide_row("2026-01-05", 96, unit="furlong")]), **CHICAGO)) == {"unknown-unit": 96}
    assert codes(read_one(csv_wide([wide_row("2026-01-05", 96, minutes=7)]), **CHICAGO)) == {"unsupported-interval": 96}
    cells, values = wide_row("2026-01-05", 96)
    values[:5] = ["-1", "x", "1e400", "0.1234567", "999999999"]
    assert codes(read_one(csv_wide([(cells, values)]), **CHICAGO)) == {
        "not-a-number": 2,
        "negative-value": 1,
        "finer-than-storable": 1,
        "absurd-value": 1,
    }
    values[:5] = ["", "", "1", "1", "1"]
    assert read_one(csv_wide([(cells, values)]), **CHICAGO).channels[0].quality.tolist()[:3] == [15, 15, 0]


def test_a_wide_row_with_its_own_offset_needs_no_zone():
    named = "meter,register,date,unit,interval_minutes,utc_offset"
    (channel,) = read_one(csv_wide([(("M1", "1", "2026-07-01", "kWh", 15, "+10:00"), ["1"] * 96)], named=named)).channels
    assert (channel.utc_offset_min, channel.starts[0] % 86400) == (600, 14 * 3600)


def test_parts_of_a_long_file_hold_what_the_file_holds(monkeypatch):
    rows = [
        row(start=f"{date(2026, 1, 1) + timedelta(days=n // 96)}T{n // 4 % 24:02}:{n % 4 * 15:02}Z", value=n / 1000) for n in range(2000)
    ]
    whole = read_one(csv_long(rows))
    monkeypatch.setattr(long_layout, "blocks", lambda stream: blocks(stream, size=2048))
    parts = read(csv_long(rows))

    assert len(parts) > 10
    assert [line for part in parts for line in part.channels[0].lines.tolist()] == whole.channels[0].lines.tolist() == list(range(2, 2002))


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from('", "'), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=4, unique=True))
def test_any_name_that_we_write_is_read_back(names):
    rows = [(csv_layout.cell(meter), csv_layout.cell(register), "2026-01-05T00:00-06:00", "1.5", "Wh", "actual", 15, "electric", "delivered") for meter, register in names]
    (part,) = read(csv_long(rows, columns=",".join(csv_layout.COLUMNS)))

    assert sorted((channel.key.meter, channel.key.register) for channel in part.channels) == sorted(names)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [('"5"" pipe"', '5" pipe'), ('""""', '"'), ('"a"",""b"', 'a","b'), ('5" pipe', '5" pipe'), ('a""b', 'a""b'), (' "M 1" ', "M 1"), ('"""M"""', '"M"')],
)
def test_quotes_in_names(cell, meant):
    (channel,) = read_one(f"meter,register,start,value,unit,interval_minutes\n{cell},1,2026-01-05T00:00Z,1,kWh,15\n".encode()).channels
    assert channel.key.meter == meant
    wide = csv_wide([((cell, "1", "2026-01-05", "kWh", 60), ["1"] * 24)], minutes=60)
    assert [each.key.meter for each in read_one(wide, timezone="UTC").channels] == [meant]
