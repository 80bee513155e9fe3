"""Rates as documents: without loss, fingerprinted, checked like a compiler checks; and the importer of the Utility Rate Database."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from tariffs import BY_SEASON, EVENINGS, SEASONS, demand, energy, fixed, ladder, rate, rates
from test_rates_known_bad import codes, document

from mains.rates.calendars import DateRange, Schedule, ScheduleRow, Season, Span
from mains.rates.checks import check_version
from mains.rates.documents import UnableToReadRate, content_hash, from_document, to_document
from mains.rates.model import Minimum, Percent
from mains.rates.urdb import from_urdb


@settings(max_examples=30, deadline=None)
@given(version=rates())
def test_a_document_gives_the_version_back(version):
    written = json.loads(json.dumps(to_document(version)))
    assert from_document(written) == version
    assert content_hash(from_document(written)) == content_hash(version)


def test_a_season_and_a_holiday_survive_the_document():
    version = rate(fixed(), schedules=(BY_SEASON,), seasons=SEASONS)
    assert from_document(to_document(version)).calendar == version.calendar


def test_the_fingerprint_sees_every_price_and_no_trailing_zero():
    one, other = rate(fixed("10.00")), rate(fixed("10.01"))
    assert content_hash(one) != content_hash(other)
    assert content_hash(one) == content_hash(rate(fixed("10")))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"charges": [{"type": "fixed", "id": "a", "label": "A", "amount": 1.5}]}, "charges[0].amount"),
        ({"charges": [{"type": "fixed", "id": "a", "label": "A", "amount": "ten"}]}, "charges[0].amount"),
        ({"charges": [{"type": "fixed", "id": "a", "label": "A", "amount": "NaN"}]}, "charges[0].amount"),
        ({"charges": [{"type": "toll", "id": "a"}]}, "charges[0].type"),
        ({"charges": [{"type": "fixed", "id": "a", "label": "A"}]}, "charges[0].amount"),
        ({"charges": [{"type": "fixed", "id": "a", "label": "A", "amount": "1", "colour": "red"}]}, "charges[0].colour"),
        ({"effective_from": "soon"}, "effective_from"),
        ({"commodity": "steam"}, "commodity"),
        ({"calendar": []}, "calendar"),
        ({"format": "other"}, "format"),
    ],
)
def test_a_broken_document_names_the_place(change, place):
    with pytest.raises(UnableToReadRate) as caught:
        from_document(to_document(rate(fixed())) | change)
    assert caught.value.facts["field"] == place
    assert caught.value.cure


def spans(*parts):
    return tuple(Span(starts=first, ends=last, period=period) for first, last, period in parts)


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (rate(fixed(), fixed()), "duplicate-charge"),
        (rate(fixed(), timezone="Mars/Olympus"), "unknown-timezone"),
        (rate(fixed(), currency="XXX"), "unknown-currency"),
        (rate(energy(ladder((500, "1"), (400, "2"), (None, "3")))), "ladder-not-increasing"),
        (rate(energy(ladder((500, "1"), (500, "2"), (None, "3")))), "ladder-not-increasing"),
        (rate(energy(ladder((500, "1")))), "finite-top-tier"),
        (rate(energy(ladder((None, "1"), (None, "2")))), "open-inner-tier"),
        (rate(energy(ladder((None, "1")), schedule="nights")), "unknown-schedule"),
        (rate(energy(ladder((None, "1"), period="off"), schedule="evenings")), "missing-price"),
        (rate(energy(ladder((None, "1"), period="of"), schedule="evenings")), "unknown-period"),
        (rate(Percent(id="t", label="T", rate=Decimal(1), of=("energy",)), energy(ladder((None, "1")))), "base-not-earlier"),
        (rate(fixed(), Percent(id="t", label="T", rate=Decimal(1), of=("fuel",))), "base-not-earlier"),
        (rate(fixed(), Minimum(id="m", label="M", amount=Decimal("Infinity"))), "absurd-number"),
        (rate(demand(ladder((None, "1")), window_minutes=20)), "demand-window"),
        (rate(fixed(seasons=("monsoon",))), "unknown-season"),
        (rate(fixed(), seasons=(Season(name="s", ranges=(DateRange(first="06-01", last="09-30"),)),)), "season-gap"),
        (rate(fixed(), seasons=(*SEASONS, Season(name="x", ranges=(DateRange(first="01-01", last="01-02"),)))), "season-overlap"),
        (rate(fixed(), schedules=(Schedule(name="x", rows=(ScheduleRow(spans=spans(("00:00", "12:00", "a"))),)),)), "schedule-gap"),
        (
            rate(
                fixed(), schedules=(Schedule(name="x", rows=(ScheduleRow(spans=spans(("00:00", "24:00", "a"), ("10:00", "11:00", "b"))),)),)
            ),
            "schedule-overlap",
        ),
        (rate(fixed(), schedules=(Schedule(name="x", rows=EVENINGS.rows[:1]),)), "schedule-gap"),
        (rate(fixed(), schedules=(Schedule(name="x", rows=(*EVENINGS.rows, EVENINGS.rows[0])),)), "schedule-overlap"),
        (rate(fixed(), schedules=(Schedule(name="x", rows=(ScheduleRow(spans=spans(("00:00", "24:10", "a"))),)),)), "bad-time"),
    ],
)
def test_a_faulty_rate_is_told_its_fault(version, code):
    issues = check_version(version)
    assert code in {issue.code for issue in issues}
    assert all(issue.cure and issue.field for issue in issues)


def test_a_sound_rate_has_no_fault():
    assert check_version(rate(fixed(), energy(ladder((500, "1"), (None, "2"))))) == ()


# -- the Utility Rate Database


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"energyratestructure": [[{"rate": 1, "max": 100, "unit": "kWh/kW"}, {"rate": 2, "unit": "kWh/kW"}]]}, "unit-not-priced"),
        ({"energyratestructure": [[{"rate": 1, "sell": Decimal("0.05")}]]}, "not-priced-sell"),
        ({"energyratestructure": [[{"rate": "0.1"}]]}, "not-a-number"),
        ({"energyratestructure": [[{"rate": 1, "max": 500}, {"rate": 2, "max": 300}, {"rate": 3}]]}, "ladder-not-increasing"),
        ({"energyratestructure": [[{"rate": 1}, {"rate": 2}]]}, "open-inner-tier"),
        (
            {"energyratestructure": [[{"rate": 1, "max": 10, "unit": "kWh daily"}, {"rate": 2, "max": 300, "unit": "kWh"}, {"rate": 3}]]},
            "mixed-units",
        ),
        ({"energyratestructure": "free"}, "bad-structure"),
        ({"energyweekdayschedule": None}, "bad-schedule"),
        ({"energyweekdayschedule": [[1] * 24] * 12}, "unknown-period"),
        ({"energyweekdayschedule": [[0] * 23] * 12}, "bad-schedule"),
        ({"fixedchargefirstmeter": 5, "fixedchargeunits": "$/hour"}, "unit-not-priced"),
        ({"mincharge": 120, "minchargeunits": "$/year"}, "minimum-not-monthly"),
        ({"annualmincharge": 120}, "not-priced-annualmincharge"),
        ({"coincidentratestructure": [[{"rate": 3}]]}, "not-priced-coincidentrate"),
        ({"demandreactivepowercharge": Decimal("0.4")}, "not-priced-demandreactivepowercharge"),
        ({"fueladjustmentsmonthly": [Decimal("0.01")] * 12}, "not-priced-fueladjustmentsmonthly"),
        ({"flatdemandstructure": [[{"rate": 3, "unit": "kVA"}]], "flatdemandmonths": [0] * 12}, "unit-not-priced"),
        ({"flatdemandstructure": [[{"rate": 3}]], "demandunits": "hp", "flatdemandmonths": [0] * 12}, "unit-not-priced"),
        ({"flatdemandstructure": [[{"rate": 3}]], "flatdemandmonths": [1] * 12}, "unknown-period"),
        ({"flatdemandstructure": [[{"rate": 3}]]}, "bad-schedule"),
        ({"demandratestructure": [[{"rate": 3}]]}, "bad-schedule"),
    ],
)
def test_what_cannot_be_priced_exactly_is_refused_with_its_field(members, code):
    version, issues = from_urdb(document(**members))
    assert version is None
    assert code in codes(issues)
    assert all(issue.field and issue.cure for issue in issues)


def test_units_alone_are_no_charge():
    members = {
        "energyratestructure": [[{"unit": "kWh"}]],
        "demandratestructure": [[{"unit": "kW"}]],
        "fixedchargefirstmeter": 9,
        "fixedchargeunits": "$/month",
        "coincidentrateunit": "kW",
    }
    version, issues = from_urdb(document(**members))
    assert not issues
    assert [charge.id for charge in version.charges] == ["fixed"]


def test_an_adjustment_is_a_line_of_its_own_for_each_value():
    structure = [[{"rate": Decimal("0.1"), "adj": Decimal("0.02"), "max": 500}, {"rate": Decimal("0.2"), "adj": Decimal("0.03")}]]
    version, _ = from_urdb(document(energyratestructure=structure))
    assert [(charge.id, charge.tags, charge.lines) for charge in version.charges] == [
        ("energy", (), "cell"),
        ("adjustment", ("adjustment",), "price"),
    ]


def test_the_grid_is_imported_without_loss():
    import random

    chance = random.Random(5)
    grids = [[[chance.randrange(4) for _ in range(24)] for _ in range(12)] for _ in range(2)]
    raw = document(energyratestructure=[[{"rate": 1}]] * 4, energyweekdayschedule=grids[0], energyweekendschedule=grids[1])
    version, _ = from_urdb(raw)
    from mains.rates.calendars import slots_of

    (schedule,) = version.calendar.schedules
    for kind, grid in (("weekday", grids[0]), ("weekend", grids[1])):
        for month in range(12):
            (row,) = [row for row in schedule.rows if kind in row.days and month + 1 in row.months]
            assert [int(name.split()[1]) for name in slots_of(row)[::4]] == grid[month]


def test_the_raw_document_is_fingerprinted_and_named():
    version, _ = from_urdb(document(label="abc", name="Residential", startdate=1735689600))
    assert (version.source.kind, version.source.label, len(version.source.sha256)) == ("urdb", "abc", 64)
    assert str(version.effective_from) == "2025-01-01"
    assert from_urdb(document(label="abd"))[0].source.sha256 != version.source.sha256


def test_a_demand_window_of_the_rate_is_kept():
    version, _ = from_urdb(document(flatdemandstructure=[[{"rate": 3}]], flatdemandmonths=[0] * 12, demandwindow=30))
    assert next(charge for charge in version.charges if charge.id == "flat-demand").window_minutes == 30


def test_endless_as_written_by_others_is_no_bound():
    version, issues = from_urdb(document(energyratestructure=[[{"rate": 1, "max": Decimal("1e38")}]]))
    assert version is not None
    assert not codes(issues)


def test_a_unit_left_out_is_said():
    version, issues = from_urdb(document(fixedchargefirstmeter=9))
    assert version is not None
    assert [(issue.code, issue.severity) for issue in issues] == [("default-unit", "warning")]
