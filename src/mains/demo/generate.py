"""The demo made whole: `plan` for everything that is not a reading, `readings` for quarter hours of electricity, `register_reads` for gas
and water.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.base.ids import named_uuid
from mains.demo import belongings, faults, loads, network, people, places, registers, services, shapes, stories, tariffs, weather
from mains.demo.chance import chance
from mains.demo.model import Channel, Customer, DemoPlan, Interruption, Premise, Utility, Zone
from mains.demo.span import DAYS, SLOTS, SLOTS_A_DAY, Span, span

DEFAULT_SEED = 1882
NEIGHBOURS = 25
"""Customers of the second utility."""
_CUTS = (
    ("N01 fuse 0", 0, (0, 1), "2026-01-19T03:15", "2026-01-19T06:30", "equipment"),
    ("W01 fuse 2", 3, (2, 3), "2026-04-22T09:00", "2026-04-22T12:00", "planned"),
    ("E01 recloser 12", 1, (12, 25), "2026-06-18T16:45", "2026-06-18T21:15", "storm"),
    ("S01 breaker", 2, (0, 25), "2026-08-12T13:00", "2026-08-12T14:15", "vehicle"),
)
"""Power cuts in Riverbend's first district: edge, feeder, laterals [from, to), local times, cause."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntervalReadings:
    """Quarter hours of a range of channels: `values` int32 [channels, days, 96] in Wh, `faults.MISSING` where there is none; where quality
    is not actual, `overrides` (channel index, from slot, to slot, code), half-open; `first_day_start` epoch seconds of each channel's
    first day.
    """

    values: NDArray[np.int32]
    overrides: list[tuple[int, int, int, int]]
    first_day_start: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    code: str
    name: str
    kind: str
    commodities: tuple[str, ...]
    timezone: str
    offset: int
    town: places.Town
    climate: weather.Climate
    regulator: str
    first_node: int


WORLDS = (
    _World(
        code="riverbend",
        name="Riverbend Public Power",
        kind="municipal",
        commodities=("electric", "gas", "water"),
        timezone="America/Chicago",
        offset=-360,
        town=places.RIVERBEND,
        climate=weather.RIVERBEND,
        regulator="Riverbend City Council",
        first_node=1,
    ),
    _World(
        code="mesa",
        name="High Mesa Electric Cooperative",
        kind="cooperative",
        commodities=("electric",),
        timezone="America/Denver",
        offset=-420,
        town=places.MESA,
        climate=weather.MESA,
        regulator="High Mesa board of directors",
        first_node=100_000_001,
    ),
)


def plan(*, customers: int, seed: int = DEFAULT_SEED) -> DemoPlan:
    """The plan of Riverbend with so many customers (1 or more) and of its small neighbour.

    A larger plan only adds to a smaller one of the same seed.
    """
    if customers < 1:
        raise ValueError(f"{customers} customers: a demo needs at least one")
    parts = [_utility(world, customers if world.code == "riverbend" else NEIGHBOURS, seed) for world in WORLDS]
    raw = [channel for part in parts for channel in part["services"].channels]
    ordered = sorted(raw, key=lambda c: c["interval_s"] is None)
    merged = {
        name: tuple(x for part in parts for x in part[name])
        for name in ("zones", "nodes", "edges", "assets", "customers", "premises", "interruptions")
    }
    served = {
        name: tuple(x for part in parts for x in getattr(part["services"], attribute))
        for name, attribute in (
            ("service_points", "points"),
            ("meters", "meters"),
            ("installations", "installations"),
            ("accounts", "accounts"),
            ("rate_assignments", "rates"),
            ("devices", "devices"),
            ("payment_habits", "habits"),
        )
    }
    return DemoPlan(
        seed=seed,
        utilities=tuple(part["utility"] for part in parts),
        channels=tuple(Channel(index=i, **c) for i, c in enumerate(ordered)),
        interval_channels=sum(c["interval_s"] is not None for c in ordered),
        tariffs=tariffs.documents(),
        loads=np.concatenate([part["loads"] for part in parts]),
        **merged,
        **served,
    )


def _utility(world: _World, count: int, seed: int) -> dict[str, Any]:
    """One utility's part of the plan."""
    calendar = span(world.timezone, world.offset)
    sky = weather.weather(seed, world.code, world.climate, calendar)
    sites = [places.site(number) for number in range(1, count + 1)]
    districts = sites[-1].district + 1
    utility = _tenant(world, districts, calendar)
    zones = _zones(world, utility, districts)
    zone_keys = {(d, f): zones[d * places.FEEDERS + f].key for d in range(districts) for f in range(places.FEEDERS)}
    grid = network.network(
        seed=seed, utility=utility.key, code=world.code, town=world.town, zones=zone_keys, sites=sites, first_number=world.first_node
    )
    serve = services.Services(utility=utility, seed=seed, calendar=calendar)
    customers, premises, load = [], [], np.zeros(count, shapes.LOAD)
    for row, where in enumerate(sites):
        has = belongings.belongings(seed, world.code, where)
        premise = _premise(world, utility, where, has.life, zone_keys)
        customer = _customer(world, utility, where, has.life, premise, seed)
        load[row] = belongings.load_row(seed, world.code, where, has, calendar, sky)
        services.add_services(
            serve,
            customer=customer,
            premise=premise,
            where=where,
            has=has,
            node=grid.service_nodes[where.number],
            phases=grid.phases[where.number],
        )
        customers.append(customer)
        premises.append(premise)
    for mover in (c for c in customers if c.story == "moves_house" and c.number < count):
        services.moved_accounts(serve, mover=mover, home_number=mover.number + 1)
    return {
        "utility": utility,
        "zones": zones,
        "nodes": grid.nodes,
        "edges": grid.edges,
        "assets": grid.assets,
        "customers": customers,
        "premises": premises,
        "services": serve,
        "loads": load,
        "interruptions": _interruptions(world, utility, grid.edge_names, sites, calendar),
    }


def _tenant(world: _World, districts: int, calendar: Span) -> Utility:
    return Utility(
        key=named_uuid("demo", "utility", world.code),
        code=world.code,
        name=world.name,
        kind=world.kind,
        commodities=world.commodities,
        timezone=world.timezone,
        utc_offset_minutes=world.offset,
        first_day_start=calendar.first_day_start,
        service_area=places.service_area(world.town, districts),
        regulator_name=world.regulator,
        contact_address=f"{world.name}, 1 Station Road, {world.town.name}, {world.town.region} {world.town.postal_code}, "
        f"+1 {world.town.area} 555 0100",
    )


def _zones(world: _World, utility: Utility, districts: int) -> list[Zone]:
    kinds = ("suburban", "industrial", "mixed", "urban")
    return [
        Zone(
            key=named_uuid("demo", "zone", world.code, d, f),
            utility=utility.key,
            code=f"{places.DIRECTIONS[f][0].upper()}{d + 1:02d}",
            name=f"{world.town.name} {places.DIRECTIONS[f].title()}" + (f" {d + 1}" if d else ""),
            kind=kinds[f],
            boundary=places.zone_boundary(world.town, d, f),
            capacity_mw=Decimal("12.5"),
        )
        for d in range(districts)
        for f in range(places.FEEDERS)
    ]


def _premise(world: _World, utility: Utility, where: places.Site, life: str, zones: dict[tuple[int, int], Any]) -> Premise:
    line, city = places.address(world.town, where)
    kinds = {"office": "office", "school": "public", "church": "public", "clinic": "office", "warehouse": "other"}
    home = "apartment" if where.house == 4 and where.lateral % 3 == 1 else "house"
    return Premise(
        key=named_uuid("demo", "premise", world.code, where.number),
        utility=utility.key,
        number=where.number,
        premise_number=f"P{where.number:06d}",
        address_line=line,
        city=city,
        region=world.town.region,
        postal_code=world.town.postal_code,
        kind=home
        if where.customer_class == "residential"
        else "factory"
        if where.customer_class == "industrial"
        else kinds.get(life, "shop"),
        zone=zones[where.district, where.feeder],
        place=places.house_place(world.town, where),
    )


def _customer(world: _World, utility: Utility, where: places.Site, life: str, premise: Premise, seed: int) -> Customer:
    source, story = chance(seed, world.code, "customer", where.number), stories.story_of(world.code, where.number)
    if where.customer_class == "residential":
        who = people.person(source, number=where.number, area=world.town.area)
    else:
        who = people.organisation(source, number=where.number, area=world.town.area, life=life, town=world.town.name)
    return Customer(
        key=named_uuid("demo", "customer", world.code, where.number),
        utility=utility.key,
        number=where.number,
        customer_number=f"C{where.number:06d}",
        full_name=who.full_name,
        customer_class="public_authority" if life == "school" else where.customer_class,
        email=who.email,
        phone=who.phone,
        language=who.language,
        service_status="closed" if story == "final_bill" else "active",
        zone=premise.zone,
        place=premise.place,
        is_protected=where.customer_class == "residential" and source.random() < 0.02,
        since=stories.NEW_BUILDING if story == "new_building" else services.since(source),
        story=story,
    )


def _interruptions(
    world: _World, utility: Utility, edges: dict[str, int], sites: Iterable[places.Site], calendar: Span
) -> list[Interruption]:
    if world.code != "riverbend":
        return []
    found = []
    for name, feeder, laterals, start, end, cause in _CUTS:
        hit = sum(s.district == 0 and s.feeder == feeder and laterals[0] <= s.lateral < laterals[1] for s in sites)
        if hit:
            slots = [calendar.slot_of_local(text) for text in (start, end)]
            found.append(
                Interruption(
                    utility=utility.key,
                    edge=edges[name],
                    feeder=feeder,
                    laterals=laterals,
                    from_slot=slots[0],
                    to_slot=slots[1],
                    cause=cause,
                    customers=hit,
                )
            )
    return found


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return shapes.activity_table(), shapes.presence_table()


def readings(plan: DemoPlan, channels: range) -> IntervalReadings:
    """The quarter hours of interval channels `channels` (indices below `plan.interval_channels`); the kernel holds no interpreter lock, so
    threads help.

    A premise's values depend on the seed and its number alone, so neither the chunks nor the size of the demo change them.
    """
    values = np.full((len(channels), SLOTS), faults.MISSING, np.int32)
    overrides: list[tuple[int, int, int, int]] = []
    worlds, rows = _worlds(plan), _load_rows(plan)
    delivered, received = np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int32)
    made: tuple[object, int] | None = None
    marks: list[tuple[int, int, int]] = []
    for row, index in enumerate(channels):
        channel = plan.channels[index]
        if channel.interval_s is None:
            raise ValueError(f"channel {index} is a register: only channels below {plan.interval_channels} have quarter hours")
        premise = (channel.utility, channel.premise_number)
        if premise != made:
            world, calendar, sky = worlds[channel.utility]
            marks = _premise_readings(plan, world.code, channel.premise_number, rows[premise], calendar, sky, delivered, received)
            made = premise
        hung = slice(channel.from_slot, channel.to_slot)
        values[row, hung] = (delivered if channel.flow == "delivered" else received)[hung]
        overrides += [
            (index, max(start, channel.from_slot), min(end, channel.to_slot), code)
            for start, end, code in marks
            if start < channel.to_slot and end > channel.from_slot
        ]
    firsts = {utility.key: utility.first_day_start for utility in plan.utilities}
    return IntervalReadings(
        values=values.reshape(len(channels), DAYS, SLOTS_A_DAY),
        overrides=overrides,
        first_day_start=np.array([firsts[plan.channels[i].utility] for i in channels], np.int64),
    )


def _worlds(plan: DemoPlan) -> dict[Any, tuple[_World, Span, weather.Weather]]:
    found = {}
    for utility, world in zip(plan.utilities, WORLDS, strict=True):
        calendar = span(world.timezone, world.offset)
        found[utility.key] = world, calendar, weather.weather(plan.seed, world.code, world.climate, calendar)
    return found


def hourly_temperatures(plan: DemoPlan, utility: Utility) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Start of each hour (epoch s) and the air temperature of its first slot, °C: the weather that the loads of a utility were made with."""
    _, _, sky = _worlds(plan)[utility.key]
    degrees = sky.temperature_c[::4]
    starts = utility.first_day_start + 3600 * np.arange(len(degrees), dtype=np.int64)
    return starts, degrees


def _load_rows(plan: DemoPlan) -> dict[tuple[Any, int], int]:
    return {(premise.utility, premise.number): row for row, premise in enumerate(plan.premises)}


def _premise_readings(
    plan: DemoPlan,
    code: str,
    number: int,
    row: int,
    calendar: Span,
    sky: weather.Weather,
    delivered: NDArray[np.int32],
    received: NDArray[np.int32],
) -> list[tuple[int, int, int]]:
    """Fills both registers of a premise, cuts its power where it was cut, plants its flaws; the stretches whose quality is not actual."""
    load, (activity, presence) = plan.loads[row], _tables()
    life = int(load["life"])
    loads.simulate(
        load,
        activity[life],
        presence[life],
        calendar.local_slot,
        calendar.day_kind,
        sky.temperature_c,
        sky.dark,
        sky.panel,
        delivered,
        received,
    )
    where = places.site(number)
    for cut in plan.interruptions:
        if (
            cut.utility == plan.premises[row].utility
            and where.district == 0
            and where.feeder == cut.feeder
            and cut.laterals[0] <= where.lateral < cut.laterals[1]
        ):
            delivered[cut.from_slot : cut.to_slot] = received[cut.from_slot : cut.to_slot] = 0
    return [
        (flaw.from_slot, flaw.to_slot, faults.apply_flaw(flaw, delivered, received))
        for flaw in faults.flaws(plan.seed, code, number, calendar)
    ]


def register_reads(plan: DemoPlan) -> registers.RegisterReads:
    """The reads of every gas and water register, by channel and time."""
    worlds = _worlds(plan)
    days = {key: registers.days_of(calendar, sky) for key, (_, calendar, sky) in worlds.items()}
    channels, instants, figures, qualities = [], [], [], []
    for channel in plan.channels[plan.interval_channels :]:
        world = worlds[channel.utility][0]
        where = places.site(channel.premise_number)
        has = belongings.belongings(plan.seed, world.code, where)
        use = registers.daily_use(channel.commodity, plan.seed, world.code, where, has, days[channel.utility])
        read_at, value, quality = registers.reads(channel.commodity, plan.seed, world.code, where, use, days[channel.utility])
        channels.append(np.full(len(read_at), channel.index, np.int32))
        instants.append(read_at)
        figures.append(value)
        qualities.append(quality)
    empty = [np.empty(0, np.int64)]
    return registers.RegisterReads(
        channel=np.concatenate(channels or empty).astype(np.int32),
        read_at=np.concatenate(instants or empty),
        value=np.concatenate(figures or empty),
        quality=np.concatenate(qualities or empty).astype(np.uint8),
    )
