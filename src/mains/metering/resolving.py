"""From what a file says to what may be stored: which channel each reading belongs to, and whether it fits that channel.

A file's figures are quantities in its unit, as ESPI and NEM12 mean them: the channel's multiplier is taken out of them to find the raw value. Units are converted
exactly or not at all. A register may have had several channels one after another (its multiplier was changed): each reading goes to the one that was in service when it
started.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import groupby
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.problems import Issue
from mains.base.units import UNITS
from mains.devices import operations as devices
from mains.devices.queries import Meter, installations_of, meters_by_number
from mains.metering import operations, queries
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.load import as_instant
from mains.metering.model import MISSING, ChannelKey, IndexRead, ParsedBlocks, ParsedChannel, ParsedFile, PeriodRead, Quality
from mains.metering.queries import Channel
from mains.metering.registers import NewRead
from mains.metering.resolving_blocks import Fitted, Resolved, resolve, unhung_message
from mains.metering.whole_days import together

SELF_DESCRIBING = ("espi", "nem12", "nem13", "cim", "rsm012", "p1", "sml", "mscons")
"""Formats that say commodity, unit, flow and interval themselves, so that a meter can be registered from them."""

OLDEST = timedelta(days=40 * 365)

_MOST_RAW = 2**63 - 1

LONGEST_METER, LONGEST_REGISTER = 100, 200
"""Letters of the longest names that the tables hold."""

CURES = {
    "unknown-meter": "register the meter, or import with --unknown-meters register",
    "unknown-channel": "register the channel at its meter, or import with --unknown-meters register",
    "bad-name": "correct the name in the file: at most 100 letters, digits and signs for a meter and 200 for a register, without control characters",
    "meter-registered": "install the meter at a service point; until then its readings are kept and billed to nobody",
    "meter-not-installed": "install the meter at a service point for that time, or correct its dates",
    "commodity-mismatch": "check the meter number: the meter measures something else",
    "unit-mismatch": "check the register's name, or correct the unit of the channel",
    "flow-mismatch": "check the register's name, or correct the flow of the channel",
    "channel-not-in-service": "correct the dates of the channel, or send the readings under the register that measured then",
    "spans-channel-change": "send the usage up to the change and the usage after it apart, each as the channel measured it",
    "interval-mismatch": "send the interval length that the channel has, or change the channel's from that day on",
    "interval-changed": "nothing to do, if the meter was meant to be set to another interval length",
    "interval-change": "send a whole day at one interval length; a stored day keeps its own",
    "finer-than-channel": "round to the channel's resolution, or register the channel with a finer power of ten",
    "beyond-channel": "check unit and decimal point; the channel cannot hold a value so large",
    "off-grid-of-channel": "send readings that begin on a multiple of the interval, counted from the channel's standard midnight",
    "future-reading": "check the meter's clock, or the time zone named for the file",
    "too-old": "check the date: it lies more than 40 years back",
    "imported-before": "nothing to do; import with --again to read the file again",
    "lower-standing": "nothing to do: an edited or measured value stands; edit it if this one is right",
}


Dated = Mapping[ChannelKey, Sequence[Channel]]
"""The channels of each register in order of time."""


@dataclass(slots=True, kw_only=True)
class Prepared:
    """What of one part may be stored, and what may not."""

    blocks: list[Blocks] = field(default_factory=list)
    reads: list[NewRead] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    first_lines: dict[int, tuple[ChannelKey, int]] = field(default_factory=dict)
    whole_days: list[Fitted] = field(default_factory=list)
    accepted: int = 0
    raw_sum: int = 0


@dataclass(slots=True, kw_only=True)
class Resolver:
    """Finds the channels of one file's readings, part after part, inside one transaction; `registers` says whether unknown meters may be registered."""

    conn: Connection
    at: datetime
    registers: bool
    future_tolerance: timedelta
    _told: set[tuple[str, str]] = field(default_factory=set)

    def prepare(self, part: ParsedFile) -> Prepared:
        """What of a part may be stored; registers meters and channels where that is allowed."""
        out = Prepared()
        part = _with_good_names(self._without_whole_days(part, out), out)
        keys = sorted({each.key for each in (*part.channels, *part.register_reads, *part.index_reads)}, key=lambda key: (key.meter, key.register))
        numbers = sorted({key.meter for key in keys})
        meters = meters_by_number(self.conn, numbers)
        channels = self._channels(numbers)
        if self.registers:
            self._register(part, meters, channels, out)
            meters, channels = meters_by_number(self.conn, numbers), self._channels(numbers)
        hung = self._hung([meter.meter_id for meter in meters.values()])
        fitting = [fit for parsed in part.channels for fit in self._fits(part.file, parsed, meters, channels, hung, out)]
        for interval_s, group in groupby(sorted(fitting, key=lambda fit: fit.interval_s), key=lambda fit: fit.interval_s):
            out.blocks.append(to_blocks(list(group), interval_s=interval_s))
        for read in part.register_reads:
            self._fit_read(part.file, read, meters, channels, out)
        for index in part.index_reads:
            self._fit_index(part.file, index, meters, channels, out)
        out.raw_sum = sum(blocks.raw_sum for blocks in out.blocks) + sum(read.raw for read in out.reads)
        return out

    def _without_whole_days(self, part: ParsedFile, out: Prepared) -> ParsedFile:
        """The part with its blocks taken: those that fit go straight to what may be stored, the others come back as readings of channels."""
        days, others = together(part.channels)
        for parsed in (*part.blocks, *days):
            resolved = self._resolved(parsed)
            unknown = [each for each in resolved.others if _is_good_name(each.key)] if self.registers else []
            if unknown:
                numbers = sorted({each.key.meter for each in unknown})
                self._register(replace(part, channels=unknown, register_reads=[], index_reads=[]), meters_by_number(self.conn, numbers), self._channels(numbers), out)
                resolved = self._resolved(parsed)
            for fitted in resolved.fitted:
                out.whole_days.append(fitted)
                message = unhung_message(fitted, parsed, lambda meter: ("meter-registered", meter) in self._told)
                if message:
                    self._tell(out, part.file, "meter-not-installed", message, message, line=int(fitted.lines[0]), severity="warning")
                out.blocks.append(fitted.blocks)
                out.accepted += fitted.blocks.values.size
            others += resolved.others
        return replace(part, channels=others, blocks=[])

    def _resolved(self, parsed: ParsedBlocks) -> Resolved:
        return resolve(self.conn, parsed, at=self.at, oldest=OLDEST, future_tolerance=self.future_tolerance)

    def _channels(self, numbers: Sequence[str]) -> dict[ChannelKey, list[Channel]]:
        found: dict[ChannelKey, list[Channel]] = {}
        for each in queries.channels_of_meters(self.conn, numbers):
            found.setdefault(ChannelKey(meter=each.meter_number, register=each.register), []).append(each)
        return found

    def _hung(self, meter_ids: Sequence[UUID]) -> dict[UUID, list[tuple[float, float]]]:
        """When each meter hung somewhere, in epoch seconds."""
        found: dict[UUID, list[tuple[float, float]]] = {}
        for each in installations_of(self.conn, meter_ids):
            found.setdefault(each.meter_id, []).append((each.from_at.timestamp(), each.to_at.timestamp() if each.to_at else np.inf))
        return found

    def _register(self, part: ParsedFile, meters: dict[str, Meter], channels: Dated, out: Prepared) -> None:
        """Register the meters and channels of a part that are not known yet."""
        seen: dict[ChannelKey, ParsedChannel | PeriodRead | IndexRead] = {}
        for each in (*part.channels, *part.register_reads, *part.index_reads):
            known = seen.get(each.key)
            if each.key not in channels and (known is None or (type(each) is type(known) and each.pow10 < known.pow10)):
                seen[each.key] = each
        unknown = {each.key.meter: each for each in seen.values() if each.key.meter not in meters}
        new = [
            devices.NewMeter(meter_number=number, commodity=each.commodity, meter_status="unassigned", registered_by="import") for number, each in unknown.items()
        ]
        ids = {number: meter.meter_id for number, meter in meters.items()} | (devices.register_meters(self.conn, new) if new else {})
        operations.register_channels(self.conn, [_new_channel(each, ids[key.meter]) for key, each in seen.items()])
        for number, each in unknown.items():
            message = f"meter {number} was not known and is registered as unassigned"
            self._tell(out, part.file, "meter-registered", number, message, line=_line(each), severity="warning")

    def _fits(
        self, file: str, parsed: ParsedChannel, meters: dict[str, Meter], channels: Dated, hung: dict[UUID, list[tuple[float, float]]], out: Prepared
    ) -> Iterator["Fitting"]:
        """The readings of one parsed channel as the stored channels take them, each those that started while it was in service."""
        meter, dated = meters.get(parsed.key.meter), channels.get(parsed.key, ())
        if meter is None or not dated:
            out.issues.append(_issue(file, *_unknown(parsed, meter), line=_line(parsed), count=len(parsed.starts)))
            return
        left = np.ones(len(parsed.starts), dtype=bool)
        for channel in dated:
            own = _in_service(parsed.starts, channel)
            left &= ~own
            part = parsed if own.all() else _only(parsed, own)
            if len(part.starts) and (fit := self._fit(file, part, meter, channel, hung, out)):
                yield fit
        if left.any():
            message = f"no channel of {_named(parsed.key)} was in service when some of these readings started, the first at {as_instant(int(parsed.starts[left][0])).isoformat()}"
            out.issues.append(_issue(file, "channel-not-in-service", message, line=int(parsed.lines[left][0]) or None, count=int(left.sum())))

    def _fit(
        self, file: str, parsed: ParsedChannel, meter: Meter, channel: Channel, hung: dict[UUID, list[tuple[float, float]]], out: Prepared
    ) -> "Fitting | None":
        """Readings as one stored channel takes them; None where it takes none."""
        if refusal := _refusal(parsed, meter, channel):
            out.issues.append(_issue(file, *refusal, line=_line(parsed), count=len(parsed.starts)))
            return None
        if channel.interval_s != parsed.interval_s:
            message = f"channel {_named(parsed.key)} has intervals of {channel.interval_s} s; the file has days of {parsed.interval_s} s"
            if meter.registered_by != "import" or channel.interval_s is None:
                out.issues.append(_issue(file, "interval-mismatch", message, line=_line(parsed), count=len(parsed.starts)))
                return None
            self._tell(out, file, "interval-changed", _named(parsed.key), message, line=_line(parsed), severity="warning")
        fit = Fitting(
            channel_id=channel.channel_id, utc_offset_min=channel.utc_offset_min, interval_s=parsed.interval_s, starts=parsed.starts,
            values=parsed.values, quality=parsed.quality, lines=parsed.lines,
        )  # fmt: skip
        fit = _without(fit, self._mistimed(fit), file, parsed.key, out)
        fit = _without(fit, _misscaled(fit, _scale(parsed, channel)), file, parsed.key, out)
        if not len(fit.starts):
            return None
        fit = replace(fit, values=scaled(fit.values, _scale(parsed, channel)))
        if not _all_hung(fit.starts, hung.get(channel.meter_id, [])) and ("meter-registered", parsed.key.meter) not in self._told:
            message = f"meter {parsed.key.meter} hung nowhere at some of these times; its readings are kept"
            self._tell(out, file, "meter-not-installed", parsed.key.meter, message, line=_line(parsed), severity="warning")
        out.first_lines.setdefault(channel.channel_id, (parsed.key, _line(parsed) or 0))
        out.accepted += len(fit.starts)
        return fit

    def _mistimed(self, fit: "Fitting") -> Iterator[tuple[NDArray[np.bool_], str, str]]:
        """Which readings have an impossible time, and why."""
        latest = (self.at + self.future_tolerance).timestamp()
        yield fit.starts + fit.interval_s > latest, "future-reading", f"readings that end after {as_instant(int(latest)).isoformat()}"
        yield fit.starts < (self.at - OLDEST).timestamp(), "too-old", "readings more than 40 years old"
        yield (fit.starts + fit.utc_offset_min * 60) % fit.interval_s != 0, "off-grid-of-channel", "readings off the grid of the channel's standard time"

    def _fit_read(self, file: str, read: PeriodRead, meters: dict[str, Meter], channels: Dated, out: Prepared) -> None:
        """One period's usage as the stored channel takes it."""
        meter, dated = meters.get(read.key.meter), channels.get(read.key, ())
        begin, end = as_instant(read.start), as_instant(read.start + read.duration_s)
        channel = channel_at(dated, begin)
        refusal = _refusal(read, meter, channel) if channel or not dated else _not_in_service(read.key, begin)
        if refusal is None and end > self.at + self.future_tolerance:
            refusal = ("future-reading", f"usage of {_named(read.key)} that ends at {end.isoformat()}")
        if refusal is None and channel is not None and channel.in_service_to is not None and end > channel.in_service_to:
            message = f"usage of {_named(read.key)} from {begin.isoformat()} goes on past {channel.in_service_to.isoformat()}, when its channel was changed"
            refusal = ("spans-channel-change", message)
        if refusal is None and channel is not None:
            raw = Fraction(read.value) * _scale(read, channel)
            if raw.denominator != 1:
                refusal = ("finer-than-channel", f"a value of {_named(read.key)} is finer than 10^{channel.pow10} {channel.unit}")
            else:
                out.reads.append(NewRead(channel_id=channel.channel_id, read_at=end, from_at=begin, raw=int(raw), quality=int(read.quality)))
                out.first_lines.setdefault(channel.channel_id, (read.key, read.line))
                out.accepted += 1
        if refusal:
            out.issues.append(_issue(file, *refusal, line=read.line or None, count=1))

    def _fit_index(self, file: str, read: IndexRead, meters: dict[str, Meter], channels: Dated, out: Prepared) -> None:
        """What a dial showed as the stored channel takes it; its multiplier stays out of a dial's figure."""
        meter, dated = meters.get(read.key.meter), channels.get(read.key, ())
        at = as_instant(read.at)
        channel = channel_at(dated, at)
        refusal = _refusal(read, meter, channel) if channel or not dated else _not_in_service(read.key, at)
        if refusal is None and at > self.at + self.future_tolerance:
            refusal = ("future-reading", f"a read of {_named(read.key)} at {at.isoformat()}")
        if refusal is None and at < self.at - OLDEST:
            refusal = ("too-old", f"a read of {_named(read.key)} at {at.isoformat()}")
        if refusal is None and channel is not None:
            raw = Fraction(read.value) * _scale(read, channel) * Fraction(channel.multiplier)
            if raw.denominator != 1:
                refusal = ("finer-than-channel", f"the dial of {_named(read.key)} is finer than 10^{channel.pow10} {channel.unit}")
            elif abs(raw) > _MOST_RAW:
                refusal = ("beyond-channel", f"the dial of {_named(read.key)} does not fit 10^{channel.pow10} {channel.unit}")
            else:
                out.reads.append(NewRead(channel_id=channel.channel_id, read_at=at, raw=int(raw), quality=int(read.quality)))
                out.first_lines.setdefault(channel.channel_id, (read.key, read.line))
                out.accepted += 1
        if refusal:
            out.issues.append(_issue(file, *refusal, line=read.line or None, count=1))

    def _tell(self, out: Prepared, file: str, code: str, about: str, message: str, *, line: int | None, severity: str) -> None:
        """A warning, once a file for each thing it is about."""
        if (code, about) not in self._told:
            self._told.add((code, about))
            out.issues.append(_issue(file, code, message, line=line, severity=severity))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitting:
    """Readings of one stored channel, increasing in time; the arrays have one length."""

    channel_id: int
    utc_offset_min: int
    interval_s: int
    starts: NDArray[np.int64]
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    lines: NDArray[np.int32]


def to_blocks(fitting: Sequence[Fitting], *, interval_s: int) -> Blocks:
    """Blocks of readings of one interval length, by channel and day."""
    slots = DAY // interval_s
    counts = [len(each.starts) for each in fitting]
    channel = np.repeat([each.channel_id for each in fitting], counts)
    offset = np.repeat(np.array([each.utc_offset_min for each in fitting], dtype=np.int64), counts)
    starts = np.concatenate([each.starts for each in fitting])
    values = np.concatenate([each.values for each in fitting])
    quality = np.concatenate([each.quality for each in fitting])
    day, second = np.divmod(starts + offset * 60, DAY)
    is_first = np.ones(len(starts), dtype=bool)
    is_first[1:] = (np.diff(channel) != 0) | (np.diff(day) != 0)
    row, head = np.cumsum(is_first) - 1, np.flatnonzero(is_first)
    dense = np.full((len(head), slots), MISSING, dtype=np.int32)
    marks = np.full((len(head), slots), Quality.MISSING, dtype=np.uint8)
    dense[row, second // interval_s] = values
    marks[row, second // interval_s] = quality
    return encode(
        channel_id=channel[head], block_start=day[head] * DAY - offset[head] * 60, values=dense, utc_offset_min=offset[head].astype(np.int16), quality=marks
    )


def _with_good_names(part: ParsedFile, out: Prepared) -> ParsedFile:
    """The part without what is called something that no table can hold, each with an issue."""
    for each in (*part.channels, *part.register_reads, *part.index_reads):
        if not _is_good_name(each.key):
            message = f"the meter {each.key.meter[:40]!r} and register {each.key.register[:40]!r} are too long, or hold a control character"
            out.issues.append(_issue(part.file, "bad-name", message, line=_line(each), count=len(each.starts) if isinstance(each, ParsedChannel) else 1))
    return replace(
        part,
        channels=[each for each in part.channels if _is_good_name(each.key)],
        register_reads=[each for each in part.register_reads if _is_good_name(each.key)],
        index_reads=[each for each in part.index_reads if _is_good_name(each.key)],
    )


def _is_good_name(key: ChannelKey) -> bool:
    return len(key.meter) <= LONGEST_METER and len(key.register) <= LONGEST_REGISTER and key.meter.isprintable() and key.register.isprintable()


def channel_at(dated: Sequence[Channel], at: datetime) -> Channel | None:
    """The channel of a register that was in service at an instant; None where none was."""
    return next((channel for channel in dated if channel.is_in_service(at)), None)


def _in_service(starts: NDArray[np.int64], channel: Channel) -> NDArray[np.bool_]:
    """Which readings started while the channel was in service."""
    own = np.ones(len(starts), dtype=bool)
    if channel.in_service_from is not None:
        own &= starts >= channel.in_service_from.timestamp()
    if channel.in_service_to is not None:
        own &= starts < channel.in_service_to.timestamp()
    return own


def _only(parsed: ParsedChannel, own: NDArray[np.bool_]) -> ParsedChannel:
    """Some readings of a parsed channel."""
    return replace(parsed, **{name: getattr(parsed, name)[own] for name in ("starts", "values", "quality", "lines")})


def _unknown(parsed: ParsedChannel | PeriodRead | IndexRead, meter: Meter | None) -> tuple[str, str]:
    """Why nothing can be stored for a register that has no channel: code and message."""
    refusal = _refusal(parsed, meter, None)
    assert refusal is not None  # without a channel there is always a reason
    return refusal


def _not_in_service(key: ChannelKey, at: datetime) -> tuple[str, str]:
    return "channel-not-in-service", f"no channel of {_named(key)} was in service at {at.isoformat()}"


def _refusal(parsed: ParsedChannel | PeriodRead | IndexRead, meter: Meter | None, channel: Channel | None) -> tuple[str, str] | None:
    """Why none of these readings can be stored: code and message; None where they can."""
    key = parsed.key
    if meter is None:
        return "unknown-meter", f"meter {key.meter} is not known"
    if meter.commodity != parsed.commodity:
        return "commodity-mismatch", f"meter {key.meter} measures {meter.commodity}, the file says {parsed.commodity}"
    if channel is None:
        return "unknown-channel", f"meter {key.meter} has no channel {key.register}"
    if UNITS[parsed.unit].quantity != channel.quantity:
        return "unit-mismatch", f"channel {_named(key)} measures {channel.unit}, the file says {parsed.unit}"
    if parsed.flow != channel.flow:
        return "flow-mismatch", f"channel {_named(key)} counts what is {channel.flow}, the file says {parsed.flow}"
    return None


def _scale(parsed: ParsedChannel | PeriodRead | IndexRead, channel: Channel) -> Fraction:
    """How many raw steps of the channel one step of the file is, exactly."""
    ten = Fraction(10) ** (parsed.pow10 - channel.pow10)
    return Fraction(UNITS[parsed.unit].factor) / Fraction(UNITS[channel.unit].factor) * ten / Fraction(channel.multiplier)


def _misscaled(fit: Fitting, scale: Fraction) -> Iterator[tuple[NDArray[np.bool_], str, str]]:
    """Which values the channel cannot hold exactly, and why."""
    if scale == 1:
        return
    is_valid = fit.values != MISSING
    yield is_valid & (fit.values % scale.denominator != 0), "finer-than-channel", "values finer than the channel's resolution"
    most = (2**31 - 1) * scale.denominator // scale.numerator
    yield is_valid & (np.abs(fit.values) > most), "beyond-channel", "values that do not fit the channel's resolution"


def scaled(values: NDArray[np.int64], scale: Fraction) -> NDArray[np.int64]:
    """Values times a fraction that leaves them whole; `MISSING` stays what it is."""
    if scale == 1:
        return values
    return np.where(values == MISSING, MISSING, values // scale.denominator * scale.numerator)


def _without(
    fit: Fitting, faults: Iterator[tuple[NDArray[np.bool_], str, str]], file: str, key: ChannelKey, out: Prepared
) -> Fitting:
    """The readings without the faulty ones; one issue a kind of fault, at the first line it is on."""
    keep = np.ones(len(fit.starts), dtype=bool)
    for mask, code, message in faults:
        bad = mask & keep
        if bad.any():
            line = int(fit.lines[np.flatnonzero(bad)[0]])
            out.issues.append(_issue(file, code, f"{message}, on {_named(key)}", line=line or None, count=int(bad.sum())))
            keep &= ~bad
    if keep.all():
        return fit
    return replace(fit, **{name: getattr(fit, name)[keep] for name in ("starts", "values", "quality", "lines")})


def _all_hung(starts: NDArray[np.int64], stretches: list[tuple[float, float]]) -> bool:
    """Whether the meter hung somewhere at every one of these times."""
    covered = np.zeros(len(starts), dtype=bool)
    for begin, end in stretches:
        covered |= (starts >= begin) & (starts < end)
    return bool(covered.all())


def _new_channel(parsed: ParsedChannel | PeriodRead | IndexRead, meter_id: UUID) -> operations.NewChannel:
    has_intervals = isinstance(parsed, ParsedChannel)
    return operations.NewChannel(
        meter_id=meter_id, register=parsed.key.register, commodity=parsed.commodity, unit=parsed.unit, flow=parsed.flow, pow10=parsed.pow10,
        interval_s=parsed.interval_s if has_intervals else None, utc_offset_min=parsed.utc_offset_min if has_intervals else 0,
    )  # fmt: skip


def _line(parsed: ParsedChannel | PeriodRead | IndexRead) -> int | None:
    """Where a channel begins in its file; None where that is not known."""
    return (int(parsed.lines[0]) if isinstance(parsed, ParsedChannel) else parsed.line) or None


def _named(key: ChannelKey) -> str:
    return f"{key.meter} {key.register}"


def _issue(file: str, code: str, message: str, *, line: int | None = None, count: int = 0, severity: str = "error") -> Issue:
    return Issue(code=code, message=message, cure=CURES[code], file=file, line=line, count=count, severity=severity)
