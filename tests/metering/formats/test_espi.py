"""Green Button files, as customers download them."""

import pytest
from meterfiles import espi
from reading import codes, read_one

from mains.metering.formats import parse
from mains.metering.model import Quality

START = 1767243600  # 2026-01-01 00:00 at UTC-5
QUARTERS = [(START + 900 * index, 100 + index) for index in range(96)]


@pytest.mark.parametrize("options", [{}, {"prefix": "espi"}, {"prefix": "ns0", "order": "blocks-first"}, {"order": "blocks-first"}])
def test_a_day_of_quarters_whatever_the_prefix_and_the_order(options):
    part = read_one(espi(QUARTERS, **options))
    (channel,) = part.channels

    assert (part.format, part.found, part.issues) == ("espi", 96, [])
    assert (channel.key.meter, channel.key.register, channel.service_point_hint) == ("9", "7", "Front meter")
    assert (channel.commodity, channel.flow, channel.unit, channel.pow10, channel.utc_offset_min) == (
        "electric",
        "delivered",
        "Wh",
        0,
        -300,
    )
    assert list(zip(channel.starts.tolist(), channel.values.tolist(), strict=True)) == QUARTERS


@pytest.mark.parametrize(
    ("options", "unit", "flow", "commodity", "pow10", "value"),
    [
        ({"power": 3}, "Wh", "delivered", "electric", 0, 100_000),
        ({"power": -3}, "Wh", "delivered", "electric", -3, 100),
        ({"flow": 19}, "Wh", "received", "electric", 0, 100),
        ({"uom": 42, "commodity": 9, "power": -2}, "m3", "delivered", "water", -2, 100),
        ({"uom": 169, "commodity": 7, "power": -3}, "therm", "delivered", "gas", -3, 100),
        ({"uom": 119, "commodity": 0, "service": 1}, "ft3", "delivered", "gas", 0, 100),
    ],
)
def test_units_multipliers_and_directions(options, unit, flow, commodity, pow10, value):
    (channel,) = read_one(espi(QUARTERS, **options)).channels
    assert (channel.unit, channel.flow, channel.commodity, channel.pow10, channel.values[0]) == (unit, flow, commodity, pow10, value)


@pytest.mark.parametrize(
    ("code", "quality"),
    [(0, Quality.ACTUAL), (7, Quality.EDITED), (8, Quality.ESTIMATED), (9, Quality.ESTIMATED), (10, Quality.QUESTIONABLE), (11, Quality.DERIVED),
     (12, Quality.FORECAST), (14, Quality.RAW), (17, Quality.VALIDATED), (19, Quality.VALIDATED)],
)  # fmt: skip
def test_each_quality_code_has_its_place(code, quality):
    assert set(read_one(espi(QUARTERS, quality=code)).channels[0].quality.tolist()) == {quality}


def test_months_of_gas_are_period_reads():
    months = [(START, 37_000), (START + 30 * 86400, 14_000)]
    part = read_one(espi(months, duration=30 * 86400, uom=169, commodity=7, power=-3))

    assert (part.accepted, part.channels) == (2, [])
    assert [(read.start, read.duration_s, read.value, read.pow10, read.unit) for read in part.register_reads] == [
        (START, 2592000, 37_000, -3, "therm"), (START + 2592000, 2592000, 14_000, -3, "therm"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (espi([*QUARTERS[:95], (QUARTERS[95][0], -5)]), {"negative-value": 1}),
        (espi([*QUARTERS[:95], (QUARTERS[95][0], 10**15)]), {"absurd-value": 1}),
        (espi([*QUARTERS[:95], (QUARTERS[95][0], "1e400")]), {"not-a-number": 1}),
        (espi([*QUARTERS[:95], (QUARTERS[95][0], "NaN")]), {"not-a-number": 1}),
        (espi([*QUARTERS[:95], (QUARTERS[95][0], "")]), {"not-a-number": 1}),
        (espi([*QUARTERS[:95], ("soon", 5)]), {"bad-time": 1}),
        (espi([*QUARTERS[:95], (QUARTERS[95][0] + 7, 5)]), {"off-grid": 1}),
        (espi([*QUARTERS, QUARTERS[0]]), {"duplicate-in-file": 1}),
        (espi([*QUARTERS, (START, 7)]), {"conflicting-in-file": 2}),
        (espi(QUARTERS, duration=700), {"unsupported-interval": 96}),
        (espi(QUARTERS, duration="long"), {"unsupported-interval": 96}),
        (espi(QUARTERS, quality=77), {"unknown-quality": 96}),
        (espi(QUARTERS, uom=5), {"unknown-unit": 96}),
        (espi(QUARTERS, uom="kWh"), {"bad-record": 96}),
        (espi(QUARTERS, accumulation=3), {"unsupported-accumulation": 96}),
        (espi(QUARTERS, flow=7), {"unknown-flow": 96}),
        (espi(QUARTERS, commodity=0, service=3), {"unknown-commodity": 96}),
        (
            espi(QUARTERS)
            .replace(b"/MeterReading/1/IntervalBlock/1", b"/Nowhere/1")
            .replace(b'href="/ReadingType/7"/></', b'href="/no"/></'),
            {},
        ),
        (espi(QUARTERS)[:-400], {"malformed-xml": 93}),
        (espi(QUARTERS)[:-20], {"malformed-xml": 96}),
    ],
)
def test_a_fault_takes_out_what_hangs_on_it_and_says_so(data, expected):
    part = read_one(data)
    assert codes(part) == expected
    assert all(issue.cure and issue.message for issue in part.issues)


def test_a_block_that_belongs_to_nothing_is_refused():
    other = b'<entry><link rel="self" href="/m/2"/><content><MeterReading xmlns="http://naesb.org/espi"/></content></entry></feed>'
    lost = espi(QUARTERS).replace(b"/UsagePoint/9/MeterReading/1/IntervalBlock/1", b"/elsewhere").replace(b"</feed>", other)
    assert codes(read_one(lost)) == {"unresolved-link": 96}


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE feed [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feed SYSTEM "http://127.0.0.1:9/evil.dtd">',
    ],
)
def test_entities_and_doctypes_are_refused(doctype):
    body = espi(QUARTERS).decode().replace("?>\n", f"?>\n{doctype}", 1).replace("Front meter", "&c;" if "&c;" in doctype else "x")
    part = read_one(body.encode())
    assert part.accepted == 0
    assert codes(part).keys() <= {"xml-entities", "malformed-xml"}


def test_real_files_are_read_in_whole(real):
    found = {file.name: next(parse(file)) for file in (real / "green_button").iterdir()}
    assert {name: (part.found, part.accepted, len(part.register_reads)) for name, part in found.items()} == {
        "electric_containerized.xml": (8, 8, 0),
        "espi_test_usage_data_01.xml": (96, 96, 0),
        "espi_test_usage_data_1.xml": (480, 480, 0),
        "espi_test_usage_data_2.xml": (860, 860, 0),
        "gas_direct.xml": (5, 5, 5),
        "hourly_nine_days.xml": (216, 216, 0),
    }
    assert {issue.code for part in found.values() for issue in part.issues} == {"not-imported", "no-local-time"}
    assert sum(int(c.values.sum()) for c in found["electric_containerized.xml"].channels) == sum(
        (450, 430, 418, 410, *found["electric_containerized.xml"].channels[0].values[4:].tolist())
    )
