"""Dials in the database: what telegrams, AEMO files and mapped files say of registers is stored once, and usage is taken from it."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from meter_world import NOW, add_channels

from mains.metering import registers
from mains.metering.formats.csv_map import parse_map
from mains.metering.importing import import_files
from mains.metering.queries import channels_of_meters

sys.path.insert(0, str(Path(__file__).parent / "formats"))

from otherfiles import DUTCH, nem13, p1

pytestmark = pytest.mark.database

JANUARY, FEBRUARY = datetime(2026, 1, 15, 18, tzinfo=UTC), datetime(2026, 2, 15, 18, tzinfo=UTC)


def channel_of(database, staff, meter, register):
    with database.transaction(actor=staff) as conn:
        return next(each for each in channels_of_meters(conn, [meter]) if each.register == register)


def test_telegrams_are_stored_once_and_give_the_usage_between_them(database, staff, tmp_path):
    later = [line.replace("260115192002W", "260215192002W").replace("000004.426", "000104.500") for line in DUTCH]
    path = tmp_path / "meter.p1"
    path.write_bytes(p1(DUTCH) + p1(later))

    first = import_files(database, staff, [path], at=NOW)
    again = import_files(database, staff, [path], at=NOW)

    assert (first.total("found"), first.total("accepted"), first.total("new")) == (9, 9, 9)
    assert (again.total("accepted"), again.total("new"), again.total("changed")) == (9, 0, 0)
    channel = channel_of(database, staff, "K8EG004046395507", "1-0:1.8.1")
    with database.transaction(actor=staff) as conn:
        (used,) = registers.usage(conn, [channel.channel_id], JANUARY, FEBRUARY)
    assert (used.raw, used.from_raw, used.to_raw, channel.interval_s) == (100_074, 4426, 104_500, None)


def test_a_quantity_of_nem13_is_usage(database, staff, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(nem13([("11", "S1", "E", "01000", "20260101000000", "A", "01100", "20260201000000", "A", "100", "KWH")]))
    assert import_files(database, staff, [path], at=NOW).total("accepted") == 1
    channel = channel_of(database, staff, "NEM1300001", "11")
    with database.transaction(actor=staff) as conn:
        (used,) = registers.usage(conn, [channel.channel_id], datetime(2025, 12, 31, 14, tzinfo=UTC), datetime(2026, 1, 31, 14, tzinfo=UTC))
    assert used.raw * Decimal(10) ** channel.pow10 == 100_000


def test_a_dial_has_no_multiplier_and_what_does_not_fit_is_refused(database, staff, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["W-200"], register="1", unit="m3", commodity="water", interval_s=None, pow10=-1, multiplier=Decimal(10))
    layout = parse_map(
        b"kind: dial\nfile: {header: false}\ncolumns: {meter: 1, time: 2, value: 3}\nconstants: {register: '1', unit: m3, commodity: water}\n"
    )
    path = tmp_path / "route.csv"
    path.write_text("W-200,2026-01-05T09:12:00+01:00,1234.5\nW-200,2026-01-06T09:12:00+01:00,1234.567\nW-200,2027-01-06T09:12:00+01:00,1300.0\nW-404,2026-01-06T09:12:00+01:00,1\n")

    report = import_files(database, staff, [path], at=NOW, layout=layout).as_json()

    assert {reason["code"]: reason["count"] for reason in report["reasons"]} == {"finer-than-channel": 1, "future-reading": 1, "unknown-meter": 1}
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT raw, read_kind FROM metering.register_reads WHERE channel_id = %s", [channel]).fetchall() == [(12_345, "index")]
