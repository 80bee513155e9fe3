"""The reading type of IEC 61968-9: a code of eighteen numbers that says what a reading is, and whether it is usage or a dial.

macroPeriod.aggregate.measuringPeriod.accumulation.flow.commodity.kind.interharmonicNumerator.interharmonicDenominator.argumentNumerator.
argumentDenominator.tou.cpp.consumptionTier.phases.multiplier.unit.currency. Source: IEC 61968-9, annex C.
"""

from dataclasses import dataclass
from typing import Literal

from mains.base.units import UNITS
from mains.metering.model import Commodity, Flow

_PLACES = 18
_UNIT_OF = {unit.espi: unit.name for unit in reversed(UNITS.values())}

_PERIODS = {
    1: 600, 2: 900, 3: 60, 4: 86_400, 5: 1800, 6: 300, 7: 3600, 10: 120, 14: 180, 31: 1200,
    50: 3600, 51: 1800, 52: 1200, 53: 900, 54: 600, 55: 300, 56: 60,
}  # fmt: skip
"""Length of the measuring period in seconds: the plain ones, and blocks of a fixed length (50 to 56)."""

_MACRO_PERIODS = frozenset((0, 8, 11, 13, 24))
"""None, billing period, day, month, season or week: they bound a stretch that its own times tell."""

_WHOLE = frozenset((0, 224, 225))
"""Phases: none said, ABC, ABC and neutral."""

_SUM = frozenset((0, 26))
_DIALS, _DELTAS = frozenset((1, 9)), frozenset((4,))
"""Accumulation: bulk quantity and summation are dials, delta data is usage."""

_FLOWS: dict[int, Flow] = {0: "delivered", 1: "delivered", 4: "net", 19: "received", 20: "total"}
_COMMODITIES: dict[int, Commodity] = {1: "electric", 2: "electric", 7: "gas", 9: "water"}
_QUANTITIES = {12: ("energy", "reactive_energy", "apparent_energy", "heat"), 58: ("volume",)}
"""Kinds of measurement that are usage: energy and volume, and the quantities of the units they may have."""

_MOST_POWER = 12


class UnsupportedReadingTypeError(Exception):
    """Why readings of a type are not read: an issue code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingType:
    """What a reading is: a dial or a usage, its base unit x 10^`power`, and the seconds it covers, 0 where only its times say."""

    counts: Literal["dial", "usage"]
    commodity: Commodity
    flow: Flow
    unit: str
    power: int
    length_s: int


def reading_type(code: str) -> ReadingType:
    """The meaning of a code of eighteen numbers.

    >>> reading_type("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0").length_s
    900

    Raises:
        UnsupportedReadingTypeError: it has another form, or says something that is no usage or dial of energy or volume.
    """
    parts = code.split(".")
    if len(parts) != _PLACES or not all(_is_number(part) for part in parts):
        raise UnsupportedReadingTypeError("bad-record", f"the reading type {code[:80]!r} is no code of eighteen numbers")
    (macro, aggregate, period, accumulation, flow, commodity, kind, harmonic, _, argument, _, _, _, _, phases, power, unit, currency) = map(int, parts)
    _check_special(code, macro, aggregate, (harmonic, argument), phases, currency)
    if accumulation not in _DIALS | _DELTAS:
        raise UnsupportedReadingTypeError("unsupported-accumulation", f"accumulation {accumulation} of {code} is neither a dial (1, 9) nor usage (4)")
    if kind not in _QUANTITIES:
        raise UnsupportedReadingTypeError("unsupported-reading-type", f"the kind {kind} of {code} is neither energy (12) nor volume (58)")
    if commodity not in _COMMODITIES:
        raise UnsupportedReadingTypeError("unknown-commodity", f"commodity {commodity} of {code} is not electricity, natural gas or potable water")
    if flow not in _FLOWS:
        raise UnsupportedReadingTypeError("unknown-flow", f"flow direction {flow} of {code} is not forward, reverse, net or total")
    base = _UNIT_OF.get(unit)
    if base is None or UNITS[base].quantity not in _QUANTITIES[kind] or (_COMMODITIES[commodity] == "electric") != UNITS[base].quantity.endswith("energy"):
        raise UnsupportedReadingTypeError("unknown-unit", f"unit {unit} of {code} is no unit of such usage that is read")
    if abs(power) > _MOST_POWER:
        raise UnsupportedReadingTypeError("bad-record", f"the multiplier {power} of {code} is beyond {_MOST_POWER}")
    is_usage = accumulation in _DELTAS
    if is_usage and period and period not in _PERIODS:
        raise UnsupportedReadingTypeError("unsupported-interval", f"the measuring period {period} of {code} is not read")
    return ReadingType(
        counts="usage" if is_usage else "dial", commodity=_COMMODITIES[commodity], flow=_FLOWS[flow], unit=base, power=power,
        length_s=_PERIODS.get(period, 0) if is_usage else 0,
    )  # fmt: skip


def _check_special(code: str, macro: int, aggregate: int, harmonics: tuple[int, int], phases: int, currency: int) -> None:
    """Refuse what is a statistic, a harmonic, a single phase, or money.

    Raises:
        UnsupportedReadingTypeError: it is one of these.
    """
    if macro not in _MACRO_PERIODS or aggregate not in _SUM:
        raise UnsupportedReadingTypeError("unsupported-reading-type", f"{code} is a statistic over periods (macro period {macro}, aggregate {aggregate}), not usage")
    if any(harmonics):
        raise UnsupportedReadingTypeError("unsupported-reading-type", f"{code} is of a harmonic or has an argument")
    if phases not in _WHOLE:
        raise UnsupportedReadingTypeError("unsupported-reading-type", f"{code} is of phases {phases}: a part of the whole meter's usage")
    if currency:
        raise UnsupportedReadingTypeError("unsupported-reading-type", f"{code} is an amount of money")


def _is_number(part: str) -> bool:
    digits = part.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 7
