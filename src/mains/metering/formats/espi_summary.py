"""The summaries of a Green Button file: what the utility says was used and billed in a period. They are kept apart from readings, which they repeat.

Money is in hundred-thousandths of the currency (ESPI `Int48` amounts); quantities are SummaryMeasurements with unit and power of ten.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mains.metering.formats.espi_links import UNIT_OF, Feed
from mains.metering.formats.findings import Findings
from mains.metering.model import UsageSummary

ESPI = "http://naesb.org/espi"
SUMMARIES = ("UsageSummary", "ElectricPowerUsageSummary")
MOST = 100_000
"""Summaries of one file that are kept."""

_MONEY = ("billLastPeriod", "billToDate", "costAdditionalLastPeriod")
_MEASURED = ("overallConsumptionLastPeriod", "currentBillingPeriodOverAllConsumption", "previousDayOverallConsumption", "peakDemand")
_CURRENCIES = {36: "AUD", 124: "CAD", 756: "CHF", 826: "GBP", 840: "USD", 978: "EUR", 484: "MXN", 554: "NZD", 392: "JPY", 356: "INR"}
_CENTI_MILLI = Decimal(1).scaleb(-5)


@dataclass(slots=True, kw_only=True)
class Stated:
    """A summary as it stands: its links, its line and its whole numbers by their paths."""

    kind: str
    line: int
    own: str = ""
    up: str = ""
    related: tuple[str, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)


def read_summary(element: Any, kind: str) -> Stated:
    """The whole numbers of a summary's element, by name or by name/name."""
    found: dict[str, int] = {}
    for each in element.iterchildren(f"{{{ESPI}}}*"):
        name = each.tag.rpartition("}")[2]
        _take(found, name, each.text)
        for inner in each.iterchildren(f"{{{ESPI}}}*"):
            _take(found, f"{name}/{inner.tag.rpartition('}')[2]}", inner.text)
    return Stated(kind=kind, line=int(element.sourceline or 0), numbers=found)


def summaries_of(stated: list[Stated], feed: Feed, findings: Findings) -> list[UsageSummary]:
    """Summaries with the usage point they are of; one issue a kind says that they are no readings."""
    for kind in dict.fromkeys(each.kind for each in stated):
        count = sum(each.kind == kind for each in stated)
        findings.add("not-imported", f"{count} {kind} kept as summaries: what they total is in the readings", severity="info")
    return [_summary(each, feed) for each in stated[:MOST]]


def _summary(stated: Stated, feed: Feed) -> UsageSummary:
    said = stated.numbers
    money = {name: said[name] * _CENTI_MILLI if name in said else None for name in _MONEY}
    measured = {name: _quantity(said, name) for name in _MEASURED}
    usage, unit = next(((value, unit) for name in _MEASURED[:2] if (value := measured[name][0]) is not None and (unit := measured[name][1])), (None, None))
    return UsageSummary(
        meter=feed.point_named(stated),
        kind=stated.kind,
        start=said.get("billingPeriod/start"),
        duration_s=said.get("billingPeriod/duration"),
        currency=_CURRENCIES.get(said.get("currency", -1)) or (str(said["currency"]) if "currency" in said else None),
        billed=money["billLastPeriod"],
        billed_to_date=money["billToDate"],
        additional_cost=money["costAdditionalLastPeriod"],
        usage=usage,
        unit=unit,
        line=stated.line,
    )


def _quantity(said: dict[str, int], name: str) -> tuple[Decimal | None, str | None]:
    """Value and base unit of a measurement; None where it has none, or a unit that is not read."""
    value, power, unit = said.get(f"{name}/value"), said.get(f"{name}/powerOfTenMultiplier", 0), UNIT_OF.get(said.get(f"{name}/uom", -1))
    if value is None or unit is None or abs(power) > 12:
        return None, None
    return Decimal(value).scaleb(power), unit


def _take(found: dict[str, int], name: str, text: str | None) -> None:
    digits = (text or "").strip()
    if digits.removeprefix("-").isdigit() and digits.isascii() and len(digits) <= 18:
        found.setdefault(name, int(digits))
