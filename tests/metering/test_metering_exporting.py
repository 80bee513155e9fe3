"""Readings that were stored come out in every format and read back to the same."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from greenbutton_objects import parse as oracle
from lxml import etree
from meter_world import NOW, add_channels, days, first_load, service_point

from mains.base.http import add_problem_handlers
from mains.base.problems import NotFound
from mains.metering import exporting, formats, importing, queries
from mains.metering.api import router
from mains.metering.exporting import daylight, files, green_button
from mains.metering.exporting.selecting import chosen
from mains.metering.exporting.spans import TooPreciseToExport, mantissa_and_power, spans
from mains.metering.model import MISSING, Quality

CHICAGO = ZoneInfo("America/Chicago")
FIRST = datetime(2026, 3, 6, 6, tzinfo=UTC)
"""Standard-time midnight two days before the clock goes forward."""
ESPI, ATOM = "{http://naesb.org/espi}", "{http://www.w3.org/2005/Atom}"

ORDER = {
    "UsagePoint": ("roleFlags", "ServiceCategory", "status"),
    "LocalTimeParameters": ("dstEndRule", "dstOffset", "dstStartRule", "tzOffset"),
    "ReadingType": (
        "accumulationBehaviour", "commodity", "consumptionTier", "currency", "dataQualifier", "defaultQuality", "flowDirection", "intervalLength", "kind", "phase",
        "powerOfTenMultiplier", "timeAttribute", "tou", "uom",
    ),
    "IntervalBlock": ("interval", "IntervalReading"),
    "interval": ("duration", "start"),
    "IntervalReading": ("cost", "ReadingQuality", "timePeriod", "value", "consumptionTier", "tou", "cpp"),
    "timePeriod": ("duration", "start"),
}  # fmt: skip
"""Order of the elements of a resource, from the schema of the standard."""


@pytest.fixture(scope="module")
def world(database, staff):
    """Channels of several kinds with five days each: gaps, estimates, negative values, a multiplier, another unit and a coarser step."""
    rng = np.random.default_rng(3)
    kinds = {
        "electric": {"numbers": ["EX-1"]},
        "ratio": {"numbers": ["EX-2"], "multiplier": Decimal("2.5"), "pow10": -1, "unit": "kWh", "interval_s": 1800},
        "net": {"numbers": ["EX-3"], "flow": "net", "register": "N"},
        "gas": {"numbers": ["EX-4"], "commodity": "gas", "unit": "ccf", "pow10": -3, "interval_s": 3600},
        "water": {"numbers": ["EX & <5>"], "commodity": "water", "unit": "gal", "interval_s": 3600, "register": "a/b <c>"},
    }
    found = {}
    for name, kind in kinds.items():
        (channel,) = add_channels(database, staff, **kind)
        slots = 86400 // kind.get("interval_s", 900)
        values = rng.integers(-50 if name == "net" else 0, 900, (1, 5, slots)).astype(np.int32)
        quality = np.full(values.shape, Quality.ACTUAL, dtype=np.uint8)
        quality[0, 1, :9], quality[0, 2, 3] = Quality.ESTIMATED, Quality.EDITED
        values[0, 3, 5:8] = values[0, 4, -1] = MISSING
        first_load(database, staff, days([channel], values, first=FIRST, quality=quality))
        found[name] = channel
    return SimpleNamespace(channels=found, from_at=FIRST, to_at=FIRST + timedelta(days=5))


@pytest.fixture
def written(database, staff, world):
    """Writes a channel in a format: (bytes, what was to be written, as {start: (value in its unit, quality)})."""

    def write(name: str, form: str, *, from_at=world.from_at, to_at=world.to_at):
        with database.transaction(actor=staff) as conn:
            stretches = chosen(conn, channel=world.channels[name], from_at=from_at, to_at=to_at)
            data = b"".join(piece for piece, _ in files.pieces(conn, stretches, format=form, zone=CHICAGO, at=NOW))
            rows = exporting.of_stretches(conn, stretches)
            return data, {int(row.start.timestamp()): (row.value, row.quality) for row in rows if row.value is not None}, stretches[0].channel

    return write


KINDS = ("electric", "ratio", "net", "gas", "water")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("form", ["espi", "csv", "parquet"])
def test_what_was_written_reads_back_to_the_same_readings(written, name, form):
    data, expected, channel = written(name, form)
    (part,) = formats.parse(io.BytesIO(data), name=f"x.{form}", timezone="America/Chicago")
    (found,) = part.channels
    base = {"kWh": 1000, "ccf": 100}.get(channel.unit, 1)
    back = {
        start: (value * Decimal(10) ** found.pow10 / base, Quality(quality))
        for start, value, quality in zip(found.starts.tolist(), found.values.tolist(), found.quality.tolist(), strict=True)
        if value != MISSING
    }

    assert [issue for issue in part.issues if issue.severity == "error"] == []
    assert (found.commodity, found.flow, found.interval_s, found.utc_offset_min) == (channel.commodity, channel.flow, channel.interval_s, -360)
    assert back == expected
    assert min(expected) == int(FIRST.timestamp())


@pytest.mark.parametrize("name", [name for name in KINDS if name != "net"])  # the other parser knows no net flow
def test_green_button_is_read_alike_by_another_parser(written, name, tmp_path):
    data, expected, channel = written(name, "espi")
    (tmp_path / "feed.xml").write_bytes(data)
    (point,) = oracle.parse_feed(str(tmp_path / "feed.xml"))
    (reading,) = point.meterReadings
    scale = Decimal(10) ** reading.readingType.powerOfTenMultiplier / {"kWh": 1000, "ccf": 100}.get(channel.unit, 1)
    back = {int(each.timePeriod.start.timestamp()): each._value * scale for each in reading.intervalReadings}
    marked = {int(each.timePeriod.start.timestamp()): {mark.quality.value for mark in each.readingQualities} for each in reading.intervalReadings}

    assert back == {start: value for start, (value, _) in expected.items()}
    assert {start for start, codes in marked.items() if codes == {8}} == {start for start, (_, quality) in expected.items() if quality == Quality.ESTIMATED}


def test_green_button_has_a_block_a_local_day_and_the_order_of_the_schema(written):
    data, _, _ = written("electric", "espi")
    root = etree.fromstring(data)
    blocks = root.findall(f".//{ESPI}IntervalBlock")
    hours = [len(block.findall(f"{ESPI}IntervalReading")) / 4 for block in blocks]

    assert hours == [24, 24, 23, 23.25, 24, 0.75]  # local days from the 6th: the clock goes forward on the 8th, three readings miss on the 9th, one on the 11th
    for name, order in ORDER.items():
        for element in root.iter(f"{ESPI}{name}"):
            names = [etree.QName(child).localname for child in element]
            assert set(names) <= set(order)
            assert names == sorted(names, key=order.index)
    ids = [each.text for each in root.iter(f"{ATOM}id")]
    assert len(ids) == len(set(ids))
    assert all(each.startswith("urn:uuid:") for each in ids)
    assert root.findtext(f".//{ESPI}dstStartRule") == "360E2000"
    assert written("electric", "espi")[0] == data


def test_the_longest_day_has_25_hours_of_readings(database, staff, written):
    (channel,) = add_channels(database, staff, numbers=["EX-LONG"])
    first = datetime(2025, 10, 31, 6, tzinfo=UTC)
    first_load(database, staff, days([channel], np.arange(5 * 96).reshape(1, 5, 96), first=first))
    with database.transaction(actor=staff) as conn:
        window = {"from_at": datetime(2025, 11, 1, tzinfo=CHICAGO), "to_at": datetime(2025, 11, 4, tzinfo=CHICAGO)}
        stretches = chosen(conn, meter="EX-LONG", **window)
        data = b"".join(piece for piece, _ in files.pieces(conn, stretches, format="espi", zone=CHICAGO, at=NOW))
    blocks = etree.fromstring(data).findall(f".//{ESPI}IntervalBlock")
    assert [block.findtext(f"{ESPI}interval/{ESPI}duration") for block in blocks] == [str(3600 * hours) for hours in (24, 25, 24)]


@pytest.mark.parametrize("name", KINDS)
def test_other_tools_read_the_tables(written, name, tmp_path):
    data, expected, channel = written(name, "parquet")
    path = tmp_path / "readings.parquet"
    path.write_bytes(data)
    rows = duckdb.connect().execute("SELECT epoch(start)::bigint, value, meter, unit, quality FROM read_parquet(?) WHERE value IS NOT NULL", [str(path)]).fetchall()
    frame = polars.read_parquet(path)
    arrow = pa.ipc.open_stream(written(name, "arrow")[0]).read_all()

    assert {row[0]: row[1] for row in rows} == {start: value for start, (value, _) in expected.items()}
    assert {row[2:4] for row in rows} == {(channel.meter_number, channel.unit)}
    assert frame["start"].is_sorted()
    assert frame["value"].sum() == sum(value for value, _ in expected.values())
    assert arrow.to_pylist() == pa.Table.from_pylist(frame.to_arrow().to_pylist(), schema=arrow.schema).to_pylist()


@pytest.mark.parametrize("form", ["espi", "csv", "parquet"])
def test_what_was_written_changes_nothing_when_it_is_imported(database, staff, written, form, tmp_path):
    paths = [tmp_path / f"{number}.{form}" for number in range(len(KINDS))]
    for path, name in zip(paths, KINDS, strict=True):
        path.write_bytes(written(name, form)[0])
    report = importing.import_files(database, staff, paths, at=NOW, timezone="America/Chicago")

    assert (report.total("new"), report.total("changed"), report.total("quarantined")) == (0, 0, 0)
    assert report.total("accepted") > 1000


def test_a_service_point_and_an_account_give_what_was_measured_while_a_meter_hung_there(database, staff, world):
    with database.transaction(actor=staff) as conn:
        point = service_point(conn, "SP-EX")
        meter = conn.execute("SELECT meter_id FROM devices.meters WHERE meter_number = 'EX-1'").fetchone()[0]
        hung = "INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period) VALUES (%s, %s, tstzrange(%s, NULL))"
        conn.execute(hung, [meter, point, FIRST + timedelta(days=2)])
        stretches = chosen(conn, service_point="SP-EX", from_at=world.from_at, to_at=world.to_at)
        starts = np.concatenate([span.starts for span in spans(conn, stretches)])
        with pytest.raises(NotFound):
            chosen(conn, account="nobody", from_at=world.from_at, to_at=world.to_at)
    (only,) = stretches
    assert (only.point, only.timezone, only.from_at) == ("SP-EX", "America/Chicago", FIRST + timedelta(days=2))
    assert (starts.min(), len(starts)) == (int(only.from_at.timestamp()), 3 * 96)


def test_long_stretches_come_in_spans(database, staff, world):
    with database.transaction(actor=staff) as conn:
        stretches = chosen(conn, channel=world.channels["electric"], from_at=world.from_at, to_at=world.to_at)
        whole = list(spans(conn, stretches))
        short = list(spans(conn, stretches, at_a_time=timedelta(hours=7)))
    assert len(whole) == 1
    assert len(short) > 15
    assert np.array_equal(np.concatenate([span.starts for span in short]), whole[0].starts)
    assert np.array_equal(np.concatenate([span.values for span in short]), whole[0].values)


def test_what_a_format_cannot_hold_is_refused(database, staff):
    (channel,) = add_channels(database, staff, numbers=["EX-FINE"], multiplier=Decimal("1.23456789"), pow10=-12)
    with database.transaction(actor=staff) as conn:
        (found,) = queries.channels_by_id(conn, [channel])
        stretches = chosen(conn, channel=channel, from_at=FIRST, to_at=FIRST + timedelta(days=1))
        with pytest.raises(TooPreciseToExport):
            list(green_button.feed(spans(conn, stretches), stretches, zone=CHICAGO, title="x", at=NOW))
    assert mantissa_and_power(found.step) == (123456789, -20)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [("Europe/Berlin", "3E0E2000", "AE0E3000"), ("Australia/Sydney", "A40E2000", "440E3000"), ("America/Phoenix", "FFFFFFFF", "FFFFFFFF")],
)
def test_rules_of_daylight_saving(zone, start, end):
    found = daylight.local_time(ZoneInfo(zone), 2026)
    assert (found.start_rule, found.end_rule, found.dst_offset_s) == (start, end, 0 if start == "FFFFFFFF" else 3600)


@pytest.fixture
def client(database, staff):
    app = FastAPI()
    app.state.database = database
    app.include_router(router)
    add_problem_handlers(app)

    @app.middleware("http")
    async def signed_in(request, call_next):
        request.state.actor = staff
        return await call_next(request)

    return TestClient(app, raise_server_exceptions=False)


def test_the_api_gives_files(client, world, written):
    window = {"from_at": world.from_at.isoformat(), "to_at": world.to_at.isoformat(), "channel": world.channels["gas"]}
    answers = {form: client.get(f"/v1/readings.{form}", params=window) for form in files.FORMATS}

    assert {form: (answer.status_code, answer.headers["content-type"]) for form, answer in answers.items()} == {form: (200, kind) for form, kind in files.FORMATS.items()}
    assert answers["csv"].content == written("gas", "csv")[0]
    assert pa.ipc.open_stream(answers["arrow"].content).read_all().num_rows == 5 * 24
    assert 'filename="readings.xml"' in answers["espi"].headers["content-disposition"]


@pytest.mark.parametrize(
    ("more", "status"),
    [({"channel": 999_999}, 404), ({"channel": 2**70}, 404), ({"service_point": "nowhere"}, 404), ({}, 422), ({"meter": "EX-1", "account": "1"}, 422),
     ({"meter": "EX-1", "from_at": "2026-01-01T00:00:00"}, 422), ({"service_point": "x\0"}, 404)],
)  # fmt: skip
def test_the_api_refuses_clearly(client, world, more, status):
    window = {"from_at": world.from_at.isoformat(), "to_at": world.to_at.isoformat()} | more
    answer = client.get("/v1/readings.csv", params=window)

    assert answer.status_code == status
    assert answer.json()["cure"]
