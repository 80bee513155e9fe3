"""Rates of the OpenEI Utility Rate Database (JSON, versions 3 to 8) read strictly: priced exactly, or refused with the field and the
cure; never repaired.

Conventions that the format leaves open are made explicit: one ladder over all periods of a month (`pool` "all"), tiers shared pro rata
(`allocation`),
$/day times the days billed, `max` cumulative, `adj` a charge of its own so that riders stay visible. Presence is read from price cells:
units are default-filled.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Literal

from mains.base.problems import Issue
from mains.rates.calendars import Calendar, Schedule, ScheduleRow, Span, clock
from mains.rates.checks import check_version
from mains.rates.documents import sha256_of
from mains.rates.model import AnyCharge, Demand, Energy, Fixed, Ladder, Minimum, RateVersion, Source, Tier

MEMBERS = frozenset(
    {
        "energyratestructure",
        "demandratestructure",
        "flatdemandstructure",
        "fixedchargefirstmeter",
        "fixedmonthlycharge",
        "energyweekdayschedule",
    }
)
"""Members by which a document is known to be of this database."""
ENDLESS = Decimal("1e30")
"""A `max` from here on is how files write "no end" (the reference calculator writes 1e38)."""
LATEST = 8_000_000_000
"""Epoch seconds of the last date that is one (in the year 2223)."""

_PER = {"kwh": "month", "kwh daily": "day"}
_FIXED_UNITS = {"$/month": "month", "$/day": "day", "$/year": "year"}


def is_urdb(document: object) -> bool:
    """Whether a JSON value looks like a rate of this database."""
    return isinstance(document, Mapping) and any(str(key).lower() in MEMBERS for key in document)


def from_urdb(
    document: Mapping[str, Any],
    *,
    timezone: str = "Etc/UTC",
    pool: Literal["all", "period"] = "all",
    allocation: Literal["prorata", "chronological"] = "prorata",
) -> tuple[RateVersion | None, list[Issue]]:
    """The rate and what there is to say about it; None with at least one issue of severity "error" where it cannot be priced exactly.

    The database names no time zone: `timezone` is the customer's. Numbers should have been read as Decimal (json.loads(text,
    parse_float=Decimal)).
    """
    reader = _Reader(document)
    version = reader.version(timezone=timezone, pool=pool, allocation=allocation)
    if version is not None:
        reader.issues.extend(check_version(version))
    refused = any(issue.severity == "error" for issue in reader.issues)
    return (None if refused else version), reader.issues


class _Reader:
    """One document on its way in, and the issues met."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.raw = document
        self.members = {str(key).lower(): value for key, value in document.items()}
        self.issues: list[Issue] = []
        self.schedules: list[Schedule] = []

    def refuse(self, code: str, field: str, message: str, cure: str) -> None:
        self.issues.append(Issue(code=code, field=field, message=message, cure=cure))

    def warn(self, code: str, field: str, message: str, cure: str) -> None:
        self.issues.append(Issue(code=code, field=field, message=message, cure=cure, severity="warning"))

    def number(self, value: object, field: str) -> Decimal | None:
        """A number cell; None where it is absent, or refused."""
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            self.refuse("not-a-number", field, f"{field} is {value!r}", "write it as a JSON number")
            return None
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            self.refuse("not-a-number", field, f"{field} is {value!r}", "write it as a JSON number")
            return None
        return number

    # -- the whole

    def version(
        self, *, timezone: str, pool: Literal["all", "period"], allocation: Literal["prorata", "chronological"]
    ) -> RateVersion | None:
        self._refuse_what_is_not_priced()
        charges: list[AnyCharge] = [
            *self._energy(pool, allocation),
            *self._flat_demand(),
            *self._scheduled_demand(),
            *self._fixed(),
            *self._minimum(),
        ]
        if any(issue.severity == "error" for issue in self.issues):
            return None
        if not charges:
            self.refuse(
                "no-charges", "energyratestructure", "no energy, demand, fixed or minimum charge has a price", "give the rate its prices"
            )
            return None
        start = self._day("startdate") or date(1900, 1, 1)
        return RateVersion(
            name=str(self.members.get("name") or self.members.get("label") or "unnamed rate"),
            utility=str(self.members.get("utility") or ""),
            effective_from=start,
            effective_to=self._day("enddate"),
            calendar=Calendar(timezone=timezone, holidays_as="weekday", schedules=tuple(self.schedules)),
            charges=tuple(charges),
            source=Source(
                kind="urdb",
                label=str(self.members.get("label") or ""),
                url=str(self.members.get("source") or self.members.get("uri") or ""),
                sha256=sha256_of(self.raw),
            ),
        )

    def _day(self, field: str) -> date | None:
        value = self.members.get(field)
        if value in (None, ""):
            return None
        try:
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                value = value if -LATEST < value < LATEST else float("nan")
                return datetime.fromtimestamp(int(value), UTC).date()
            return date.fromisoformat(str(value)[:10])
        except (ValueError, OverflowError, OSError):
            self.warn("bad-date", field, f"{field} is {value!r}, which is no date", "write epoch seconds or YYYY-MM-DD")
            return None

    def _refuse_what_is_not_priced(self) -> None:
        for field, what, cure in _NOT_PRICED:
            if _is_set(self.members.get(field)):
                self.refuse("not-priced-" + field.replace("structure", ""), field, f"{field}: {what} cannot be priced yet", cure)
        rules = self.members.get("dgrules")
        if rules:
            self.warn(
                "exports-not-priced",
                "dgrules",
                f"{rules}: exports are not priced; readings below zero are refused",
                "use it for customers without generation",
            )
        if _is_set(self.members.get("fixedchargeeaaddl")):
            self.warn(
                "one-meter",
                "fixedchargeeaaddl",
                "a charge for each further meter is left out: one meter is assumed",
                "add it for accounts of several meters",
            )

    # -- schedules

    def _grid(self, field: str, periods: int) -> list[list[int]] | None:
        grid = self.members.get(field)
        if (
            not isinstance(grid, Sequence)
            or len(grid) != 12
            or not all(isinstance(row, Sequence) and not isinstance(row, str) and len(row) == 24 for row in grid)
        ):
            what = "is missing" if grid is None else "is not 12 months of 24 hours"
            self.refuse("bad-schedule", field, f"{field} {what}", "give 12 lists of 24 period numbers")
            return None
        for month, row in enumerate(grid):
            for hour, cell in enumerate(row):
                is_number = isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
                if not is_number or not 0 <= cell < periods or cell != int(cell):
                    self.refuse(
                        "unknown-period",
                        field,
                        f"{field}[{month}][{hour}] is {cell!r}; periods are 0 to {periods - 1}",
                        "name a period of the structure",
                    )
                    return None
        return [[int(cell) for cell in row] for row in grid]

    def _schedule(self, name: str, weekday: list[list[int]], weekend: list[list[int]]) -> set[int]:
        """Add a schedule, months of one shape in one row; answers the periods it uses."""
        rows = []
        for days, grid in ((("weekday", "holiday"), weekday), (("weekend",), weekend)):
            shapes: dict[tuple[int, ...], list[int]] = {}
            for month, row in enumerate(grid):
                shapes.setdefault(tuple(row), []).append(month + 1)
            rows += [ScheduleRow(months=tuple(months), days=days, spans=_spans(shape)) for shape, months in shapes.items()]
        self.schedules.append(Schedule(name=name, rows=tuple(rows)))
        return {period for grid in (weekday, weekend) for row in grid for period in row}

    # -- structures

    def _cells(self, field: str) -> list[list[Mapping[str, Any]]]:
        """Periods × tiers, lower-case members; empty where no cell has a price (units alone are defaults, not a charge)."""
        structure = self.members.get(field)
        if structure in (None, [], ""):
            return []
        if not isinstance(structure, Sequence) or not all(
            isinstance(period, Sequence) and not isinstance(period, str) and all(isinstance(cell, Mapping) for cell in period)
            for period in structure
        ):
            self.refuse("bad-structure", field, f"{field} is not a list of periods of tiers", "give a list of lists of objects")
            return []
        cells: list[list[Mapping[str, Any]]] = [
            [{str(key).lower(): value for key, value in cell.items()} for cell in period] for period in structure
        ]
        return cells if any(cell.get(key) is not None for period in cells for cell in period for key in ("rate", "adj")) else []

    def _ladders(
        self, field: str, cells: list[list[Mapping[str, Any]]], used: set[int], units: Mapping[str, str]
    ) -> tuple[list[Ladder], list[Ladder]]:
        """The ladders of rates and those of adjustments, of the periods in use."""
        rates, adjustments = [], []
        for period in sorted(used):
            tiers: list[tuple[Decimal | None, Decimal, Decimal]] = []
            spans: set[str] = set()
            for place, cell in enumerate(cells[period]):
                at = f"{field}[{period}][{place}]"
                rate = self.number(cell.get("rate"), f"{at}.rate")
                if rate is None and cell.get("rate") is None:
                    self.refuse(
                        "missing-price", f"{at}.rate", f"{at} has no rate", "give the rate; write 0 where the tariff sheet says it is free"
                    )
                bound = self._bound(cell, at, is_last=place == len(cells[period]) - 1)
                if bound is not None or len(cells[period]) > 1:
                    spans.add(self._span_of(cell, at, units))
                if _is_set(cell.get("sell")):
                    self.refuse(
                        "not-priced-sell",
                        f"{at}.sell",
                        f"{at} buys exports, which cannot be priced yet",
                        "leave sell out for customers without generation",
                    )
                tiers.append((bound, rate or Decimal(0), self.number(cell.get("adj"), f"{at}.adj") or Decimal(0)))
            if not tiers:
                self.refuse("missing-price", f"{field}[{period}]", f"period {period} is scheduled and has no tier", "give it its price")
                continue
            if len(spans) > 1:
                self.refuse(
                    "mixed-units",
                    f"{field}[{period}]",
                    f"tiers of one period are bounded per {' and per '.join(sorted(spans))}",
                    "use one unit in a ladder",
                )
            per: Any = next(iter(spans), "month")
            rates.append(Ladder(period=f"period {period}", per=per, tiers=tuple(Tier(up_to=bound, price=rate) for bound, rate, _ in tiers)))
            adjustments.append(
                Ladder(period=f"period {period}", per=per, tiers=tuple(Tier(up_to=bound, price=adj) for bound, _, adj in tiers))
            )
        return rates, adjustments

    def _bound(self, cell: Mapping[str, Any], at: str, *, is_last: bool) -> Decimal | None:
        bound = self.number(cell.get("max"), f"{at}.max")
        if bound is not None and bound >= ENDLESS:
            if not is_last:
                self.refuse("open-inner-tier", f"{at}.max", f"a tier before the last ends at {bound}", "give it its bound")
            return None
        if bound is not None and is_last:
            self.refuse(
                "finite-top-tier",
                f"{at}.max",
                f"the last tier ends at {bound}: use above it would have no price",
                "leave max out of the last tier",
            )
        if bound is None and not is_last and cell.get("max") is None:
            self.refuse("open-inner-tier", f"{at}.max", f"{at} is not the last tier and has no max", "give it its upper bound")
        return bound

    def _span_of(self, cell: Mapping[str, Any], at: str, units: Mapping[str, str]) -> str:
        unit = str(cell.get("unit") or next(iter(units)))
        if unit.lower() not in units:
            self.refuse("unit-not-priced", f"{at}.unit", f"tiers bounded in {unit} cannot be priced yet", f"use one of {', '.join(units)}")
        return units.get(unit.lower(), "month")

    # -- charges

    def _energy(self, pool: Literal["all", "period"], allocation: Literal["prorata", "chronological"]) -> list[AnyCharge]:
        field = "energyratestructure"
        cells = self._cells(field)
        if not cells:
            return []
        weekday, weekend = self._grid("energyweekdayschedule", len(cells)), self._grid("energyweekendschedule", len(cells))
        if weekday is None or weekend is None:
            return []
        used = self._schedule("energy", weekday, weekend)
        rates, adjustments = self._ladders(field, cells, used, _PER)
        common: dict[str, Any] = {"schedule": "energy", "pool": pool, "allocation": allocation}
        charges: list[AnyCharge] = [Energy(id="energy", label="Energy", clause=field, ladders=tuple(rates), **common)]
        if _has_price(adjustments):
            charges.append(
                Energy(
                    id="adjustment",
                    label="Adjustments",
                    tags=("adjustment",),
                    clause=f"{field} adj",
                    ladders=tuple(adjustments),
                    lines="price",
                    **common,
                )
            )
        return charges

    def _demand(self, field: str, schedule: str, label: str, cells: list[list[Mapping[str, Any]]], used: set[int]) -> list[AnyCharge]:
        rates, adjustments = self._ladders(field, cells, used, {"kw": "month"})
        default = str(
            self.members.get("flatdemandunit" if schedule == "flat-demand" else "demandrateunit") or self.members.get("demandunits") or "kW"
        )
        for unit in {default, *(str(cell["unit"]) for period in used for cell in cells[period] if cell.get("unit"))}:
            if unit.lower() != "kw":
                self.refuse("unit-not-priced", field, f"demand in {unit} cannot be priced yet", "use a rate that charges kW")
        window = self.number(self.members.get("demandwindow"), "demandwindow")
        minutes = int(window) if window else None
        charges: list[AnyCharge] = [
            Demand(id=schedule, label=label, clause=field, ladders=tuple(rates), schedule=schedule, window_minutes=minutes)
        ]
        if _has_price(adjustments):
            more = Demand(
                id=f"{schedule}-adjustment",
                label=f"{label} adjustment",
                tags=("adjustment",),
                clause=f"{field} adj",
                ladders=tuple(adjustments),
                schedule=schedule,
                window_minutes=minutes,
            )
            charges.append(more)
        return charges

    def _flat_demand(self) -> list[AnyCharge]:
        cells = self._cells("flatdemandstructure")
        if not cells:
            return []
        months = self.members.get("flatdemandmonths")
        if not isinstance(months, Sequence) or len(months) != 12:
            self.refuse("bad-schedule", "flatdemandmonths", "flatdemandmonths is not 12 period numbers", "give the period of each month")
            return []
        if any(
            isinstance(period, bool)
            or not isinstance(period, int | float | Decimal)
            or not 0 <= period < len(cells)
            or period != int(period)
            for period in months
        ):
            self.refuse(
                "unknown-period",
                "flatdemandmonths",
                f"flatdemandmonths names periods beyond 0 to {len(cells) - 1}",
                "name a period of flatdemandstructure",
            )
            return []
        grid = [[int(period)] * 24 for period in months]
        used = self._schedule("flat-demand", grid, grid)
        return self._demand("flatdemandstructure", "flat-demand", "Demand", cells, used)

    def _scheduled_demand(self) -> list[AnyCharge]:
        cells = self._cells("demandratestructure")
        if not cells:
            return []
        weekday, weekend = self._grid("demandweekdayschedule", len(cells)), self._grid("demandweekendschedule", len(cells))
        if weekday is None or weekend is None:
            return []
        return self._demand("demandratestructure", "demand", "Time-of-use demand", cells, self._schedule("demand", weekday, weekend))

    def _fixed(self) -> list[AnyCharge]:
        field = "fixedchargefirstmeter" if self.members.get("fixedchargefirstmeter") is not None else "fixedmonthlycharge"
        amount = self.number(self.members.get(field), field)
        if not amount:
            return []
        unit = self._unit("fixedchargeunits", field, modern="fixedchargefirstmeter")
        if unit.lower() not in _FIXED_UNITS:
            self.refuse(
                "unit-not-priced", "fixedchargeunits", f"a fixed charge in {unit} cannot be priced", f"use one of {', '.join(_FIXED_UNITS)}"
            )
            return []
        per: Any = _FIXED_UNITS[unit.lower()]
        return [Fixed(id="fixed", label="Customer charge", amount=amount, per=per, clause=field)]

    def _unit(self, member: str, field: str, *, modern: str) -> str:
        """The unit of a sum of money; the old members are per month, and a unit left out is the database's default, which is said."""
        given = self.members.get(member)
        if field == modern and not given:
            self.warn("default-unit", member, f"{member} is missing; the database's default is $/month", f"write {member}")
        return str(given or "$/month") if field == modern else "$/month"

    def _minimum(self) -> list[AnyCharge]:
        field = "mincharge" if self.members.get("mincharge") is not None else "minmonthlycharge"
        amount = self.number(self.members.get(field), field)
        if not amount:
            return []
        unit = self._unit("minchargeunits", field, modern="mincharge").lower()
        if unit not in ("$/month", "$/day"):
            self.refuse(
                "minimum-not-monthly",
                "minchargeunits",
                f"a minimum in {unit} is settled over a year, which no single bill can tell",
                "give a minimum per month",
            )
            return []
        per: Any = _FIXED_UNITS[unit]
        return [Minimum(id="minimum", label="Minimum charge", amount=amount, per=per, clause=field)]


_NOT_PRICED = (
    ("lookbackpercent", "a demand ratchet", "use a rate without a ratchet"),
    ("demandratchetpercentage", "a demand ratchet", "use a rate without a ratchet"),
    ("lookbackrange", "a demand ratchet", "use a rate without a ratchet"),
    ("lookbackmonths", "a demand ratchet", "use a rate without a ratchet"),
    ("coincidentratestructure", "coincident demand", "leave it out where it is not charged"),
    ("demandreactivepowercharge", "reactive power", "leave it out where it is not charged"),
    ("fueladjustmentsmonthly", "a fuel adjustment by month beside adj", "put it into adj of the energy cells, if it is not there already"),
    ("annualmincharge", "a minimum settled over a year", "give a minimum per month"),
)


def _is_set(value: object) -> bool:
    """Whether something holds a number other than zero, or true, at any depth; text (units, names) does not count."""
    if isinstance(value, Mapping):
        return any(_is_set(item) for key, item in value.items() if str(key).lower() not in ("max", "unit"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(_is_set(item) for item in value)
    if isinstance(value, str):
        try:
            return Decimal(value) != 0
        except InvalidOperation:
            return False
    return isinstance(value, bool | int | float | Decimal) and bool(value)


def _has_price(ladders: list[Ladder]) -> bool:
    return any(tier.price for ladder in ladders for tier in ladder.tiers)


def _spans(hours: Sequence[int]) -> tuple[Span, ...]:
    """The runs of equal hours of a day."""
    edges = [0, *(hour for hour in range(1, 24) if hours[hour] != hours[hour - 1]), 24]
    return tuple(Span(starts=clock(4 * first), ends=clock(4 * last), period=f"period {hours[first]}") for first, last in pairwise(edges))
