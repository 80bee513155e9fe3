"""NEM12 files, as a meter data provider sends them."""

from datetime import UTC, date, timedelta
from decimal import Decimal

import nemreader
import numpy as np
import pytest
from meterfiles import exact, nem12, nem12_start
from reading import codes, read, read_one

from mains.metering.formats import parse
from mains.metering.model import MISSING, Quality

DAY = date(2025, 3, 1)
FLAT = ["1.250"] * 48


def a_day(values=FLAT, flag="A", ranges=(), unit="kWh", minutes=30, suffix="E1", **options):
    return nem12([("NMI0000001", suffix, unit, minutes, {DAY: (list(values), flag, ranges)})], **options)


def test_a_day_of_half_hours_in_market_time():
    part = read_one(a_day())
    (channel,) = part.channels

    assert (part.format, part.found, part.accepted, part.issues) == ("nem12", 48, 48, [])
    assert (channel.key.meter, channel.key.register, channel.unit, channel.pow10, channel.interval_s) == ("NMI0000001", "E1", "Wh", 0, 1800)
    assert (channel.flow, channel.commodity, channel.utc_offset_min, channel.serial_hint) == ("delivered", "electric", 600, "SERNMI0000001")
    assert channel.starts[0] == nem12_start(DAY, 0, 30)
    assert set(channel.values.tolist()) == {1250}
    assert set(channel.lines.tolist()) == {3}


def test_exported_energy_and_reactive_energy_keep_their_direction():
    data = nem12(
        [
            ("NMI0000001", suffix, unit, 30, {DAY: (FLAT, "A", [])})
            for suffix, unit in (("E1", "kWh"), ("B1", "KWH"), ("Q1", "kVArh"), ("K1", "MVARH"))
        ]
    )

    assert [(c.key.register, c.flow, c.unit) for c in read_one(data).channels] == [
        ("E1", "delivered", "Wh"), ("B1", "received", "Wh"), ("Q1", "delivered", "varh"), ("K1", "received", "varh"),
    ]  # fmt: skip


def test_a_variable_day_takes_its_quality_from_400_records():
    part = read_one(a_day(flag="V", ranges=[(1, 20, "A"), (21, 30, "S14"), (31, 40, "F52"), (41, 46, "E17"), (47, 48, "N")]))
    (channel,) = part.channels

    counts = dict(zip(*np.unique(channel.quality, return_counts=True), strict=True))
    assert counts == {Quality.ACTUAL: 20, Quality.SUBSTITUTED: 10, Quality.FINAL_SUBSTITUTE: 10, Quality.ESTIMATED: 6, Quality.MISSING: 2}
    assert channel.values[-2:].tolist() == [MISSING, MISSING]


@pytest.mark.parametrize(
    "ranges", [[], [(1, 47, "A")], [(1, 20, "A"), (20, 48, "A")], [(1, 20, "A"), (22, 48, "A")], [(1, 49, "A")], [(1, 48, "V")]]
)
def test_a_variable_day_whose_400_records_do_not_cover_it_is_refused(ranges):
    assert codes(read_one(a_day(flag="V", ranges=ranges))) == {"quality-not-covered": 48}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (a_day(values=["1"] * 47), {"wrong-interval-count": 47}),
        (a_day(values=["1"] * 96), {"wrong-interval-count": 96}),
        (a_day().replace(b"20250301", b"20250229"), {"bad-date": 48}),
        (a_day(flag="E"), {"bad-quality": 48}),
        (a_day(flag="X"), {"bad-quality": 48}),
        (a_day(unit="volts"), {"unknown-unit": 48}),
        (a_day(minutes=7), {"unsupported-interval": 48}),
        (a_day(suffix="LONG"), {"bad-record": 48}),
        (a_day(values=["NaN", "inf", "1e400", "", "1,5"[:1] + ";5", *FLAT[5:]]), {"not-a-number": 5}),
        (a_day(values=["-1", *FLAT[1:]]), {"negative-value": 1}),
        (a_day(values=["9" * 30, "99999999", *FLAT[2:]]), {"absurd-value": 2}),
        (a_day(values=["1.1234567", *FLAT[1:]]), {"finer-than-storable": 1}),
        (a_day().replace(b"100,NEM12", b"200,x"), {"missing-header": 48}),
        (a_day().replace(b"\n200,", b"\n500,"), {"orphan-record": 49}),
        (a_day() + b"300,20250302," + b",".join([b"1"] * 48) + b",A,,,,\n", {"record-after-end": 48}),
        (a_day().replace(b"\n300", b"\n301"), {"unknown-record": 48}),
        (a_day(end=""), {"truncated-file": 0}),
        (a_day(end="")[:-60], {"truncated-file": 42}),
        (a_day(end="")[:-10], {"truncated-file": 48}),
        (b"100,NEM12,202601010000,A,B\n900\n", {"empty-file": 0}),
    ],
)
def test_a_fault_takes_out_what_hangs_on_it_and_says_so(data, expected):
    part = read_one(data)
    assert codes(part) == expected
    assert all(issue.cure and issue.file == "input" and issue.line for issue in part.issues)


def test_the_same_day_twice_is_kept_once_and_a_changed_day_is_refused():
    record = b"300,20250301," + b",".join([b"1.250"] * 48) + b",A,,,20260101000000,\n"
    once, changed = a_day(end=""), record.replace(b"1.250", b"9.999", 1)

    assert codes(read_one(once + record + b"900\n")) == {"duplicate-in-file": 48}
    twice = read_one(once + changed + b"900\n")
    assert (codes(twice), twice.accepted) == ({"duplicate-in-file": 47, "conflicting-in-file": 2}, 47)


def test_an_interval_length_may_change_at_midnight_and_not_within_a_day():
    days = [
        ("NMI0000001", "E1", "kWh", 15, {DAY: (["1"] * 96, "A", [])}),
        ("NMI0000001", "E1", "kWh", 30, {date(2025, 3, 2): (FLAT, "A", [])}),
    ]
    assert [channel.interval_s for channel in read_one(nem12(days)).channels] == [900, 1800]

    days[1][4][DAY] = (FLAT, "A", [])
    part = read_one(nem12(days))
    assert (codes(part), part.accepted) == ({"overlapping-intervals": 144, "date-order": 0}, 48)


def test_parts_of_a_long_file_hold_what_the_file_holds(monkeypatch):
    data = nem12(
        [
            (
                f"NMI{n:07}",
                "E1",
                "kWh",
                30,
                {date(2025, 3, d): (FLAT, "V" if d % 2 else "A", [(1, 48, "A")] if d % 2 else []) for d in range(1, 28)},
            )
            for n in range(9)
        ]
    )
    whole = read_one(data)
    blocks = parse.__globals__["nem12"].blocks
    monkeypatch.setattr(parse.__globals__["nem12"], "blocks", lambda stream, **options: blocks(stream, **options | {"size": 5000}))
    parts = read(data)

    assert len(parts) > 10
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert sum(part.accepted for part in parts) == whole.accepted == 9 * 27 * 48
    lines = sorted(line for part in parts for channel in part.channels for line in channel.lines.tolist())
    assert lines == sorted(line for channel in whole.channels for line in channel.lines.tolist())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")  # nemreader leaves files open
def test_real_files_read_as_nemreader_reads_them(real):
    files = sorted((real / "nem12").iterdir())
    assert files
    compared = 0
    for file in files:
        reads = nemreader.read_nem_file(str(file))
        theirs = {}
        for nmi, channels in reads.readings.items():
            for suffix, values in channels.items():
                for value in values:
                    at = int((value.t_start - timedelta(hours=10)).replace(tzinfo=UTC).timestamp())
                    theirs[nmi, suffix, at] = (value.read_value, value.uom)
        for part in parse(file):
            assert part.accepted + part.quarantined == part.found
            assert {issue.code for issue in part.issues} <= {"unknown-unit"}
            for channel in part.channels:
                for (start, ours), quality in zip(exact(channel).items(), channel.quality.tolist(), strict=True):
                    value, unit = theirs[channel.key.meter, channel.key.register, start]
                    factor = Decimal(1000 if unit.lower().startswith("k") else 1)
                    if quality != Quality.MISSING:
                        assert abs(ours - Decimal(repr(value)) * factor) < Decimal("0.0001")
                        compared += 1
    assert compared > 20_000


def test_broken_files_are_refused_with_the_reason(real):
    found = {file.name: codes(next(parse(file))) for file in (real / "nem12_invalid").iterdir()}
    assert found == {
        "Example_NEM12_15min_200_30min_300.csv": {"wrong-interval-count": 48},
        "Example_NEM12_empty.csv": {"empty-file": 0},
        "Example_NEM12_missing_header.csv": {"missing-header": 96},
    }


def test_what_a_500_record_says_the_register_showed_is_a_read_of_its_dial():
    data = a_day(end="") + b"500,O,SO1,20250302093000,001123.5\n900\n"
    part = read_one(data)
    (index,) = part.index_reads
    assert (index.key.register, index.value, index.pow10, index.at, index.line) == ("E1", 1_123_500, 0, 1740871800, 4)
    assert part.found == 49

    assert codes(read_one(data.replace(b"20250302093000", b"2025-03-02"))) == {"bad-time": 1}
    assert codes(read_one(data.replace(b"001123.5", b"1e5"))) == {"not-a-number": 1}


def test_an_agreed_substitute_is_an_edit_and_an_unknown_method_is_refused():
    assert set(read_one(a_day(flag="S16")).channels[0].quality.tolist()) == {Quality.EDITED}
    assert codes(read_one(a_day(flag="E99"))) == {"bad-quality": 48}
