"""Metering's values: quality, the identity of a channel in a file, and what a parser hands over. Pure; imports no database.

A reading's instant is the start of its interval. Values are whole numbers of the channel's unit x 10^pow10; `MISSING` stands where a file
says there is no value.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mains.base.problems import Issue

MISSING = -(2**31)
"""The raw value of an interval that a file names but has no value for; its quality is `Quality.MISSING`."""

Commodity = Literal["electric", "gas", "water"]
Flow = Literal["delivered", "received", "net", "total"]


class Quality(IntEnum):
    """How far a reading can be trusted: one scale for all formats, stored as a small number."""

    ACTUAL = 0
    VALIDATED = 1
    ESTIMATED = 2
    SUBSTITUTED = 3
    FINAL_SUBSTITUTE = 4
    EDITED = 5
    QUESTIONABLE = 6
    FAILED_CHECK = 7
    DERIVED = 8
    FORECAST = 9
    RAW = 10
    MISSING = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKey:
    """A channel as its file names it: meter number, NMI or usage point; and register, suffix or reading type."""

    meter: str
    register: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedChannel:
    """The accepted interval readings of one channel at one interval length; engineering value = `values` x 10^`pow10` of `unit`.

    `starts` are epoch seconds, strictly increasing, each on the grid of `interval_s` that begins at midnight of `utc_offset_min` (the
    standard offset, minutes east).
    `values` are int64 within 32 bits or `MISSING`; `quality` holds `Quality` as uint8; `lines` the line of the file (0 where unknown).
    All four have one length.
    A channel whose interval length changes between days comes as several of these with one `key`.
    """

    key: ChannelKey
    commodity: Commodity
    flow: Flow
    unit: str
    pow10: int
    interval_s: int
    utc_offset_min: int
    starts: NDArray[np.int64]
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]
    lines: NDArray[np.int32]
    service_point_hint: str | None = None
    serial_hint: str | None = None
    timezone_hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedBlocks:
    """Accepted standard-time days of many channels that are alike, dense: row i is a day of (`meters`[`which`[i]], `registers`[`which`[i]]).

    Engineering value = `values` x 10^`pow10` of `unit`; `values` int32 [days, intervals] with `MISSING` in the gaps, and every interval
    counts as a reading; `quality` uint8, one a day [days] or one a reading [days, intervals]. `block_start` int64 [days] is epoch seconds
    of midnight at `utc_offset_min` (the standard offset, minutes east). `lines` int32 [days] is the row of the file, from 1.
    `meters` and `registers` have one length and name each pair once; no channel has a day twice in one of these.
    """

    commodity: Commodity
    flow: Flow
    unit: str
    pow10: int
    interval_s: int
    utc_offset_min: int
    meters: list[str]
    registers: list[str]
    which: NDArray[np.int32]
    block_start: NDArray[np.int64]
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    lines: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRead:
    """Consumption over a stretch of time that is no interval of a day (a month of gas): `value` x 10^`pow10` of `unit` from `start`
    (epoch s) for `duration_s`."""

    key: ChannelKey
    commodity: Commodity
    flow: Flow
    unit: str
    pow10: int
    start: int
    duration_s: int
    value: int
    quality: Quality
    line: int
    service_point_hint: str | None = None
    timezone_hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRead:
    """What a register showed at the instant `at` (epoch s): `value` x 10^`pow10` of `unit`, as its dial says it, before any multiplier."""

    key: ChannelKey
    commodity: Commodity
    flow: Flow
    unit: str
    pow10: int
    at: int
    value: int
    quality: Quality
    line: int
    service_point_hint: str | None = None
    serial_hint: str | None = None
    timezone_hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSummary:
    """What a file says was used and billed in a period: `usage` in `unit`, money in `currency` (ISO 4217); None where it says nothing.

    It belongs to usage point `meter`, and repeats what the readings total: it is no reading.
    """

    meter: str
    kind: str
    start: int | None
    duration_s: int | None
    currency: str | None
    billed: Decimal | None
    billed_to_date: Decimal | None
    additional_cost: Decimal | None
    usage: Decimal | None
    unit: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParsedFile:
    """What one file, or one part of a long one, holds: `found` = accepted + the counts of its issues.

    `format` is one of `formats.FORMATS`, nem13, zip or unknown; `sha256` is of the whole inner file in every part; `part` counts
    from 1.
    """

    file: str
    format: str
    sha256: str
    found: int
    channels: list[ParsedChannel] = field(default_factory=list)
    register_reads: list[PeriodRead] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    part: int = 1
    blocks: list[ParsedBlocks] = field(default_factory=list)
    summaries: list[UsageSummary] = field(default_factory=list)
    index_reads: list[IndexRead] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Readings that may be stored."""
        intervals = sum(len(channel.starts) for channel in self.channels) + sum(each.values.size for each in self.blocks)
        return intervals + len(self.register_reads) + len(self.index_reads)

    @property
    def quarantined(self) -> int:
        """Readings that an issue took out."""
        return sum(issue.count for issue in self.issues)
