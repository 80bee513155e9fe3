"""Units of measure: exact factors as `Decimal`, the codes of the standards, and the names people read.

ESPI and IEC 61968-9 number their units: 72 is Wh, 38 W, 119 ft³, 42 m³ … (ESPI `UomType`). A channel stores integers of its unit scaled by a power of ten.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of measure: its name here, its ESPI code, what it measures, and how many base units one of it is (energy Wh, volume m³, power W …)."""

    name: str
    espi: int
    quantity: str
    factor: Decimal


_UNITS = (
    Unit(name="Wh", espi=72, quantity="energy", factor=Decimal(1)),
    Unit(name="kWh", espi=72, quantity="energy", factor=Decimal(1000)),
    Unit(name="W", espi=38, quantity="power", factor=Decimal(1)),
    Unit(name="VA", espi=61, quantity="apparent_power", factor=Decimal(1)),
    Unit(name="varh", espi=73, quantity="reactive_energy", factor=Decimal(1)),
    Unit(name="VAh", espi=71, quantity="apparent_energy", factor=Decimal(1)),
    Unit(name="m3", espi=42, quantity="volume", factor=Decimal(1)),
    Unit(name="ft3", espi=119, quantity="volume", factor=Decimal("0.028316846592")),
    Unit(name="ccf", espi=119, quantity="volume", factor=Decimal("2.8316846592")),
    Unit(name="gal", espi=128, quantity="volume", factor=Decimal("0.003785411784")),
    Unit(name="kgal", espi=128, quantity="volume", factor=Decimal("3.785411784")),
    Unit(name="L", espi=134, quantity="volume", factor=Decimal("0.001")),
    Unit(name="therm", espi=169, quantity="heat", factor=Decimal(29307107017) / Decimal(10**6)),
    Unit(name="Btu", espi=132, quantity="heat", factor=Decimal("0.29307107017")),
)
UNITS = {unit.name: unit for unit in _UNITS}
"""Every unit by its name."""
