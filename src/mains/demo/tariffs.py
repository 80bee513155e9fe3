"""The tariff book of the demo: invented rates with clauses, two of them with a price change on 1 July 2026, written as rate versions and
given as documents.

Electric rates price kWh and kW, gas rates therms (hundreds of cubic feet times the month's heat content), water rates thousands of gallons.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from mains.demo.span import local_months
from mains.rates.calendars import Calendar, DateRange, Holiday, Schedule, ScheduleRow, Season, Span
from mains.rates.documents import to_document
from mains.rates.model import AnyCharge, Commodity, Demand, Energy, Fixed, Ladder, Minimum, Percent, Proration, RateVersion, Source, Tier

PRICE_CHANGE = date(2026, 7, 1)
_FIRST = date(2025, 1, 1)
_HEAT = "1.034 1.031 1.036 1.039 1.041 1.038 1.035 1.033 1.030 1.032 1.034 1.033 1.036"
_HOLIDAYS = (
    ("New Year's Day", "2025-01-01 2026-01-01 2027-01-01"),
    ("Memorial Day", "2025-05-26 2026-05-25 2027-05-31"),
    ("Independence Day", "2025-07-04 2026-07-04 2027-07-05"),
    ("Labor Day", "2025-09-01 2026-09-07 2027-09-06"),
    ("Thanksgiving Day", "2025-11-27 2026-11-26 2027-11-25"),
    ("Christmas Day", "2025-12-25 2026-12-25 2027-12-25"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A rate with its versions in order; `utility` is the code of the one that offers it."""

    code: str
    utility: str
    customer_class: str
    versions: tuple[RateVersion, ...]


def documents() -> tuple[dict[str, Any], ...]:
    """Every tariff as plain JSON values; `versions` are rate documents as `mains.rates.documents` reads them."""
    return tuple(
        {
            "code": tariff.code,
            "utility": tariff.utility,
            "name": tariff.versions[-1].name,
            "commodity": tariff.versions[-1].commodity,
            "customer_class": tariff.customer_class,
            "versions": [to_document(version) for version in tariff.versions],
        }
        for tariff in tariffs()
    )


def heat_contents() -> tuple[tuple[date, date, Decimal], ...]:
    """Invented heat content of the gas in each month of the span: local dates [from, to) and therms in a hundred cubic feet."""
    return tuple((start, end, Decimal(value)) for (start, end), value in zip(local_months(), _HEAT.split(), strict=True))


@cache
def tariffs() -> tuple[Tariff, ...]:
    """The tariff book of both utilities."""
    return (*_homes(), *_businesses(), *_gas(), *_water(), *_neighbour())


_SUMMER = Season(name="summer", ranges=(DateRange(first="06-01", last="09-30"),))
_WINTER = Season(name="winter", ranges=(DateRange(first="10-01", last="05-31"),))
_WEEKDAY, _FREE = ("weekday",), ("weekend", "holiday")


def _day(text: str) -> tuple[Span, ...]:
    """A day written as its changes: "00 off 14 on 19 off"."""
    words = text.split()
    hours, periods = words[::2], words[1::2]
    return tuple(
        Span(starts=f"{start}:00", ends=f"{end}:00", period=period)
        for start, end, period in zip(hours, [*hours[1:], "24"], periods, strict=True)
    )


def _schedule(name: str, *rows: tuple[str, tuple[str, ...], str]) -> Schedule:
    """A schedule from (season or "", kinds of day, day) rows."""
    return Schedule(
        name=name, rows=tuple(ScheduleRow(seasons=(season,) if season else (), days=days, spans=_day(day)) for season, days, day in rows)
    )


_ALL_DAYS = ("weekday", "weekend", "holiday")
_SEASONS = _schedule("seasons", ("summer", _ALL_DAYS, "00 summer"), ("winter", _ALL_DAYS, "00 winter"))
_HOME_HOURS = _schedule(
    "hours",
    ("summer", _WEEKDAY, "00 summer_off 14 summer_on 19 summer_off"),
    ("summer", _FREE, "00 summer_off"),
    ("winter", _WEEKDAY, "00 winter_off 06 winter_on 09 winter_off 17 winter_on 20 winter_off"),
    ("winter", _FREE, "00 winter_off"),
)
_CAR_HOURS = _schedule("hours", ("", _WEEKDAY, "00 night 06 day 14 peak 19 day 23 night"), ("", _FREE, "00 night 06 day 23 night"))
_WORK_HOURS = _schedule(
    "hours",
    ("summer", _WEEKDAY, "00 off_peak 12 summer_peak 20 off_peak"),
    ("winter", _WEEKDAY, "00 off_peak 07 winter_peak 21 off_peak"),
    ("", _FREE, "00 off_peak"),
)
_PEAK_HOURS = _schedule("peak", ("", _WEEKDAY, "00 off_peak 09 on_peak 21 off_peak"), ("", _FREE, "00 off_peak"))


def _calendar(*schedules: Schedule, timezone: str = "America/Chicago") -> Calendar:
    days = sorted((date.fromisoformat(day), name) for name, dates in _HOLIDAYS for day in dates.split())
    return Calendar(
        timezone=timezone,
        seasons=(_SUMMER, _WINTER),
        holidays=tuple(Holiday(date=day, name=name) for day, name in days),
        holidays_from=date(2025, 1, 1),
        holidays_through=date(2027, 12, 31),
        schedules=schedules,
    )


def _ladder(period: str, *steps: str) -> Ladder:
    """A ladder from "bound price" steps, the last without a bound: _ladder("all", "600 0.11", "0.13")."""
    tiers = []
    for step in steps:
        *bound, price = step.split()
        tiers.append(Tier(up_to=Decimal(bound[0]) if bound else None, price=Decimal(price)))
    return Ladder(period=period, tiers=tuple(tiers))


def _fixed(amount: str, clause: str, label: str = "Customer charge", per: Literal["month", "meter"] = "month") -> Fixed:
    return Fixed(id="customer", label=label, tags=("delivery",), clause=clause, amount=Decimal(amount), per=per, gl="customer")


def _energy(
    clause: str,
    *ladders: Ladder,
    schedule: str | None = None,
    unit: str = "kWh",
    label: str = "Energy",
    pool: Literal["all", "period"] = "all",
) -> Energy:
    return Energy(
        id="energy", label=label, tags=("supply",), clause=clause, ladders=ladders, schedule=schedule, unit=unit, pool=pool, gl="energy"
    )


def _adjustment(price: str, clause: str, *, unit: str = "kWh", label: str = "Power cost adjustment") -> Energy:
    return Energy(
        id="adjustment", label=label, tags=("supply", "rider"), clause=clause, ladders=(_ladder("all", price),), unit=unit, gl="adjustment"
    )


def _demand(clause: str, *ladders: Ladder, ident: str = "demand", label: str = "Demand", schedule: str | None = None) -> Demand:
    return Demand(
        id=ident, label=label, tags=("delivery",), clause=clause, ladders=ladders, schedule=schedule, window_minutes=15, gl="demand"
    )


def _taxes(
    number: str, *, franchise: str = "0.03", sales: str | None = None, base: tuple[str, ...] = ("fixed", "energy")
) -> tuple[Percent, ...]:
    """The city's franchise fee, then the state's and the city's sales tax on everything before them, where the class owes them."""
    fee = Percent(
        id="franchise",
        label="City franchise fee",
        tags=("fee",),
        clause=f"{number}.1 The City of Riverbend levies a franchise fee on all charges for service.",
        rate=Decimal(franchise),
        of=base,
        gl="franchise",
    )
    if sales is None:
        return (fee,)
    state = Percent(
        id="state_tax",
        label="State sales tax",
        tags=("tax",),
        clause=f"{number}.2 Sales tax is due on all charges and the franchise fee, unless the customer holds an exemption.",
        rate=Decimal(sales),
        of=(*base, "fee"),
        gl="state_tax",
    )
    city = replace(
        state,
        id="city_tax",
        label="City sales tax",
        clause=f"{number}.3 The city's option tax is due on the same amounts.",
        rate=Decimal("0.01"),
        gl="city_tax",
    )
    return fee, state, city


def _minimum(amount: str, clause: str, of: tuple[str, ...]) -> Minimum:
    return Minimum(id="minimum", label="Minimum bill", tags=("delivery",), clause=clause, amount=Decimal(amount), of=of, gl="customer")


def _version(
    name: str,
    charges: tuple[AnyCharge, ...],
    *,
    sheet: int,
    schedules: tuple[Schedule, ...] = (),
    commodity: Commodity = "electric",
    starts: date = _FIRST,
    ends: date | None = None,
    utility: str = "Riverbend Public Power",
    timezone: str = "America/Chicago",
) -> RateVersion:
    return RateVersion(
        name=name,
        effective_from=starts,
        effective_to=ends,
        commodity=commodity,
        utility=utility,
        calendar=_calendar(*schedules, timezone=timezone),
        charges=charges,
        proration=Proration(),
        source=Source(kind="demo", label=f"{utility}, {commodity} tariff, sheet {sheet}"),
    )


def _electric(code: str, customer_class: str, *versions: RateVersion, utility: str = "riverbend") -> Tariff:
    return Tariff(
        code=code,
        utility=utility,
        customer_class=customer_class,
        versions=versions,
    )


def _standard_home(
    *, starts: date, ends: date | None, fixed: str, summer: tuple[str, str], winter: tuple[str, str], adjustment: str
) -> RateVersion:
    charges = (
        _fixed(fixed, "1.1 Each month or part of a month, for the meter, its reading and the bill."),
        _energy(
            "1.2 Energy by season; one price for the first 600 kWh of a month, above it a higher one in summer, a lower one in winter.",
            _ladder("summer", f"600 {summer[0]}", summer[1]),
            _ladder("winter", f"600 {winter[0]}", winter[1]),
            schedule="seasons",
            pool="period",
        ),
        _adjustment(adjustment, "1.3 The cost of purchased power above or below its base, the same for every kWh."),
        _minimum("24.00", "1.4 No month costs less than the minimum before fees.", ("fixed", "energy")),
        *_taxes("1.5", base=("fixed", "energy", "minimum")),
    )
    return _version("Residential Service", charges, sheet=1, schedules=(_SEASONS,), starts=starts, ends=ends)


def _hours_home(*, starts: date, ends: date | None, fixed: str, prices: tuple[str, str, str, str], adjustment: str) -> RateVersion:
    periods = ("summer_on", "summer_off", "winter_on", "winter_off")
    charges = (
        _fixed(fixed, "2.1 Each month or part of a month."),
        _energy(
            "2.2 Energy by the hour of use: on-peak on weekdays 14 to 19 h from June to September, 6 to 9 and 17 to 20 h otherwise.",
            *(_ladder(period, price) for period, price in zip(periods, prices, strict=True)),
            schedule="hours",
        ),
        _adjustment(adjustment, "2.3 As clause 1.3."),
        *_taxes("2.4"),
    )
    return _version("Residential Time of Use", charges, sheet=2, schedules=(_HOME_HOURS,), starts=starts, ends=ends)


def _homes() -> tuple[Tariff, ...]:
    car = (
        _fixed("13.75", "3.1 Each month or part of a month."),
        _energy(
            "3.2 Energy by the hour of use: night 23 to 6 h every day, peak 14 to 19 h on weekdays, day otherwise.",
            _ladder("night", "0.0525"),
            _ladder("day", "0.1140"),
            _ladder("peak", "0.2685"),
            schedule="hours",
        ),
        _adjustment("0.00415", "3.3 As clause 1.3."),
        *_taxes("3.4"),
    )
    old_home = _standard_home(
        starts=_FIRST, ends=PRICE_CHANGE, fixed="12.00", summer=("0.1095", "0.1284"), winter=("0.1042", "0.0935"), adjustment="0.00415"
    )
    new_home = _standard_home(
        starts=PRICE_CHANGE, ends=None, fixed="12.75", summer=("0.1148", "0.1352"), winter=("0.1089", "0.0974"), adjustment="0.00380"
    )
    old_hours = _hours_home(
        starts=_FIRST, ends=PRICE_CHANGE, fixed="12.00", prices=("0.2310", "0.0795", "0.1460", "0.0790"), adjustment="0.00415"
    )
    new_hours = _hours_home(
        starts=PRICE_CHANGE, ends=None, fixed="12.75", prices=("0.2425", "0.0830", "0.1525", "0.0820"), adjustment="0.00380"
    )
    return (
        _electric("RS-1", "residential", old_home, new_home),
        _electric("RS-TOU", "residential", old_hours, new_hours),
        _electric("RS-EV", "residential", _version("Residential Electric Vehicle", car, sheet=3, schedules=(_CAR_HOURS,))),
    )


def _businesses() -> tuple[Tariff, ...]:
    base = ("fixed", "energy", "demand")
    small = (
        _fixed("28.50", "4.1 Each month or part of a month."),
        _energy("4.2 All energy at one price.", _ladder("all", "0.0982")),
        _demand("4.3 The highest quarter of an hour of the month; the first 10 kW are free.", _ladder("all", "10 0", "7.85")),
        _adjustment("0.00415", "4.4 As clause 1.3."),
        *_taxes("4.5", sales="0.06", base=base),
    )
    large = (
        _fixed("95.00", "5.1 Each month or part of a month."),
        _energy(
            "5.2 Energy by the hour of use: peak 12 to 20 h on summer weekdays, 7 to 21 h on winter weekdays.",
            _ladder("summer_peak", "0.1265"),
            _ladder("winter_peak", "0.0980"),
            _ladder("off_peak", "0.0610"),
            schedule="hours",
        ),
        _demand("5.3 The highest quarter of an hour of the month.", _ladder("all", "9.40")),
        _adjustment("0.00415", "5.4 As clause 1.3."),
        *_taxes("5.5", sales="0.06", base=base),
    )
    works = (
        _fixed("480.00", "6.1 Each month or part of a month."),
        _energy(
            "6.2 Energy by the hour of use, hours as in clause 5.2.",
            _ladder("summer_peak", "0.0880"),
            _ladder("winter_peak", "0.0720"),
            _ladder("off_peak", "0.0465"),
            schedule="hours",
        ),
        _demand(
            "6.3 The highest quarter of an hour of the month, at any time.",
            _ladder("all", "4.60"),
            ident="facilities",
            label="Facilities demand",
        ),
        _demand(
            "6.4 The highest quarter of an hour from 9 to 21 h on weekdays, and the highest outside those hours.",
            _ladder("on_peak", "9.80"),
            _ladder("off_peak", "1.95"),
            schedule="peak",
            label="Time-of-use demand",
        ),
        _adjustment("0.00415", "6.5 As clause 1.3."),
        _minimum("3500.00", "6.6 No month costs less than the minimum before fees.", base),
        *_taxes("6.7", sales="0.06", base=(*base, "minimum")),
    )
    return (
        _electric("GS-1", "commercial", _version("General Service", small, sheet=4)),
        _electric("GS-TOU", "commercial", _version("General Service Time of Use", large, sheet=5, schedules=(_WORK_HOURS,))),
        _electric("IP-1", "industrial", _version("Industrial Power", works, sheet=6, schedules=(_WORK_HOURS, _PEAK_HOURS))),
    )


def _gas() -> tuple[Tariff, ...]:
    home = (
        _fixed("14.25", "1.1 Each month or part of a month."),
        _energy(
            "1.2 Delivery of gas, for each therm: metered volume times the heating value.",
            _ladder("all", "30 0.4120", "0.3285"),
            unit="therm",
            label="Gas delivery",
        ),
        _adjustment("0.5475", "1.3 The cost of gas, passed on without profit.", unit="therm", label="Cost of gas"),
        *_taxes("1.4"),
    )
    business = (
        _fixed("46.00", "2.1 Each month or part of a month."),
        _energy(
            "2.2 Delivery of gas, for each therm.",
            _ladder("all", "200 0.3560", "2000 0.2740", "0.1985"),
            unit="therm",
            label="Gas delivery",
        ),
        _adjustment("0.5475", "2.3 The cost of gas, passed on without profit.", unit="therm", label="Cost of gas"),
        *_taxes("2.4", sales="0.06"),
    )
    made = (("GR-1", "residential", "Residential Gas", home, 1), ("GC-1", "commercial", "General Gas", business, 2))
    return tuple(
        Tariff(
            code=code,
            utility="riverbend",
            customer_class=customer_class,
            versions=(_version(name, charges, sheet=sheet, commodity="gas"),),
        )
        for code, customer_class, name, charges, sheet in made
    )


def _water() -> tuple[Tariff, ...]:
    sizes = (
        ("WR-1", "residential", "5/8 inch", "13.40"),
        ("WC-1", "commercial", "1 inch", "24.10"),
        ("WC-2", "commercial", "2 inch", "61.50"),
        ("WC-4", "industrial", "4 inch", "172.00"),
    )
    made = []
    for sheet, (code, customer_class, size, amount) in enumerate(sizes, start=1):
        home = customer_class == "residential"
        steps = ("3 4.35", "8 5.20", "6.85") if home else ("50 4.95", "4.30")
        charges = (
            _fixed(amount, f"{sheet}.1 Each month and meter, for a meter of {size}.", label=f"Meter charge, {size}", per="meter"),
            _energy(f"{sheet}.2 Water, for each thousand gallons.", _ladder("all", *steps), unit="kgal", label="Water"),
            *_taxes(f"{sheet}.3", sales=None if home else "0.06"),
        )
        name = "Residential Water" if home else f"General Water, {size}"
        made.append(
            Tariff(
                code=code,
                utility="riverbend",
                customer_class=customer_class,
                versions=(_version(name, charges, sheet=sheet, commodity="water"),),
            )
        )
    return tuple(made)


def _neighbour() -> tuple[Tariff, ...]:
    name, zone = "High Mesa Electric Cooperative", "America/Denver"
    home = (_fixed("21.00", "1.1 Each month or part of a month."), _energy("1.2 All energy at one price.", _ladder("all", "0.1175")))
    business = (
        _fixed("45.00", "2.1 Each month or part of a month."),
        _energy("2.2 All energy at one price.", _ladder("all", "0.0890")),
        _demand("2.3 The highest quarter of an hour of the month.", _ladder("all", "10.50")),
    )
    return (
        _electric("HM-R", "residential", _version("Member Residential", home, sheet=1, utility=name, timezone=zone), utility="mesa"),
        _electric("HM-C", "commercial", _version("Member Commercial", business, sheet=2, utility=name, timezone=zone), utility="mesa"),
    )
