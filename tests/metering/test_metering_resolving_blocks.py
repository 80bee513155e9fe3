"""Whole days of a fleet from a Parquet file: what is plain goes through at once, what is not is refused as in any other format."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from meter_world import NOW, add_channels

from mains.metering import importing, queries
from mains.metering.load import load

DAY0 = date(2026, 6, 1)


def fleet(path, meters, *, days=2, seed=1, offset=-360, unit="Wh"):
    n = len(meters) * days
    values = np.random.default_rng(seed).integers(0, 900, (n, 96)).astype(np.int32)
    table = pa.table(
        {
            "meter": pa.array(np.repeat(meters, days)),
            "register": pa.array(["1"] * n),
            "day": pa.array([DAY0 + timedelta(days=d) for _ in meters for d in range(days)], pa.date32()),
            "values": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), 96),
            "unit": pa.array([unit] * n),
            "utc_offset_min": pa.array([offset] * n, pa.int16()),
        }
    )
    pq.write_table(table, path)
    return values


def test_a_fleet_is_stored_and_the_second_time_changes_nothing(database, staff, tmp_path):
    add_channels(database, staff, numbers=["PB-1", "PB-2", "PB-3"])
    add_channels(database, staff, numbers=["PB-KW"], unit="kWh", pow10=-3)
    values = fleet(tmp_path / "a.parquet", ["PB-1", "PB-2", "PB-3", "PB-KW"])
    first, again = (importing.import_files(database, staff, [tmp_path / "a.parquet"], at=NOW) for _ in range(2))

    assert (first.total("found"), first.total("new"), first.total("quarantined")) == (768, 768, 0)
    assert (again.total("new"), again.total("changed")) == (0, 0)
    assert list(first.reasons) == ["meter-not-installed"]
    with database.transaction(actor=staff) as conn:
        number_of = {each.meter_number: each.channel_id for each in queries.channels_of_meters(conn, ["PB-1", "PB-2", "PB-3", "PB-KW"])}
        from_at = first_instant()
        found = load(conn, [number_of[meter] for meter in ("PB-1", "PB-2", "PB-3", "PB-KW")], from_at, from_at + timedelta(days=2))
    assert np.array_equal(found.values, values.reshape(4, -1))


def test_what_does_not_fit_is_refused_by_name_and_the_rest_is_kept(database, staff, tmp_path):
    add_channels(database, staff, numbers=["PB-4"])
    add_channels(database, staff, numbers=["PB-60"], interval_s=3600)
    add_channels(database, staff, numbers=["PB-NET"], flow="net")
    fleet(tmp_path / "b.parquet", ["PB-4", "PB-60", "PB-NET", "PB-NOBODY", "PB-\x07"])
    report = importing.import_files(database, staff, [tmp_path / "b.parquet"], at=NOW)

    refused = {code: reason.count for code, reason in report.reasons.items() if reason.count}
    assert refused == {"interval-mismatch": 192, "flow-mismatch": 192, "unknown-meter": 192, "bad-name": 192}
    assert (report.total("found"), report.total("accepted"), report.total("quarantined")) == (960, 192, 768)


def test_unknown_meters_are_registered_where_that_is_asked(database, staff, tmp_path):
    fleet(tmp_path / "c.parquet", ["PB-N1", "PB-N2"])
    report = importing.import_files(database, staff, [tmp_path / "c.parquet"], at=NOW, unknown_meters="register")

    assert (report.total("new"), report.total("quarantined")) == (384, 0)
    assert report.reasons["meter-registered"].places == 2


def test_another_offset_and_the_future_are_judged_day_by_day(database, staff, tmp_path):
    add_channels(database, staff, numbers=["PB-5"])
    fleet(tmp_path / "d.parquet", ["PB-5"], offset=0)
    early = importing.import_files(database, staff, [tmp_path / "d.parquet"], at=NOW)
    future = importing.import_files(database, staff, [tmp_path / "d.parquet"], at=first_instant(), again=True)

    assert (early.total("new"), early.total("quarantined")) == (192, 0)
    assert {code: reason.count for code, reason in future.reasons.items() if reason.count} == {"future-reading": 164}


def first_instant():
    from datetime import UTC, datetime

    return datetime(DAY0.year, DAY0.month, DAY0.day, 6, tzinfo=UTC)
