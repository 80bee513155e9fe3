"""CSV of any layout by a map: what is read, what is refused, and what is wrong with a map."""

from datetime import UTC, datetime
from importlib.resources import files

import pytest
from meterfiles import exact
from reading import codes, read_one

from mains.metering.formats import parse
from mains.metering.formats.csv_map import BadMap, parse_map, read_map
from mains.metering.model import Quality

LONG = """
columns: {meter: Meter, register: Reg, start: At, value: V}
constants: {unit: kWh}
time: {zone: Europe/Berlin}
interval_minutes: 60
"""


def layout(text=LONG, **changes):
    for old, new in changes.items():
        text = text.replace(old.replace("_", " "), new)
    return parse_map(text.encode())


def shipped(name):
    return parse_map(files("mains.metering.formats").joinpath("maps", name).read_bytes())


def rows(*lines):
    return "\n".join(("Meter,Reg,At,V", *lines, "")).encode()


def test_a_row_an_hour():
    part = read_one(rows("M1,1,2026-01-05T00:00,0.250", 'M1,1,"2026-01-05T01:00",0.5'), layout=layout())
    (channel,) = part.channels
    begin = int(datetime(2026, 1, 4, 23, tzinfo=UTC).timestamp())
    assert (part.format, channel.utc_offset_min, channel.interval_s, exact(channel)) == ("csv_mapped", 60, 3600, {begin: 250, begin + 3600: 500})


def test_the_shipped_map_of_quarter_hours():
    data = "Export of 2026-01-06\nZaehler;OBIS;Zeit;Wert;Status\n" + "".join(
        f"1LGZ0056829358;1-1:1.29.0;05.01.2026 {text}\n" for text in ("00:15;0,250;W", "00:30;1.000,5;W", "00:45;0,5;E", "01:00;---;W", "01:15;1;X")
    )
    part = read_one(data.encode("cp1252"), layout=shipped("semicolon-quarter-hours.yaml"))
    assert codes(part) == {"not-a-number": 1, "unknown-quality": 1}
    assert part.channels[0].quality.tolist() == [Quality.ACTUAL, Quality.SUBSTITUTED, Quality.MISSING]
    assert datetime.fromtimestamp(part.channels[0].starts[0], UTC) == datetime(2026, 1, 4, 23, tzinfo=UTC)


@pytest.mark.parametrize(("day", "filled", "expected"), [("2026-01-05", 24, 24), ("2026-03-08", 23, 23), ("2026-11-01", 24, 24)])
def test_the_shipped_map_of_hours_in_columns(day, filled, expected):
    header = "Serial,Channel,Day,UOM," + ",".join(f"H{hour:02}" for hour in range(1, 25))
    values = ",".join(["0.25"] * filled + [""] * (24 - filled))
    part = read_one(f"{header}\nM-1001,received,{day},kWh,{values}\n".encode(), layout=shipped("hours-in-columns.yaml"))
    assert (part.accepted, part.issues, part.channels[0].flow, part.channels[0].utc_offset_min) == (expected, [], "received", -360)


def test_a_value_after_the_end_of_a_short_day_is_refused():
    header = "Serial,Channel,Day,UOM," + ",".join(f"H{hour:02}" for hour in range(1, 25))
    part = read_one(f"{header}\nM-1001,delivered,2026-03-08,kWh,{','.join(['1'] * 24)}\n".encode(), layout=shipped("hours-in-columns.yaml"))
    assert (codes(part), part.accepted) == ({"nonexistent-local-time": 1}, 23)


def test_the_shipped_map_of_water_dials():
    part = read_one(b"# route 12\nW-200,2026-01-05T09:12:00+01:00,1234.567\nW-201,2026-01-05T09:14:00+01:00,\n", layout=shipped("water-dials.yaml"))
    assert [(each.key.meter, each.commodity, each.value, each.pow10, each.line) for each in part.index_reads] == [("W-200", "water", 1_234_567, -3, 2)]
    assert codes(part) == {"missing-value": 1}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rows("M1,1,2026-01-05T00:00,1,9"), {"wrong-field-count": 1}),
        (rows("M1,1,2026-01-05 25:00,1"), {"bad-time": 1}),
        (rows("M1,1,2026-03-29T02:30,1"), {"nonexistent-local-time": 1}),
        (rows("M1,1,2026-10-25T02:30,1"), {"ambiguous-local-time": 1}),
        (rows(",1,2026-01-05T00:00,1"), {"missing-field": 1}),
        (rows("M1,1,2026-01-05T00:00,1e3"), {"not-a-number": 1}),
        (rows("M1,1,2026-01-05T00:00,-1"), {"negative-value": 1}),
        (rows('M1,1,"2026-01-05T00:00,1'), {"bad-record": 1}),
        (rows("M\u00fc1,1,2026-01-05T00:00,1").decode().encode("latin-1"), {"wrong-encoding": 1}),
        (b"Meter,Reg,V\nM1,1,1\n", {"missing-column": 1}),
        (b"Meter,Reg,At,At,V\nM1,1,1,1,1\n", {"missing-column": 1}),
        (b"\n", {"empty-file": 0}),
    ],
)
def test_what_is_wrong_in_a_row_is_refused(data, expected):
    assert codes(read_one(data, layout=layout())) == expected


def test_units_of_rows_are_checked_against_the_commodity():
    held = layout(LONG.replace("register: Reg,", "register: Reg, unit: U,").replace("constants: {unit: kWh}", "units: {Kubikmeter: m3}"))
    data = b"Meter,Reg,At,V,U\nM1,1,2026-01-05T00:00,1,kWh\nM2,1,2026-01-05T00:00,1,Kubikmeter\nM3,1,2026-01-05T00:00,1,furlong\n"
    assert codes(read_one(data, layout=held)) == {"unknown-commodity": 1, "unknown-unit": 1}


def test_times_without_a_zone_need_one():
    held = layout(LONG.replace("time: {zone: Europe/Berlin}", ""))
    data = rows("M1,1,2026-01-05T00:00,1")
    assert codes(read_one(data, layout=held)) == {"missing-offset": 1}
    assert read_one(data, layout=held, timezone="America/Chicago").accepted == 1


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("[]", "the map", "no mapping"),
        ("a: &b 1\nc: *b\n", "the map", "alias"),
        ("a: [", "the map", "no YAML"),
        (LONG + "constants_: 1", "constants_", "no such member"),
        (LONG.replace("unit: kWh", "unit: kWh, multiplier: 40"), "constants.multiplier", "no multiplier"),
        (LONG.replace("unit: kWh", "unit: furlong"), "constants.unit", "not known"),
        (LONG.replace("constants: {unit: kWh}", ""), "columns.unit", "not given"),
        (LONG.replace("unit: kWh", "unit: kWh, meter: x"), "columns.meter", "given twice"),
        (LONG.replace("interval_minutes: 60", "interval_minutes: 7"), "interval_minutes", "do not divide"),
        (LONG.replace("interval_minutes: 60", ""), "interval_minutes", "how long"),
        (LONG.replace("start: At, ", ""), "columns.start", "no column says when"),
        (LONG.replace("Europe/Berlin", "Europe/Atlantis"), "time.zone", "no time zone"),
        (LONG.replace("zone: Europe/Berlin", "format: '%d %B %Y'"), "time.format", "is not read"),
        (LONG + "file: {delimiter: x}", "file.delimiter", "is not read"),
        (LONG + "file: {encoding: utf-7}", "file.encoding", "is not read"),
        (LONG + "file: {skip_rows: -1}", "file.skip_rows", "in reach"),
        (LONG + "qualities: {W: superb}", "qualities.W", "not known"),
        (LONG + "shape: wide", "wide", "which columns"),
        (LONG + "kind: dial", "columns.time", "one time"),
    ],
)
def test_every_fault_of_a_map_says_its_place_problem_and_cure(text, place, problem):
    with pytest.raises(BadMap) as caught:
        parse_map(text.encode())
    found = {each.place: each for each in caught.value.faults}
    assert place in found, found
    assert problem in found[place].problem
    assert found[place].cure
    assert place in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(BadMap) as caught:
        parse_map(b"shape: tall\ntime: {zone: Nowhere}\nfile: {decimal: x}\n")
    assert {"shape", "time.zone", "file.decimal", "columns.meter", "columns.value"} <= {each.place for each in caught.value.faults}


def test_a_map_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(BadMap):
        read_map(tmp_path / "none.yaml")


def test_a_map_reads_the_members_of_a_zip_and_leaves_what_is_no_text(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.csv", rows("M1,1,2026-01-05T00:00,1"))
        packed.writestr("b.gz", b"\x1f\x8b\x08\x00abc")
    parts = list(parse(tmp_path / "a.zip", layout=layout()))
    assert [(part.format, part.accepted) for part in parts] == [("csv_mapped", 1), ("unknown", 0)]
