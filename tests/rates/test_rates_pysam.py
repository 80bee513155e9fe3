"""Held against SAM: the published tariffs, and random rates with periods, tiers and demand."""

import json
import os
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sam import days_in, monthly_bills

from mains.rates.compile import compile_plan
from mains.rates.engine import determinants
from mains.rates.exact import exact_amounts
from mains.rates.loads import Load, price_load
from mains.rates.urdb import from_urdb

ZONE = "Etc/GMT+8"
REAL = os.environ.get("MAINS_REAL_DATA")
TARIFFS = sorted(Path(REAL, "tariffs").glob("*.json")) if REAL else []
KINDS = ("energy", "demand", "fixed", "minimum")
needs_tariffs = pytest.mark.skipif(not TARIFFS, reason="MAINS_REAL_DATA names no folder with real tariffs")


def year_of_kwh(seed, count=8760, scale=2.0):
    random_load = np.random.default_rng(seed)
    hours = np.arange(count) * 8760 / count
    shape = 1 + 0.6 * np.sin((hours % 24 - 9) / 24 * 2 * np.pi) + 0.4 * np.cos(hours / 8760 * 2 * np.pi)
    return [Decimal(int(value)).scaleb(-3) for value in np.maximum(0, shape * random_load.gamma(2, scale * 500 * 8760 / count, count))]


def load_of(kwh, interval_s):
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return Load(
        readings=[int(value * 1000) for value in kwh], decimals=3, start=datetime(2018, 1, 1, tzinfo=ZoneInfo(ZONE)), interval_s=interval_s
    )


def exact_months(version, load):
    """Unrounded sums by kind and month."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    zone, done, found = ZoneInfo(ZONE), 0, []
    for month in range(1, 13):
        end = datetime(2018 + month // 12, month % 12 + 1, 1, tzinfo=zone)
        plan = compile_plan(version, period=(datetime(2018, month, 1, tzinfo=zone), end), interval_s=load.interval_s)
        used = determinants(plan, np.array(load.readings[done : done + plan.intervals], dtype=np.int64)[None], kernel="numpy")
        amounts = exact_amounts(plan, used)
        found.append({kind: sum((amounts[s.index] for s in plan.layout if s.kind == kind), Fraction(0)) for kind in KINDS})
        done += plan.intervals
    return found


def assert_agrees(document, kwh, interval_s):
    version, issues = from_urdb(document, timezone=ZONE)
    assert version, issues
    load = load_of(kwh, interval_s)
    per_day = document.get("fixedchargeunits") == "$/day"
    theirs = monthly_bills(document, kwh)
    for month, (ours, sam, printed) in enumerate(zip(exact_months(version, load), theirs, price_load(version, load), strict=True), start=1):
        if per_day:
            assert ours["fixed"] == Fraction(str(document["fixedchargefirstmeter"])) * days_in(month)
        for kind in ("energy", "demand") if per_day else KINDS:
            assert float(ours[kind]) == pytest.approx(sam[kind], rel=1e-9, abs=1e-6), (month, kind)
        if not per_day:
            assert abs(float(printed["total"]) - sam["total"]) < 0.025
            assert abs(float(printed["billed_total"]) - sam["total"]) < 0.005 * (len(printed["lines"]) + 1) + 0.005


@needs_tariffs
@pytest.mark.parametrize("path", TARIFFS, ids=lambda path: path.stem)
def test_a_published_tariff_costs_what_sam_says(path):
    document = json.loads(path.read_text(), parse_float=Decimal)
    assert_agrees(document, year_of_kwh(7), 3600)


@needs_tariffs
def test_quarter_hours_cost_what_sam_says():
    document = json.loads(Path(REAL, "tariffs", "pge-or-rate-7-tou.json").read_text(), parse_float=Decimal)
    assert_agrees(document, year_of_kwh(8, 35040), 900)


def random_grid(chance, periods):
    grid, kinds = [], [[chance.randrange(periods) for _ in range(4)] for _ in range(2)]
    for month in range(12):
        kind = kinds[4 <= month <= 8]
        edges = sorted(chance.sample(range(1, 24), 3))
        grid.append([kind[sum(hour >= edge for edge in edges)] for hour in range(24)])
    return grid


def random_document(chance):
    """A rate with 1 to 5 periods of equal ladders, and perhaps demand, adjustments and a minimum."""

    def price(top):
        return Decimal(chance.randrange(0, top * 10**5)).scaleb(-5)

    def ladders(periods, bounds, top, unit):
        return [
            [
                {"rate": price(top), "unit": unit}
                | ({"max": bound} if bound else {})
                | ({"adj": price(1) / 10} if chance.random() < 0.5 else {})
                for bound in [*bounds, None]
            ]
            for _ in range(periods)
        ]

    periods, daily = chance.randrange(1, 6), chance.random() < 0.3
    bounds = sorted(chance.sample(range(3, 60) if daily else range(50, 3000), chance.randrange(0, 3)))
    document = {
        "name": "random",
        "energyratestructure": ladders(periods, bounds, 1, "kWh daily" if daily else "kWh"),
        "energyweekdayschedule": random_grid(chance, periods),
        "energyweekendschedule": random_grid(chance, periods),
        "fixedchargefirstmeter": price(40),
        "fixedchargeunits": "$/month",
    }
    if chance.random() < 0.5:
        document |= {"mincharge": price(400), "minchargeunits": "$/month"}
    if chance.random() < 0.6:
        flat = chance.randrange(1, 3)
        kw = sorted(chance.sample(range(2, 15), chance.randrange(0, 3)))
        document |= {"flatdemandstructure": ladders(flat, kw, 20, "kW"), "flatdemandmonths": [chance.randrange(flat) for _ in range(12)]}
    if chance.random() < 0.6:
        periods = chance.randrange(1, 4)
        document |= {
            "demandratestructure": ladders(periods, sorted(chance.sample(range(2, 15), chance.randrange(0, 2))), 20, "kW"),
            "demandweekdayschedule": random_grid(chance, periods),
            "demandweekendschedule": random_grid(chance, periods),
        }
    return document


@pytest.mark.parametrize("seed", range(12))
def test_a_random_rate_costs_what_sam_says(seed):
    chance = random.Random(seed)
    count = 35040 if seed % 6 == 0 else 8760
    assert_agrees(random_document(chance), year_of_kwh(seed, count), 8760 * 3600 // count)


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_rates_cost_what_sam_says(block):
    for seed in range(1000 + block * 100, 1100 + block * 100):
        chance = random.Random(seed)
        count = chance.choice([8760, 8760, 17520, 35040])
        assert_agrees(random_document(chance), year_of_kwh(seed, count), 8760 * 3600 // count)
