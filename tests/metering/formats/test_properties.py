"""Random valid files come back exactly; random damage never raises and never loses count of a reading."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meterfiles import csv_long, csv_wide, espi, exact, nem12, nem12_start
from reading import read

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NIGHTLY = settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])

values = st.integers(0, 10**6).map(lambda number: f"{Decimal(number) / 1000:.3f}")
days = st.dates(date(2001, 1, 1), date(2030, 12, 31))


@st.composite
def nem12_files(draw):
    minutes = draw(st.sampled_from((5, 15, 30)))
    n = 1440 // minutes
    channels = []
    for number in range(draw(st.integers(1, 3))):
        held = {}
        for day in draw(st.lists(days, min_size=1, max_size=3, unique=True)):
            cut = draw(st.integers(1, n - 1))
            flag, ranges = draw(st.sampled_from([("A", []), ("S14", []), ("V", [(1, cut, "A"), (cut + 1, n, "E17")])]))
            held[day] = (draw(st.lists(values, min_size=n, max_size=n)), flag, ranges)
        channels.append(
            (f"NMI{number}", draw(st.sampled_from(("E1", "B1"))), draw(st.sampled_from(("kWh", "Wh"))), minutes, dict(sorted(held.items())))
        )
    return channels


@QUICK
@given(nem12_files())
def test_nem12_comes_back_exactly(channels):
    (part,) = read(nem12(channels))
    expected = {
        (nmi, suffix): {
            nem12_start(day, index, minutes): Decimal(text) * (1000 if unit == "kWh" else 1)
            for day, (texts, _, _) in held.items()
            for index, text in enumerate(texts)
        }
        for nmi, suffix, unit, minutes, held in channels
    }
    assert {(c.key.meter, c.key.register): exact(c) for c in part.channels} == expected


@QUICK
@given(st.dictionaries(st.integers(0, 3_000_000), values, min_size=1, max_size=40), st.integers(-12, 12))
def test_long_csv_comes_back_exactly(held, hours):
    zone = timedelta(hours=hours)
    starts = {slot * 900: text for slot, text in held.items()}
    rows = [
        ("M1", "1", f"{datetime.fromtimestamp(start, UTC) + zone:%Y-%m-%dT%H:%M:%S}{hours:+03}:00", text, "kWh", "", 15)
        for start, text in starts.items()
    ]
    (part,) = read(csv_long(rows))
    assert exact(part.channels[0]) == {start: Decimal(text) * 1000 for start, text in starts.items()}


@QUICK
@given(days, st.sampled_from(("America/Chicago", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Kathmandu", "America/Santiago")), st.data())
def test_wide_csv_comes_back_exactly(day, zone, data):
    from zoneinfo import ZoneInfo

    begin, end = (
        datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in (day, day + timedelta(days=1))
    )
    count = int((end - begin).total_seconds()) // 900
    texts = data.draw(st.lists(values, min_size=count, max_size=count))
    (part,) = read(csv_wide([(("M1", "1", day, "kWh", 15), texts)]), timezone=zone)
    first = int(begin.timestamp())
    assert exact(part.channels[0]) == {first + 900 * index: Decimal(text) * 1000 for index, text in enumerate(texts)}


@QUICK
@given(
    st.dictionaries(st.integers(0, 3_000_000), st.integers(0, 10**6), min_size=1, max_size=40),
    st.sampled_from(("", "espi")),
    st.sampled_from((0, -3, 1)),
)
def test_green_button_comes_back_exactly(held, prefix, power):
    readings = [(slot * 900, value) for slot, value in held.items()]
    (part,) = read(espi(readings, prefix=prefix, power=power))
    assert exact(part.channels[0]) == {start: value * Decimal(10) ** power for start, value in readings}


GOOD = [
    nem12(
        [
            (
                "NMI0000001",
                "E1",
                "kWh",
                30,
                {date(2025, 3, 1) + timedelta(days=n): (["1.5"] * 48, "V", [(1, 20, "A"), (21, 48, "N")]) for n in range(3)},
            )
        ]
    ),
    csv_long([("M1", "1", f"2026-01-05T{hour:02}:00-06:00", f"{hour}.25", "kWh", "estimated", 60) for hour in range(24)]),
    csv_wide([(("M1", "1", f"2026-01-{day:02}", "kWh", 60), [f"0.{hour:03}" for hour in range(24)]) for day in range(1, 6)], minutes=60),
    espi([(1767243600 + 900 * index, index) for index in range(30)], quality=8),
]


@st.composite
def damaged(draw):
    data = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("flip", "cut", "drop line", "double line", "insert")))
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if kind == "flip" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at:]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=12))
        else:
            lines = bytes(data).split(b"\n")
            which = draw(st.integers(0, len(lines) - 1))
            lines[which : which + 1] = [] if kind == "drop line" else [lines[which]] * 2
            data = bytearray(b"\n".join(lines))
    return bytes(data)


@settings(QUICK, max_examples=250)
@given(damaged(), st.sampled_from((None, "America/Chicago")), st.sampled_from((None, None, "nem12", "csv_long", "csv_wide", "espi")))
def test_damage_never_raises_and_every_reading_is_accounted_for(data, timezone, kind):
    read(data, timezone=timezone, format=kind)


@pytest.mark.nightly
@NIGHTLY
@given(
    st.one_of(damaged(), st.binary(max_size=400)),
    st.sampled_from((None, "Europe/Dublin")),
    st.sampled_from((None, "nem12", "csv_long", "csv_wide", "espi")),
)
def test_much_damage_never_raises_and_every_reading_is_accounted_for(data, timezone, kind):
    read(data, timezone=timezone, format=kind)
