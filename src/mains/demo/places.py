"""An invented town on a plain: where the nth customer lives, on which street, under which transformer, in which zone.

A district holds 2,000 customers around one substation. Four feeders leave it north, east, south and west; each carries 25 side streets
(laterals), each street four transformers, each transformer five customers. A place depends on its number alone, so a larger demo only
adds to a smaller one.
"""

from dataclasses import dataclass
from math import cos, radians

from mains.demo.model import Place

DISTRICT, FEEDERS, LATERALS, TRANSFORMERS, HOUSES = 2000, 4, 25, 4, 5
DIRECTIONS = ("north", "east", "south", "west")
_AHEAD = ((0, 1), (1, 0), (0, -1), (-1, 0))
_FIRST_M, _STEP_M, _SIDE_M, _SIDE_STEP_M = 420.0, 130.0, 60.0, 75.0
_LOTS = ((-27.0, 19.0), (-9.0, 21.0), (9.0, 20.0), (27.0, 18.0), (14.0, -20.0))
_STREETS_TEXT = (
    "Alder Basswood Birch Cedar Cherry Chestnut Dogwood Elm Fern Hackberry Hawthorn Hazel Hickory Juniper Larch Linden Locust Maple "
    "Mulberry Oak Pecan Pine Sumac Sycamore Walnut"
)
_STREETS = tuple(_STREETS_TEXT.split())
_KINDS_OF_STREET = ("Street", "Road", "Lane", "Court", "Way")
_BUSINESS = (2, 5, 10, 11, 12, 13)
"""Places out of 50 along a feeder that are shops and offices.

The second is a works on the first three feeders: 88 %, 10.5 % and 1.5 % of 200 customers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A utility's town: its substation's place, state, postal code and telephone area."""

    name: str
    region: str
    postal_code: str
    area: str
    centre: Place


RIVERBEND = Town(name="Riverbend", region="IA", postal_code="52999", area="563", centre=(-90.62, 42.205))
MESA = Town(name="High Mesa", region="CO", postal_code="81999", area="970", centre=(-107.91, 38.52))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the customer with a number is: district, feeder 0…3, lateral 0…24, transformer 0…3, house 0…4, and the class of customer."""

    number: int
    district: int
    feeder: int
    lateral: int
    transformer: int
    house: int
    customer_class: str


def site(number: int) -> Site:
    """The site of a customer's number, from 1.

    >>> s = site(1)
    >>> s.district, s.feeder, s.lateral, s.transformer, s.house, s.customer_class
    (0, 0, 0, 0, 0, 'residential')
    >>> from collections import Counter
    >>> sorted(Counter(site(n).customer_class for n in range(1, 201)).items())
    [('commercial', 21), ('industrial', 3), ('residential', 176)]
    """
    district, within = divmod(number - 1, DISTRICT)
    along, feeder = divmod(within, FEEDERS)
    lateral, rest = divmod(along, TRANSFORMERS * HOUSES)
    transformer, house = divmod(rest, HOUSES)
    kind = "residential"
    if along % 50 in _BUSINESS:
        kind = "industrial" if along % 50 == _BUSINESS[1] and feeder < FEEDERS - 1 else "commercial"
    return Site(number=number, district=district, feeder=feeder, lateral=lateral, transformer=transformer, house=house, customer_class=kind)


def at(town: Town, district: int, feeder: int, ahead_m: float, aside_m: float) -> Place:
    """The place so many metres out along a feeder's direction and to its right, from the district's substation; 1e-6 degrees."""
    east, north = (district % 8) * 9000.0, (district // 8) * 9000.0
    x, y = _AHEAD[feeder]
    east += ahead_m * x + aside_m * y
    north += ahead_m * y - aside_m * x
    longitude, latitude = town.centre
    return round(longitude + east / (111_320 * cos(radians(latitude))), 6), round(latitude + north / 111_320, 6)


def trunk_place(town: Town, district: int, feeder: int, lateral: int) -> Place:
    """Where a lateral leaves its feeder's trunk, which bends a little."""
    return at(town, district, feeder, _FIRST_M + _STEP_M * lateral, _bend(lateral))


def transformer_place(town: Town, where: Site) -> Place:
    """Where a transformer stands on its lateral; laterals leave to the right and left in turn."""
    return _beside(town, where, 0.0, 0.0)


def house_place(town: Town, where: Site) -> Place:
    """Where a customer's service enters."""
    along, aside = _LOTS[where.house]
    return _beside(town, where, along, aside)


def _bend(lateral: int) -> float:
    return ((lateral * 37) % 11 - 5) * 4.0


def _beside(town: Town, where: Site, along: float, aside: float) -> Place:
    side = 1 if where.lateral % 2 == 0 else -1
    reach = _bend(where.lateral) + side * (_SIDE_M + _SIDE_STEP_M * where.transformer + along)
    return at(town, where.district, where.feeder, _FIRST_M + _STEP_M * where.lateral + aside, reach)


def address(town: Town, where: Site) -> tuple[str, str]:
    """House number and street, and town.

    Streets are laterals; a direction and, in later districts, another kind of street keep them apart.
    """
    street = f"{DIRECTIONS[where.feeder].title()} {_STREETS[where.lateral]} {_KINDS_OF_STREET[where.district % 5]}"
    number = 100 * (where.transformer + 1) + 4 * where.house + (1 if where.house < 4 else 0)
    return f"{number} {street}", town.name if where.district == 0 else f"{town.name} District {where.district + 1}"


def zone_boundary(town: Town, district: int, feeder: int) -> tuple[Place, ...]:
    """A zone's outline, closed: the quarter of the district that its feeder serves."""
    reach = 4200.0
    corners = (
        (0.0, 0.0),
        (2100.0, -2250.0),
        (reach, -reach),
        (4650.0, 300.0),
        (reach, reach),
        (2100.0, 2250.0) if feeder % 2 else (2250.0, 2100.0),
    )
    turned = corners if feeder % 2 else ((0.0, 0.0), (2250.0, -2100.0), *corners[2:])
    outline = tuple(at(town, district, feeder, ahead, aside) for ahead, aside in turned)
    return (*outline, outline[0])


def service_area(town: Town, districts: int) -> tuple[Place, ...]:
    """The utility's outline, closed: a rectangle around its districts."""
    columns, rows = min(districts, 8), (districts + 7) // 8
    west, south, east, north = -5000.0, -5000.0, 9000.0 * (columns - 1) + 5000.0, 9000.0 * (rows - 1) + 5000.0
    corners = ((south, west), (south, east), (north, east), (north, west), (south, west))
    return tuple(at(town, 0, 0, ahead, aside) for ahead, aside in corners)
