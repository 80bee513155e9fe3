"""What is done at a meter in the field, whole: it is hung or taken down, its channels are made, and the figures of its dials at that instant are kept.

The steps themselves are `mains.devices.lifecycle`'s; here they come with what the meter measures. Figures are in the unit of the register, as people read them off the dial
(the channel's multiplier stays out of them). The caller owns the transaction.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import lcm
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.devices import lifecycle
from mains.devices import operations as devices
from mains.devices import queries as meters
from mains.devices.queries import Commissioning, Installation, Meter, Template
from mains.metering import load, operations, queries
from mains.metering.channel_changes import change_channel
from mains.metering.model import MISSING
from mains.metering.queries import Channel
from mains.metering.registers import NewRead, store_reads

_sql = Statements("mains.metering", "queries.sql")

Figures = Mapping[str, Decimal]
"""What dials show, by register, in the register's unit."""
MOST_DAYS = 45
"""Days after an installation that a commissioning looks at."""


class UnknownRegister(Problem):
    """A figure was given for a register that the meter does not have."""

    status = 422


class FigureNotKept(Problem):
    """A figure cannot be what the dial shows."""

    status = 422


class UnableToCommission(Problem):
    """The meter hangs nowhere, so there is nothing to test."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """An installation that began, with the channels that the meter measures there, and the delivery of its first figures."""

    installation_id: UUID
    channels: list[Channel]
    batch_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """An exchange: the installation that ended, the one that began, and the delivery of the old meter's last figures."""

    ended_id: UUID
    begun: Hung
    batch_id: int | None = None


def install(
    conn: Connection, meter_number: str, *, service_point_id: UUID, at: datetime, now: datetime, reason: str, figures: Figures | None = None,
    templates: Sequence[Template] | None = None, is_beside: bool = False,
) -> Hung:  # fmt: skip
    """Hang a meter with its channels, those of its type or of `templates`, and keep what its dials show.

    Raises:
        As `lifecycle.install`; UnknownRegister, FigureNotKept: a figure is of no register of its, or cannot be one.
    """
    installed = lifecycle.install(conn, meter_number, service_point_id=service_point_id, at=at, now=now, reason=reason, is_beside=is_beside)
    return _equipped(conn, meter_number, installed, at=at, now=now, reason=reason, figures=figures or {}, templates=templates)


def remove(conn: Connection, meter_number: str, *, at: datetime, now: datetime, reason: str, figures: Figures | None = None) -> tuple[UUID, int | None]:
    """Take a meter down and keep what its dials show: the installation that ended, and the delivery of the figures.

    Raises:
        As `lifecycle.remove`; UnknownRegister, FigureNotKept.
    """
    ended = lifecycle.remove(conn, meter_number, at=at, now=now, reason=reason)
    return ended, _keep(conn, meter_number, figures or {}, at=at, now=now, step="removed")


def exchange(
    conn: Connection, old_number: str, new_number: str, *, at: datetime, now: datetime, reason: str, last_figures: Figures | None = None,
    first_figures: Figures | None = None, templates: Sequence[Template] | None = None,
) -> Exchanged:  # fmt: skip
    """Take one meter down and hang another in its place at the same instant, with the figures of both.

    A new meter without a type and without `templates` gets the registers of the old one. Readings of the old meter that arrive later and are of the time before still are its.

    Raises:
        As `lifecycle.exchange`; UnknownRegister, FigureNotKept.
    """
    ended, begun = lifecycle.exchange(conn, old_number, new_number, at=at, now=now, reason=reason)
    batch_id = _keep(conn, old_number, last_figures or {}, at=at, now=now, step="removed")
    new = lifecycle.meter_by_number(conn, new_number)
    if templates is None and new.meter_model_id is None and not queries.channels_of_meters(conn, [new_number]):
        templates = [_as_template(channel) for channel in _serving(conn, old_number, at - timedelta(seconds=1))]
    hung = _equipped(conn, new_number, begun, at=at, now=now, reason=reason, figures=first_figures or {}, templates=templates)
    return Exchanged(ended_id=ended, begun=hung, batch_id=batch_id)


def _equipped(
    conn: Connection, meter_number: str, installation_id: UUID, *, at: datetime, now: datetime, reason: str, figures: Figures, templates: Sequence[Template] | None
) -> Hung:
    """The meter with its channels in the standard time of its place, and its first figures."""
    meter = lifecycle.meter_by_number(conn, meter_number)
    place = meters.service_point(conn, meters.installations_of(conn, [meter.meter_id])[-1].service_point_id)
    offset = standard_offset(place.timezone, at)
    if templates is None:
        templates = meters.model_channels(conn, meter.meter_model_id) if meter.meter_model_id else []
    operations.register_channels(conn, [_channel_of(meter, template, offset) for template in templates])
    for channel in _serving(conn, meter_number, at):
        if channel.interval_s is not None and channel.utc_offset_min != offset:
            change_channel(conn, channel.channel_id, at=_on_grids(at, channel, offset), now=now, reason=f"{reason} (hung in {place.timezone})", utc_offset_min=offset)
    batch_id = _keep(conn, meter_number, figures, at=at, now=now, step="installed")
    return Hung(installation_id=installation_id, channels=_serving(conn, meter_number, at), batch_id=batch_id)


def standard_offset(timezone: str, at: datetime) -> int:
    """Minutes that standard time of a zone is east of UTC in the year of an instant."""
    zone, year = ZoneInfo(timezone), min(max(at.year, 1900), 2100)  # no zone has rules of its own further out
    offsets = [datetime(year, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)]
    return min(int(offset.total_seconds()) // 60 for offset in offsets if offset is not None)


def _on_grids(at: datetime, channel: Channel, offset_min: int) -> datetime:
    """The last instant, not after another one, at which an interval begins by the old and by the new offset of a channel."""
    step = channel.interval_s or 60
    first = int(at.timestamp()) // 60 * 60
    for seconds in range(first, first - lcm(step, 3600) - 60, -60):
        if not (seconds + channel.utc_offset_min * 60) % step and not (seconds + offset_min * 60) % step:
            return datetime.fromtimestamp(seconds, UTC)
    return datetime.fromtimestamp(first, UTC)  # the grids never meet: the change says so


def _serving(conn: Connection, meter_number: str, at: datetime) -> list[Channel]:
    """The channels of a meter that are in service at an instant."""
    return [channel for channel in queries.channels_of_meters(conn, [meter_number]) if channel.is_in_service(at)]


def _channel_of(meter: Meter, template: Template, offset_min: int) -> operations.NewChannel:
    return operations.NewChannel(
        meter_id=meter.meter_id, register=template.register, commodity=meter.commodity, unit=template.unit, utc_offset_min=offset_min, flow=template.flow, pow10=template.pow10,
        multiplier=template.multiplier, interval_s=template.interval_s,
    )  # fmt: skip


def _as_template(channel: Channel) -> Template:
    return Template(
        register=channel.register, unit=channel.unit, flow=channel.flow, pow10=channel.pow10, multiplier=channel.multiplier, interval_s=channel.interval_s
    )


def _keep(conn: Connection, meter_number: str, figures: Figures, *, at: datetime, now: datetime, step: str) -> int | None:
    """Keep what the dials of a meter show at an instant, as a delivery; None where nothing was read."""
    if not figures:
        return None
    then = at if step == "installed" else at - timedelta(microseconds=1)  # the last figure of a dial is of the channel that served until then
    serving = {channel.register: channel for channel in _serving(conn, meter_number, then)}
    digits = lifecycle.meter_by_number(conn, meter_number).dial_digits
    reads = []
    for register, figure in sorted(figures.items()):
        channel = serving.get(register)
        if channel is None:
            raise UnknownRegister(f"meter {meter_number} has no register {register[:60]}", cure=f"its registers are {', '.join(sorted(serving)) or 'none'}")
        raw = figure / Decimal(10) ** channel.pow10 if figure.is_finite() else Decimal("NaN")
        if not raw.is_finite() or raw != raw.to_integral_value() or raw < 0 or raw >= (Decimal(10) ** digits if digits else 2**63):
            shown = f"a dial of {digits} digits" if digits else "its dial"
            message = f"register {register} of meter {meter_number} cannot show {figure} {channel.unit} on {shown}"
            raise FigureNotKept(message, cure=f"give the digits as they stand, in steps of 10^{channel.pow10}")
        reads.append(NewRead(channel_id=channel.channel_id, read_at=at, raw=int(raw)))
    said = "\n".join([meter_number, step, at.isoformat(), *(f"{read.channel_id} {read.raw}" for read in reads)])
    batch_id = operations.open_batch(conn, source=f"meter {meter_number} {step}", format="fieldwork", sha256=hashlib.sha256(said.encode()).digest(), at=now)
    kept = store_reads(conn, reads, batch_id=batch_id)
    operations.close_batch(
        conn, batch_id=batch_id, found=len(reads), accepted=len(reads) - len(kept.refused), quarantined=len(kept.refused), new=kept.new, changed=kept.changed,
        raw_sum=sum(read.raw for read in reads),
    )  # fmt: skip
    return batch_id


# Commissioning ------------------------------------------------------------------------------------------------------------------------------------------------------


def commission(conn: Connection, meter_number: str, *, at: datetime) -> list[Commissioning]:
    """Test an installed meter: what the intervals of each quantity add up to between the first and the last read of its register, at most 45 days later. The results are kept.

    They agree where they lie at most two steps of the register apart, and, for a read that was taken inside an interval, what was used in that interval.

    Raises:
        NotFound: there is no such meter.
        UnableToCommission: it hangs nowhere at that instant.
    """
    meter = lifecycle.meter_by_number(conn, meter_number)
    hung = [each for each in meters.installations_of(conn, [meter.meter_id]) if each.from_at <= at and (each.to_at is None or at < each.to_at)]
    if not hung:
        raise UnableToCommission(f"meter {meter_number} hangs nowhere at {at.isoformat()}", cure="install it first")
    serving = _serving(conn, meter_number, at)
    dials = [channel for channel in serving if channel.interval_s is None]
    found = [_tested(conn, dial, _beside(dial, serving), hung[-1], at=at) for dial in dials]
    if not dials:
        message = f"meter {meter_number} has no register that is read now and then"
        found = [Commissioning(meter_installation_id=hung[-1].meter_installation_id, register="", commissioned_at=at, outcome="not_comparable", finding=message)]
    for each in found:
        devices.record_commissioning(conn, each)
    return found


def _beside(dial: Channel, serving: Sequence[Channel]) -> list[Channel]:
    """The channels with intervals that measure the same as a dial."""
    return [each for each in serving if each.interval_s is not None and (each.quantity, each.flow) == (dial.quantity, dial.flow)]


def _tested(conn: Connection, dial: Channel, intervals: Sequence[Channel], hung: Installation, *, at: datetime) -> Commissioning:
    """One register against the intervals beside it."""

    def not_comparable(why: str) -> Commissioning:
        return Commissioning(
            meter_installation_id=hung.meter_installation_id, register=dial.register, commissioned_at=at, outcome="not_comparable", finding=f"register {dial.register}: {why}"
        )

    if len(intervals) != 1:
        return not_comparable("no channel with intervals measures the same" if not intervals else f"{len(intervals)} channels with intervals measure the same")
    (beside,) = intervals
    until = min(at, hung.from_at + timedelta(days=MOST_DAYS))
    reads = conn.execute(_sql.first_and_last_index, {"channel_id": dial.channel_id, "from_at": hung.from_at, "to_at": until}).fetchone()
    if reads is None or reads[0] is None or reads[0] == reads[2]:
        return not_comparable("it was not read twice since the meter was hung")
    first_at, first_raw, last_at, last_raw = reads
    if last_raw < first_raw:
        return not_comparable(f"it went back from {first_raw} to {last_raw}")
    total, loose, missing = _added_up(conn, beside, first_at, last_at)
    if missing:
        return not_comparable(f"{missing} intervals between its reads are missing")
    moved, added = (last_raw - first_raw) * dial.step, total * queries.in_unit(beside, dial.unit)
    tolerance = 2 * dial.step + loose * queries.in_unit(beside, dial.unit)
    outcome = "agrees" if abs(added - moved) <= tolerance else "differs"
    finding = f"register {dial.register} moved {moved.normalize():f} {dial.unit}, the intervals add up to {added.normalize():f}; they may lie {tolerance.normalize():f} apart"
    return Commissioning(
        meter_installation_id=hung.meter_installation_id, register=dial.register, commissioned_at=at, outcome=outcome, finding=finding, from_at=first_at, to_at=last_at,
        interval_total=added, register_total=moved, tolerance=tolerance, unit=dial.unit,
    )  # fmt: skip


def _added_up(conn: Connection, channel: Channel, from_at: datetime, to_at: datetime) -> tuple[int, int, int]:
    """Raw steps of the intervals that start in [from_at, to_at), raw steps of those that only reach into it, and how many are missing."""
    step = channel.interval_s
    assert step is not None  # the caller asks for intervals
    shift = channel.utc_offset_min * 60
    begin = (int(from_at.timestamp()) + shift) // step * step - shift
    end = -(-(int(to_at.timestamp()) + shift) // step) * step - shift
    read = load.load(conn, [channel.channel_id], datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC), interval_s=step)
    values = read.values[0].astype(np.int64)
    is_missing = values == MISSING
    edges = [place for place, is_loose in ((0, begin != int(from_at.timestamp())), (-1, end != int(to_at.timestamp()))) if is_loose and not is_missing[place]]
    return int(values[~is_missing].sum()), sum(abs(int(values[place])) for place in edges), int(is_missing.sum())
