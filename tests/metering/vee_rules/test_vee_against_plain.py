"""The engine against the rules said plainly (vee_plain), on days that hypothesis makes up."""

import importlib.util
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mains.metering.model import MISSING
from mains.metering.vee.engine import RuleSet, run
from mains.metering.vee.explaining import in_words
from mains.metering.vee.figures import day_figures, mask_of
from mains.metering.vee.model import Heads, RegisterSpans, RuleRow, Window
from mains.metering.vee.rules import BY_NAME

_spec = importlib.util.spec_from_file_location("vee_plain", Path(__file__).with_name("vee_plain.py"))
assert _spec is not None
assert _spec.loader is not None
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

MONDAY, SLOTS = 1_704_067_200, 24
RULES = RuleSet.of([RuleRow(rule_name="spike", parameters={"floor_kwh_per_hour": 0.05})])
SEEDS = st.integers(0, 10**6)


def days(seed, *, n=3, length=4, holes=0.02):
    """Hours of households with everything that can be wrong in them."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, rng.integers(3, 400), (n, length, SLOTS)).astype(np.int32)
    values[rng.random(values.shape) < 0.01] *= 30
    values[rng.random((n, length)) < 0.15] = 0
    values[rng.random(values.shape) < holes] = MISSING
    return values


def month(seed, n=3):
    rng = np.random.default_rng(seed + 1)
    peaks = rng.integers(20, 500, (n, 35)).astype(np.int32)
    return Heads(days=np.arange(-35, 0, dtype=np.int32), totals=peaks.astype(np.int64) * 9, peaks=peaks, n_valid=np.full((n, 35), SLOTS, np.int16))


def found(window, name):
    out = run(window, RULES)
    for each in out:
        assert in_words(each, window)
    out = out.where(out.rule == BY_NAME[name].number)
    return {(each.row, each.first, each.last) for each in out}


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_figures_of_a_day(seed):
    values = days(seed, holes=0.2)
    window = Window.of(values, first_day=MONDAY)
    figures = day_figures(window, mask_of(window))
    for row in range(3):
        for day in range(4):
            there = values[row, day][values[row, day] != MISSING]
            assert figures.total[row, day] == there.sum()
            assert figures.n_valid[row, day] == len(there) == SLOTS - figures.n_missing[row, day]
            assert figures.n_negative[row, day] == (there < 0).sum()
            assert figures.n_zero[row, day] == (there == 0).sum()
            top = [*np.sort(there)[::-1][:3].tolist(), 0, 0, 0]
            assert (figures.peak[row, day], figures.second[row, day], figures.third[row, day]) == tuple(max(each, 0) for each in top[:3])
            assert figures.low[row, day] == (there.min() if len(there) else 0)
    for row, first, last, value in figures.runs.tolist():
        assert (values[row].reshape(-1)[first:last] == value).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_gaps_and_negatives(seed):
    values = days(seed)
    window = Window.of(values, first_day=MONDAY)
    flat = values.reshape(len(values), -1)
    assert found(window, "gap") == {(row, a, b) for row in range(3) for a, b in plain.runs(flat[row] == MISSING)}
    assert found(window, "negative") == plain.negatives(values)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(0, 3))
def test_zeros(seed, quiet):
    values = days(seed, holes=0)
    values[0, 0, : 24 - 3 * quiet] = 0
    heads = month(seed)
    if quiet:
        heads.totals[0, -quiet:] = heads.peaks[0, -quiet:] = 0
    assert found(Window.of(values, first_day=MONDAY, heads=heads), "zero") == plain.zeros(values, 24, [quiet, 0, 0])


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_spikes(seed):
    values = np.maximum(days(seed, holes=0), 0)
    heads = month(seed)
    window = Window.of(values, first_day=MONDAY, heads=heads)
    assert {(row, first // SLOTS) for row, first, _ in found(window, "spike")} == plain.spikes(heads.peaks, values, 1.8, 50)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(-40, 40))
def test_register_sums(seed, off):
    values = days(seed)
    totals = np.where(values == MISSING, 0, values).sum(axis=2).astype(float)
    totals[0, 1:3] += off
    window = Window.of(values, first_day=MONDAY, registers=RegisterSpans.of_days(totals, SLOTS, resolution=10.0))
    assert {(row, first // SLOTS) for row, first, _ in found(window, "register-sum")} == plain.sums_off(values, totals, 20)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(20, 40), st.integers(0, 50))
def test_repetitions(seed, length, at):
    values = np.random.default_rng(seed).integers(0, 500, (1, 6, SLOTS)).astype(np.int32)
    flat = values.reshape(-1)
    flat[at + length : at + 2 * length] = flat[at : at + length]
    assert bool(found(Window.of(values, first_day=MONDAY), "repetition")) == plain.repeats(values[0], 24)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_what_is_not_due_is_not_found(seed):
    values = days(seed, holes=0.1)
    due = np.random.default_rng(seed).random((3, 4)) < 0.5
    window = Window.of(values, first_day=MONDAY, heads=month(seed), is_due=due)
    for each in run(window, RULES):
        assert due[each.row, each.first // SLOTS : (each.last - 1) // SLOTS + 1].any()
