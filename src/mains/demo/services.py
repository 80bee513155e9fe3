"""What hangs at a place and who pays for it: service points, meters and where they hung, channels, agreements, rates, devices."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from mains.base.ids import named_uuid
from mains.demo import registers, stories
from mains.demo.belongings import Belongings
from mains.demo.chance import chance, pick
from mains.demo.model import Account, Customer, Device, Installation, Meter, PaymentHabit, Premise, RateAssignment, ServicePoint, Utility
from mains.demo.places import Site
from mains.demo.span import FIRST_LOCAL_DATE, REFERENCE_DATE, SLOTS, Span

_MAKERS = {"electric": (("Calder", "CM-4"), ("Northgate", "N200")), "gas": (("Pine Hollow", "G4"),), "water": (("Lakeland", "W58"),)}
_LETTER = {"electric": "E", "gas": "G", "water": "W"}
_UNIT = {"electric": ("Wh", 900), "gas": ("ccf", None), "water": ("gal", None)}
_HABITS = (("autopay", 0.38), ("prompt", 0.42), ("late", 0.13), ("partial", 0.05), ("never", 0.02))


@dataclass(slots=True, kw_only=True)
class Services:
    """The growing lists of one utility's services; `points_of` by customer's number; `channels` still without an index."""

    utility: Utility
    seed: int
    calendar: Span
    points: list[ServicePoint] = field(default_factory=list)
    points_of: dict[int, list[ServicePoint]] = field(default_factory=dict)
    meters: list[Meter] = field(default_factory=list)
    installations: list[Installation] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    rates: list[RateAssignment] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    habits: list[PaymentHabit] = field(default_factory=list)

    def key(self, kind: str, *name: object) -> UUID:
        """The key of one of this utility's things."""
        return named_uuid("demo", kind, self.utility.code, *name)


def add_services(to: Services, *, customer: Customer, premise: Premise, where: Site, has: Belongings, node: int, phases: str) -> None:
    """Adds everything that one customer's premise had and has."""
    source = chance(to.seed, to.utility.code, "services", where.number)
    for commodity in ("electric", *(("gas",) if has.has_gas else ()), *(("water",) if has.has_water else ())):
        point = _point(
            to,
            commodity,
            premise,
            where,
            has,
            node=node if commodity == "electric" else None,
            phases=phases if commodity == "electric" else None,
        )
        _meters(to, point, where, has, source, customer.story)
        _accounts(to, point, customer, where, has, source)
    _devices(to, where, has, source)
    to.habits.append(_habit(customer.key, str(pick(source, _HABITS)[0]), source))


def _point(
    to: Services, commodity: str, premise: Premise, where: Site, has: Belongings, *, node: int | None, phases: str | None
) -> ServicePoint:
    number = f"{_LETTER[commodity]}{where.number:06d}"
    volts = {"residential": 240, "commercial": 208, "industrial": 480}[where.customer_class] if commodity == "electric" else None
    point = ServicePoint(
        key=to.key("service point", number),
        utility=to.utility.key,
        premise=premise.key,
        service_point_number=f"{to.utility.code[0].upper()}{number}",
        commodity=commodity,
        zone=premise.zone,
        node=node,
        timezone=to.utility.timezone,
        nominal_voltage_v=volts,
        phases=phases,
        service_size=water_size(where.customer_class, has.annual_mwh) if commodity == "water" else "200 A" if volts == 240 else None,
        is_critical=commodity == "electric" and has.life == "clinic",
    )
    to.points.append(point)
    to.points_of.setdefault(where.number, []).append(point)
    return point


def water_size(customer_class: str, annual_mwh: float) -> str:
    """The size of a water meter as the tariff names it."""
    if customer_class == "residential":
        return "5/8 inch"
    return "1 inch" if annual_mwh < 120 else "2 inch" if annual_mwh < 2500 else "4 inch"


def _meters(to: Services, point: ServicePoint, where: Site, has: Belongings, source: Random, story: str) -> None:
    """The meter at a point, or the two of a meter exchange, with their channels."""
    zone = ZoneInfo(to.utility.timezone)
    hung_on = date(2014, 1, 1) + timedelta(days=source.randrange(4000))
    start, begins = datetime(hung_on.year, hung_on.month, hung_on.day, 10, tzinfo=zone), 0
    if story == "new_building":
        begins = to.calendar.slot_of_midnight(stories.NEW_BUILDING)
        start = datetime(stories.NEW_BUILDING.year, stories.NEW_BUILDING.month, stories.NEW_BUILDING.day, tzinfo=zone)
    if story == "meter_exchange" and point.commodity == "electric":
        at = stories.exchange_at(to.utility.timezone)
        slot = to.calendar.slot_of(at)
        _hang(to, point, where, has, generation=1, from_at=start, to_at=at, slots=(0, slot), reason="new")
        _hang(to, point, where, has, generation=2, from_at=at, to_at=None, slots=(slot, SLOTS), reason="exchange")
    else:
        _hang(to, point, where, has, generation=1, from_at=start, to_at=None, slots=(begins, SLOTS), reason="new")


def _hang(
    to: Services,
    point: ServicePoint,
    where: Site,
    has: Belongings,
    *,
    generation: int,
    from_at: datetime,
    to_at: datetime | None,
    slots: tuple[int, int],
    reason: str,
) -> None:
    commodity, number = point.commodity, where.number
    name = f"{_LETTER[commodity]}{number:06d}-{generation}"
    makers = _MAKERS[commodity]
    maker, model = makers[number % len(makers)]
    key = to.key("meter", name)
    to.meters.append(
        Meter(
            key=key,
            utility=to.utility.key,
            meter_number=f"{to.utility.code[0].upper()}M{name}",
            commodity=commodity,
            manufacturer=maker,
            model=model,
            dial_digits=registers.dial_digits(commodity, where.customer_class),
            status="active" if to_at is None else "removed",
        )
    )
    to.installations.append(
        Installation(
            key=to.key("installation", name),
            utility=to.utility.key,
            meter=key,
            service_point=point.key,
            from_at=from_at,
            to_at=to_at,
            reason=reason,
        )
    )
    unit, interval = _UNIT[commodity]
    for flow in ("delivered", "received") if commodity == "electric" and has.has_solar else ("delivered",):
        to.channels.append(
            {
                "key": to.key("channel", name, flow),
                "utility": to.utility.key,
                "meter": key,
                "service_point": point.key,
                "premise_number": number,
                "commodity": commodity,
                "register": flow,
                "flow": flow,
                "unit": unit,
                "power_of_ten": 0,
                "interval_s": interval,
                "from_slot": slots[0],
                "to_slot": slots[1],
            }
        )


def _accounts(to: Services, point: ServicePoint, customer: Customer, where: Site, has: Belongings, source: Random) -> None:
    """The customer's agreement for a point, and its rates.

    The story moves_house adds one at the neighbour's, where there is such a service (see `moved_accounts`).
    """
    until = {"moves_house": stories.MOVED_OUT, "final_bill": stories.NEIGHBOUR_LEFT}.get(customer.story)
    begins = stories.NEW_BUILDING if customer.story == "new_building" else customer.since
    account = _account(to, point, customer.key, where.number, generation=1, from_date=begins, to_date=until)
    rate = rate_of(point.commodity, where.customer_class, has, source, story=customer.story, utility=to.utility.code)
    if customer.story == "rate_switch" and point.commodity == "electric":
        _assign(to, account, "RS-1", begins, stories.RATE_SWITCH)
        _assign(to, account, "RS-TOU", stories.RATE_SWITCH, until)
    else:
        _assign(to, account, rate, begins, until)


def moved_accounts(to: Services, *, mover: Customer, home_number: int) -> None:
    """The mover's second agreements: every service of the house that the neighbour left, from the day of moving in."""
    for point in to.points_of[home_number]:
        account = _account(to, point, mover.key, home_number, generation=2, from_date=stories.MOVED_IN, to_date=None)
        _assign(to, account, {"electric": "RS-1", "gas": "GR-1", "water": "WR-1"}[point.commodity], stories.MOVED_IN, None)


def _account(
    to: Services, point: ServicePoint, customer: UUID, number: int, *, generation: int, from_date: date, to_date: date | None
) -> Account:
    name = f"{number:06d}-{_LETTER[point.commodity]}{generation}"
    account = Account(
        key=to.key("account", name),
        utility=to.utility.key,
        account_number=name,
        customer=customer,
        service_point=point.key,
        commodity=point.commodity,
        status="active" if to_date is None else "final",
        from_date=from_date,
        to_date=to_date,
    )
    to.accounts.append(account)
    return account


def _assign(to: Services, account: Account, rate: str, from_date: date, to_date: date | None) -> None:
    to.rates.append(
        RateAssignment(
            key=to.key("rate assignment", account.account_number, from_date),
            utility=to.utility.key,
            account=account.key,
            rate=rate,
            from_date=from_date,
            to_date=to_date,
        )
    )


def rate_of(commodity: str, customer_class: str, has: Belongings, source: Random, *, story: str, utility: str) -> str:
    """The code of the rate that a service is on."""
    draw = source.random()
    if utility != "riverbend":
        return "HM-R" if customer_class == "residential" else "HM-C"
    if commodity == "gas":
        return "GR-1" if customer_class == "residential" else "GC-1"
    if commodity == "water":
        return {"5/8 inch": "WR-1", "1 inch": "WC-1", "2 inch": "WC-2", "4 inch": "WC-4"}[water_size(customer_class, has.annual_mwh)]
    if customer_class == "industrial":
        return "IP-1"
    if customer_class == "commercial":
        return "GS-1" if has.annual_mwh < 100 else "GS-TOU"
    if has.has_ev and (story or draw < 0.75):
        return "RS-EV"
    return "RS-TOU" if draw < 0.12 and not story else "RS-1"


def _devices(to: Services, where: Site, has: Belongings, source: Random) -> None:
    """Things at the customer's that talk: chargers, inverters, and a thermostat in every twelfth home."""
    account = to.key("account", f"{where.number:06d}-E1")
    kinds = [kind for kind, present in (("ev_charger", has.has_ev), ("pv_inverter", has.has_solar)) if present]
    if where.customer_class == "residential" and source.random() < 0.085:
        kinds.append("thermostat")
    for kind in kinds:
        silent = source.random() < 0.04
        last = datetime.fromtimestamp(to.calendar.midnight(REFERENCE_DATE), ZoneInfo("UTC")) - timedelta(
            minutes=source.randint(20_000, 90_000) if silent else source.randint(0, 14)
        )
        to.devices.append(
            Device(
                key=to.key("device", kind, where.number),
                utility=to.utility.key,
                kind=kind,
                serial=f"{kind[:2].upper()}{where.number:06d}",
                account=account,
                asset=None,
                status="offline" if silent else "online",
                last_communication=last,
                firmware=source.choice(("2.4.1", "2.4.1", "2.3.0")),
            )
        )


def _habit(customer: UUID, kind: str, source: Random) -> PaymentHabit:
    days = {"autopay": 0, "prompt": -source.randint(1, 15), "late": source.randint(3, 28), "partial": source.randint(-2, 12), "never": 0}[
        kind
    ]
    share = {"partial": Decimal(source.randint(40, 85)) / 100, "never": Decimal(0)}.get(kind, Decimal(1))
    method = "direct_debit" if kind == "autopay" else source.choice(("card", "bank_transfer", "cheque", "cash"))
    return PaymentHabit(customer=customer, kind=kind, method=method, days_from_due=days, share=share)


def since(source: Random) -> date:
    """The date on which a customer came: uniform over the fourteen years up to two months before the span."""
    return FIRST_LOCAL_DATE - timedelta(days=60 + source.randrange(5200))
