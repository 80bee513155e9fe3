"""Pushing: readings that arrive a few at a time, from whatever head-end, resolved to their channels and put into the inbox in one transaction.

Sources gather what they read as columns (`Gathered`); `store` finds the channels by the same rules as files, keeps what cannot be stored in quarantine, and acknowledges by
returning: what it returned for is committed. A channel that is a register takes a reading as what its dial showed at that instant.
"""

import hashlib
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Issue
from mains.base.units import UNITS
from mains.devices.queries import meters_by_number
from mains.metering import inbox, operations, queries, registers, store
from mains.metering.formats.assemble import DEFAULT_LIMITS
from mains.metering.formats.findings import CURES as FINDING_CURES
from mains.metering.load import as_instant
from mains.metering.model import MISSING, Quality
from mains.metering.queries import Channel
from mains.metering.resolving import CURES, LONGEST_METER, LONGEST_REGISTER, OLDEST

QUALITIES = {quality.name.lower(): quality for quality in Quality if quality is not Quality.MISSING}
"""The words for qualities that a reading can be pushed with."""
MOST_NAMED = 1000
"""Refused lines that are reported one by one; more of a kind are counted together."""

_NUMBER = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,18}))?(?:[eE]([+-]?[0-9]{1,2}))?")
_MOST_DIGITS = 18
_MOST_STEPS = 2**31 - 1
_CURES = CURES | {
    **{code: FINDING_CURES[code] for code in ("negative-value", "absurd-value")},
    "unknown-channel": "register the channel at its meter",
    "unknown-meter": "register the meter",
    "bad-value": "send a decimal number of at most 18 digits, as a JSON number or a string",
    "no-value": "leave out intervals that have no value",
    "bad-start": "write the start as ISO 8601 with its offset, such as 2026-07-01T00:15:00Z, in whole seconds, or as epoch seconds",
    "unknown-unit": f"use one of {', '.join(UNITS)}, or leave the unit out to send the channel's",
    "unknown-quality": f"use one of {', '.join(QUALITIES)}",
}


@dataclass(slots=True, kw_only=True)
class Refused:
    """Readings that were refused, counted; the first thousand of them one by one. `places` name the sources of lines 1, 2 … where each is a message of its own."""

    places: list[str] | None = None
    issues: list[Issue] = field(default_factory=list)
    count: int = 0
    _more: dict[str, Issue] = field(default_factory=dict)

    def add(self, code: str, message: str, *, line: int | None, cure: str | None = None, count: int = 1) -> None:
        """One place where something was refused, and how many readings it took out."""
        self.count += count
        file = self.places[line - 1] if self.places and line else None
        issue = Issue(code=code, message=message, cure=cure or _CURES[code], file=file, line=None if self.places else line or None, count=count)
        if len(self.issues) < MOST_NAMED:
            self.issues.append(issue)
            return
        known = self._more.get(code)
        total = count + (known.count if known else 0)
        self._more[code] = replace(known or issue, count=total, message=f"{total} more readings: {(known or issue).message.partition(': ')[2] or message}")

    def copy(self) -> "Refused":
        """The same, to add to."""
        return Refused(places=self.places, issues=list(self.issues), count=self.count, _more=dict(self._more))

    def all(self) -> list[Issue]:
        """Every issue; their counts add up."""
        return [*self.issues, *self._more.values()]


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Readings as they were sent, gathered column by column; `found` counts all of them, `refused` those that could not even be read.

    A value is mantissa x 10^exponent of the unit that its name says, or of the channel's unit.
    """

    refused: Refused = field(default_factory=Refused)
    _names: dict[tuple[str, str, str | None], int] = field(default_factory=dict)
    _name: array = field(default_factory=lambda: array("l"))
    _start: array = field(default_factory=lambda: array("q"))
    _mantissa: array = field(default_factory=lambda: array("q"))
    _exponent: array = field(default_factory=lambda: array("h"))
    _quality: array = field(default_factory=lambda: array("B"))
    _line: array = field(default_factory=lambda: array("l"))

    @property
    def found(self) -> int:
        """All readings, those that could not be read too."""
        return len(self._start) + self.refused.count

    def __len__(self) -> int:
        return len(self._start)

    def add(self, *, meter: object, register: object, start: object, value: object, unit: object = None, quality: object = None, line: int = 0) -> None:
        """One reading: `start` as `instant_of`, `value` as `number_of` takes it; what is wrong with it is noted, never raised."""
        try:
            begin, (mantissa, exponent) = instant_of(start), number_of(value)
            mark = 0 if quality is None else _quality_of(quality)
            name = self._name_of(meter, register, unit)
        except _NotReadable as wrong:
            self.refused.add(wrong.code, wrong.message, line=line)
            return
        self._name.append(name)
        self._start.append(begin)
        self._mantissa.append(mantissa)
        self._exponent.append(exponent)
        self._quality.append(mark)
        self._line.append(line)

    def _name_of(self, meter: object, register: object, unit: object) -> int:
        if not isinstance(meter, str) or not isinstance(register, str):
            raise _NotReadable("bad-name", "a meter and a register are named by text")
        if unit is not None and not isinstance(unit, str):
            raise _NotReadable("unknown-unit", "a unit is named by text")
        key = (meter, register, unit)
        known = self._names.get(key)
        if known is not None:
            return known
        for what, longest in ((meter, LONGEST_METER), (register, LONGEST_REGISTER)):
            if not 0 < len(what) <= longest or not what.isprintable():
                raise _NotReadable("bad-name", f"{what[:40]!r} names no meter or register")
        if unit is not None and unit not in UNITS:
            raise _NotReadable("unknown-unit", f"the unit {unit[:40]!r} is not known")
        return self._names.setdefault(key, len(self._names))

    def columns(self) -> "Columns":
        """The readings as arrays."""
        return Columns(
            names=list(self._names), name=_as(self._name, np.intp), start=_as(self._start, np.int64), mantissa=_as(self._mantissa, np.int64),
            exponent=_as(self._exponent, np.int64), quality=_as(self._quality, np.uint8), line=_as(self._line, np.int64),
        )  # fmt: skip

    def digest(self) -> bytes:
        """SHA-256 of what was gathered."""
        found = hashlib.sha256(repr(list(self._names)).encode())
        for column in (self._name, self._start, self._mantissa, self._exponent, self._quality):
            found.update(column.tobytes())
        return found.digest()


def _as(column: array, kind: type[np.generic]) -> NDArray[Any]:
    return np.array(column, dtype=kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Readings, one an element: `names[name]` is (meter, register, unit or None), start in epoch seconds, value = mantissa x 10^exponent, `Quality`, line."""

    names: list[tuple[str, str, str | None]]
    name: NDArray[np.intp]
    start: NDArray[np.int64]
    mantissa: NDArray[np.int64]
    exponent: NDArray[np.int64]
    quality: NDArray[np.uint8]
    line: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> "Columns":
        """The chosen readings."""
        return replace(self, **{column: getattr(self, column)[chosen] for column in ("name", "start", "mantissa", "exponent", "quality", "line")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of a push, in readings; found = accepted + quarantined. `issues` say what was refused, at most a thousand lines and one total a kind."""

    batch_id: int
    found: int
    accepted: int
    quarantined: int
    issues: list[Issue]

    def as_json(self) -> dict[str, Any]:
        """The push as commands and the API print it."""
        counts = {name: getattr(self, name) for name in ("batch_id", "found", "accepted", "quarantined")}
        return counts | {"issues": [issue.as_json() for issue in self.issues]}


# What a source may send ----------------------------------------------------------------------------------------------------------------------------------------


class _NotReadable(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def number_of(value: object) -> tuple[int, int]:
    """A decimal number, or text of one, as (mantissa, exponent): exact, 18 digits at most.

    >>> number_of("1.250")
    (1250, -3)
    """
    if value is None:
        raise _NotReadable("no-value", "there is no value")
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else ""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise _NotReadable("bad-value", f"{str(value)[:40]!r} is no decimal number of at most {_MOST_DIGITS} digits")
    sign, whole, part, power = found.groups(default="")
    digits = (whole + part).lstrip("0") or "0"
    if len(digits) > _MOST_DIGITS:
        raise _NotReadable("bad-value", f"{text[:40]} has more than {_MOST_DIGITS} digits")
    return int(sign + digits), int(power or 0) - len(part)


@lru_cache(maxsize=8192)
def _instant_of_text(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _NotReadable("bad-start", f"{text[:40]!r} is no instant") from None
    if at.tzinfo is None or at.microsecond:
        raise _NotReadable("bad-start", f"{text[:40]!r} has no offset, or parts of a second")
    try:
        return int(at.timestamp())
    except (OverflowError, ValueError):
        raise _NotReadable("bad-start", f"{text[:40]!r} is no instant") from None


def instant_of(value: object) -> int:
    """An instant as epoch seconds: ISO 8601 text with its offset, or epoch seconds as a number or its text."""
    if isinstance(value, str) and len(value) <= 40:
        return _instant_of_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**11:
        return value
    raise _NotReadable("bad-start", f"{str(value)[:40]!r} is no instant")


def instant_or_none(value: object) -> int | None:
    """The same, None where it is no instant."""
    try:
        return instant_of(value)
    except _NotReadable:
        return None


def _quality_of(value: object) -> int:
    found = QUALITIES.get(value) if isinstance(value, str) else None
    if found is None:
        raise _NotReadable("unknown-quality", f"the quality {str(value)[:40]!r} is not known")
    return int(found)


# Storing -------------------------------------------------------------------------------------------------------------------------------------------------------


def store_push(
    database: Database, actor: Actor, gathered: Gathered, *, source: str, at: datetime, sha256: bytes | None = None, future_tolerance: timedelta = timedelta(hours=1),
    most_waiting: int | None = None,
) -> Pushed:  # fmt: skip
    """Store what was gathered as one delivery in one transaction; when this returns, it is committed. `at` is now, `sha256` of what was sent.

    Raises:
        InboxFull: `most_waiting` readings wait already; nothing was stored.
        UnableToStoreReadings: the database stopped; nothing was stored.
    """
    with store.refusing_clearly(source), database.transaction(actor=actor) as conn:
        return push_gathered(conn, gathered, source=source, at=at, sha256=sha256, future_tolerance=future_tolerance, most_waiting=most_waiting)


def push_gathered(
    conn: Connection, gathered: Gathered, *, source: str, at: datetime, sha256: bytes | None = None, future_tolerance: timedelta = timedelta(hours=1),
    most_waiting: int | None = None,
) -> Pushed:  # fmt: skip
    """The same inside the caller's transaction."""
    if most_waiting is not None and inbox.is_full(conn, most=most_waiting):
        raise inbox.InboxFull(f"{most_waiting} readings wait to be stored; nothing of this was taken", cure="send it again later; mains readings flush stores what waits")
    batch_id = operations.open_batch(conn, source=source, format="push", sha256=sha256 or gathered.digest(), at=at)
    refused = gathered.refused.copy()  # a push that is tried again begins anew
    fit = _resolved(conn, gathered.columns(), at=at, tolerance=future_tolerance, refused=refused)
    accepted, raw_sum = len(fit.start), int(fit.raw.sum(dtype=np.int64))
    waits = fit.is_interval
    inbox.push(conn, fit.channel[waits], fit.start[waits], fit.raw[waits], fit.quality[waits], batch_id)
    for read in _read_dials(conn, fit, batch_id=batch_id):
        refused.add("lower-standing", f"a read of channel {read.channel_id} at {read.read_at.isoformat()}: one of higher standing is stored", line=None)
        accepted, raw_sum = accepted - 1, raw_sum - read.raw
    issues = refused.all()
    operations.quarantine(conn, batch_id=batch_id, issues=issues, file=source)
    found = accepted + refused.count
    operations.close_batch(conn, batch_id=batch_id, found=found, accepted=accepted, quarantined=found - accepted, raw_sum=raw_sum)
    return Pushed(batch_id=batch_id, found=found, accepted=accepted, quarantined=found - accepted, issues=issues)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """Readings that their channels take, one an element; `raw` fits 32 bits where `is_interval`."""

    channel: NDArray[np.int64]
    start: NDArray[np.int64]
    raw: NDArray[np.int64]
    quality: NDArray[np.uint8]
    is_interval: NDArray[np.bool_]


def _read_dials(conn: Connection, fit: _Fit, *, batch_id: int) -> Sequence[registers.NewRead]:
    """Store what dials showed, the last of each instant; those that were refused."""
    own = np.flatnonzero(~fit.is_interval).tolist()
    reads = {
        (int(fit.channel[i]), int(fit.start[i])): registers.NewRead(
            channel_id=int(fit.channel[i]), read_at=as_instant(int(fit.start[i])), raw=int(fit.raw[i]), quality=int(fit.quality[i])
        )
        for i in own
    }
    return registers.store_reads(conn, list(reads.values()), batch_id=batch_id).refused if reads else ()


@dataclass(slots=True, kw_only=True)
class _Choices:
    """Channels that take some of the readings, and how many raw steps one of the unit they were sent in is."""

    channels: list[Channel] = field(default_factory=list)
    scales: list[Fraction] = field(default_factory=list)


def _resolved(conn: Connection, sent: Columns, *, at: datetime, tolerance: timedelta, refused: Refused) -> _Fit:
    """The readings that their channels take, as raw values; what is wrong with the others is noted."""
    choices = _Choices()
    place = _places(conn, sent, choices, refused)
    sent, place = sent.where(place >= 0), place[place >= 0]
    if not len(place):
        none = np.empty(0, dtype=np.int64)
        return _Fit(channel=none, start=none, raw=none, quality=none.astype(np.uint8), is_interval=none.astype(bool))
    column = {
        "channel": np.array([each.channel_id for each in choices.channels], dtype=np.int64)[place],
        "interval": np.array([each.interval_s or 0 for each in choices.channels], dtype=np.int64)[place],
        "offset": np.array([each.utc_offset_min for each in choices.channels], dtype=np.int64)[place],
    }
    raw, wrong_scale = _raws(sent, place, choices)
    keep = np.ones(len(place), dtype=bool)
    impossible = _impossible(raw, place, choices.channels)
    for mask, code, message in (*_mistimed(sent.start, column["interval"], column["offset"], at=at, tolerance=tolerance), *wrong_scale, *impossible):
        for i in np.flatnonzero(mask & keep).tolist():
            meter, register, _ = sent.names[sent.name[i]]
            refused.add(code, f"{meter} {register} at {_shown(int(sent.start[i]))}: {message}", line=int(sent.line[i]))
        keep &= ~mask
    return _Fit(channel=column["channel"][keep], start=sent.start[keep], raw=raw[keep], quality=sent.quality[keep], is_interval=column["interval"][keep] > 0)


def _shown(start: int) -> str:
    """An instant for a message, also where no calendar has it."""
    try:
        return as_instant(start).isoformat()
    except OverflowError:
        return f"second {start}"


def _mistimed(
    start: NDArray[np.int64], interval: NDArray[np.int64], offset: NDArray[np.int64], *, at: datetime, tolerance: timedelta
) -> Iterator[tuple[NDArray[np.bool_], str, str]]:
    """Which readings have an impossible time, and why."""
    latest = (at + tolerance).timestamp()
    yield start + interval > latest, "future-reading", f"it ends after {as_instant(int(latest)).isoformat()}"
    yield start < (at - OLDEST).timestamp(), "too-old", "it is more than 40 years old"
    yield (start + offset * 60) % np.maximum(interval, 1) != 0, "off-grid-of-channel", "it is off the grid of the channel's standard time"


def _impossible(raw: NDArray[np.int64], place: NDArray[np.intp], channels: Sequence[Channel]) -> Iterator[tuple[NDArray[np.bool_], str, str]]:
    """Which values no meter measures, by the limits that files have too."""
    is_signed = np.array([each.flow == "net" for each in channels])[place]
    yield (raw < 0) & ~is_signed, "negative-value", "it is negative on a channel that counts one direction"
    most = np.array([_most_raw(each) for each in channels])[place]
    yield np.abs(raw) > most, "absurd-value", "no meter measures so much in this time"


def _most_raw(channel: Channel) -> float:
    """The most raw steps that an interval can have; a dial has no limit."""
    quantity = UNITS[channel.unit].quantity
    if channel.interval_s is None or quantity not in DEFAULT_LIMITS:
        return float("inf")
    hours = 1.0 if quantity.endswith("power") else channel.interval_s / 3600
    return DEFAULT_LIMITS[quantity] * hours / float(UNITS[channel.unit].factor * channel.step)


def _places(conn: Connection, sent: Columns, choices: _Choices, refused: Refused) -> NDArray[np.intp]:
    """For each reading the place of its channel among the choices; -1 where it has none, which is noted."""
    numbers = sorted({meter for meter, _, _ in sent.names})
    dated: dict[tuple[str, str], list[Channel]] = {}
    for each in queries.channels_of_meters(conn, numbers):
        dated.setdefault((each.meter_number, each.register), []).append(each)
    missing = sorted({meter for meter, register, _ in sent.names if (meter, register) not in dated})
    meters = meters_by_number(conn, missing) if missing else {}
    of_name, refusals, several = np.full(len(sent.names), -1, dtype=np.intp), {}, []
    for number, (meter, register, unit) in enumerate(sent.names):
        known = dated.get((meter, register), ())
        if not known:
            refusals[number] = ("unknown-channel", f"meter {meter} has no channel {register}") if meter in meters else ("unknown-meter", f"meter {meter} is not known")
        elif len(known) == 1 and known[0].in_service_from is None and known[0].in_service_to is None:
            of_name[number] = _choose(known[0], unit, number, choices, refusals)
        else:
            several.append((number, known, unit))
    place = of_name[sent.name]
    for number, known, unit in several:
        own = np.flatnonzero(sent.name == number)
        for channel in known:
            begin = channel.in_service_from.timestamp() if channel.in_service_from else -np.inf
            end = channel.in_service_to.timestamp() if channel.in_service_to else np.inf
            serves = own[(sent.start[own] >= begin) & (sent.start[own] < end)]
            if len(serves):
                place[serves] = _choose(channel, unit, number, choices, refusals)
        refusals.setdefault(number, ("channel-not-in-service", f"no channel of {known[0].meter_number} {known[0].register} was in service then"))
    for i in np.flatnonzero(place < 0).tolist():
        refused.add(*refusals[int(sent.name[i])], line=int(sent.line[i]))
    return place


def _choose(channel: Channel, unit: str | None, number: int, choices: _Choices, refusals: dict[int, tuple[str, str]]) -> int:
    """The place of a channel for readings in a unit; -1 where the unit does not fit, with the reason."""
    if unit is not None and UNITS[unit].quantity != channel.quantity:
        refusals[number] = ("unit-mismatch", f"channel {channel.meter_number} {channel.register} measures {channel.unit}, not {unit}")
        return -1
    choices.channels.append(channel)
    scale = _scale(unit or channel.unit, channel.unit, channel.pow10)
    choices.scales.append(scale / Fraction(channel.multiplier) if channel.interval_s else scale)
    return len(choices.channels) - 1


@lru_cache(maxsize=1024)
def _scale(unit: str, of_channel: str, pow10: int) -> Fraction:
    """How many steps of 10^pow10 of the channel's unit one of a unit is, exactly; multipliers apart."""
    return Fraction(UNITS[unit].factor) / Fraction(UNITS[of_channel].factor) / Fraction(10) ** pow10


def _raws(sent: Columns, place: NDArray[np.intp], choices: _Choices) -> tuple[NDArray[np.int64], list[tuple[NDArray[np.bool_], str, str]]]:
    """Raw values, and which of them the channels cannot hold exactly."""
    kinds = {scale: number for number, scale in enumerate(dict.fromkeys(choices.scales))}
    kind = np.array([kinds[scale] for scale in choices.scales], dtype=np.int64)[place]
    limit = np.where(np.array([each.interval_s is not None for each in choices.channels])[place], _MOST_STEPS, 2**62)
    raw = np.zeros(len(place), dtype=np.int64)
    is_finer, is_beyond = np.zeros(len(place), dtype=bool), np.zeros(len(place), dtype=bool)
    scales = list(kinds)
    both = kind * 4096 + sent.exponent + 2048
    for pair in np.unique(both).tolist():
        own = np.flatnonzero(both == pair)
        scale = scales[pair // 4096] * Fraction(10) ** (pair % 4096 - 2048)
        mantissa = sent.mantissa[own]
        if scale.denominator > _MOST_MANTISSA:
            is_finer[own] = mantissa != 0
            continue
        is_finer[own] = mantissa % scale.denominator != 0
        steps = mantissa // scale.denominator
        is_beyond[own] = (np.abs(steps) > limit[own] // scale.numerator) if scale.numerator <= 2**62 else steps != 0
        raw[own] = np.where(is_finer[own] | is_beyond[own], 0, steps * min(scale.numerator, 2**62))
    assert not (raw == MISSING).any()  # the limit is symmetric
    return raw, [(is_finer, "finer-than-channel", "it is finer than the channel's resolution"), (is_beyond, "beyond-channel", "the channel cannot hold so large a value")]


_MOST_MANTISSA = 10**_MOST_DIGITS
