"""Meter files: what is stored of them, what is refused, and what happens when something breaks in the middle."""

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from meter_world import NOW, add_channels, service_point

from mains.base import server
from mains.base.db import Database
from mains.devices import operations as devices
from mains.metering import checks, exporting, importing, operations, queries, store
from mains.metering.exporting.selecting import of_channels
from mains.metering.exporting.spans import spans
from mains.metering.importing import NoSuchFile, import_files
from mains.metering.load import load
from mains.metering.model import MISSING

JULY = datetime(2026, 7, 1, 6, tzinfo=UTC)


def csv_file(folder: Path, meter: str, values, *, start=JULY, name="readings.csv", unit="Wh", register="1", **columns) -> Path:
    """A long CSV of 15-minute readings."""
    extra = "".join(f",{name}" for name in columns)
    tail = "".join(f",{value}" for value in columns.values())
    rows = [f"{meter},{register},{(start + timedelta(minutes=15 * i)).isoformat()},{value},{unit},15{tail}" for i, value in enumerate(values)]
    path = folder / name
    path.write_text("\n".join([f"meter,register,start,value,unit,interval_minutes{extra}", *rows]) + "\n")
    return path


def nem12_file(folder: Path, nmi: str, rows: dict[str, list], *, minutes=30, name="nem12.csv", unit="Wh") -> Path:
    lines = ["100,NEM12,202607020000,MDP,RET", f"200,{nmi},E1,1,E1,N1,METER1,{unit},{minutes},"]
    lines += [f"300,{day},{','.join(map(str, values))},A,,,20260702000000," for day, values in rows.items()]
    path = folder / name
    path.write_text("\n".join([*lines, "900"]) + "\n")
    return path


def run(database, actor, *paths, **more):
    report = import_files(database, actor, list(paths), at=NOW, timezone="America/Chicago", **more)
    found = report.as_json()
    assert found["accepted"] + found["quarantined"] == found["found"]
    assert found["new"] + found["changed"] + found["unchanged"] == found["accepted"]
    assert sum(reason["count"] for reason in found["reasons"]) == found["quarantined"]
    return found


def reasons(found) -> dict[str, int]:
    return {reason["code"]: reason["count"] for reason in found["reasons"]}


def values_of(database, actor, channel, *, start=JULY, hours=24):
    with database.transaction(actor=actor) as conn:
        return load(conn, [channel], start, start + timedelta(hours=hours)).values[0]


def test_a_file_is_stored_once_however_often_it_comes(database, staff, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["TWICE-1"])
    path = csv_file(tmp_path, "TWICE-1", range(96))
    once, again = run(database, staff, path), run(database, staff, path)

    assert (once["found"], once["new"], once["changed"]) == (96, 96, 0)
    assert (again["found"], again["new"], again["changed"], again["unchanged"]) == (96, 0, 0, 96)
    assert values_of(database, staff, channel).tolist() == list(range(96))


def test_a_corrected_file_changes_what_it_corrects(database, staff, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["FIX-1"])
    run(database, staff, csv_file(tmp_path, "FIX-1", range(96)))
    corrected = run(database, staff, csv_file(tmp_path, "FIX-1", [*range(95), 500]))

    assert (corrected["new"], corrected["changed"], corrected["unchanged"]) == (0, 1, 95)
    assert values_of(database, staff, channel)[95] == 500


def test_an_unknown_meter_in_a_csv_is_quarantined_with_its_line_and_its_cure(database, staff, tmp_path):
    found = run(database, staff, csv_file(tmp_path, "NOBODY-1", range(4)))

    assert found["accepted"] == 0
    (reason,) = [reason for reason in found["reasons"] if reason["code"] == "unknown-meter"]
    assert (reason["count"], reason["first"]) == (4, {"file": "readings.csv", "line": 2})
    assert "register" in reason["cure"]
    with database.transaction(actor=staff) as conn:
        kept = queries.quarantine_page(conn, batch_id=found["by_file"][0]["batch_id"])
    assert [(each.code, each.line, each.readings) for each in kept] == [("unknown-meter", 2, 4)]


def test_a_format_that_describes_its_meter_registers_it_as_unassigned_with_a_warning(database, staff, tmp_path):
    path = nem12_file(tmp_path, "NMI0000001", {"20260701": [2] * 48})
    found = run(database, staff, path)

    assert (found["accepted"], found["new"]) == (48, 48)
    assert reasons(found) == {"meter-registered": 0}
    with database.transaction(actor=staff) as conn:
        row = conn.execute("SELECT meter_status, registered_by FROM devices.meters WHERE meter_number = 'NMI0000001'").fetchone()
        (channel,) = queries.channels_of_meters(conn, ["NMI0000001"])
    assert row == ("unassigned", "import")
    assert (channel.unit, channel.interval_s, channel.utc_offset_min, channel.kwh_factor) == ("Wh", 1800, 600, Decimal("0.001"))
    assert reasons(run(database, staff, path, again=True)) == {"meter-not-installed": 0}
    assert run(database, staff, nem12_file(tmp_path, "NMI0000002", {"20260701": [2] * 48}), unknown_meters="quarantine")["quarantined"] == 48


def test_readings_that_do_not_fit_their_channel_are_refused_by_name(database, staff, tmp_path):
    add_channels(database, staff, numbers=["FIT-1"])
    add_channels(database, staff, numbers=["FIT-2"], interval_s=3600)
    add_channels(database, staff, numbers=["FIT-3"], flow="received")
    add_channels(database, staff, numbers=["FIT-4"], commodity="gas", unit="ccf")
    add_channels(database, staff, numbers=["FIT-5"], unit="kWh")
    files = [csv_file(tmp_path, f"FIT-{i}", [1000, 2000], name=f"{i}.csv") for i in range(2, 6)]
    fine = csv_file(tmp_path, "FIT-1", ["1.5", "2"], name="fine.csv")
    power = csv_file(tmp_path, "FIT-1", [1000, 2000], name="power.csv", unit="W")
    found = run(database, staff, *files, fine, power)

    assert {code: count for code, count in reasons(found).items() if count} == {
        "interval-mismatch": 2, "flow-mismatch": 2, "commodity-mismatch": 2, "unit-mismatch": 2, "finer-than-channel": 1,
    }  # fmt: skip
    assert found["accepted"] == 2 + 1


def test_units_are_converted_exactly_and_the_transformer_ratio_is_taken_out(database, staff, tmp_path):
    (kwh,) = add_channels(database, staff, numbers=["UNIT-1"], unit="kWh", pow10=-1)
    (ratio,) = add_channels(database, staff, numbers=["UNIT-2"], multiplier=Decimal(40))
    run(database, staff, csv_file(tmp_path, "UNIT-1", [1500, 200]), csv_file(tmp_path, "UNIT-2", [80, 4000], name="b.csv"))

    assert values_of(database, staff, kwh)[:2].tolist() == [15, 2]
    assert values_of(database, staff, ratio)[:2].tolist() == [2, 100]
    with database.transaction(actor=staff) as conn:
        shown = list(exporting.readings(conn, queries.channels_by_id(conn, [ratio]), JULY, JULY + timedelta(minutes=30)))
    assert [reading.value for reading in shown] == [80, 4000]


def test_a_clock_in_the_future_and_a_date_of_long_ago_are_refused(database, staff, tmp_path):
    add_channels(database, staff, numbers=["CLOCK-1"])
    ahead = csv_file(tmp_path, "CLOCK-1", range(8), start=NOW - timedelta(hours=1), name="ahead.csv")
    ancient = csv_file(tmp_path, "CLOCK-1", range(8), start=JULY.replace(year=1970), name="ancient.csv")
    found = run(database, staff, ahead, ancient)

    assert {code: count for code, count in reasons(found).items() if count} == {"too-old": 8}
    later = csv_file(tmp_path, "CLOCK-1", range(12), start=NOW, name="later.csv")
    assert reasons(run(database, staff, later))["future-reading"] == 8


@pytest.mark.parametrize("offset", [600, -360])
def test_a_channel_keeps_its_standard_day_whatever_offset_a_file_has(database, staff, tmp_path, offset):
    number = f"OFFSET{abs(offset)}"
    (channel,) = add_channels(database, staff, numbers=[number], register="E1", utc_offset_min=offset, interval_s=1800)
    found = run(database, staff, nem12_file(tmp_path, number, {"20260701": range(48), "20260702": range(48, 96)}))

    assert found["new"] == 96
    assert values_of(database, staff, channel, start=datetime(2026, 6, 30, 14, tzinfo=UTC), hours=48).tolist() == list(range(96))


def test_monthly_usages_are_stored_as_reads_and_corrected_by_versions(database, staff, tmp_path):
    def bill_file(values):
        rows = [f"GASM-1,1,2026-0{month}-01T00:00-06:00,{value},ccf,{days * 1440},gas" for (month, days), value in zip([(1, 31), (2, 28)], values, strict=True)]
        path = tmp_path / "gas.csv"
        path.write_text("\n".join(["meter,register,start,value,unit,interval_minutes,commodity", *rows]) + "\n")
        return path

    first = run(database, staff, bill_file([90, 80]), unknown_meters="register")
    again = run(database, staff, bill_file([90, 80]))
    fixed = run(database, staff, bill_file([90, 81]))

    assert [(each["new"], each["changed"], each["unchanged"]) for each in (first, again, fixed)] == [(2, 0, 0), (0, 0, 2), (0, 1, 1)]
    with database.transaction(actor=staff) as conn:
        (channel,) = queries.channels_of_meters(conn, ["GASM-1"])
        rows = conn.execute("SELECT version, is_current FROM metering.register_reads WHERE channel_id = %s ORDER BY read_at, version", [channel.channel_id])
        assert rows.fetchall() == [(1, True), (1, False), (2, True)]


def test_an_installed_meter_gives_no_warning(database, staff, tmp_path, admin):
    add_channels(database, staff, numbers=["HUNG-1"])
    with database.transaction(actor=staff) as conn:
        point = service_point(conn, "SP1")
        (meter,) = devices.register_meters(conn, [devices.NewMeter(meter_number="HUNG-1", commodity="electric")]).values()
        devices.install_meter(conn, meter_id=meter, service_point_id=point, from_at=JULY)
        with pytest.raises(devices.UnableToInstallMeter):
            devices.install_meter(conn, meter_id=meter, service_point_id=point, from_at=JULY + timedelta(days=1))

    assert reasons(run(database, staff, csv_file(tmp_path, "HUNG-1", range(4)))) == {}
    assert reasons(run(database, staff, csv_file(tmp_path, "HUNG-1", range(4), start=JULY - timedelta(days=1)))) == {"meter-not-installed": 0}


def test_the_neighbour_does_not_reach_meters_that_are_not_theirs(database, staff, neighbour, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["OURS-1"])
    path = csv_file(tmp_path, "OURS-1", range(4))

    assert reasons(run(database, neighbour, path)) == {"unknown-meter": 4}
    assert (values_of(database, staff, channel) == MISSING).all()


def test_folders_are_imported_whole_and_a_missing_path_stops_before_anything(database, staff, tmp_path):
    add_channels(database, staff, numbers=["DIR-1"])
    (tmp_path / "deep").mkdir()
    csv_file(tmp_path / "deep", "DIR-1", range(4))
    csv_file(tmp_path, "DIR-1", range(4), start=JULY + timedelta(days=1), name="b.csv")
    (tmp_path / "notes.txt").write_text("not a meter file\n")
    with pytest.raises(NoSuchFile):
        run(database, staff, tmp_path / "deep", tmp_path / "absent")

    found = run(database, staff, tmp_path)
    assert (found["files"], found["new"]) == (3, 8)
    assert "unknown-format" in reasons(found)


def test_a_database_killed_in_the_middle_leaves_nothing_of_the_file(database, staff, tmp_path, monkeypatch):
    (channel,) = add_channels(database, staff, numbers=["KILL-1"])
    path = csv_file(tmp_path, "KILL-1", range(96))
    merge_staged = store.merge_staged

    def killed(conn, **facts):
        done = merge_staged(conn, **facts)
        with server.connect(database.admin_url) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
        return done

    with database.transaction(actor=staff) as conn:
        before = conn.execute("SELECT count(*) FROM metering.ingest_batches").fetchone()
    monkeypatch.setattr(importing.store, "merge_staged", killed)
    with pytest.raises(store.UnableToStoreReadings, match=r"readings.csv: the database stopped .* nothing of this file was stored") as refused:
        run(database, staff, path)
    monkeypatch.undo()

    assert "import the file again" in refused.value.cure
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT count(*) FROM metering.ingest_batches").fetchone() == before
    assert (values_of(database, staff, channel) == MISSING).all()
    assert run(database, staff, path)["new"] == 96


def test_a_full_disk_is_said_as_such(database, staff, tmp_path, monkeypatch):
    add_channels(database, staff, numbers=["FULL-1"])

    def full(*_, **__):
        raise psycopg.errors.DiskFull("could not extend file: No space left on device")

    monkeypatch.setattr(importing.store, "merge_staged", full)
    with pytest.raises(store.UnableToStoreReadings, match="disk is full"):
        run(database, staff, csv_file(tmp_path, "FULL-1", range(4)))


def test_importers_at_once_store_everything_and_do_not_block_each_other(database, staff, tmp_path):
    numbers = [f"MANY-{i}" for i in range(12)]
    channels = add_channels(database, staff, numbers=numbers)
    rng = np.random.default_rng(3)

    def mixed(name: str) -> Path:
        """The same days of the same meters in another order with other values."""
        rows = ["meter,register,start,value,unit,interval_minutes"]
        for i in rng.permutation(len(numbers)):
            for day in rng.permutation(4):
                start = JULY + timedelta(days=int(day))
                rows += [f"{numbers[i]},1,{(start + timedelta(minutes=15 * k)).isoformat()},{rng.integers(0, 999)},Wh,15" for k in range(96)]
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n")
        return path

    failures: list[BaseException] = []

    def take(path: Path) -> None:
        try:
            for _ in range(2):
                run(database, staff, path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            failures.append(error)

    workers = [threading.Thread(target=take, args=(mixed(f"{i}.csv"),)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert failures == []
    with database.administering() as admin:
        rows = admin.execute("SELECT count(*), sum(n_valid) FROM metering.interval_blocks WHERE channel_id = ANY(%s)", [channels])
        assert rows.fetchone() == (48, 48 * 96)


def test_a_long_file_is_stored_in_parts_as_one_delivery(database, staff, tmp_path, monkeypatch):
    from mains.metering.formats import source

    monkeypatch.setattr(source.blocks, "__kwdefaults__", source.blocks.__kwdefaults__ | {"size": 4096})
    (channel,) = add_channels(database, staff, numbers=["LONG-1"])
    values = np.random.default_rng(1).integers(0, 900, 96 * 20).tolist()
    found = run(database, staff, csv_file(tmp_path, "LONG-1", values))

    assert (found["files"], found["new"], found["changed"]) == (1, 1920, 0)
    assert values_of(database, staff, channel, hours=480).tolist() == values


def test_what_is_exported_comes_back_as_it_was(database, staff, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["OUT-1"])
    run(database, staff, csv_file(tmp_path, "OUT-1", [5, 7, 9], quality="estimated"))
    with database.transaction(actor=staff) as conn, (tmp_path / "out.csv").open("w") as file:
        rows = spans(conn, of_channels(queries.channels_by_id(conn, [channel]), JULY, JULY + timedelta(days=1)))
        assert exporting.write_csv(file, rows, ZoneInfo("America/Chicago")) == 3

    again = run(database, staff, tmp_path / "out.csv")
    assert (again["found"], again["unchanged"]) == (3, 3)


def test_the_checks_find_totals_that_do_not_add_up_and_blocks_without_a_channel(database: Database, staff, tmp_path):
    (channel,) = add_channels(database, staff, numbers=["CHECK-1"])
    run(database, staff, csv_file(tmp_path, "CHECK-1", range(96)))
    with database.administering() as admin:
        assert all(check(admin, NOW).holds for check in checks.DATABASE_CHECKS)
        admin.execute("UPDATE metering.interval_blocks SET total = total + 1 WHERE channel_id = %s", [channel])
        admin.execute(
            "INSERT INTO metering.interval_blocks (channel_id, block_start, total, utility_id, peak, batch_id, utc_offset_min, n_valid, width, vals)"
            " SELECT -7, '2091-07-01 06:00Z', total - 1, utility_id, peak, batch_id, utc_offset_min, n_valid, width, vals"
            " FROM metering.interval_blocks WHERE channel_id = %s",
            [channel],
        )
        wrong = [finding.check for check in checks.DATABASE_CHECKS if not (finding := check(admin, NOW)).holds]
        admin.rollback()
    assert wrong == ["reading-totals", "reading-channels", "reading-months"]


def test_real_files_are_taken_whole_and_the_second_time_change_nothing(database, staff, real_data):
    paths = [real_data / "green_button", real_data / "nem12"]
    first, again = run(database, staff, *paths), run(database, staff, *paths)

    assert first["files"] == again["files"] >= 30
    assert first["accepted"] == again["accepted"] == again["unchanged"] == 27_729 + 4  # four of NEM12's 500 records: figures of dials
    assert {code for code, count in reasons(first).items() if count} == {"unknown-unit"}
    json.dumps(first)
    with database.transaction(actor=staff) as conn:
        assert len(queries.batches_page(conn, limit=30)) == 30
        assert operations.register_channels(conn, []) == 0


@pytest.mark.parametrize("name", ["M" * 101, "M" * 70_000, "M\x00-1", "M\x07", "M\u202e1-M"], ids=["long", "very long", "zero byte", "control", "turns the line round"])
def test_a_name_that_no_table_can_hold_refuses_its_readings_and_no_others(database, staff, tmp_path, name):
    good = f"M-{name!r:.9}-{len(name)}"
    path = csv_file(tmp_path, good, [1] * 96 * 31)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines) + "".join(line.replace(good, name) for line in lines[1:5]))

    found = run(database, staff, path, unknown_meters="register")

    assert (found["accepted"], found["quarantined"]) == (96 * 31, 4)
    assert reasons(found)["bad-name"] == 4
    assert run(database, staff, path, unknown_meters="register")["unchanged"] == 96 * 31


def test_a_file_whose_own_name_is_no_text_is_imported(database, staff, tmp_path):
    path = csv_file(tmp_path, "M-UNNAMED", [1] * 96)
    odd = path.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.csv")))

    assert run(database, staff, odd, unknown_meters="register")["accepted"] == 96


def test_a_path_that_cannot_be_looked_at_stops_before_anything(database, staff, tmp_path):
    for path in (Path("x" * 300), tmp_path / "\x7f" / "nothing.csv"):
        with pytest.raises(NoSuchFile, match="there is no file"):
            run(database, staff, path)


def test_a_folder_that_cannot_be_read_stops_before_anything(database, staff, tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    csv_file(tmp_path, "M-OPEN", [1] * 96)
    look = os.scandir

    def closed(place):
        if Path(place).name == "closed":
            raise PermissionError(13, "Permission denied", str(place))
        return look(place)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(NoSuchFile, match="closed cannot be read: Permission denied"):
        run(database, staff, tmp_path, unknown_meters="register")


def test_an_import_begun_again_passes_over_what_is_done(database, staff, tmp_path):
    paths = [nem12_file(tmp_path, f"NMI000010{n}", {"20260701": [n + 1] * 48}, name=f"NMI000010{n}.csv") for n in range(3)]
    assert run(database, staff, paths[0])["new"] == 48
    again = run(database, staff, tmp_path)
    assert (again["files"], again["found"], again["new"], again["unchanged"]) == (3, 144, 96, 48)
    assert reasons(again)["imported-before"] == 0
    assert "imported-before" not in reasons(run(database, staff, tmp_path, again=True))
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT count(*) FROM metering.ingest_batches WHERE source LIKE '%NMI0000100%'").fetchone() == (2,)


def test_a_file_of_which_something_was_refused_is_read_again(database, staff, tmp_path):
    path = nem12_file(tmp_path, "NMI0000110", {"20260701": [1] * 48})
    assert run(database, staff, path, unknown_meters="quarantine")["quarantined"] == 48
    assert run(database, staff, path)["new"] == 48


def test_a_file_read_another_way_is_another_delivery(database, staff, tmp_path):
    path = nem12_file(tmp_path, "NMI0000111", {"20260701": [1] * 48})
    run(database, staff, path)
    assert "imported-before" not in import_files(database, staff, [path], at=NOW, timezone="Australia/Sydney").reasons
    assert "imported-before" in import_files(database, staff, [path], at=NOW, timezone="Australia/Sydney").reasons


def test_several_processes_store_what_one_does(database, staff, tmp_path):
    for n in range(5):
        nem12_file(tmp_path, f"NMI000020{n}", {"20260701": [n + 1] * 48, "20260702": [2] * 48}, name=f"{n}.csv")
    told = []
    found = run(database, staff, tmp_path, processes=2, progress=lambda *facts: told.append(facts))
    assert (found["files"], found["found"], found["new"]) == (5, 480, 480)
    assert [each["file"] for each in found["by_file"]] == sorted(each["file"] for each in found["by_file"])
    assert told[-1][1:] == (5, 5, 480)
    assert run(database, staff, tmp_path, processes=2)["unchanged"] == 480


def test_many_meters_of_one_day_are_as_right_as_few(database, staff, tmp_path):
    lines = ["100,NEM12,202607030000,MDP1,RET1"]
    for n in range(60):
        lines.append(f"200,MNY{n:07d},E1,E1,E1,,S{n},KWH,30,")
        values = ",".join(f"{n}.{k:03d}" for k in range(48))
        lines.append(f"300,20260701,{values},{'A' if n % 7 else 'E52'},,,20260703000000,")
    path = tmp_path / "many.csv"
    path.write_text("\n".join([*lines, "900", ""]))
    found = run(database, staff, path)
    assert (found["found"], found["new"], found["quarantined"]) == (60 * 48, 60 * 48, 0)
    with database.transaction(actor=staff) as conn:
        for n in (0, 7, 59):
            (channel,) = queries.channels_of_meters(conn, [f"MNY{n:07d}"])
            rows = conn.execute("SELECT raw, quality FROM metering.readings(%s, '2026-06-30', '2026-07-02') ORDER BY reading_timestamp", [channel.channel_id]).fetchall()
            assert [row[0] * channel.step for row in rows] == [n * 1000 + k for k in range(48)]
            assert {row[1] for row in rows} == {2 if n % 7 == 0 else 0}
    assert run(database, staff, path, again=True)["unchanged"] == 60 * 48
