"""Rules on amounts: what is missing, too high, too low, unchanged or against the channel's own past."""

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mains.base.problems import Problem
from mains.metering.model import MISSING
from mains.metering.vee.figures import EXCUSED, repeat_chance, stretches
from mains.metering.vee.history import CYCLE, ENOUGH
from mains.metering.vee.model import DAY, FlowCode
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found, of_days, together


class FormulaNotUnderstood(Problem):
    """The formula of a dynamic comparison uses something other than figures, numbers, comparisons and arithmetic."""

    status = 422


def gap(scene: Scene, limits: Limits) -> Found:
    """Intervals that a day should have and has not: inside the meter's time in place, ended by now, under no outage; more than `missing` a day."""
    window = scene.window
    rows = np.flatnonzero(((scene.figures.n_missing > limits["missing"][:, None]) & window.is_due).any(axis=1))
    if not len(rows):
        return NOTHING
    starts = window.first_day + window.interval_s * np.arange(window.days * window.slots, dtype=np.int64)
    facts = window.facts
    expected = (starts[None, :] >= facts.installed_from[rows, None]) & (starts + window.interval_s <= np.minimum(facts.installed_to[rows], window.now)[:, None])
    chosen = (window.values[rows].reshape(len(rows), -1) == MISSING) & expected
    if scene.mask is not None:
        chosen &= scene.mask[rows].reshape(len(rows), -1) & EXCUSED == 0
    by_day = chosen.reshape(len(rows), window.days, window.slots)
    by_day &= (by_day.sum(axis=2) > limits["missing"][rows, None])[:, :, None] & window.is_due[rows][:, :, None]
    row, first, last = stretches(chosen)
    return found(rows[row], first, last, measured=last - first, limit=limits["missing"][rows[row]])


def spike(scene: Scene, limits: Limits) -> Found:
    """The highest interval against the third highest of the billing cycle, (p1 - p3) / p3; peaks under a floor are let be."""
    floor = scene.per_hour(limits["floor_kwh_per_hour"])[:, None]
    third = scene.reference.third
    bound = np.maximum((1 + limits["ratio"][:, None]) * third, floor)
    over = (scene.reference.known >= ENOUGH) & (scene.figures.peak > bound)
    return _above(scene, over, bound, measured=lambda row, top: top / np.maximum(third[row[0], row[1]], 1) - 1, limit=limits["ratio"])


def physical_maximum(scene: Scene, limits: Limits) -> Found:
    """More than volts x amperes x phases, or the fuse, let through in an interval: over `share` a warning, over `fail_share` a failure."""
    bound = scene.window.facts.limit
    known = np.where(np.isnan(bound), np.inf, bound)
    most = limits["share"] * known
    out = _above(scene, scene.figures.peak > most[:, None], most[:, None], measured=lambda at, top: top / known[at[0]], limit=limits["share"])
    if not len(out):
        return out
    fails = out.measured > limits["fail_share"][out.row]
    limit = np.where(fails, limits["fail_share"][out.row], out.limit)
    return found(out.row, out.first, out.last, measured=out.measured, limit=limit, severity=np.where(fails, 2, -1))


def _above(scene: Scene, days: NDArray[np.bool_], bound: NDArray[np.float64], *, measured: Callable[..., Any], limit: NDArray[np.float64]) -> Found:
    """Stretches over `bound` (broadcast to [n, days]) on the chosen days; `measured` is made of ((row, day), highest raw value)."""
    days = days & scene.window.is_due
    row, day = np.nonzero(days)
    if not len(row):
        return NOTHING
    values = scene.window.values[row, day]
    over = values > np.broadcast_to(bound, days.shape)[row, day][:, None]
    if scene.mask is not None:
        over &= scene.mask[row, day] == 0
    which, first, last = stretches(over)
    top = np.array([values[i, a:b].max() for i, a, b in zip(which, first, last, strict=True)], dtype=np.float64)
    begin = day[which] * scene.window.slots
    return found(row[which], begin + first, begin + last, measured=measured((row[which], day[which]), top), limit=limit[row[which]])


def jump(scene: Scene, limits: Limits) -> Found:
    """The change from one interval to the next against the third highest peak of the cycle; under the floor it is let be."""
    third = np.maximum(scene.reference.third, 1)
    floor = scene.per_hour(limits["floor_kwh_per_hour"])[:, None]
    share = scene.figures.jump / third
    row, day = np.nonzero(scene.window.is_due & (scene.reference.known >= ENOUGH) & (share > limits["share"][:, None]) & (scene.figures.jump > floor))
    place = day * scene.window.slots + scene.figures.jump_at[row, day]
    return found(row, place, place + 1, measured=share[row, day], limit=limits["share"][row])


def cycle_ends(scene: Scene) -> NDArray[np.bool_]:
    """Days on which a channel's billing period ends [n, days]; where nobody says, each channel has a rhythm of 30 days of its own."""
    window = scene.window
    if window.is_cycle_end is not None:
        return window.is_cycle_end & window.is_due
    number = (window.first_day + window.utc_offset_min * 60) // DAY + np.arange(window.days)
    return window.is_due & ((number[None, :] - window.channel_ids[:, None]) % CYCLE == 0)


def high_low(scene: Scene, limits: Limits) -> Found:
    """Average daily use of the period that ends against the period before and the same days last year: off from each that is known by more than a share and a floor, and from what
    became of its peers by more than `spreads` times what peers differ by.

    Peers are the channels of the window of one commodity, flow and meter class (of any class where it is given back: one sun shines), held against the same two stretches of
    days: their median change is the weather's, and their middle half says how far apart homes are in it. Where fewer than `PEERS` are known, the share alone decides. `measured` is
    the change less that of the peers, as a share.
    """
    ends, history, facts = cycle_ends(scene), scene.history, scene.window.facts
    kind = (facts.commodity.astype(np.int64) * 16 + facts.flow) * 4096 + np.where(facts.flow == FlowCode.RECEIVED, 0, facts.meter_class)
    all_rows = np.arange(scene.window.channels)
    parts: list[Found] = []
    for day in np.flatnonzero(ends.any(axis=0)).tolist():
        rows = np.flatnonzero(ends[:, day])
        now = history.mean_total(all_rows, day - CYCLE + 1, day + 1, least=25)
        before = history.mean_total(all_rows, day - 2 * CYCLE + 1, day - CYCLE + 1, least=20)
        last_year = history.mean_total(all_rows, day - 364 - CYCLE + 1, day - 364 + 1, least=7)
        floor, share = scene.per_day(limits["floor_kwh_per_day"])[rows], limits["share"][rows]
        off = [_off_from_peers(now, past, kind, rows, share, limits["spreads"][rows], floor) for past in (before, last_year)]
        is_over = np.logical_and.reduce([np.isnan(past[rows]) | (np.abs(each) > share) for past, each in zip((before, last_year), off, strict=True)])
        over = np.flatnonzero(is_over & ~np.isnan(now[rows]) & ~(np.isnan(before[rows]) & np.isnan(last_year[rows])))
        known = [np.where(np.isnan(past[rows]), np.inf, each)[over] for past, each in zip((before, last_year), off, strict=True)]
        least = np.where(np.abs(known[0]) <= np.abs(known[1]), *known)
        first = max(day - CYCLE + 1, 0) * scene.window.slots
        parts.append(found(rows[over], first, (day + 1) * scene.window.slots, measured=least, limit=share[over]))
    return together(parts)


PEERS = 10
"""Channels of a kind that must be known for their change to be held for the weather's."""


def _off_from_peers(
    now: NDArray[np.float64], past: NDArray[np.float64], kind: NDArray[np.int64], rows: NDArray[np.intp], share: NDArray[np.float64], spreads: NDArray[np.float64],
    floor: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """By what share the use of some rows is off from what it was, had it changed as its peers did; 0 where that is under the floor or within `spreads` of what peers differ by.

    `now`, `past`, `kind` are of all channels [n]; `share`, `spreads`, `floor` of the rows [m].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.log(now / past)
        usable = np.isfinite(change)
        out = np.where(np.abs(now - past)[rows] > floor, (now / past)[rows] - 1, 0.0)
        for each in np.unique(kind[rows]).tolist():
            peers, mine = change[usable & (kind == each)], np.flatnonzero(kind[rows] == each)
            if len(peers) < PEERS:
                continue
            low, middle, high = np.quantile(peers, (0.25, 0.5, 0.75))
            usual = past[rows[mine]] * np.exp(middle)
            off = change[rows[mine]] - middle
            spread = np.where(off > 0, high - middle, middle - low) / 0.6745
            is_far = (np.abs(off) > spreads[mine] * spread) & (np.abs(now[rows[mine]] - usual) > floor[mine])
            out[mine] = np.where(is_far, np.where(np.abs(out[mine]) > share[mine], now[rows[mine]] / usual - 1, 0.0), 0.0)
    return np.nan_to_num(out, posinf=1e9)


def historical_maximum(scene: Scene, limits: Limits) -> Found:
    """A day's peak against the highest of as many days before; under the floor it is let be."""
    highest = np.maximum(scene.reference.highest, 1)
    share = scene.figures.peak / highest
    over = (scene.reference.known >= ENOUGH) & (share > limits["share"][:, None]) & (scene.figures.peak > scene.per_hour(limits["floor_kwh_per_hour"])[:, None])
    return of_days(scene.window, over & scene.window.is_due, measured=share, limit=limits["share"][:, None])


def zero(scene: Scene, limits: Limits) -> Found:
    """Nothing used for some hours on end, the days before the window counted by their heads; it speaks once, on the day that the limit is reached. What a channel gives back has a
    limit of its own: roofs give nothing for weeks of dark days."""
    window, runs = scene.window, scene.figures.runs
    runs = runs[runs[:, 3] == 0]
    if not len(runs):
        return NOTHING
    lead = np.zeros(window.channels, dtype=np.int64)
    heads = window.heads
    still = np.ones(window.channels, dtype=bool)
    for column in range(len(heads.days) - 1, -1, -1):
        if heads.days[column] != column - len(heads.days):
            break
        still &= (heads.n_valid[:, column] > 0) & (heads.totals[:, column] == 0) & (heads.peaks[:, column] == 0)
        lead += still * window.slots
        if not still.any():
            break
    row, first, last = runs[:, 0], runs[:, 1], runs[:, 2]
    before = np.where(first == 0, lead[row], 0)
    hours = np.where(window.facts.flow == FlowCode.RECEIVED, np.maximum(limits["hours"], limits["received_hours"]), limits["hours"])
    needed = np.ceil(hours[row] * 3600 / window.interval_s).astype(np.int64)
    reached = first - before + needed - 1  # place at which the limit is reached
    speaks = np.flatnonzero((last - first + before >= needed) & (reached >= 0))
    speaks = speaks[window.is_due[row[speaks], reached[speaks] // window.slots]]
    lasted = (last - first + before)[speaks] * window.interval_s / 3600
    return found(row[speaks], first[speaks], last[speaks], measured=lasted, limit=hours[row[speaks]])


def stuck(scene: Scene, limits: Limits) -> Found:
    """One value, not zero, again and again: at least `times`, and too often for chance.

    How often the channel repeats a value near this one is counted over the window; a flat standby repeats itself for hours and is let be, the same number through an evening is
    not. Values under `least_steps` raw steps need `idle_hours` on end, for a meter cannot count finer than one step.
    """
    window, runs = scene.window, scene.figures.runs
    row = runs[:, 0]
    length = runs[:, 2] - runs[:, 1]
    tells = (np.abs(runs[:, 3]) >= limits["least_steps"][row]) | (length * window.interval_s / 3600 >= limits["idle_hours"][row])
    runs = runs[(runs[:, 3] != 0) & (length >= limits["times"][row]) & tells]
    kept: list[int] = []
    values = np.ascontiguousarray(window.values)
    trials = window.days * window.slots
    for i, (row, first, last, value) in enumerate(runs.tolist()):
        chance, _ = repeat_chance(values, row, first, last, value)
        if trials * chance ** (last - first - 1) < limits["chance"][row]:
            kept.append(i)
    chosen = runs[kept]
    due = window.is_due[chosen[:, 0], chosen[:, 1] // window.slots] | window.is_due[chosen[:, 0], (chosen[:, 2] - 1) // window.slots]
    chosen = chosen[due]
    return found(chosen[:, 0], chosen[:, 1], chosen[:, 2], measured=chosen[:, 2] - chosen[:, 1], limit=limits["times"][chosen[:, 0]])


def negative(scene: Scene, limits: Limits) -> Found:
    """Less than nothing on a channel that is not net, by more than `raw` steps."""
    window = scene.window
    may = window.facts.flow == FlowCode.NET
    row, day = np.nonzero((scene.figures.n_negative > 0) & (scene.figures.low < -limits["raw"][:, None]) & ~may[:, None] & window.is_due)
    if not len(row):
        return NOTHING
    below = (window.values[row, day] < -limits["raw"][row, None]) & (window.values[row, day] != MISSING)
    if scene.mask is not None:
        below &= scene.mask[row, day] == 0
    which, first, last = stretches(below)
    lowest = [int(window.values[row[i], day[i], a:b].min()) for i, a, b in zip(which, first, last, strict=True)]
    begin = day[which] * window.slots
    return found(row[which], begin + first, begin + last, measured=np.asarray(lowest, dtype=np.float64), limit=-limits["raw"][row[which]])


def dynamic(scene: Scene, limits: Limits) -> Found:
    """A formula of the utility over what is stored of a day and of the cycle before it: day_total, day_peak, day_low, day_zeros, and mean_total, median_total, deviation_total,
    least_total, highest_total, highest_peak, all in raw steps; the day is named where the formula holds."""
    window, history = scene.window, scene.history
    parts: list[Found] = []
    formulas = limits["formula"]
    for formula in sorted({str(each) for each in formulas} - {""}):
        holds = understood(formula)
        for day in np.flatnonzero(window.is_due.any(axis=0)):
            rows = np.flatnonzero((formulas == formula) & window.is_due[:, day])
            columns = slice(*np.searchsorted(history.days, [day - CYCLE, day]))
            whole = history.is_whole[rows, columns]
            known = np.flatnonzero(whole.sum(axis=1) >= ENOUGH)
            rows, whole = rows[known], whole[known]
            if not len(rows):
                continue
            totals = np.where(whole, history.totals[rows, columns], np.nan)
            figures = {
                "day_total": scene.figures.total[rows, day], "day_peak": scene.figures.peak[rows, day], "day_low": scene.figures.low[rows, day],
                "day_zeros": scene.figures.n_zero[rows, day], "mean_total": np.nanmean(totals, axis=1), "median_total": np.nanmedian(totals, axis=1),
                "deviation_total": np.nanstd(totals, axis=1), "least_total": np.nanmin(totals, axis=1), "highest_total": np.nanmax(totals, axis=1),
                "highest_peak": np.where(whole, history.peaks[rows, columns], 0).max(axis=1),
            }  # fmt: skip
            over = np.flatnonzero(np.broadcast_to(holds(figures), rows.shape))
            parts.append(found(rows[over], day * window.slots, (day + 1) * window.slots, measured=figures["day_total"][over], limit=figures["mean_total"][over]))
    return together(parts)


FIGURES = frozenset(
    ("day_total", "day_peak", "day_low", "day_zeros", "mean_total", "median_total", "deviation_total", "least_total", "highest_total", "highest_peak")
)
_ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Gt: np.greater, ast.GtE: np.greater_equal, ast.Lt: np.less, ast.LtE: np.less_equal,
}  # fmt: skip


@lru_cache(maxsize=256)
def understood(formula: str) -> Callable[[Mapping[str, NDArray[Any]]], Any]:
    """A formula as a function of figures: names, numbers, + - * ( ), comparisons, and, or, not. Nothing else of the language is let in.

    >>> bool(understood("day_total > 3 * mean_total and day_zeros < 4")({"day_total": 9, "mean_total": 2, "day_zeros": 0}))
    True

    Raises:
        FormulaNotUnderstood: it holds anything else.
    """
    cure = "use " + ", ".join(sorted(FIGURES)) + ", numbers, + - *, < <= > >=, and, or, not"
    try:
        tree = ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as broken:
        raise FormulaNotUnderstood(f"{formula[:200]!r} is not a formula", cure=cure) from broken
    if not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp) or len(formula) > 1000:
        raise FormulaNotUnderstood(f"{formula[:200]!r} compares nothing", cure=cure)
    for node in ast.walk(tree):
        known = isinstance(node, (ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.And, ast.Or, ast.Not, ast.USub, ast.Load, *_ARITHMETIC))
        named = isinstance(node, ast.Name) and node.id in FIGURES
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if not (known or named or number):
            raise FormulaNotUnderstood(f"{formula[:200]!r} holds {ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__}", cure=cure)
    return lambda figures: _worked_out(tree, figures)


def _worked_out(node: ast.expr, figures: Mapping[str, NDArray[Any]]) -> Any:
    """The value of a formula that was understood."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return figures[node.id]
        case ast.BinOp():
            return _ARITHMETIC[type(node.op)](_worked_out(node.left, figures), _worked_out(node.right, figures))
        case ast.UnaryOp():
            inner = _worked_out(node.operand, figures)
            return np.logical_not(inner) if isinstance(node.op, ast.Not) else np.negative(inner)
        case ast.BoolOp():
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return join.reduce(np.broadcast_arrays(*[_worked_out(each, figures) for each in node.values]))
        case ast.Compare():
            sides = [_worked_out(each, figures) for each in (node.left, *node.comparators)]
            pairs = [_ARITHMETIC[type(kind)](left, right) for kind, left, right in zip(node.ops, sides, sides[1:], strict=False)]
            return np.logical_and.reduce(np.broadcast_arrays(*pairs))
        case _:
            raise AssertionError(node)
