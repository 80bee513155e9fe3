"""A Green Button export imported again changes nothing, whatever was asked for; what a format cannot hold is counted."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs
from meter_world import NOW, add_channels, days, first_load, service_point
from typer.testing import CliRunner

from mains.metering import cli, importing, queries
from mains.metering.exporting import files
from mains.metering.exporting.register_reads import left_out
from mains.metering.exporting.selecting import chosen

CHICAGO = ZoneInfo("America/Chicago")
FIRST = datetime(2026, 3, 6, 6, tzinfo=UTC)
ESPI = "{http://naesb.org/espi}"
REAL = os.environ.get("MAINS_REAL_DATA")


@pytest.fixture
def again(database, staff, tmp_path):
    """Exports as Green Button and imports that: (report, bytes)."""

    def turn(*, form="espi", **asked: Any):
        with database.transaction(actor=staff) as conn:
            stretches = chosen(conn, from_at=datetime(2020, 1, 1, tzinfo=UTC), to_at=datetime(2026, 11, 1, tzinfo=UTC), **asked)
            data = b"".join(piece for piece, _ in files.pieces(conn, stretches, format=form, zone=CHICAGO, at=NOW))
        path = tmp_path / f"again.{files.ENDINGS[form]}"
        path.write_bytes(data)
        return importing.import_files(database, staff, [path], at=NOW, timezone="America/Chicago").as_json(), data

    return turn


@pytest.fixture
def meters(database, staff):
    def count():
        with database.transaction(actor=staff) as conn:
            return conn.execute("SELECT count(*) FROM devices.meters").fetchone()[0], conn.execute("SELECT count(*) FROM metering.channels").fetchone()[0]

    return count


def changes_nothing(found, *, readings: int) -> bool:
    return (found["found"], found["accepted"], found["unchanged"], found["new"], found["changed"]) == (readings, readings, readings, 0, 0)


def usage_feed(folder: Path, periods, *, meter="NET 7/b", uom=169, name="usages.xml") -> Path:
    """A feed of one meter whose readings are periods (start, duration, value)."""
    place = f"/r/UsagePoint/{meter.replace(' ', '%20').replace('/', '%2F')}"
    entry = "<entry><link rel='self' href='{}'/><link rel='related' href='{}'/><content>{}</content></entry>".format
    rows = "".join(
        f"<IntervalReading><timePeriod><duration>{length}</duration><start>{int(start.timestamp())}</start></timePeriod><value>{value}</value></IntervalReading>"
        for start, length, value in periods
    )
    path = folder / name
    path.write_text(
        "<feed xmlns='http://www.w3.org/2005/Atom'>"
        + entry(place, f"{place}/MeterReading/1", "<UsagePoint xmlns='http://naesb.org/espi'><ServiceCategory><kind>1</kind></ServiceCategory></UsagePoint>")
        + entry(f"{place}/MeterReading/1", "/r/ReadingType/0", "<MeterReading xmlns='http://naesb.org/espi'/>")
        + entry("/r/ReadingType/0", "", f"<ReadingType xmlns='http://naesb.org/espi'><powerOfTenMultiplier>-3</powerOfTenMultiplier><uom>{uom}</uom></ReadingType>")
        + entry(f"{place}/MeterReading/1/IntervalBlock/1", "", f"<IntervalBlock xmlns='http://naesb.org/espi'>{rows}</IntervalBlock>")
        + "</feed>"
    )
    return path


def test_a_service_point_whose_meter_was_exchanged_comes_back_to_its_meters(database, staff, again, meters):
    old, new = add_channels(database, staff, numbers=["XC-1 old/a"]) + add_channels(database, staff, numbers=["XC-2 & <new>"], register="r/1")
    values = np.arange(2 * 6 * 96).reshape(2, 6, 96)
    for channel, mine in zip((old, new), values, strict=True):
        first_load(database, staff, days([channel], mine[None], first=FIRST))
    exchange = FIRST + timedelta(days=2, hours=9, minutes=15)
    with database.transaction(actor=staff) as conn:
        point = service_point(conn, "SP-XC")
        hung = (
            "INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period) "
            "SELECT meter_id, %s, tstzrange(%s, %s) FROM metering.channels WHERE channel_id = %s"
        )
        conn.execute(hung, [point, FIRST, exchange, old])
        conn.execute(hung, [point, exchange, None, new])
    before = meters()
    found, data = again(service_point="SP-XC")
    root = etree.fromstring(data)
    points = [entry.findtext("{*}title") for entry in root.findall("{*}entry") if entry.find(f".//{ESPI}UsagePoint") is not None]

    assert changes_nothing(found, readings=6 * 96)
    assert found["reasons"] == []
    assert meters() == before
    assert points == ["SP-XC", "SP-XC"]


def test_channels_of_another_standard_time_keep_their_days(database, staff, again, tmp_path, meters):
    path = tmp_path / "nem12.csv"
    lines = ["100,NEM12,202607040000,MDP,RET"]
    for minutes, listed in ((30, ("20260701", "20260702")), (15, ("20260703", "20260704"))):
        lines += [f"200,NMI0000777,E1,1,E1,N1,METER1,Wh,{minutes},"]
        lines += [f"300,{day},{','.join(map(str, range(1440 // minutes)))},A,,,20260705000000," for day in listed]
    path.write_text("\n".join([*lines, "900"]) + "\n")
    first = importing.import_files(database, staff, [path], at=NOW, timezone="America/Chicago").as_json()
    before = meters()
    found, data = again(meter="NMI0000777")
    root = etree.fromstring(data)

    assert (first["new"], first["quarantined"]) == (288, 0)
    assert changes_nothing(found, readings=288)
    assert found["quarantined"] == 0
    assert meters() == before
    assert [each.text for each in root.iter(f"{ESPI}tzOffset")] == ["36000"]
    assert [each.text for each in root.iterfind(f".//{ESPI}IntervalBlock/{ESPI}interval/{ESPI}duration")] == ["86400"] * 4


def test_one_meter_may_have_channels_of_two_standard_times(database, staff, again):
    (here,) = add_channels(database, staff, numbers=["TWO-TIMES"])
    (there,) = add_channels(database, staff, numbers=["TWO-TIMES-B"], utc_offset_min=600)
    with database.transaction(actor=staff) as conn:
        joined = "UPDATE metering.channels SET meter_id = (SELECT meter_id FROM metering.channels WHERE channel_id = %s), register = '2' WHERE channel_id = %s"
        conn.execute(joined, [here, there])
    first_load(database, staff, days([here], np.arange(3 * 96).reshape(1, 3, 96), first=FIRST))
    first_load(database, staff, days([there], np.arange(3 * 96).reshape(1, 3, 96), first=FIRST + timedelta(hours=8), offset=600))
    found, data = again(meter="TWO-TIMES")

    assert changes_nothing(found, readings=6 * 96)
    assert sorted(each.text for each in etree.fromstring(data).iter(f"{ESPI}tzOffset")) == ["-21600", "36000"]


PERIODS = [
    (datetime(2026, 1, 3, 13, 20, tzinfo=UTC), 31 * 86400, 37_125),
    (datetime(2026, 2, 5, tzinfo=UTC), 28 * 86400 + 1800, 14_000),
    (datetime(2026, 3, 6, tzinfo=UTC), 86400, 0),
    (datetime(2026, 3, 7, tzinfo=UTC), 86400, 991),
]


def test_usages_of_periods_come_back_from_green_button(database, staff, again, tmp_path, meters):
    first = importing.import_files(database, staff, [usage_feed(tmp_path, PERIODS)], at=NOW).as_json()
    before = meters()
    found, _ = again(meter="NET 7/b")
    csv, _ = again(meter="NET 7/b", form="csv")
    with database.transaction(actor=staff) as conn:
        stretches = chosen(conn, meter="NET 7/b", from_at=datetime(2020, 1, 1, tzinfo=UTC), to_at=datetime(2026, 11, 1, tzinfo=UTC))
        counts = {form: left_out(conn, stretches, format=form) for form in files.FORMATS}
        whole_days = chosen(conn, meter="NET 7/b", from_at=PERIODS[2][0], to_at=datetime(2026, 11, 1, tzinfo=UTC))
        days_only = left_out(conn, whole_days, format="espi")

    assert (first["new"], first["quarantined"]) == (4, 0)
    assert changes_nothing(found, readings=4)
    assert meters() == before
    assert csv["found"] == 0
    assert {form: (each.usages, each.odd_usages, each.indexes) for form, each in counts.items()} == {
        "espi": (0, 0, 0), "csv": (4, 0, 0), "parquet": (4, 0, 0), "arrow": (4, 0, 0),
    }  # fmt: skip
    assert counts["csv"].sentence() == "4 register reads left out of csv: 4 usages of periods (--format espi holds them)"
    assert stretches[0].channel.utc_offset_min == 0
    assert days_only.odd_usages == 2  # whole days alone would read back as daily intervals


@pytest.mark.skipif(REAL is None, reason="MAINS_REAL_DATA is not set: no real files to read")
def test_a_real_feed_of_monthly_usage_comes_back(database, staff, again, meters):
    first = importing.import_files(database, staff, [Path(REAL or "", "green_button", "gas_direct.xml")], at=NOW, timezone="America/New_York").as_json()
    before = meters()
    found, _ = again(meter="NET_USAGE")

    assert (first["new"], first["quarantined"]) == (5, 0)
    assert changes_nothing(found, readings=5)
    assert meters() == before


@pytest.fixture
def command(database, staff, monkeypatch):
    monkeypatch.setattr(cli, "acting", lambda utility: SimpleNamespace(database=database, actor=staff))
    return lambda *arguments: CliRunner().invoke(cli.app, ["export", "--from", "2026-01-01", "--to", "2026-06-01", *arguments])


def test_the_command_says_what_it_leaves_out(database, staff, command, tmp_path):
    importing.import_files(database, staff, [usage_feed(tmp_path, PERIODS, meter="CLI-7")], at=NOW)
    with database.transaction(actor=staff) as conn:
        (channel,) = queries.channels_of_meters(conn, ["CLI-7"])
        dial = (
            "INSERT INTO metering.register_reads (channel_id, read_at, raw, batch_id) "
            "SELECT channel_id, '2026-05-05Z', 12, batch_id FROM metering.register_reads WHERE channel_id = %s LIMIT 1"
        )
        conn.execute(dial, [channel.channel_id])
    csv, espi = (command("--meter", "CLI-7", "--format", form) for form in ("csv", "espi"))
    told = json.loads(command("--meter", "CLI-7", "--format", "parquet", "--output", str(tmp_path / "x.parquet"), "--json").stdout)
    rows = json.loads(command("--meter", "CLI-7", "--json").stdout)
    counts = {"usages_held_by_espi": 4, "usages_held_by_no_format": 0, "dial_figures_held_by_no_format": 1}

    assert csv.stderr.strip() == "5 register reads left out of csv: 4 usages of periods (--format espi holds them), 1 dial figures (no format holds them)"
    assert len(csv.stdout.splitlines()) == 1
    assert espi.stderr.strip() == "1 register reads left out of espi: 1 dial figures (no format holds them)"
    assert espi.stdout.count("<espi:IntervalReading>") == 4
    assert (told["readings"], told["register_reads_left_out"]) == (0, counts)
    assert rows == {"readings": [], "register_reads_left_out": counts}
