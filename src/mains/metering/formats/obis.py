"""OBIS codes (IEC 62056-61): which registers of a meter are dials of energy or volume, and what they count.

A code is A-B:C.D.E with A the medium (1 electricity, 7 gas, 8 cold water, 9 hot water), C the quantity, D how it is counted and E the
tariff.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mains.metering.model import Commodity, Flow

_ELECTRIC: dict[int, tuple[str, Flow]] = {
    1: ("Wh", "delivered"),
    2: ("Wh", "received"),
    3: ("varh", "delivered"),
    4: ("varh", "received"),
    9: ("VAh", "delivered"),
    10: ("VAh", "received"),
    15: ("Wh", "total"),
    16: ("Wh", "net"),
}
"""Quantity C of electricity: base unit and flow; 5 to 8 are reactive energy by quadrant."""

_QUADRANTS: dict[int, tuple[str, Flow]] = {5: ("varh", "delivered"), 6: ("varh", "delivered"), 7: ("varh", "received"), 8: ("varh", "received")}
DIAL, USED, OF_INTERVAL, SINCE_RESET = 8, 9, 29, 10
"""How electricity is counted, D: since the meter began, in a period, in an interval, and since a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What a register measures: commodity, flow and base unit (Wh, varh, VAh, m3)."""

    commodity: Commodity
    flow: Flow
    unit: str


def electric(quantity: int) -> Register | None:
    """The register of an electric quantity C; None where it is no energy of the whole meter."""
    found = _ELECTRIC.get(quantity) or _QUADRANTS.get(quantity)
    return Register(commodity="electric", flow=found[1], unit=found[0]) if found else None


def volume(medium: int, quantity: int, kind: int) -> Register | None:
    """The register of a volume of gas (C 1 to 3) or water (C 1) counted since the meter began (D 0 or 1); None for any other code."""
    if kind not in (0, 1):
        return None
    if medium == 7 and quantity in (1, 2, 3):
        return Register(commodity="gas", flow="delivered", unit="m3")
    if medium in (8, 9) and quantity == 1:
        return Register(commodity="water", flow="delivered", unit="m3")
    return None


def sums(tariffs: Iterable[tuple[int, int]]) -> set[int]:
    """The quantities C of which both the sum (E = 0) and a tariff (E > 0) are among (C, E): their sum would count everything twice."""
    held = set(tariffs)
    return {quantity for quantity, tariff in held if tariff == 0 and any(other == quantity and each > 0 for other, each in held)}
