"""What was used in a billing period, read from the store for many services at once, with the proof of what was read.

Intervals come as one row of integers a service, register usage as one number. A service whose meter was exchanged has the rows of both meters laid into one.
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
from mains.billing.model import ChannelSpan, Held, Service, exact_decimals
from mains.metering import load, registers
from mains.metering.model import MISSING, Quality
from mains.rates.queries import factor_series

HEAT_SERIES = "gas-heat-content"
"""Index series of the heat content of gas, therm a ccf."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d")
_DOUBTFUL = (Quality.QUESTIONABLE, Quality.FAILED_CHECK)
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
                cure="import the readings that are missing, or estimate them, and run the cycle again",
            )
        doubtful = np.isin(self.quality[row], _DOUBTFUL)
        if doubtful.any():
            message = f"{_readings(int(doubtful.sum()))} in doubt: {self._stretches(doubtful, service)}"
            return Held(
                service=service,
                code="doubtful-readings",
                message=message,
                cure="check them, import corrected ones or accept them, and run the cycle again",
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
    """Intervals of services of one shape over their period; `as_of` reads what the store held at that instant instead of now."""
    from_at, to_at = services[0].period
    interval_s = next(span.interval_s for span in services[0].channels)
    assert interval_s is not None  # services of this shape have intervals
    steps = {span.units_per_step * UNITS[span.unit].factor / UNITS["kWh"].factor for service in services for span in service.channels}
    decimals = max(exact_decimals(step) for step in steps)
    ids = sorted({span.channel_id for service in services for span in service.channels})
    row_of = {channel: row for row, channel in enumerate(ids)}
    loaded = (
        load.load(conn, ids, from_at, to_at, interval_s=interval_s)
        if as_of is None
        else load.load_as_of(conn, ids, from_at, to_at, as_of=as_of, interval_s=interval_s)
    )
    order = np.array([row_of[service.channels[0].channel_id] for service in services])
    values, quality = loaded.values[order].astype(np.int64), loaded.quality[order]
    is_missing = loaded.values[order] == MISSING
    for number, service in enumerate(services):
        first = service.channels[0]
        if len(service.channels) > 1:
            _lay_together(number, service, row_of, loaded, interval_s, values, quality, is_missing)
        elif (whole := _whole(first, decimals)) != 1:
            values[number] *= whole
    values[is_missing] = -1
    return IntervalUsage(
        interval_s=interval_s,
        decimals=decimals,
        values=values,
        quality=quality,
        is_missing=is_missing,
        frozen=[_frozen_intervals(service, row_of, loaded, interval_s) for service in services],
    )


def _whole(span: ChannelSpan, decimals: int) -> int:
    """What a raw step is in the integers of the usage."""
    return int((span.units_per_step * UNITS[span.unit].factor / UNITS["kWh"].factor).scaleb(decimals))


def _slots(span: ChannelSpan, start: datetime, interval_s: int) -> slice:
    """The columns that a span covers."""
    return slice(int((span.from_at - start).total_seconds()) // interval_s, int((span.to_at - start).total_seconds()) // interval_s)


def _lay_together(
    number: int,
    service: Service,
    row_of: dict[int, int],
    loaded: load.Readings,
    interval_s: int,
    values: NDArray[np.int64],
    quality: NDArray[np.uint8],
    is_missing: NDArray[np.bool_],
) -> None:
    """Lay the channels of a service over its row, each where its meter hung; channels that hung at the same time add up."""
    decimals = max(exact_decimals(span.units_per_step * UNITS[span.unit].factor / UNITS["kWh"].factor) for span in service.channels)
    values[number], quality[number], is_missing[number] = 0, 0, False
    covered = np.zeros(values.shape[1], dtype=bool)
    for span in service.channels:
        cells = _slots(span, service.period[0], interval_s)
        raw = loaded.values[row_of[span.channel_id], cells]
        values[number, cells] += np.where(raw == MISSING, 0, raw.astype(np.int64) * _whole(span, decimals))
        quality[number, cells] = np.maximum(quality[number, cells], loaded.quality[row_of[span.channel_id], cells])
        is_missing[number, cells] |= raw == MISSING
        covered[cells] = True
    is_missing[number] |= ~covered


def _frozen_intervals(service: Service, row_of: dict[int, int], loaded: load.Readings, interval_s: int) -> tuple[dict[str, object], ...]:
    """What was read of each channel: its span, the hash of values and qualities, and the versions of blocks that were corrected before."""
    found = []
    for span in service.channels:
        row, cells = row_of[span.channel_id], _slots(span, service.period[0], interval_s)
        digest = hashlib.sha256(np.ascontiguousarray(loaded.values[row, cells]).tobytes())
        digest.update(np.ascontiguousarray(loaded.quality[row, cells]).tobytes())
        found.append(_frozen(span) | {"sha256": digest.hexdigest(), "highest_version": int(loaded.versions[row])})
    return tuple(found)


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
    """Usage of services from the reads at the ends of their channels' spans, in the rate's unit to three decimals."""
    asked = [(span.channel_id, span.from_at, span.to_at, span.dial_digits) for service in services for span in service.channels]
    answers = iter(registers.usage_between(conn, asked, as_of=as_of))
    quantities, reasons, estimated, frozen = [], [], [], []
    factors: dict[tuple[str, datetime, datetime], tuple[Fraction, str | None]] = {}
    for service in services:
        total, reason, guesses, kept = Fraction(0), None, 0, []
        for span in service.channels:
            answer = next(answers)
            if answer.reason is not None:
                reason = reason or (answer.reason.code, _in_words_of(service, span, answer.reason.message), answer.reason.cure)
                continue
            measured = (span.unit, span.from_at, span.to_at)
            if measured not in factors:
                factors[measured] = unit_factor(conn, span, rate_unit=rate_unit)
            factor, heat = factors[measured]
            total += Fraction(answer.raw) * Fraction(span.units_per_step) * factor
            guesses += sum(quality in _ESTIMATED for quality in answer.qualities)
            kept.append(_frozen(span) | {"sha256": answer.fingerprint, "raw": answer.raw, "heat": heat})
        quantities.append(0 if reason else half_up(total * 1000))
        reasons.append(reason)
        estimated.append(guesses)
        frozen.append(tuple(kept))
    return RegisterUsage(quantities=quantities, reasons=reasons, estimated_reads=estimated, frozen=frozen)


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
