"""Whole days of many channels to the channels they belong to, all at once.

What is plain goes straight through: a known channel of the same unit, flow and interval, in service and with the day on its grid. Every other day is handed back
as the readings of a channel, to be judged one by one with its reasons (`resolving`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from mains.base.sql import Statements
from mains.base.units import UNITS
from mains.metering.blocks import DAY, Blocks, encode
from mains.metering.load import as_instant
from mains.metering.model import MISSING, ChannelKey, ParsedBlocks, ParsedChannel, Quality

_sql = Statements("mains.metering", "resolving_blocks.sql")

_KEY = np.dtype([("place", ">i4"), ("channel_id", ">i8"), ("hung", ">i2")])
_HUNG_NEVER, _HUNG_SOMETIMES = 0, 1
_WIDEST = 2**31 - 1
_MANY = 500
"""Keys from which they are joined as sets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """Days as stored channels take them: `blocks` to stage, of which `which` says the key (number in the parsed blocks) and `line` where it stood.

    `unhung` are the numbers of the keys whose meters hung nowhere at some of the time; their readings are kept.
    """

    blocks: Blocks
    keys: Sequence[ChannelKey]
    lines: NDArray[np.int32]
    unhung: list[int]


@dataclass(slots=True, kw_only=True)
class Resolved:
    """What became of the days of one part: those that fit, and the others as readings of channels."""

    fitted: list[Fitted] = field(default_factory=list)
    others: list[ParsedChannel] = field(default_factory=list)


def resolve(conn: Connection, parsed: ParsedBlocks, *, at: datetime, oldest: timedelta, future_tolerance: timedelta) -> Resolved:
    """The channels of parsed days; `at` is now, days older than `oldest` or ending after `at` + `future_tolerance` are handed back."""
    out = Resolved()
    if not len(parsed.which):
        return out
    if not "".join(parsed.meters).isprintable() or not "".join(parsed.registers).isprintable():
        out.others = list(apart(parsed, np.ones(len(parsed.which), dtype=bool)))
        return out
    first, last = int(parsed.block_start.min()), int(parsed.block_start.max())
    rest = np.ones(len(parsed.which), dtype=bool)
    timely = (parsed.block_start >= (at - oldest).timestamp()) & (parsed.block_start + DAY <= (at + future_tolerance).timestamp())
    asked = {"meters": parsed.meters, "registers": parsed.registers, "from_at": as_instant(first), "to_at": as_instant(last + DAY)}
    is_many = len(parsed.meters) >= _MANY
    with conn.cursor(binary=True) as cursor:
        if is_many:
            cursor.execute(_sql.join_many, {"nestloop": "off"})
        rows = cursor.execute(_sql.channels_of_keys, asked).fetchall()
        if is_many:
            cursor.execute(_sql.join_many, {"nestloop": "on"})
        for commodity, quantity, flow, unit, pow10, multiplier, interval_s, offset, packed in rows:
            is_alike = (commodity, flow, interval_s, offset) == (parsed.commodity, parsed.flow, parsed.interval_s, parsed.utc_offset_min)
            scale = _scale(parsed, unit, pow10, multiplier) if is_alike and UNITS[parsed.unit].quantity == quantity else None
            if scale is None:
                continue
            keys = np.frombuffer(packed, dtype=_KEY)
            fit = _fit(parsed, keys, scale, timely)
            if fit is not None:
                fitted, chosen = fit
                out.fitted.append(fitted)
                rest[chosen] = False
    if rest.any():
        out.others = list(apart(parsed, rest))
    return out


def _scale(parsed: ParsedBlocks, unit: str, pow10: int, multiplier: Decimal) -> int | None:
    """How many raw steps of a channel one step of the file is; None where that is no whole number."""
    scale = Fraction(UNITS[parsed.unit].factor) / Fraction(UNITS[unit].factor) * Fraction(10) ** (parsed.pow10 - pow10) / Fraction(multiplier)
    return scale.numerator if scale.denominator == 1 else None


def _fit(parsed: ParsedBlocks, keys: np.ndarray, scale: int, timely: NDArray[np.bool_]) -> tuple[Fitted, NDArray[np.intp]] | None:
    """The days of some alike channels; None where there are none."""
    channel_of = np.full(len(parsed.meters), -1, dtype=np.int64)
    channel_of[keys["place"].astype(np.int64) - 1] = keys["channel_id"]
    channel = channel_of[parsed.which]
    fits = (channel >= 0) & timely
    if scale != 1:
        most = _WIDEST // scale
        fits &= ((parsed.values == MISSING) | ((parsed.values <= most) & (parsed.values >= -most))).all(axis=1)
    chosen = np.flatnonzero(fits)
    if not len(chosen):
        return None
    whole = len(chosen) == len(channel)
    values = parsed.values if whole else parsed.values[chosen]
    if scale != 1:
        values = np.where(values == MISSING, MISSING, values * np.int64(scale)).astype(np.int32)
    blocks = encode(
        channel_id=channel[chosen], block_start=parsed.block_start[chosen], values=values, utc_offset_min=parsed.utc_offset_min,
        quality=parsed.quality if whole else parsed.quality[chosen],
    )  # fmt: skip
    unhung = np.sort(keys["place"][keys["hung"] <= _HUNG_SOMETIMES].astype(np.int64) - 1)
    used = np.unique(parsed.which[chosen])
    return (
        Fitted(blocks=blocks, keys=_Keys(parsed=parsed, which=parsed.which[chosen]), lines=parsed.lines[chosen], unhung=np.intersect1d(unhung, used).tolist()),
        chosen,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Keys(Sequence[ChannelKey]):
    """The name of each day's channel, made when it is asked for."""

    parsed: ParsedBlocks
    which: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, at: int) -> ChannelKey:  # pyright: ignore[reportIncompatibleMethodOverride] - slices are not asked for
        number = int(self.which[at])
        return ChannelKey(meter=self.parsed.meters[number], register=self.parsed.registers[number])


def apart(parsed: ParsedBlocks, chosen: NDArray[np.bool_]) -> Iterator[ParsedChannel]:
    """The chosen days as readings of channels, a channel after the other."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((parsed.block_start[rows], parsed.which[rows]))]
    heads = np.flatnonzero(np.append(True, np.diff(parsed.which[rows]) != 0))
    steps = np.arange(parsed.values.shape[1], dtype=np.int64) * parsed.interval_s
    for mine in np.split(rows, heads[1:]):
        number = int(parsed.which[mine[0]])
        values = parsed.values[mine].astype(np.int64).reshape(-1)
        quality = parsed.quality[mine]
        each = (np.repeat(quality, len(steps)) if quality.ndim == 1 else quality.reshape(-1)).astype(np.uint8)
        yield ParsedChannel(
            key=ChannelKey(meter=parsed.meters[number], register=parsed.registers[number]),
            commodity=parsed.commodity,
            flow=parsed.flow,
            unit=parsed.unit,
            pow10=parsed.pow10,
            interval_s=parsed.interval_s,
            utc_offset_min=parsed.utc_offset_min,
            starts=(parsed.block_start[mine][:, None] + steps).reshape(-1),
            values=values,
            quality=np.where(values == MISSING, np.uint8(Quality.MISSING), each),
            lines=np.repeat(parsed.lines[mine], len(steps)),
        )


def unhung_message(fitted: Fitted, parsed: ParsedBlocks, said: Callable[[str], bool]) -> str | None:
    """What to tell about meters that hung nowhere at some of the time; None where all hung, or `said` knows of each of them already."""
    meters = [meter for number in fitted.unhung if not said(meter := parsed.meters[number])]
    if not meters:
        return None
    if len(meters) == 1:
        return f"meter {meters[0]} hung nowhere at some of these times; its readings are kept"
    return f"{len(meters)} meters, the first {meters[0]}, hung nowhere at some of these times; their readings are kept"
