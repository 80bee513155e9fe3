"""NEM13, CIM, RSM-012, P1, SML and MSCONS: what is read, to the unit and the second, and what is refused, with its reason."""

import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import nemreader
import pytest
from meterfiles import exact
from otherfiles import (
    BELGIAN,
    DUTCH,
    LUXEMBOURGISH,
    OLD,
    cim,
    frame,
    mscons,
    nem13,
    p1,
    quarter_hours,
    rsm012,
    sml,
)
from reading import codes, read, read_one

from mains.metering.formats import FORMATS, parse
from mains.metering.formats.sml_frames import MOST_DEPTH
from mains.metering.formats.sniff import kind_of
from mains.metering.model import MISSING, Quality

QUARTERS, DIAL = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
USED, SENT = bytes.fromhex("0100010800ff"), bytes.fromhex("0100020800ff")


def shown(part):
    """{(meter, register, UTC time): engineering value in base units} of a part's dial reads."""
    return {
        (each.key.meter, each.key.register, datetime.fromtimestamp(each.at, UTC).strftime("%Y-%m-%d %H:%M:%S")): each.value * Decimal(10) ** each.pow10
        for each in part.index_reads
    }


# NEM13 ------------------------------------------------------------------------------------------------------------------------------------------------------
ROW = ("11", "S1", "E", "01000", "20260101000000", "A", "01100", "20260201000000", "A", "100", "KWH")


def changed(**at):
    places = {"direction": 2, "before": 3, "from_at": 4, "first": 5, "after": 6, "to_at": 7, "last": 8, "quantity": 9, "unit": 10}
    row = list(ROW)
    for name, value in at.items():
        row[places[name]] = value
    return tuple(row)


def test_a_quantity_is_the_usage_between_two_reads():
    part = read_one(nem13([ROW]))
    (used,) = part.register_reads
    assert (part.format, part.found, part.issues, used.value, used.pow10, used.unit, used.flow) == ("nem13", 1, [], 100_000, 0, "Wh", "delivered")
    assert (used.start, used.duration_s) == (int(datetime(2025, 12, 31, 14, tzinfo=UTC).timestamp()), 31 * 86_400)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (changed(before="99900", after="00100", quantity="200"), 200_000),  # the dial began again at zero
        (changed(quantity="4000"), 4_000_000),  # a transformer of forty
        (changed(direction="I", quantity="-100"), 100_000),
        (changed(before="01100", after="01000", quantity="100"), 100_000),  # a disc that turns backwards
    ],
)
def test_a_quantity_that_the_dials_bear_out_has_no_warning(row, value):
    part = read_one(nem13([row]))
    assert (part.register_reads[0].value, part.issues) == (value, [])


def test_a_quantity_that_is_no_multiple_of_the_dials_difference_is_kept_with_a_warning():
    part = read_one(nem13([ROW, changed(before="01100", from_at="20260201000000", after="01200", to_at="20260301000000", quantity="99")]))
    assert part.accepted == 2
    assert [(issue.code, issue.severity, issue.line) for issue in part.issues] == [("quantity-differs", "warning", 3)]


def test_without_a_quantity_the_dials_figures_are_kept_each_once():
    part = read_one(nem13([changed(quantity=""), changed(before="01100", from_at="20260201000000", after="01250", to_at="20260301000000", quantity="")]))
    assert [(each.value, each.pow10) for each in part.index_reads] == [(1_000_000, 0), (1_100_000, 0), (1_250_000, 0)]
    assert (part.found, part.register_reads) == (3, [])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (nem13([changed(unit="kW")]), {"unknown-unit": 1}),
        (nem13([changed(direction="X")]), {"unknown-flow": 1}),
        (nem13([changed(to_at="20251201000000")]), {"bad-period": 1}),
        (nem13([changed(to_at="2026-02-01")]), {"bad-time": 1}),
        (nem13([changed(last="Q1")]), {"bad-quality": 1}),
        (nem13([changed(last="N")]), {"missing-value": 1}),
        (nem13([changed(quantity="-100")]), {"negative-value": 1}),
        (nem13([changed(quantity="1e5")]), {"not-a-number": 1, "quantity-differs": 0}),
        (nem13([ROW, changed(from_at="20260115000000", to_at="20260215000000")]), {"overlapping-intervals": 2}),
        (nem13([ROW]).replace(b"100,NEM13", b"100,NEM14"), {"unknown-format": 0}),
        (nem13([ROW], end=""), {"truncated-file": 0}),
        (nem13([ROW])[:-60], {"truncated-file": 1}),
        (nem13([ROW]) + b"250,x\n", {"record-after-end": 1}),
        (nem13([ROW], end="260,x\n900\n"), {"unknown-record": 0}),
        (nem13([], end="550,N,,R,\n900\n"), {"orphan-record": 0, "empty-file": 0}),
    ],
)
def test_what_is_wrong_in_nem13_is_refused_by_line(data, expected):
    assert codes(read_one(data)) == expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")  # nemreader leaves files open
def test_real_nem13_files_come_in_whole_and_say_what_nemreader_says(real):
    compared = 0
    for file in sorted((real / "nem13").iterdir()):
        (part,) = parse(file)
        assert (part.quarantined, part.accepted) == (0, part.found), part.issues
        theirs = {
            (nmi, suffix, value.t_start.strftime("%Y%m%d%H%M%S")): abs(value.read_value)
            for nmi, channels in nemreader.read_nem_file(str(file)).readings.items()
            for suffix, values in channels.items()
            for value in values
        }
        for used in part.register_reads:
            at = datetime.fromtimestamp(used.start + 36_000, UTC).strftime("%Y%m%d%H%M%S")
            assert used.value == Decimal(str(theirs[used.key.meter, used.key.register, at])) * 1000
            compared += 1
    assert compared == 31


# CIM --------------------------------------------------------------------------------------------------------------------------------------------------------
def stamped(value="0.25", code=None, count=4):
    return [(f"2026-01-05T{1 + place // 4:02}:{place % 4 * 15:02}:00+01:00", value, code) for place in range(count)]


@pytest.mark.parametrize("prefix", ["m:", ""])
def test_cim_intervals_are_stamped_with_their_end(prefix):
    part = read_one(cim([(QUARTERS, stamped())], prefix=prefix))
    (channel,) = part.channels
    assert (part.format, channel.key.meter, channel.key.register, channel.interval_s, channel.utc_offset_min) == ("cim", "M-77", QUARTERS, 900, 60)
    assert min(exact(channel)) == int(datetime(2026, 1, 4, 23, 45, tzinfo=UTC).timestamp())
    assert set(exact(channel).values()) == {250}


def test_cim_dials_and_usages_of_a_month():
    month = QUARTERS.replace("0.0.2", "13.0.0", 1).replace("4.1.1", "4.19.1")
    part = read_one(cim([], [(DIAL, "2026-01-05T00:00:00+01:00", "6519.0955", None), (month, "", "120", ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"))]))
    assert shown(part) == {("M-77", DIAL, "2026-01-04 23:00:00"): Decimal("6519095.5")}
    assert [(each.value, each.flow, each.duration_s) for each in part.register_reads] == [(120_000, "received", 31 * 86_400)]


def test_the_least_trusted_of_cim_qualities_counts():
    data = cim([(QUARTERS, [*stamped("1", "3.8.17", 1), *stamped("", "2.5.259", 2)[1:]])]).replace(
        b'<m:ReadingQualityType ref="3.8.17"/></m:ReadingQualities>',
        b'<m:ReadingQualityType ref="3.8.17"/></m:ReadingQualities><m:ReadingQualities><m:ReadingQualityType ref="1.0.0"/></m:ReadingQualities>',
    )
    channel = read_one(data).channels[0]
    assert channel.quality.tolist() == [Quality.ESTIMATED, Quality.MISSING]
    assert channel.values.tolist()[1] == MISSING


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("0.0.2.6.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "unsupported-accumulation"),
        ("0.0.2.4.1.1.37.0.0.0.0.0.0.0.0.3.38.0", "unsupported-reading-type"),
        ("0.2.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "unsupported-reading-type"),
        ("0.0.2.4.1.1.12.0.0.0.0.0.0.0.128.3.72.0", "unsupported-reading-type"),
        ("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.840", "unsupported-reading-type"),
        ("0.0.2.4.2.1.12.0.0.0.0.0.0.0.0.3.72.0", "unknown-flow"),
        ("0.0.2.4.1.10.12.0.0.0.0.0.0.0.0.3.72.0", "unknown-commodity"),
        ("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.42.0", "unknown-unit"),
        ("0.0.77.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "unsupported-interval"),
        ("0.0.0.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "unknown-interval"),
        ("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.99.72.0", "bad-record"),
        ("1.2.3", "bad-record"),
        ("", "bad-record"),
    ],
)
def test_a_reading_type_that_is_no_usage_is_refused_by_name(code, why):
    assert codes(read_one(cim([(code, stamped())]))) == {why: 4}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (cim([(QUARTERS, stamped("1,5"))]), {"not-a-number": 4}),
        (cim([(QUARTERS, stamped(""))]), {"missing-value": 4}),
        (cim([(QUARTERS, stamped("-1"))]), {"negative-value": 4}),
        (cim([(QUARTERS, stamped(code="9.9.9"))]), {"unknown-quality": 4}),
        (cim([(QUARTERS, [("2026-01-05T00:00:00", "1", None)])]), {"missing-offset": 1}),
        (cim([(QUARTERS, [("2026-01-05T00:00:30Z", "1", None)])]), {"off-grid": 1}),
        (cim([(QUARTERS, [("2026-02-30T00:00:00Z", "1", None)])]), {"bad-time": 1}),
        (cim([(QUARTERS, stamped())], meter=None), {"missing-meter": 4}),
        (cim([(QUARTERS, stamped())])[:-20], {"malformed-xml": 0}),
        (cim([(QUARTERS, stamped())])[:-90], {"malformed-xml": 4}),
        (cim([(QUARTERS, stamped())]).replace(b"?>\n", b'?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n'), {"xml-entities": 0}),
    ],
)
def test_what_is_wrong_in_cim_is_refused(data, expected):
    assert codes(read_one(data, format="cim")) == expected


def test_a_bomb_of_entities_is_refused_at_once():
    bomb = '<!DOCTYPE a [<!ENTITY x "x">' + "".join(f'<!ENTITY x{n} "{f"&x{n - 1 if n else str()};" * 10}">' for n in range(12)) + "]>"
    data = cim([(QUARTERS, stamped("&x11;"))]).replace(b"?>\n", f"?>\n{bomb}\n".encode())
    assert codes(read_one(data, format="cim")).keys() <= {"xml-entities", "malformed-xml"}


# RSM-012 ----------------------------------------------------------------------------------------------------------------------------------------------------
HOURS = [(place, f"{place}.5", "A04") for place in range(1, 25)]


@pytest.mark.parametrize("form", ["xml", "json"])
def test_rsm012_hours(form):
    part = read_one(rsm012(HOURS, form=form))
    (channel,) = part.channels
    assert (part.format, part.issues, channel.key.meter, channel.key.register, channel.flow) == ("rsm012", [], "571313000000002000", "8716867000030", "delivered")
    begin = int(datetime(2026, 1, 9, 23, tzinfo=UTC).timestamp())
    assert exact(channel) == {begin + 3600 * place: (place + 1) * 1000 + 500 for place in range(24)}


def test_rsm012_qualities_missing_points_and_positions():
    part = read_one(rsm012([(1, 1, None), (2, None, "A02"), (3, 3, "A03"), (4, 4, "A05"), (5, 5, "A06"), (99, 1, None), (6, None, None), (7, 1, "A02"), (8, 1, "A09")]))
    assert part.channels[0].quality.tolist() == [Quality.ACTUAL, Quality.MISSING, Quality.ESTIMATED, Quality.QUESTIONABLE, Quality.DERIVED]
    assert codes(part) == {"bad-position": 1, "missing-value": 1, "unknown-quality": 2, "missing-positions": 0}


def test_rsm012_months_and_days_follow_the_danish_clock():
    month = read_one(rsm012([(1, 100, None)], resolution="P1M", start="2026-02-28T23:00Z", end="2026-03-31T22:00Z"))
    assert [each.duration_s for each in month.register_reads] == [31 * 86_400 - 3600]
    days = read_one(rsm012([(place, 1, None) for place in (1, 2, 3)], resolution="P1D", start="2026-03-27T23:00Z", end="2026-03-30T22:00Z"))
    assert [each.duration_s for each in days.register_reads] == [86_400, 82_800, 86_400]


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"registration": ""}, "missing-element"),
        ({"registration": "soon"}, "bad-time"),
        ({"unit": "KWT"}, "unknown-unit"),
        ({"kind": "E20"}, "unsupported-reading-type"),
        ({"type_": "E31"}, "unsupported-message"),
        ({"resolution": "PT7M"}, "bad-period"),
        ({"resolution": "P1Y"}, "unsupported-interval"),
        ({"resolution": "P1M"}, "bad-period"),
        ({"start": "2026-01-09T23:00"}, "bad-time"),
        ({"end": "2026-01-08T23:00Z"}, "bad-period"),
    ],
)
def test_a_series_that_is_wrong_is_refused_whole(form, options, expected):
    assert codes(read_one(rsm012(HOURS, form=form, **options))) == {expected: 24}


@pytest.mark.parametrize(
    "data",
    [
        b'{"NotifyValidatedMeasureData_MarketDocument": ' + b"[" * 100_000,
        b'{"NotifyValidatedMeasureData_MarketDocument": {"a": 1, "a": 2}}',
        rsm012(HOURS, form="json")[:-9],
    ],
)
def test_json_that_is_no_json_is_refused(data):
    assert codes(read_one(data)) == {"malformed-json": 0}


def test_the_real_documents(real):
    found = {file.name: read_one(file.read_bytes()) for file in (real / "rsm012").iterdir()}
    assert {name: (part.found, part.accepted) for name, part in found.items()} == {"valid.xml": (6, 6), "valid.json": (6, 6), "invalid_missing_registration.xml": (6, 0)}
    (issue,) = found["invalid_missing_registration.xml"].issues
    assert (issue.code, issue.count) == ("missing-element", 6)
    assert "registration_DateAndOrTime.dateTime" in issue.message


# P1 ---------------------------------------------------------------------------------------------------------------------------------------------------------
def test_a_dutch_telegram():
    part = read_one(p1(DUTCH))
    assert (part.format, part.issues) == ("p1", [])
    at = "2026-01-15 18:20:02"
    assert shown(part) == {
        ("K8EG004046395507", "1-0:1.8.1", at): 4426, ("K8EG004046395507", "1-0:1.8.2", at): 2399, ("K8EG004046395507", "1-0:2.8.1", at): 2444,
        ("K8EG004046395507", "1-0:2.8.2", at): 0, ("2222ABCD123456789", "0-1:24.2.1", "2026-01-15 18:10:05"): Decimal("0.107"),
    }  # fmt: skip


def test_a_belgian_telegram_in_summer_with_gas_and_water():
    part = read_one(p1(BELGIAN))
    assert {(each.commodity, each.at) for each in part.index_reads} == {("electric", 1784111415), ("gas", 1784111100), ("water", 1784111100)}
    assert {each.key.register for each in part.index_reads if each.commodity != "electric"} == {"0-1:24.2.3", "0-2:24.2.1"}


def test_a_luxembourgish_telegram_has_no_tariffs_and_reactive_energy():
    assert {(each.key.register, each.unit) for each in read_one(p1(LUXEMBOURGISH)).index_reads} == {
        ("1-0:1.8.0", "Wh"), ("1-0:2.8.0", "Wh"), ("1-0:3.8.0", "varh"), ("1-0:4.8.0", "varh"),
    }  # fmt: skip


def test_the_sum_of_tariffs_is_left_aside_where_the_tariffs_are_there():
    part = read_one(p1([*DUTCH, "1-0:1.8.0(000006.825*kWh)"]))
    assert "1-0:1.8.0" not in {each.key.register for each in part.index_reads}


def test_old_telegrams_take_the_time_that_is_noted_before_them():
    part = read_one(b"2016-11-07T20:57:57+01:00\n" + p1(OLD, crc=False))
    assert part.issues == []
    assert {(each.key.register, each.at) for each in part.index_reads} == {("1-0:1.8.1", 1478548677), ("1-0:1.8.2", 1478548677), ("0-1:24.2.1", 1478541600)}
    assert codes(read_one(p1(OLD, crc=False))) == {"missing-time": 2}


def test_many_telegrams_tell_a_gas_read_once():
    later = [line.replace("260115192002W", "260115192012W") for line in DUTCH]
    part = read_one(p1(DUTCH) + p1(later))
    assert (part.found, part.accepted, len([each for each in part.index_reads if each.commodity == "gas"])) == (9, 9, 1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (p1(DUTCH).replace(b"4.426", b"5.426"), {"bad-checksum": 5}),
        (p1(DUTCH, crc=False), {"bad-checksum": 5}),
        (p1(DUTCH)[:-9], {"malformed-telegram": 5}),
        (p1(DUTCH)[: p1(DUTCH).index(b"1-0:2.8.2")] + p1(DUTCH), {"malformed-telegram": 3}),
        (p1([*DUTCH[:3], "1-0:1.8.1(000004.426*MJ)"]), {"unknown-unit": 1}),
        (p1([*DUTCH[:3], "1-0:1.8.1(4,5*kWh)"]), {"not-a-number": 1}),
        (p1([*DUTCH[:3], "1-0:1.8.1(-1*kWh)"]), {"negative-value": 1}),
        (p1([*DUTCH[:3], "0-1:24.1.0(004)", "0-1:96.1.0(30)", "0-1:24.2.1(260115190000W)(1*GJ)"]), {"unknown-commodity": 1}),
        (p1([*DUTCH[:3], "0-1:24.1.0(003)", "0-1:96.1.0(30)", "0-1:24.2.1(260115190000W)(1*kWh)"]), {"unknown-unit": 1}),
        (p1(["0-0:1.0.0(260715192002W)", *DUTCH[2:4]]), {"bad-time": 1}),
        (p1(["0-0:1.0.0(260229192002W)", *DUTCH[2:4]]), {"bad-time": 1}),
        (p1([DUTCH[1], DUTCH[3]]), {"missing-field": 1}),
    ],
)
def test_what_is_wrong_in_a_telegram_is_refused(data, expected):
    assert codes(read_one(data)) == expected


def test_the_hour_that_the_clock_shows_twice_is_told_by_its_season():
    found = [read_one(p1([f"0-0:1.0.0(251026023000{season})", *DUTCH[2:4]])).index_reads[0].at for season in "SW"]
    assert found[1] - found[0] == 3600


# SML --------------------------------------------------------------------------------------------------------------------------------------------------------
def test_frames_of_a_meter_with_a_clock():
    part = read_one(sml([(USED, 30, -1, 123456), (SENT, 30, -4, 75_000)], at=1767567600) * 1)
    assert (part.format, shown(part)) == (
        "sml", {("1DZG0042123440", "1-0:1.8.0", "2026-01-04 23:00:00"): Decimal("12345.6"), ("1DZG0042123440", "1-0:2.8.0", "2026-01-04 23:00:00"): Decimal("7.5")},
    )  # fmt: skip


def test_frames_in_hexadecimal_with_the_time_noted():
    lines = [f"2026-01-05T00:{minute:02}:00+01:00 {sml([(USED, 30, 0, minute)]).hex()}" for minute in range(3)]
    part = read_one("\n".join(lines).encode())
    assert [(each.value, each.line) for each in part.index_reads] == [(0, 1), (1, 2), (2, 3)]


def test_a_published_frame_of_a_real_meter():
    text = (
        "1b1b1b1b0101010176040000016200620072650000010176010107000002dba23c0b0a01484c5902000424a0010163945b0076040000026200620072650000070177010b0a01484c5902000424a0"
        "0101f10477070100603201010101010104484c590177070100600100ff010101010b0a01484c5902000424a00177070100010800ff65001c81046502dba23d621e52ff6502aea132017707010002"
        "0800ff65001c81046502dba23d621e52ff62000177070100100700ff0101621b52005300890177070100200700ff0101622352ff6309280177070100340700ff0101622352ff6309290177070100"
        "480700ff0101622352ff63092201770701001f0700ff0101622152fe62290177070100330700ff0101622152fe624e0177070100470700ff0101622152fe622e0177070100510701ff0101620852"
        "0062f00177070100510702ff01016208520062780177070100510704ff010162085200630110017707010051070fff010162085200630138017707010051071aff01016208520063011101770701"
        "000e0700ff0101622c52ff6301f40177070100000200000101010109312e30322e3030370177070100605a02010101010105413031410177070100600500ff0101010165001c810401010163fc1e"
        "00760400000362006200726500000201710163e8230000001b1b1b1b1a0222ed"
    )
    assert codes(read_one(bytes.fromhex(text))) == {"missing-time": 2}
    part = read_one(f"2026-01-05T00:00:00Z,{text}\n".encode())
    assert {register: value for (_, register, _), value in shown(part).items()} == {"1-0:1.8.0": Decimal("4499896.2"), "1-0:2.8.0": 0}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (sml([(USED, 30, 0, 5)], at=1767567600).replace(b"\x1e", b"\x1f"), {"bad-checksum": 1}),
        (sml([(USED, 30, 0, 5)], at=1767567600)[:-20], {"malformed-frame": 1}),
        (sml([(USED, 27, 0, 5)], at=1767567600), {"unknown-unit": 1}),
        (sml([(USED, 0, 0, 5)], at=1767567600), {"unknown-unit": 1}),
        (sml([(USED, 30, 100, 5)], at=1767567600), {"bad-record": 1}),
        (sml([(USED, 30, -9, 5)], at=1767567600), {"finer-than-storable": 1}),
        (sml([(USED, 30, 0, -5)], at=1767567600), {"negative-value": 1}),
        (sml([(USED, 30, 12, 5)], at=1767567600), {"absurd-value": 1}),
        (sml([(USED, 30, 0, 5)]), {"missing-time": 1}),
        (frame(b"\x72" * (MOST_DEPTH + 50)), {"malformed-frame": 1}),
        (frame(b"\xf8\x8f\x8f\x8f\x8f\x0f"), {"malformed-frame": 1}),
        (frame(b"\x76" + b"\x8f\x8f\x8f\x0f" + bytes(40)), {"malformed-frame": 1}),
        (frame(b"\x76\x05"), {"malformed-frame": 1}),
    ],
)
def test_what_is_wrong_in_a_frame_is_refused(data, expected):
    assert codes(read_one(data)) == expected


# MSCONS -----------------------------------------------------------------------------------------------------------------------------------------------------
def test_a_load_profile():
    part = read_one(mscons(quarter_hours(96)))
    (channel,) = part.channels
    assert (part.format, part.issues, channel.key.register, channel.interval_s, channel.utc_offset_min) == ("mscons", [], "1-1:1.29.0", 900, 60)
    begin = int(datetime(2026, 1, 1, 23, tzinfo=UTC).timestamp())
    assert exact(channel) == {begin + 900 * place: place for place in range(96)}


def test_decimal_commas_and_the_default_separators():
    comma = read_one(mscons([each.replace(".", ",", 1) if each.startswith("QTY") else each for each in quarter_hours(8)], mark=","))
    assert exact(comma.channels[0]) == exact(read_one(mscons(quarter_hours(8), advice=False)).channels[0])


def test_a_dial_is_read_at_the_time_it_counts_for():
    part = read_one(mscons(["QTY+67:2729.000", "DTM+9:202601010655?+00:303", "DTM+7:202512312300?+00:303", "STS+Z32++Z92"], obis="1-1?:1.8.0", extra=["RFF+MG:1LGZ0056829358"]))
    (index,) = part.index_reads
    assert (index.value, index.quality, index.serial_hint, index.at) == (2_729_000, Quality.SUBSTITUTED, "1LGZ0056829358", 1767222000)


def test_the_energy_of_a_month():
    points = ["QTY+220:1013.5:KWH", "DTM+163:202512312300?+00:303", "DTM+164:202601312300?+00:303"]
    assert [(each.value, each.duration_s) for each in read_one(mscons(points, obis="1-1?:1.9.0")).register_reads] == [(1_013_500, 31 * 86_400)]


@pytest.mark.parametrize(
    ("qualifier", "quality"), [("220", 0), ("67", 3), ("201", 2), ("20", 7), ("187", 9), ("Z18", 10), ("Z30", 15)]
)
def test_qualifiers(qualifier, quality):
    assert read_one(mscons(quarter_hours(4, qualifier=qualifier))).channels[0].quality.tolist() == [quality] * 4


DIAL_POINTS = ["QTY+220:5", "DTM+7:202512312300?+00:303"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (mscons(quarter_hours(2, qualifier="79")), {"unknown-quality": 2}),
        (mscons(quarter_hours(2)).replace(b":KWH", b":KWT"), {"unknown-unit": 2}),
        (mscons(quarter_hours(2), obis="1-1?:1.6.0"), {"unsupported-reading-type": 2}),
        (mscons(quarter_hours(2)).replace(b"PIA+5+1-1?:1.29.0:SRW", b"PIA+5+AUA:Z08"), {"unsupported-reading-type": 2}),
        (mscons(quarter_hours(2)).replace(b"LOC+172+", b"LOC+237+"), {"missing-meter": 2}),
        (mscons(DIAL_POINTS[:1], obis="1-1?:1.8.0"), {"missing-time": 1}),
        (mscons([DIAL_POINTS[0], "DTM+9:20260101:102"], obis="1-1?:1.8.0"), {"missing-time": 1}),
        (mscons([DIAL_POINTS[0], "DTM+7:202601010000:203"], obis="1-1?:1.8.0"), {"missing-offset": 1}),
        (mscons([DIAL_POINTS[0], "DTM+7:202602300000?+00:303"], obis="1-1?:1.8.0"), {"bad-time": 1}),
        (mscons(["QTY+220:1.234,5", DIAL_POINTS[1]], obis="1-1?:1.8.0"), {"not-a-number": 1}),
        (mscons(quarter_hours(2)).replace(b"MSCONS:D:04B", b"UTILMD:D:11A"), {"unsupported-message": 2}),
        (mscons(quarter_hours(2)).replace(b"UNT+", b"UNT+9"), {"malformed-edifact": 0}),
        (mscons(quarter_hours(2))[:-5], {"malformed-edifact": 0}),
        (mscons(quarter_hours(2))[:-80], {"malformed-edifact": 1}),
        (b"UNA:+.? 'UNB+UNOC:3'UNZ+0+1'", {"empty-file": 0}),
    ],
)
def test_what_is_wrong_in_mscons_is_refused(data, expected):
    assert codes(read_one(data)) == expected


def test_local_times_are_read_in_the_named_zone():
    data = mscons([DIAL_POINTS[0], "DTM+7:202601010000:203"], obis="1-1?:1.8.0")
    assert read_one(data, timezone="Europe/Berlin").index_reads[0].at == 1767222000


# all of them ------------------------------------------------------------------------------------------------------------------------------------------------
def test_each_is_told_from_its_bytes_and_can_be_named():
    files = {
        "nem13": nem13([ROW]), "cim": cim([(QUARTERS, stamped())]), "rsm012": rsm012(HOURS), "p1": p1(DUTCH), "sml": sml([(USED, 30, 0, 5)], at=1767567600),
        "mscons": mscons(quarter_hours(2)),
    }  # fmt: skip
    assert {name: kind_of(data[:65_536])[0] for name, data in files.items()} == {name: name for name in files}
    assert set(files) < set(FORMATS)
    for name, data in files.items():
        assert read_one(data, format=name).accepted == read_one(data).accepted > 0
        assert kind_of(b"\xef\xbb\xbf" + data[:65_536])[0] == name


def test_another_market_document_is_refused_by_name():
    assert codes(read_one(b'<?xml version="1.0"?><GL_MarketDocument xmlns="urn:x"/>')) == {"unsupported-format": 0}


def test_long_files_come_in_parts(monkeypatch):
    monkeypatch.setattr("mains.metering.formats.gather.MOST", 500)
    for data in (b"".join(sml([(USED, 30, 0, each)], at=1767567600 + each) for each in range(1200)), mscons(quarter_hours(1200, value="{}"))):
        parts = read(data)
        assert len(parts) == 3
        assert [part.part for part in parts] == [1, 2, 3]
        assert sum(part.accepted for part in parts) == 1200


def test_lines_of_issues_are_those_of_the_file():
    data = p1([*DUTCH[:3], "1-0:1.8.1(000004.426*MJ)"])
    (issue,) = next(iter(parse(io.BytesIO(data)))).issues
    assert data.split(b"\n")[issue.line - 1].startswith(b"1-0:1.8.1")
    assert re.search("MJ", issue.message)
