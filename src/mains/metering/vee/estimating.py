"""Filling gaps: the ladder of estimation, from the check meter to the flat average, always scaled to what the register says. Pure; integers in, integers out."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mains.metering.model import MISSING, Quality
from mains.metering.vee.figures import stretches
from mains.metering.vee.likedays import Ladder, like_day_means, usual_days
from mains.metering.vee.model import ELIGIBLE, FlowCode, Window

__all__ = ["Estimates", "Ladder", "Method", "estimate"]


class Method(IntEnum):
    """How an interval was filled; `aemo` gives the method type of NEM12, of which AEMO has no more than these."""

    NONE = 0
    CHECK_METER = 1
    LINEAR = 2
    LIKE_DAYS = 3
    CLASS_PROFILE = 4
    FLAT = 5
    OUTAGE_ZERO = 6
    ALTERNATE = 7
    LIKE_DAY = 8

    @property
    def aemo(self) -> int:
        """AEMO's method type, 11 to 19; 0 where nothing was estimated."""
        return (0, 11, 17, 15, 12, 12, 19, 18, 14)[self]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Filled readings, all of the window's shape [n, days, slots]: `values` int32 (the window's own outside the gaps, `MISSING` where nothing could be said), `method` uint8
    `Method` (0 outside the gaps), `quality` uint8 as stored, `Quality.ESTIMATED` or `SUBSTITUTED` in the gaps; `scaled` bool: the stretch was fitted to the register."""

    values: NDArray[np.int32]
    method: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    scaled: NDArray[np.bool_]


@dataclass(slots=True, kw_only=True, eq=False)
class _Row:
    """One channel's intervals on a line while they are filled: `guess` float64, nan where nothing is known yet; `method` uint8; `is_gap`, `is_known` bool: to be filled, and
    measured and standing."""

    guess: NDArray[np.float64]
    method: NDArray[np.uint8]
    is_gap: NDArray[np.bool_]
    is_known: NDArray[np.bool_]

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Gaps that no step of the ladder has filled."""
        return self.is_gap & (self.method == Method.NONE)


def estimate(window: Window, gaps: NDArray[np.bool_], ladder: Ladder | None = None) -> Estimates:
    """Fill the intervals of `gaps` bool [n, days, slots]; nothing else changes, and final substitutes are never estimated again.

    In turn: a known outage is 0; the check meter or alternate channel; a straight line where the gap is no longer than `linear_s`; the average of like days; the class
    profile times the usual day; the flat usual day. Where a stretch between two actual register reads holds gaps, they sum up with the rest to what the register says,
    exactly, to the unit; where the rest alone is more than the register says, the gaps are 0. Channels that are not net never get a negative value. Gaps of which nothing
    is known stay `MISSING`.
    """
    ladder = ladder or Ladder()
    n, places = window.channels, window.days * window.slots
    values = window.values.reshape(n, places).copy()
    quality = np.full((n, places), Quality.ACTUAL, np.uint8) if window.quality is None else window.quality.reshape(n, places).copy()
    gaps = gaps.reshape(n, places) & (quality != Quality.FINAL_SUBSTITUTE)
    quality[(values == MISSING) & (quality == Quality.ACTUAL)] = Quality.MISSING
    method, scaled = np.zeros((n, places), dtype=np.uint8), np.zeros((n, places), dtype=bool)
    for row in np.flatnonzero(gaps.any(axis=1)).tolist():
        known = ~gaps[row] & (values[row] != MISSING) & ELIGIBLE[quality[row]]
        one = _Row(guess=np.full(places, np.nan), method=method[row], is_gap=gaps[row], is_known=known)
        _climb(window, row, one, ladder)
        values[row, gaps[row]] = MISSING
        _settle(window, row, one, values[row], scaled[row])
        filled = gaps[row] & (values[row] != MISSING)
        quality[row, gaps[row]] = Quality.MISSING
        quality[row, filled] = Quality.ESTIMATED
        quality[row, filled & np.isin(one.method, (Method.CHECK_METER, Method.ALTERNATE))] = Quality.SUBSTITUTED
        one.method[~filled] = Method.NONE
    shape = window.values.shape
    return Estimates(values=values.reshape(shape), method=method.reshape(shape), quality=quality.reshape(shape), scaled=scaled.reshape(shape))


def _climb(window: Window, row: int, one: _Row, ladder: Ladder) -> None:
    """Fill the guesses step by step."""
    raw = window.values[row].reshape(-1).astype(np.float64)
    excused = np.zeros(len(raw), dtype=bool)
    for each in (window.excused, window.is_disconnected):
        if each is not None:
            excused |= each[row].reshape(-1)
    _take(one, one.is_open & excused, np.zeros(len(raw)), Method.OUTAGE_ZERO)
    one.is_known &= ~excused
    _from_check_meter(window, row, one, ladder)
    _straight(one, raw, longest=ladder.linear_s // window.interval_s, may_sink=window.facts.flow[row] == FlowCode.NET)
    trusted = np.zeros((0, 0))
    if one.is_open.any():
        trusted = np.where(one.is_known, raw, np.nan).reshape(window.days, window.slots)
        means, count = like_day_means(window, trusted, one.is_open.reshape(trusted.shape), ladder)
        _take(one, one.is_open & (count.reshape(-1) > 1), means.reshape(-1), Method.LIKE_DAYS)
        _take(one, one.is_open & (count.reshape(-1) == 1), means.reshape(-1), Method.LIKE_DAY)
    if one.is_open.any():
        usual, kind = usual_days(window, row, trusted)
        if ladder.class_profiles is not None:
            shape = ladder.class_profiles[window.facts.meter_class[row]][kind]
            _take(one, one.is_open, (usual[:, None] * shape).reshape(-1), Method.CLASS_PROFILE)
        _take(one, one.is_open, np.repeat(usual / window.slots, window.slots), Method.FLAT)
    if window.facts.flow[row] != FlowCode.NET:
        np.maximum(one.guess, 0, out=one.guess)


def _take(one: _Row, chosen: NDArray[np.bool_], guess: NDArray[np.float64], method: Method) -> None:
    """Let a step fill what it knows of the chosen intervals."""
    chosen = chosen & ~np.isnan(guess)
    one.guess[chosen] = guess[chosen]
    one.method[chosen] = method


def _from_check_meter(window: Window, row: int, one: _Row, ladder: Ladder) -> None:
    """What the check meter or alternate channel measured, in this channel's steps."""
    check = int(window.facts.check_row[row])
    if check < 0 or check == row:
        return
    other = window.values[check].reshape(-1)
    stands = other != MISSING
    if window.quality is not None:
        stands &= ELIGIBLE[window.quality[check].reshape(-1)]
    scale = window.facts.step[check] / window.facts.step[row]
    _take(one, one.is_open & stands, other * scale, Method.ALTERNATE if ladder.is_alternate else Method.CHECK_METER)


def _straight(one: _Row, raw: NDArray[np.float64], *, longest: int, may_sink: bool) -> None:
    """A straight line between the measured neighbours of each gap that is short enough; at the window's edge the one neighbour there is."""
    _, first, last = stretches(one.is_open[None, :])
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        if b - a > longest:
            continue
        left = raw[a - 1] if a > 0 and one.is_known[a - 1] else None
        right = raw[b] if b < len(raw) and one.is_known[b] else None
        if left is None or right is None:
            continue
        line = left + (right - left) * np.arange(1, b - a + 1) / (b - a + 1)
        one.guess[a:b] = line if may_sink else np.maximum(line, 0)
        one.method[a:b] = Method.LINEAR


def _settle(window: Window, row: int, one: _Row, values: NDArray[np.int32], scaled: NDArray[np.bool_]) -> None:
    """Make whole numbers of the guesses: fitted to the register stretch by stretch, shortest first, and to their own sum elsewhere."""
    done = ~one.is_gap | np.isnan(one.guess)
    may_sink = bool(window.facts.flow[row] == FlowCode.NET)
    spans = window.registers
    chosen = np.zeros(0, np.intp) if spans is None else np.flatnonzero((spans.row == row) & spans.is_actual & ~np.isnan(spans.raw) & ~spans.is_backward)
    if spans is not None and len(chosen):
        for i in chosen[np.argsort(spans.last[chosen] - spans.first[chosen], kind="stable")]:
            part = slice(max(int(spans.first[i]), 0), int(spans.last[i]))
            todo = np.flatnonzero(one.is_gap[part] & ~done[part]) + part.start
            whole = int(spans.last[i]) <= len(values) and int(spans.first[i]) >= 0
            if not len(todo) or not whole or (one.is_gap[part] & np.isnan(one.guess[part])).any():
                continue
            rest = np.setdiff1d(np.arange(part.start, part.stop), todo)
            if (values[rest] == MISSING).any():
                continue
            due = round(float(spans.raw[i])) - int(values[rest].sum(dtype=np.int64))
            dark = one.method[todo] == Method.OUTAGE_ZERO
            values[todo[dark]] = 0
            todo = todo[~dark]
            values[todo] = portions(one.guess[todo], due if may_sink else max(due, 0), may_sink=may_sink)
            scaled[todo] = True
            done[part] = True
    for a, b in zip(*stretches((one.is_gap & ~done)[None, :])[1:], strict=True):
        values[a:b] = portions(one.guess[a:b], round(float(one.guess[a:b].sum())), may_sink=may_sink)


def portions(guess: NDArray[np.float64], total: int, *, may_sink: bool = False) -> NDArray[np.int32]:
    """Whole numbers in proportion to `guess` that sum to `total`, by largest remainders; evenly where the guesses are all 0. What does not fit 32 bits is cut there.

    >>> portions(np.array([1.0, 1.0, 1.0]), 10).tolist()
    [4, 3, 3]
    """
    if not len(guess):
        return np.zeros(0, dtype=np.int32)
    whole = guess.sum()
    exact = guess / whole * total if whole > 1e-300 and (guess >= 0).all() else np.full(len(guess), total / len(guess))
    if may_sink and (guess < 0).any():
        exact = guess + (total - whole) / len(guess)
    down = np.floor(exact).astype(np.int64)
    short = total - int(down.sum())
    each, left = divmod(short, len(guess))
    down += each
    down[np.argsort(-(exact - np.floor(exact)), kind="stable")[:left]] += 1
    return np.clip(down, MISSING + 1, 2**31 - 1).astype(np.int32)
