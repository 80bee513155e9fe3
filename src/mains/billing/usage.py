"""What was used in a billing period, read from the store for many services at once, with the proof of what was read.

Intervals come as one row of integers a service, register usage as one number. A service whose meter was exchanged has the rows of both meters laid into one (`laying`).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.money import half_up
from mains.base.problems import Problem
from mains.base.units import UNITS
from mains.billing import laying
from mains.billing.model import ChannelSpan, Held, Service, exact_decimals
from mains.metering import registers
from mains.metering.model import MISSING, Quality
from mains.rates.queries import factor_series

HEAT_SERIES = "gas-heat-content"
"""Index series of the heat content of gas, therm a ccf."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d")
_DOUBTFUL = (Quality.QUESTIONABLE, Quality.FAILED_CHECK, Quality.FORECAST)
_ESTIMATED = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE)


class UnableToConvertUsage(Problem):
    """The meter's unit cannot be turned into the rate's unit."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalUsage:
    """Intervals of services of one shape: `values` (services × intervals) are integers of 10^-`decimals` kWh, -1 where missing; `quality` of the same shape.

    `frozen` is, for each service, what was read of which channel, with hashes.
    """

    interval_s: int
    decimals: int
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    is_missing: NDArray[np.bool_]
    frozen: list[tuple[dict[str, object], ...]]

    def problem(self, row: int, service: Service) -> Held | None:
        """Why the service cannot be billed on these readings; None where it can."""
        if self.is_missing[row].any():
            gaps = self._stretches(self.is_missing[row], service)
            message = f"{int(self.is_missing[row].sum()):,} of {self.values.shape[1]:,} readings are missing: {gaps}"
            return Held(
                service=service,
                code="missing-readings",
                message=message,
                cure="import the readings that are missing, or estimate them (mains vee exceptions --rule gap), and run the cycle again",
            )
        doubtful = np.isin(self.quality[row], _DOUBTFUL)
        if doubtful.any():
            message = f"{_readings(int(doubtful.sum()))} in doubt: {self._stretches(doubtful, service)}"
            return Held(
                service=service,
                code="doubtful-readings",
                message=message,
                cure="see mains vee exceptions: accept, estimate or edit them, or import corrected ones; then run the cycle again",
            )
        return None

    def estimated(self, row: int) -> int:
        """How many of a service's readings were estimated or substituted."""
        return int(np.isin(self.quality[row], _ESTIMATED).sum())

    def _stretches(self, mask: NDArray[np.bool_], service: Service) -> str:
        """The first three runs of marked intervals, in local time."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
        zone, start = ZoneInfo(service.timezone), service.period[0].astimezone(UTC)
        runs = [
            (start + timedelta(seconds=int(a) * self.interval_s), start + timedelta(seconds=int(b) * self.interval_s))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        words = [f"{a.astimezone(zone):%Y-%m-%d %H:%M} to {b.astimezone(zone):%Y-%m-%d %H:%M}" for a, b in runs[:3]]
        return "; ".join(words) + (f"; and {len(runs) - 3} more" if len(runs) > 3 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUsage:
    """Usage of services from reads: `quantities` are integers of 10^-3 of the rate's unit (0 where it is held); `reasons` why a service is held, or None."""

    quantities: list[int]
    reasons: list[tuple[str, str, str] | None]
    estimated_reads: list[int]
    frozen: list[tuple[dict[str, object], ...]]

    def problem(self, row: int, service: Service) -> Held | None:
        """Why the service cannot be billed on these reads; None where it can."""
        reason = self.reasons[row]
        return Held(service=service, code=reason[0], message=reason[1], cure=reason[2]) if reason else None

    def estimated(self, row: int) -> int:
        """How many of the reads were estimated."""
        return self.estimated_reads[row]


def interval_usage(conn: Connection, services: Sequence[Service], *, as_of: datetime | None = None) -> IntervalUsage:
    """Intervals of services of one shape over their period; `as_of` reads what the store held at that instant instead of now.

    Raises:
        IntervalsDiffer: stored days of a channel have another interval length than the channel.
        WindowNotOnGrid: the period does not begin and end with an interval.
    """
    interval_s = services[0].interval_s
    assert interval_s is not None  # services of this shape have intervals
    spans = [span for service in services for span in service.channels]
    decimals = max(exact_decimals(step) for step in {laying.kwh_a_step(span) for span in spans})
    read = laying.read_channels(conn, spans, services[0].period, as_of=as_of)
    count = laying.seconds_between(*services[0].period) // interval_s
    values, quality = np.empty((len(services), count), dtype=np.int64), np.empty((len(services), count), dtype=np.uint8)
    is_missing = np.empty((len(services), count), dtype=bool)
    for number, service in enumerate(services):
        only, *others = service.channels
        if others:
            row = laying.lay_together(service, read, interval_s=interval_s, decimals=decimals)
            values[number], quality[number], is_missing[number] = row.values, row.quality, row.is_missing
        else:
            one = read[only.channel_id]
            np.equal(one.values, MISSING, out=is_missing[number])
            np.multiply(one.values, laying.whole_steps(only, decimals), out=values[number], dtype=np.int64)
            quality[number] = one.quality
    values[is_missing] = -1
    return IntervalUsage(
        interval_s=interval_s,
        decimals=decimals,
        values=values,
        quality=quality,
        is_missing=is_missing,
        frozen=[tuple(_frozen_intervals(span, read, service.period[0]) for span in service.channels) for service in services],
    )


def _frozen_intervals(span: ChannelSpan, read: dict[int, laying.SpanReadings], start: datetime) -> dict[str, object]:
    """What was read of a channel: its span, the hash of values and qualities, and the highest version of a block that was corrected before."""
    one, cells = read[span.channel_id], laying.cells_of(span, start)
    digest = hashlib.sha256(np.ascontiguousarray(one.values[cells]).tobytes())
    digest.update(np.ascontiguousarray(one.quality[cells]).tobytes())
    return _frozen(span) | {"sha256": digest.hexdigest(), "highest_version": one.version}


def _frozen(span: ChannelSpan) -> dict[str, object]:
    return {
        "channel_id": span.channel_id,
        "from_at": span.from_at.astimezone(UTC).isoformat(),
        "to_at": span.to_at.astimezone(UTC).isoformat(),
        "unit": span.unit,
        "units_per_step": format(span.units_per_step.normalize(), "f"),
        "interval_s": span.interval_s,
        "dial_digits": span.dial_digits,
    }


def register_usage(conn: Connection, services: Sequence[Service], *, rate_unit: str, as_of: datetime | None = None) -> RegisterUsage:
    """Usage of services from the reads at the ends of their channels' spans, in the rate's unit to three decimals; spans with intervals give the sum of these."""
    asked = [(span.channel_id, span.from_at, span.to_at, span.dial_digits) for service in services for span in service.channels if span.interval_s is None]
    answers = iter(registers.usage_between(conn, asked, as_of=as_of))
    read = laying.read_channels(conn, (span for service in services for span in service.channels), services[0].period, as_of=as_of)
    quantities, reasons, estimated, frozen = [], [], [], []
    factors: dict[tuple[str, datetime, datetime], tuple[Fraction, str | None]] = {}
    for service in services:
        total, reason, guesses, kept = Fraction(0), None, 0, []
        for span in service.channels:
            given = _of_register(service, span, next(answers)) if span.interval_s is None else _of_intervals(service, span, read)
            if given.reason is not None:
                reason = reason or given.reason
                continue
            measured = (span.unit, span.from_at, span.to_at)
            if measured not in factors:
                factors[measured] = unit_factor(conn, span, rate_unit=rate_unit)
            factor, heat = factors[measured]
            total += Fraction(given.raw) * Fraction(span.units_per_step) * factor
            guesses += given.estimated
            kept.append(_frozen(span) | {"sha256": given.sha256, "raw": given.raw, "heat": heat})
        quantities.append(0 if reason else half_up(total * 1000))
        reasons.append(reason)
        estimated.append(guesses)
        frozen.append(tuple(kept))
    return RegisterUsage(quantities=quantities, reasons=reasons, estimated_reads=estimated, frozen=frozen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What one span gave: raw steps, how many of its readings were estimated, the hash of what was read; or the reason (code, message, cure) why that is not known."""

    raw: int = 0
    estimated: int = 0
    sha256: str = ""
    reason: tuple[str, str, str] | None = None


def _of_register(service: Service, span: ChannelSpan, answer: registers.RegisterUsage) -> _Given:
    if answer.reason is not None:
        return _Given(reason=(answer.reason.code, _in_words_of(service, span, answer.reason.message), answer.reason.cure))
    return _Given(raw=answer.raw, estimated=sum(quality in _ESTIMATED for quality in answer.qualities), sha256=answer.fingerprint)


def _of_intervals(service: Service, span: ChannelSpan, read: dict[int, laying.SpanReadings]) -> _Given:
    """The sum of the intervals that a span covers."""
    start = service.period[0]
    one, cells = read[span.channel_id], laying.cells_of(span, start)
    values, quality, owed = one.values[cells], one.quality[cells], laying.is_owed(span, start)
    missing, doubtful = int((owed & (values == MISSING)).sum()), int(np.isin(quality[values != MISSING], _DOUBTFUL).sum())
    if missing:
        message = f"{missing:,} of {int(owed.sum()):,} readings of meter {span.meter_number or span.channel_id} are missing"
        return _Given(reason=("missing-readings", message, "import the readings that are missing, or estimate them (mains vee exceptions --rule gap), and run the cycle again"))
    if doubtful:
        message = f"{_readings(doubtful)} in doubt, of meter {span.meter_number or span.channel_id}"
        return _Given(reason=("doubtful-readings", message, "see mains vee exceptions: accept, estimate or edit them, or import corrected ones; then run the cycle again"))
    total = int(values[values != MISSING].sum(dtype=np.int64))
    return _Given(raw=total, estimated=int(np.isin(quality, _ESTIMATED).sum()), sha256=str(_frozen_intervals(span, read, start)["sha256"]))


def _readings(count: int) -> str:
    """A number of readings with its verb."""
    return "1 reading is" if count == 1 else f"{count:,} readings are"


def _in_words_of(service: Service, span: ChannelSpan, message: str) -> str:
    """What metering said of a channel, with the meter's number and the times of the service point."""
    zone = ZoneInfo(service.timezone)
    local = _INSTANT.sub(lambda found: f"{datetime.fromisoformat(found[0]).astimezone(zone):%Y-%m-%d %H:%M}", message)
    return local.replace(f"channel {span.channel_id}", f"meter {span.meter_number}") if span.meter_number else local


def unit_factor(conn: Connection, span: ChannelSpan, *, rate_unit: str) -> tuple[Fraction, str | None]:
    """How many of the rate's units one of the channel's is, exactly, and the heat content used where gas is billed by heat.

    Raises:
        UnableToConvertUsage: the units measure different things, or no heat content is known for the period.
    """
    meter, rate = UNITS[span.unit], UNITS[rate_unit]
    if meter.quantity == rate.quantity:
        return Fraction(meter.factor) / Fraction(rate.factor), None
    if (meter.quantity, rate.quantity) != ("volume", "heat"):
        raise UnableToConvertUsage(
            f"channel {span.channel_id} measures {span.unit}, the rate is per {rate_unit}",
            cure="put the service on a rate in the meter's unit",
        )
    values = factor_series(conn, HEAT_SERIES, from_at=span.from_at, to_at=span.to_at)
    if not values:
        raise UnableToConvertUsage(
            f"no heat content of gas is known for {span.from_at:%Y-%m-%d} to {span.to_at:%Y-%m-%d}",
            cure=f"enter it in the index series {HEAT_SERIES}, therm a ccf",
        )
    heat: Decimal = values[0][2]
    return Fraction(meter.factor) / Fraction(UNITS["ccf"].factor) * Fraction(heat) * Fraction(UNITS["therm"].factor) / Fraction(
        rate.factor
    ), str(heat)
