"""The radial network of a town: substation, four feeders with recloser and switches, fused side streets, transformers, services; and the
equipment on it.

Trunks are built whole in every district that has a customer; side streets and transformers stand where somebody lives. Node and edge
numbers are built from district, feeder, lateral and place, so they do not change when the demo grows.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from math import cos, hypot, radians
from uuid import UUID

from mains.base.ids import named_uuid
from mains.demo import places
from mains.demo.chance import chance
from mains.demo.model import Asset, Edge, Node, Place
from mains.demo.places import DIRECTIONS, FEEDERS, LATERALS, Site, Town
from mains.demo.span import REFERENCE_DATE

_PRIMARY_V, _SECONDARY_V = 12_470, 240
_RECLOSER_AT, _SWITCHES_AT = 12, (6, 18)
_PHASES = "ABC"
_MAKERS = ("Northgate", "Calder Electric", "Ostrava Works", "Pine Hollow", "Lakeland")
_LIFE_YEARS = {"substation_transformer": 45, "breaker": 35, "recloser": 30, "transformer": 38, "pole": 50}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The built network; `service_nodes` and `phases` by customer number, `edge_names` by name."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    assets: tuple[Asset, ...]
    service_nodes: dict[int, int]
    phases: dict[int, str]
    edge_names: dict[str, int]


class _Builder:
    """Collects nodes, edges and assets of one utility; each kind of thing has its own range of numbers."""

    def __init__(self, *, seed: int, utility: UUID, code: str, town: Town, zones: dict[tuple[int, int], UUID], first_number: int) -> None:
        self.seed, self.utility, self.code, self.town, self.zones, self.first = seed, utility, code, town, zones, first_number
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.assets: list[Asset] = []
        self.service_nodes: dict[int, int] = {}
        self.phases: dict[int, str] = {}

    def number(self, district: int, feeder: int, lateral: int, place: int) -> int:
        """A number of its own for each place: 40 a lateral, 30 laterals' worth a feeder."""
        return self.first + ((district * 5 + feeder) * 30 + lateral) * 60 + place

    def node(
        self, number: int, *, kind: str, name: str, place: Place, zone: tuple[int, int], feeder: str, voltage: int = _PRIMARY_V
    ) -> int:
        """Adds a node and gives its number."""
        self.nodes.append(
            Node(
                number=number,
                utility=self.utility,
                kind=kind,
                name=name,
                place=place,
                zone=self.zones[zone],
                feeder=feeder,
                voltage_v=voltage,
            )
        )
        return number

    def edge(
        self,
        start: int,
        end: int,
        *,
        kind: str,
        name: str,
        phases: str,
        length: float = 0,
        conductor: str = "",
        rating: float = 0,
        is_open: bool = False,
    ) -> None:
        """Adds an edge; it has the number of the node it leads to, ties a number of their own."""
        self.edges.append(
            Edge(
                number=end if not is_open else self.first + 5_000_000 + len(self.edges),
                utility=self.utility,
                from_node=start,
                to_node=end,
                kind=kind,
                name=name,
                phases=phases,
                length_m=Decimal(round(length * 10)) / 10,
                conductor=conductor,
                rating=Decimal(str(rating)),
                is_normally_open=is_open,
            )
        )

    def asset(
        self, *, kind: str, name: str, node: int, place: Place, zone: tuple[int, int], rating: float | None = None, unit: str | None = None
    ) -> None:
        """Adds equipment with an age drawn uniformly up to its usual life and a condition that falls with age."""
        source, life = chance(self.seed, self.code, "asset", name), _LIFE_YEARS[kind]
        age = min(life * 1.15, max(0.3, life * source.betavariate(1.7, 1.9)))
        condition = round(min(100.0, max(8.0, 100 - 72 * (age / life) ** 1.6 + source.gauss(0, 6))))
        self.assets.append(
            Asset(
                key=named_uuid("demo", "asset", self.code, name),
                utility=self.utility,
                kind=kind,
                name=name,
                node=node,
                place=place,
                zone=self.zones[zone],
                installed_on=REFERENCE_DATE - timedelta(days=int(age * 365.25)),
                rating=None if rating is None else Decimal(str(rating)),
                rating_unit=unit,
                maker=source.choice(_MAKERS),
                status="needs_attention" if condition < 30 else "in_service",
                condition=condition,
                inspect_every_months=12 if kind in ("substation_transformer", "breaker") else 60,
                last_inspected_on=max(
                    REFERENCE_DATE - timedelta(days=int(age * 365.25)),
                    REFERENCE_DATE - timedelta(days=source.randint(20, 1500 if kind == "pole" else 420)),
                ),
            )
        )


def metres(a: Place, b: Place) -> float:
    """Distance between two near places, on a plane.

    >>> round(metres((-90.0, 42.0), (-90.0, 42.001)))
    111
    """
    return hypot((a[0] - b[0]) * 111_320 * cos(radians((a[1] + b[1]) / 2)), (a[1] - b[1]) * 111_320)


def network(
    *, seed: int, utility: UUID, code: str, town: Town, zones: dict[tuple[int, int], UUID], sites: list[Site], first_number: int
) -> Network:
    """The network that reaches every site; `zones` keys by (district, feeder)."""
    build = _Builder(seed=seed, utility=utility, code=code, town=town, zones=zones, first_number=first_number)
    for district in range(max(s.district for s in sites) + 1):
        bus = _substation(build, district)
        trunks = [_trunk(build, district, feeder, bus) for feeder in range(FEEDERS)]
        for feeder in range(FEEDERS):
            other = (feeder + 1) % FEEDERS
            build.edge(
                trunks[feeder][-1],
                trunks[other][-1],
                kind="switch",
                name=f"tie {_label(district, feeder)}-{_label(district, other)}",
                phases="ABC",
                rating=600,
                is_open=True,
            )
        here = sorted((s for s in sites if s.district == district), key=lambda s: (s.feeder, s.lateral, s.transformer, s.house))
        for (feeder, lateral), group in groupby(here, key=lambda s: (s.feeder, s.lateral)):
            _lateral(build, trunks[feeder][lateral], list(group))
    return Network(
        nodes=tuple(build.nodes),
        edges=tuple(build.edges),
        assets=tuple(build.assets),
        service_nodes=build.service_nodes,
        phases=build.phases,
        edge_names={edge.name: edge.number for edge in build.edges},
    )


def _label(district: int, feeder: int) -> str:
    return f"{DIRECTIONS[feeder][0].upper()}{district + 1:02d}"


def _substation(build: _Builder, district: int) -> int:
    """The source behind its power transformer, and the bus the feeders leave from."""
    place, zone, label = places.at(build.town, district, 0, 0, 0), (district, 0), f"substation {district + 1}"
    source = build.node(
        build.number(district, 4, 0, 0), kind="source", name=f"{label} source", place=place, zone=zone, feeder="", voltage=69_000
    )
    bus = build.node(build.number(district, 4, 0, 1), kind="bus", name=f"{label} bus", place=place, zone=zone, feeder="")
    build.edge(source, bus, kind="transformer", name=f"{label} transformer", phases="ABC", rating=25_000)
    for unit in ("T1", "T2"):
        build.asset(kind="substation_transformer", name=f"{label} {unit}", node=bus, place=place, zone=zone, rating=12_500, unit="kVA")
    return bus


def _trunk(build: _Builder, district: int, feeder: int, bus: int) -> list[int]:
    """A feeder's trunk: breaker at the head, a node for each lateral, a recloser in the middle, two switches.

    The nodes that laterals leave from.
    """
    label, zone, town = _label(district, feeder), (district, feeder), build.town
    centre = places.at(town, district, 0, 0, 0)
    head = build.node(build.number(district, feeder, 26, 0), kind="device", name=f"{label} head", place=centre, zone=zone, feeder=label)
    build.edge(bus, head, kind="breaker", name=f"{label} breaker", phases="ABC", rating=600)
    build.asset(kind="breaker", name=f"{label} breaker", node=head, place=centre, zone=zone, rating=600, unit="A")
    last, at, taps = head, centre, []
    for lateral in range(LATERALS):
        place = places.trunk_place(town, district, feeder, lateral)
        if lateral == _RECLOSER_AT or lateral in _SWITCHES_AT:
            kind = "recloser" if lateral == _RECLOSER_AT else "switch"
            device = build.node(
                build.number(district, feeder, 26, 1 + lateral),
                kind="device",
                name=f"{label} {kind} {lateral}",
                place=at,
                zone=zone,
                feeder=label,
            )
            build.edge(last, device, kind=kind, name=f"{label} {kind} {lateral}", phases="ABC", rating=400 if kind == "recloser" else 600)
            if kind == "recloser":
                build.asset(kind=kind, name=f"{label} {kind} {lateral}", node=device, place=at, zone=zone, rating=400, unit="A")
            last = device
        tap = build.node(
            build.number(district, feeder, lateral, 0), kind="pole", name=f"{label} pole {lateral}", place=place, zone=zone, feeder=label
        )
        build.edge(
            last,
            tap,
            kind="line",
            name=f"{label} trunk {lateral}",
            phases="ABC",
            length=metres(at, place),
            conductor="336.4 ACSR",
            rating=530,
        )
        build.asset(kind="pole", name=f"{label} pole {lateral}", node=tap, place=place, zone=zone)
        taps.append(tap)
        last, at = tap, place
    return taps


def _lateral(build: _Builder, tap: int, sites: list[Site]) -> None:
    """A side street: its fuse, a pole at each transformer. Three phases where a business stands on it, else one phase in turn."""
    first = sites[0]
    district, feeder, lateral = first.district, first.feeder, first.lateral
    label, zone, town = _label(district, feeder), (district, feeder), build.town
    phases = "ABC" if _has_business(first) else _PHASES[lateral % 3]
    place = places.trunk_place(town, district, feeder, lateral)
    fused = build.node(
        build.number(district, feeder, lateral, 1),
        kind="device",
        name=f"{label} lateral {lateral} tap",
        place=place,
        zone=zone,
        feeder=label,
    )
    build.edge(tap, fused, kind="fuse", name=f"{label} fuse {lateral}", phases=phases, rating=100 if len(phases) == 3 else 65)
    last = fused
    by_transformer = {number: list(group) for number, group in groupby(sites, key=lambda s: s.transformer)}
    for number in range(max(by_transformer) + 1):
        stand = places.transformer_place(
            town, Site(number=0, district=district, feeder=feeder, lateral=lateral, transformer=number, house=0, customer_class="")
        )
        pole = build.node(
            build.number(district, feeder, lateral, 2 + number),
            kind="pole",
            name=f"{label} lateral {lateral} pole {number}",
            place=stand,
            zone=zone,
            feeder=label,
        )
        build.edge(
            last,
            pole,
            kind="line",
            name=f"{label} lateral {lateral} span {number}",
            phases=phases,
            length=metres(place, stand),
            conductor="1/0 ACSR",
            rating=230,
        )
        if number % 2 == 0:
            build.asset(kind="pole", name=f"{label} lateral {lateral} pole {number}", node=pole, place=stand, zone=zone)
        for kind, group in _banks(by_transformer.get(number, [])):
            _transformer(build, pole, stand, kind, group, phases)
        last, place = pole, stand


def _has_business(where: Site) -> bool:
    """Whether the whole street has room for a business, however few live on it yet."""
    start = where.district * places.DISTRICT + where.lateral * 20 * FEEDERS + where.feeder + 1
    return any(places.site(start + FEEDERS * i).customer_class != "residential" for i in range(20))


def _banks(sites: list[Site]) -> list[tuple[str, list[Site]]]:
    """Customers by transformer: homes share one, shops share one, each works has its own."""
    banks = [(kind, [s for s in sites if s.customer_class == kind]) for kind in ("residential", "commercial")]
    return [bank for bank in banks if bank[1]] + [("industrial", [s]) for s in sites if s.customer_class == "industrial"]


def _transformer(build: _Builder, pole: int, place: Place, kind: str, sites: list[Site], street_phases: str) -> None:
    """A transformer and the services behind it."""
    first = sites[0]
    label, zone = _label(first.district, first.feeder), (first.district, first.feeder)
    slot = {"residential": 0, "commercial": 1, "industrial": 2}[kind] + 3 * first.transformer
    size = {"residential": 50, "commercial": 300, "industrial": 2500}[kind]
    volts = {"residential": _SECONDARY_V, "commercial": 208, "industrial": 480}[kind]
    phases = street_phases if kind != "residential" or len(street_phases) == 1 else _PHASES[(first.lateral + first.transformer) % 3]
    name = f"{label} transformer {first.lateral}-{first.transformer}{'' if kind == 'residential' else kind[0]}"
    node = build.node(
        build.number(first.district, first.feeder, first.lateral, 8 + slot),
        kind="transformer",
        name=name,
        place=place,
        zone=zone,
        feeder=label,
        voltage=volts,
    )
    build.edge(pole, node, kind="transformer", name=name, phases=phases, rating=size)
    build.asset(kind="transformer", name=name, node=node, place=place, zone=zone, rating=size, unit="kVA")
    for where in sites:
        spot = places.house_place(build.town, where)
        service = build.node(
            build.number(where.district, where.feeder, where.lateral, 20 + 5 * where.transformer + where.house),
            kind="service",
            name=f"service {where.number}",
            place=spot,
            zone=zone,
            feeder=label,
            voltage=volts,
        )
        build.edge(
            node,
            service,
            kind="service",
            name=f"service {where.number}",
            phases=phases,
            length=metres(place, spot),
            conductor="4/0 triplex",
            rating=200,
        )
        build.service_nodes[where.number], build.phases[where.number] = service, phases
