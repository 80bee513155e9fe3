"""Validation and estimation, measured: speed beside one function a rule in pandas and numpy, false flags on clean households, faults found, and how far estimates are off.

Households and faults are invented here (`_households`, `_faults`) and share no code with the rules; the rules' limits were
set on households of the same maker with other seeds, so the claims hold for new homes of that kind. A flag is a
finding of severity warning or failure; remarks do not count. False flags are counted a meter-day in windows of 31 days after 35 days of heads, and in windows of 49 days of values.
The demo's households are a second set, by another maker, with weather and seasons: a first load of thirteen months is judged as it is, and the faults are put into stretches of it.
The demo seeds of the claims were never looked at while limits were set.
A fault counts as found when a rule meant for it names an interval it lies in, within a window of 49 days of 250 households; without registers first, with daily snapshots second.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from benchmarks import _demo_homes, _faults
from benchmarks._households import SLOTS, Homes, homes
from mains.metering.vee.engine import RuleSet, run
from mains.metering.vee.estimating import Ladder, estimate
from mains.metering.vee.model import DAY, Heads, RegisterSpans, Window
from mains.metering.vee.rules import BY_NAME, BY_NUMBER

SEED = 9_500_000
HOUSEHOLDS, BATCH, DAYS, HEADS = 2000, 250, 49, 35
DEMO_SEEDS = (31, 32, 33)
DEMO_STARTS = (60, 185, 235, 290, 340)
"""Days of the demo's span at which stretches begin that faults are put into; around its changes of the clocks for slips."""
SEASONS = (2.0, 9.0, 15.0, 22.0)
FIRST = 1_709_251_200
RULES = RuleSet.of()


def heads_of(values: np.ndarray) -> Heads:
    """Totals, peaks and counts of the days before [n, H, slots]."""
    n, days, slots = values.shape
    return Heads(
        days=np.arange(-days, 0, dtype=np.int32), totals=values.sum(axis=2, dtype=np.int64), peaks=values.max(axis=2).astype(np.int32), n_valid=np.full((n, days), slots, np.int16)
    )


def claim(text: str, ours: float, theirs: float | None, unit: str, goal: float | None, *, kind: str = "ratio") -> dict:
    """One line; `kind` says what the goal is of: ratio, least (ours at least) or most (ours at most)."""
    ratio = ours / theirs if theirs else None
    holds = goal is None or (ours >= goal if kind == "least" else ours <= goal if kind == "most" else ratio is not None and ratio >= goal)
    return {"claim": text, "ours": float(f"{ours:.5g}"), "theirs": None if theirs is None else float(f"{theirs:.5g}"), "unit": unit,
            "ratio": None if ratio is None else round(ratio, 2), "goal": goal, "holds": bool(holds)}  # fmt: skip


def one_by_one(window: Window) -> int:
    """What a first version does: seven of the rules (gap, negative, zero, stuck, spike, peak against history, high and low use), one after the other, each a pass of its own in
    pandas or numpy over all readings or all heads; answers how many flags."""
    n, days, slots = window.values.shape
    table = pd.DataFrame(window.values.reshape(n, -1).T).astype(np.float64)
    table = table.where(table != -(2**31))
    peaks = pd.DataFrame(window.heads.peaks.T)
    totals = pd.DataFrame(window.heads.totals.T)
    flags = int(table.isna().sum().sum()) + int((table < 0).sum().sum())
    flags += int((table.rolling(slots).sum() == 0).sum().sum()) if days * slots >= slots else 0
    flags += int(((table == table.shift()) & (table > 0)).rolling(7).sum().eq(7).sum().sum())
    both = pd.concat([peaks, table.groupby(np.arange(days * slots) // slots).max()], ignore_index=True)
    third = both.apply(lambda column: column.nlargest(3).iloc[-1])
    flags += int(((both.iloc[-days:] / third - 1) > 1.8).sum().sum())
    flags += int((both.iloc[-days:].max() > 2 * peaks.max()).sum())
    flags += int(((table.sum() / days) > 1.5 * totals.mean()).sum())
    return flags


def per_second(work: Callable[[], object], readings: int, *, rounds: int = 3) -> float:
    """Readings a second of processor time, the best of some rounds."""
    work()
    best = 0.0
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = max(best, readings / (time.process_time() - began))
    return best


def speed() -> list[dict]:
    """A night's delivery of a fleet, and a month."""
    some = homes(1000, HEADS + 31, seed=SEED)
    many = np.tile(some.values[:, : HEADS + 1], (20, 1, 1))
    night = Window.of(np.ascontiguousarray(many[:, HEADS:]), first_day=FIRST, heads=heads_of(many[:, :HEADS]))
    second = homes(1000, HEADS + 31, seed=SEED + 1)
    both = np.concatenate([some.values, second.values])
    month = Window.of(np.ascontiguousarray(both[:, HEADS:]), first_day=FIRST, heads=heads_of(both[:, :HEADS]))
    claims = []
    for text, window, few in ((f"one day of {len(many):,} channels, 35 days of heads", night, 1000), (f"31 days of {len(both):,} channels, 35 days of heads", month, 200)):
        ours = per_second(partial(run, window, RULES), window.values.size)
        part = window.where(np.arange(few))
        theirs = per_second(partial(one_by_one, part), part.values.size, rounds=1)
        name = f"all rules over {text}: readings a second of one core, beside seven rules in pandas"
        claims.append(claim(name, ours, theirs, "readings/s", 10e6, kind="least"))
    return claims


def flags(window: Window) -> int:
    """Findings that are no mere remarks."""
    found = run(window, RULES)
    return int((found.severity > 0).sum())


def false_flags() -> list[dict]:
    """Clean households in four seasons."""
    months = weeks = 0
    for i, season in enumerate(SEASONS):
        clean = homes(BATCH, HEADS + 31, seed=SEED + 10 + i, season=season)
        window = Window.of(np.ascontiguousarray(clean.values[:, HEADS:]), first_day=FIRST, heads=heads_of(clean.values[:, :HEADS]))
        months += flags(window)
        deep = homes(BATCH, DAYS, seed=SEED + 20 + i, season=season, change_day=28 if i % 2 else None)
        weeks += flags(whole(deep.values, deep, deep.dial))
    n = BATCH * len(SEASONS)
    return [
        claim("false flags, 31 days with heads, clean households of four seasons", 100 * months / n / 31, None, "% of meter-days", 0.1, kind="most"),
        claim("false flags, 49 days of values with daily registers, clean households of four seasons", 100 * weeks / n / DAYS, None, "% of meter-days", 0.1, kind="most"),
    ]


def demo_false_flags() -> list[dict]:
    """A first load of the demo: everything found that is not at a customer where something is planted, and no gap, estimate or peak that was."""
    many = days = 0
    for seed in DEMO_SEEDS:
        made = _demo_homes.demo(seed)
        for window in _demo_homes.tiles(made):
            found = run(window, RULES)
            planted = {BY_NAME[name].number for name in ("gap", "prolonged-estimation")}
            counts = (found.severity > 0) & ~np.isin(found.rule, list(planted)) & ~made.is_story[found.row]
            many += int(counts.sum())
            days += int(window.is_due.sum())
    return [claim("the demo's households: false flags, thirteen months of 400 customers judged at once", 100 * many / days, None, "% of meter-days", 0.1, kind="most")]


def whole(values: np.ndarray, clean: Homes, dial: np.ndarray | None) -> Window:
    """A window in which every day is due, with daily register snapshots or without."""
    registers = None if dial is None else RegisterSpans.of_days(_faults.dial_totals(dial), SLOTS, resolution=10.0)
    return Window.of(values, first_day=FIRST, local_shift_min=clean.shift_min, registers=registers)


def counted(kind: str, clean: Homes, rng: np.random.Generator, made: Callable[[np.ndarray, np.ndarray | None], Window]) -> np.ndarray:
    """Faults of one kind that are found from the values alone, with daily snapshots, and how many were put in."""
    faulty = _faults.KINDS[kind](rng, clean)
    hit = (faulty.values != clean.values).any(axis=(1, 2))  # what is as it was is no fault: nothing turned negative, a flat stretch that stays flat
    out = [0, 0, int(hit.sum())]
    for which, dial in enumerate((None, faulty.dial)):
        found = run(made(faulty.values, dial), RULES)
        named = np.array([BY_NUMBER[number].name in faulty.names for number in found.rule.tolist()], dtype=bool)
        lies = (found.last > faulty.first[found.row]) & (found.first < faulty.last[found.row])
        out[which] = int(hit[np.unique(found.row[named & lies & (found.severity > 0)])].sum())
    return np.array(out)


def found_share(kind: str) -> tuple[float, float]:
    """Share of the faults of one kind that are found, from the values alone and with daily snapshots."""
    total = np.zeros(3, dtype=np.int64)
    for batch in range(HOUSEHOLDS // BATCH):
        clean = homes(BATCH, DAYS, seed=SEED + 100 + batch, season=SEASONS[batch % len(SEASONS)], change_day=28 if kind == "DST slip" else None)
        total += counted(kind, clean, np.random.default_rng([SEED, batch]), lambda values, dial, clean=clean: whole(values, clean, dial))
    return total[0] / total[2], total[1] / total[2]


def demo_found_share(kind: str) -> tuple[float, float]:
    """The same of the demo's households."""
    total = np.zeros(3, dtype=np.int64)
    for seed in DEMO_SEEDS:
        made = _demo_homes.demo(seed)
        rows = _demo_homes.homes_like(made)
        for first in [day - 28 for day in _demo_homes.changes(made)] if kind == "DST slip" else DEMO_STARTS:
            clean = _demo_homes.stretch(made, rows, first, DAYS)

            def window(values: np.ndarray, dial: np.ndarray | None, clean: Homes = clean, first: int = first, made: _demo_homes.Demo = made, rows: np.ndarray = rows) -> Window:
                plain = whole(values, clean, dial)
                begin = made.first_day + first * DAY
                return replace(plain, first_day=begin, now=begin + DAYS * DAY + 60, utc_offset_min=made.offset_min, facts=made.facts.where(rows), classes=_demo_homes.CLASSES)

            total += counted(kind, clean, np.random.default_rng([SEED, seed, first]), window)
    return total[0] / total[2], total[1] / total[2]


def faults() -> list[dict]:
    """Every kind of fault; the goal is held against what a meter with daily snapshots gives, and said for the values alone."""
    claims = []
    for kind, put in _faults.KINDS.items():
        alone, with_registers = found_share(kind)
        what = " ".join((put.__doc__ or "").split())
        claims.append(claim(f"{kind} found, values alone: {what}", 100 * alone, None, "%", 99, kind="least"))
        claims.append(claim(f"{kind} found, with daily register snapshots", 100 * with_registers, None, "%", 99, kind="least"))
    return claims


def demo_faults() -> list[dict]:
    """Every kind of fault in the demo's households."""
    claims = []
    for kind in _faults.KINDS:
        alone, with_registers = demo_found_share(kind)
        claims.append(claim(f"the demo's households: {kind} found, values alone", 100 * alone, None, "%", 99, kind="least"))
        claims.append(claim(f"the demo's households: {kind} found, with daily register snapshots", 100 * with_registers, None, "%", 99, kind="least"))
    return claims


def estimation() -> list[dict]:
    """Mean absolute error over the mean interval, of gaps of 1 to 24 hours in clean households: our ladder, and scaled to the register, beside a straight line and yesterday."""
    claims = []
    rng = np.random.default_rng(SEED)
    clean = homes(400, 29, seed=SEED + 500)
    n = len(clean.values)
    flat = clean.values.reshape(n, -1)
    mean = flat.mean(axis=1)
    for hours in (1, 2, 6, 24):
        length = hours * 4
        first = rng.integers(15 * SLOTS, 27 * SLOTS - length, n)
        gaps = np.zeros(flat.shape, dtype=bool)
        for i in range(n):
            gaps[i, first[i] : first[i] + length] = True
        values = np.where(gaps, -(2**31), flat).astype(np.int32).reshape(clean.values.shape)
        spans = RegisterSpans.of(row=np.arange(n), first=first, last=first + length, raw=[flat[i, gaps[i]].sum() for i in range(n)])
        truth = np.stack([flat[i, gaps[i]] for i in range(n)]).astype(float)

        def off(guess: np.ndarray, truth: np.ndarray = truth) -> float:
            return float((np.abs(guess - truth).mean(axis=1) / mean).mean())

        def filled(registers: RegisterSpans | None, ladder: Ladder, values: np.ndarray = values, gaps: np.ndarray = gaps) -> np.ndarray:
            window = Window.of(values, first_day=FIRST, registers=registers)
            out = estimate(window, gaps.reshape(values.shape), ladder).values.reshape(n, -1)
            return np.stack([out[i, gaps[i]] for i in range(n)]).astype(float)

        line = np.stack([np.interp(np.arange(1, length + 1), [0, length + 1], [flat[i, first[i] - 1], flat[i, first[i] + length]]) for i in range(n)])
        yesterday = np.stack([flat[i, first[i] - SLOTS : first[i] - SLOTS + length] for i in range(n)]).astype(float)
        ours, scaled = off(filled(None, Ladder())), off(filled(spans, Ladder()))
        name = f"estimates of {hours} h: mean error over mean interval"
        claims.append(claim(f"{name}, ladder beside a straight line", ours, off(line), "of mean", off(line) * 1.02, kind="most"))
        claims.append(claim(f"{name}, ladder beside the day before", ours, off(yesterday), "of mean", off(yesterday), kind="most"))
        claims.append(claim(f"{name}, like days alone", off(filled(None, Ladder(linear_s=0))), off(yesterday), "of mean", None))
        claims.append(claim(f"{name}, ladder scaled to the register beside the ladder", scaled, ours, "of mean", ours, kind="most"))
    return claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    parser.add_argument("parts", nargs="*", choices=["speed", "false_flags", "demo_false_flags", "faults", "demo_faults", "estimation", []], help="only these")
    asked = parser.parse_args()
    parts = {"speed": speed, "false_flags": false_flags, "demo_false_flags": demo_false_flags, "faults": faults, "demo_faults": demo_faults, "estimation": estimation}
    claims = [one for name, part in parts.items() if not asked.parts or name in asked.parts for one in part()]
    if asked.json:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>12,} {one['unit']:<16} {'' if one['holds'] else 'DOES NOT HOLD '}{one['claim']}" + (f"  (theirs {one['theirs']:,})" if one["theirs"] else ""))
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
