"""Values of validation and estimation: the window that is judged, what is known of its channels, and what was found. Pure; no database.

A window is dense: channels of one interval length over whole standard-time days. An interval is named by its row and its flat place, counted from the first interval of
the window's first day: place = day x slots + slot. Amounts are raw steps of the channel, as stored; `step` says how many Wh (electric) or litres (gas, water) one is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum, IntFlag
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mains.metering.model import MISSING, Quality

DAY = 86_400
Severity = Literal["info", "warning", "failure"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "failure")
"""A finding holds its severity as the place in this list."""


class CommodityCode(IntEnum):
    """What is measured."""

    ELECTRIC = 0
    GAS = 1
    WATER = 2


class FlowCode(IntEnum):
    """Which way it flows; only NET may be negative."""

    DELIVERED = 0
    RECEIVED = 1
    NET = 2
    TOTAL = 3


class EventFlag(IntFlag):
    """What a meter or head-end says of an interval beside its value."""

    PULSE_OVERFLOW = 1
    TEST_MODE = 2
    POWER_FAIL = 4
    PARTIAL_INTERVAL = 8
    LONG_INTERVAL = 16
    CLOCK_SET = 32
    CLOCK_INVALID = 64
    TAMPER = 128


ELIGIBLE = np.zeros(256, dtype=bool)
"""Qualities of readings that were measured and stand: what may be judged, and what an estimate may learn from."""
ELIGIBLE[[Quality.ACTUAL, Quality.VALIDATED, Quality.RAW, Quality.EDITED]] = True
SUBSTITUTE = np.zeros(256, dtype=bool)
"""Qualities of readings that were not measured but put in."""
SUBSTITUTE[[Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE]] = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What is known of the channels: every array has one element a channel.

    `commodity` int8 `CommodityCode`; `flow` int8 `FlowCode`; `meter_class` int16, the place in `Window.classes`; `step` float64, Wh or litres a raw step, multiplier included;
    `interval_s` int32, what the channel is set to (0 unknown); `installed_from`, `installed_to` int64 epoch s, half-open (the least and the greatest int64 where open);
    `limit` float64, the most raw steps an interval can physically have, from volts x amperes x phases or the fuse (nan unknown); `clock_error_s` float64, the device's clock
    minus UTC at the read (nan unknown); `is_known_device` bool, whether the delivering device is the one installed; `multiplier`, `delivered_multiplier` float64 (nan not
    told); `is_unit_right` bool; `siblings`, `siblings_here` int16, channels the device has and those that delivered; `reactive_row`, `check_row` int32, the row of the kVArh
    channel and of the check meter or alternate channel in this window (-1 none); `dial_digits` int16 (0 unknown); `group` int32, the transformer or feeder it hangs on
    (-1 unknown); `estimated_bills` int16, bills in a row that were estimated.
    """

    commodity: NDArray[np.int8]
    flow: NDArray[np.int8]
    meter_class: NDArray[np.int16]
    step: NDArray[np.float64]
    interval_s: NDArray[np.int32]
    installed_from: NDArray[np.int64]
    installed_to: NDArray[np.int64]
    limit: NDArray[np.float64]
    clock_error_s: NDArray[np.float64]
    is_known_device: NDArray[np.bool_]
    multiplier: NDArray[np.float64]
    delivered_multiplier: NDArray[np.float64]
    is_unit_right: NDArray[np.bool_]
    siblings: NDArray[np.int16]
    siblings_here: NDArray[np.int16]
    reactive_row: NDArray[np.int32]
    check_row: NDArray[np.int32]
    dial_digits: NDArray[np.int16]
    group: NDArray[np.int32]
    estimated_bills: NDArray[np.int16]

    @classmethod
    def usual(cls, channels: int, **known: Any) -> "Facts":
        """Facts of plain electric meters counted in Wh, of which nothing more is known than what is told: arrays, or one value for all."""
        least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        unknown: dict[str, tuple[Any, Any]] = {
            "commodity": (np.int8, CommodityCode.ELECTRIC), "flow": (np.int8, FlowCode.DELIVERED), "meter_class": (np.int16, 0), "step": (np.float64, 1.0),
            "interval_s": (np.int32, 0), "installed_from": (np.int64, least), "installed_to": (np.int64, most), "limit": (np.float64, np.nan),
            "clock_error_s": (np.float64, np.nan), "is_known_device": (np.bool_, True), "multiplier": (np.float64, np.nan), "delivered_multiplier": (np.float64, np.nan),
            "is_unit_right": (np.bool_, True), "siblings": (np.int16, 0), "siblings_here": (np.int16, 0), "reactive_row": (np.int32, -1), "check_row": (np.int32, -1),
            "dial_digits": (np.int16, 0), "group": (np.int32, -1), "estimated_bills": (np.int16, 0),
        }  # fmt: skip
        if strange := set(known) - set(unknown):
            raise TypeError(f"no such facts: {', '.join(sorted(strange))}")
        return cls(**{name: np.broadcast_to(np.asarray(known.get(name, value), dtype=kind), (channels,)) for name, (kind, value) in unknown.items()})

    def where(self, rows: NDArray[np.intp] | slice) -> "Facts":
        """The facts of some channels."""
        return Facts(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heads:
    """Days before the window by their block heads alone: `days` int32 [H] ascending, counted from the window's first day (-1 is the day before it; last year's are near -364).

    `totals` int64, `peaks` int32, `n_valid` int16 (0 = no such block), all [n, H]; `is_estimated` bool [n, H] or None: the day holds estimated or substituted readings.
    Blocks that failed a check or hold outages should be left out (n_valid 0): a spike among the heads hides the next one.
    """

    days: NDArray[np.int32]
    totals: NDArray[np.int64]
    peaks: NDArray[np.int32]
    n_valid: NDArray[np.int16]
    is_estimated: NDArray[np.bool_] | None = None

    @classmethod
    def none(cls, channels: int) -> "Heads":
        """No history."""
        return cls(
            days=np.zeros(0, np.int32), totals=np.zeros((channels, 0), np.int64), peaks=np.zeros((channels, 0), np.int32), n_valid=np.zeros((channels, 0), np.int16)
        )

    def where(self, rows: NDArray[np.intp] | slice) -> "Heads":
        """The heads of some channels."""
        estimated = None if self.is_estimated is None else self.is_estimated[rows]
        return Heads(days=self.days, totals=self.totals[rows], peaks=self.peaks[rows], n_valid=self.n_valid[rows], is_estimated=estimated)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegisterSpans:
    """Stretches between two register reads of a channel, one element a stretch: what its dial says was used in places [first, last) of `row`.

    `row`, `first`, `last` int32; `raw` float64 in the channel's raw steps, multiplier included (nan where a read is missing); `resolution` float64, one step of the dial in raw
    steps; `is_actual` bool: both reads were measured; `is_backward` bool: the second read is lower than the first and no rollover explains it;
    `tou_raw` float64: the same stretch as the sum of its time-of-use registers (nan: has none).
    """

    row: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    raw: NDArray[np.float64]
    resolution: NDArray[np.float64]
    is_actual: NDArray[np.bool_]
    is_backward: NDArray[np.bool_]
    tou_raw: NDArray[np.float64]

    @classmethod
    def of(cls, *, row: Any, first: Any, last: Any, raw: Any, resolution: Any = 1.0, is_actual: Any = True, is_backward: Any = False, tou_raw: Any = np.nan) -> "RegisterSpans":
        """Stretches of arrays; the last four may be one value for all."""
        n = len(np.atleast_1d(row))
        given = {"row": (np.int32, row), "first": (np.int32, first), "last": (np.int32, last), "raw": (np.float64, raw), "resolution": (np.float64, resolution),
                 "is_actual": (np.bool_, is_actual), "is_backward": (np.bool_, is_backward), "tou_raw": (np.float64, tou_raw)}  # fmt: skip
        return cls(**{name: np.array(np.broadcast_to(np.asarray(value, dtype=kind), (n,))) for name, (kind, value) in given.items()})

    @classmethod
    def of_days(cls, totals: NDArray[np.float64], slots: int, *, resolution: float = 1.0) -> "RegisterSpans":
        """Daily snapshots: `totals` raw [n, days] from midnight to midnight, nan where either read is missing."""
        row, day = np.nonzero(~np.isnan(totals))
        return cls.of(row=row, first=day * slots, last=(day + 1) * slots, raw=totals[row, day], resolution=resolution)

    def __len__(self) -> int:
        return len(self.row)

    def where(self, chosen: NDArray[Any]) -> "RegisterSpans":
        """Some of the stretches, by mask or by place."""
        return RegisterSpans(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Flags on intervals, one element each: `row`, `place` int32 and `flag` uint16 of `EventFlag` bits."""

    row: NDArray[np.int32]
    place: NDArray[np.int32]
    flag: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Balance:
    """What group meters (transformer, feeder) measured: `groups` int32 [G], `energy` float64 [G, days] in Wh or litres (nan unknown), `is_whole` bool [G]: all its meters
    are in this window."""

    groups: NDArray[np.int32]
    energy: NDArray[np.float64]
    is_whole: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Channels of one interval length over whole standard-time days, and all that the rules may know of them.

    `channel_ids` int64 [n]; `first_day` epoch s of the first standard midnight at `utc_offset_min`; `values` int32 [n, days, slots], `MISSING` where there is none;
    `quality` uint8 of the same shape, or None where every reading is actual; `is_due` bool [n, days]: days to be judged, the others are context; `excused` bool of the shape of
    values, or None: intervals of recorded outages and other known events; `is_disconnected` bool likewise: the service was switched off or the meter hung nowhere.
    `local_shift_min` int16 [days + 1]: how far the local clock is ahead of the standard one at each midnight (0 or 60 in most places), the last for the end of the window.
    `weekday` is that of the first day, 0 Monday; `is_holiday` bool [days]. `is_cycle_end` bool [n, days] or None: last days of billing periods; None lets every channel have
    its own rhythm of 30 days. `now` epoch s: when the delivery was received.
    """

    channel_ids: NDArray[np.int64]
    first_day: int
    utc_offset_min: int
    values: NDArray[np.int32]
    is_due: NDArray[np.bool_]
    now: int
    facts: Facts
    heads: Heads
    classes: tuple[str, ...] = ("residential",)
    quality: NDArray[np.uint8] | None = None
    excused: NDArray[np.bool_] | None = None
    is_disconnected: NDArray[np.bool_] | None = None
    registers: RegisterSpans | None = None
    events: Events | None = None
    balance: Balance | None = None
    local_shift_min: NDArray[np.int16] | None = None
    is_holiday: NDArray[np.bool_] | None = None
    is_cycle_end: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, values: NDArray[np.int32], *, first_day: int, utc_offset_min: int = 0, **known: Any) -> "Window":
        """A window in which every day is due and nothing more is known than what is told; received one minute after its end."""
        n, days, _ = values.shape
        usual = {
            "channel_ids": np.arange(1, n + 1, dtype=np.int64), "is_due": np.ones((n, days), dtype=bool), "now": first_day + days * DAY + 60,
            "facts": Facts.usual(n), "heads": Heads.none(n),
        }  # fmt: skip
        return cls(values=values, first_day=first_day, utc_offset_min=utc_offset_min, **(usual | known))

    @property
    def channels(self) -> int:
        """How many channels."""
        return self.values.shape[0]

    @property
    def days(self) -> int:
        """How many days."""
        return self.values.shape[1]

    @property
    def slots(self) -> int:
        """Intervals a day."""
        return self.values.shape[2]

    @property
    def interval_s(self) -> int:
        """Length of an interval, s."""
        return DAY // self.values.shape[2]

    @property
    def weekday(self) -> int:
        """Weekday of the first standard day, 0 Monday."""
        return ((self.first_day + self.utc_offset_min * 60) // DAY + 3) % 7

    def starts_at(self, place: int) -> int:
        """Start of the interval at a flat place, epoch s."""
        return self.first_day + place * self.interval_s

    def shifts(self) -> NDArray[np.int64]:
        """How many intervals the local clock is ahead at each midnight [days + 1]."""
        if self.local_shift_min is None:
            return np.zeros(self.days + 1, dtype=np.int64)
        return self.local_shift_min.astype(np.int64) * 60 // self.interval_s

    def local_days(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First place of each local day [days] (negative where it begins before the window) and the intervals it has [days]: 96, and 92 and 100 when the clocks change."""
        begins = np.arange(self.days + 1, dtype=np.int64) * self.slots - self.shifts()
        return begins[:-1], np.diff(begins)

    def where(self, rows: NDArray[np.intp]) -> "Window":
        """The same of some channels, without what joins rows (stretches and events are renumbered, check meters and balances are dropped)."""
        renumbered = np.full(self.channels, -1, dtype=np.int32)
        renumbered[rows] = np.arange(len(rows), dtype=np.int32)
        cut = {name: None if (each := getattr(self, name)) is None else each[rows] for name in ("quality", "excused", "is_disconnected", "is_cycle_end")}
        registers = self.registers
        if registers is not None:
            registers = registers.where(renumbered[registers.row] >= 0)
            registers = replace(registers, row=renumbered[registers.row])
        events = self.events
        if events is not None:
            chosen = renumbered[events.row] >= 0
            events = Events(row=renumbered[events.row[chosen]], place=events.place[chosen], flag=events.flag[chosen])
        none = np.full(len(rows), -1, dtype=np.int32)
        facts = replace(self.facts.where(rows), reactive_row=none, check_row=none)
        return replace(
            self, channel_ids=self.channel_ids[rows], values=self.values[rows], is_due=self.is_due[rows], facts=facts, heads=self.heads.where(rows),
            registers=registers, events=events, balance=None, **cut,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a rule found: the rule's number, the channel's row, places [first, last), severity, and the measured figure beside its limit.

    `subject` is the row of the other channel where two are involved (a swapped meter), or a lag in intervals (a shifted clock); 0 or -1 otherwise.
    """

    rule: int
    row: int
    first: int
    last: int
    severity: Severity
    measured: float
    limit: float
    subject: int = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What was found, a column each, one element a finding, in the order of row, place and rule: as `Finding`; `severity` uint8 is the place in `SEVERITIES`."""

    rule: NDArray[np.uint8]
    row: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    severity: NDArray[np.uint8]
    measured: NDArray[np.float64]
    limit: NDArray[np.float64]
    subject: NDArray[np.int32]
    marks: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Whether the readings of the finding are to be marked as failed: only failures of rules that say so."""

    def __len__(self) -> int:
        return len(self.rule)

    def __getitem__(self, i: int) -> Finding:
        return Finding(
            rule=int(self.rule[i]), row=int(self.row[i]), first=int(self.first[i]), last=int(self.last[i]), severity=SEVERITIES[self.severity[i]],
            measured=float(self.measured[i]), limit=float(self.limit[i]), subject=int(self.subject[i]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Finding]:
        return (self[i] for i in range(len(self)))

    def where(self, chosen: NDArray[Any]) -> "Findings":
        """Some of the findings, by mask or by place."""
        return Findings(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})

    def failed(self, window: Window) -> NDArray[np.bool_]:
        """bool [n, days, slots]: readings that are there and must be marked as failed."""
        out = np.zeros((window.channels, window.days * window.slots), dtype=bool)
        for i in np.flatnonzero(self.marks):
            out[self.row[i], self.first[i] : self.last[i]] = True
        return out.reshape(window.values.shape) & (window.values != MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A row of a rule table: which rule, for which meter class (or commodity: "electric", "gas", "water"; "all" for every one), with which parameters, how severe.

    Rows are laid one over the other: all, then commodity, then class; parameters that a row does not name stay as they were. `is_off` takes the rule out.
    """

    rule_name: str
    meter_class: str = "all"
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    severity: Severity | None = None
    is_off: bool = False


Rows = Sequence[RuleRow]
