"""Pricing account-months on one core: time-of-use energy in tiers, flat and time-of-use demand, a fixed charge, on 15-minute readings.

Compared with PySAM's Utilityrate5, which is the calculator behind NREL's SAM, on the same rate and the same readings, turn and turn about.
"""

import json
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from mains.rates.compile import compile_plan
from mains.rates.engine import determinants
from mains.rates.exact import exact_amounts
from mains.rates.price import price
from mains.rates.urdb import from_urdb

ZONE = ZoneInfo("Etc/GMT+8")
ACCOUNTS = 20_000
YEAR_ACCOUNTS = 24
ROUNDS = 5
ENDLESS = 1e38
PRICES = (
    ("0.08123", "0.11345", "0.13011"),
    ("0.12456", "0.15789", "0.18012"),
    ("0.21987", "0.26654", "0.31173"),
    ("0.05512", "0.07734", "0.09945"),
)
BOUNDS = (500, 1200)


def document() -> dict:
    """The rate in the fields of the Utility Rate Database: 4 periods × 3 tiers, flat demand, 2 periods of demand, a fixed charge."""
    weekday = [[3] * 6 + [0] * 6 + [1] * 4 + [2] * 5 + [1] * 2 + [3] for _ in range(12)]
    weekend = [[3] * 8 + [0] * 14 + [3] * 2 for _ in range(12)]
    tiers = [
        [{"rate": Decimal(cost), "unit": "kWh"} | ({"max": BOUNDS[n]} if n < len(BOUNDS) else {}) for n, cost in enumerate(row)]
        for row in PRICES
    ]
    return {
        "name": "benchmark",
        "energyratestructure": tiers,
        "energyweekdayschedule": weekday,
        "energyweekendschedule": weekend,
        "flatdemandstructure": [[{"rate": Decimal("7.41")}]],
        "flatdemandmonths": [0] * 12,
        "demandratestructure": [[{"rate": Decimal("1.13")}], [{"rate": Decimal("9.87")}]],
        "demandweekdayschedule": [[0] * 16 + [1] * 5 + [0] * 3 for _ in range(12)],
        "demandweekendschedule": [[0] * 24 for _ in range(12)],
        "fixedchargefirstmeter": Decimal("14.5"),
        "fixedchargeunits": "$/month",
    }


def months(interval_s: int = 900) -> list:
    """Twelve plans of 2018, whose first of January is a Monday, as SAM has it."""
    version, issues = from_urdb(document(), timezone="Etc/GMT+8")
    assert version is not None, issues
    ends = [datetime(2018 + month // 12, month % 12 + 1, 1, tzinfo=ZONE) for month in range(13)]
    return [compile_plan(version, period=(ends[m], ends[m + 1]), interval_s=interval_s) for m in range(12)]


def account_months_per_second(kernel: str) -> float:
    """Median of the rounds: determinants and lines of all accounts for one month of 31 days."""
    plan = months()[0]
    values = np.random.default_rng(1).integers(0, 1500, (ACCOUNTS, plan.intervals), dtype=np.int32)
    price(plan, determinants(plan, values[:256], kernel=kernel))
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        lines = price(plan, determinants(plan, values, kernel=kernel))
        took.append(time.perf_counter() - begin)
    assert len(lines.total) == ACCOUNTS
    return ACCOUNTS / median(took)


def sam_model():
    """A PySAM model holding the rate; only the load changes between runs."""
    import PySAM.Utilityrate5 as Utilityrate5

    rate = document()
    grid = lambda name: [[cell + 1 for cell in row] for row in rate[name]]  # noqa: E731
    energy = [
        [p + 1, t + 1, float(cell.get("max", ENDLESS)), 0, float(cell["rate"]), 0]
        for p, row in enumerate(rate["energyratestructure"])
        for t, cell in enumerate(row)
    ]
    model = Utilityrate5.new()
    model.ElectricityRates.assign(
        {
            "en_electricity_rates": 1,
            "ur_metering_option": 0,
            "ur_ec_tou_mat": energy,
            "rate_escalation": [0],
            "ur_ec_sched_weekday": grid("energyweekdayschedule"),
            "ur_ec_sched_weekend": grid("energyweekendschedule"),
            "ur_monthly_fixed_charge": float(rate["fixedchargefirstmeter"]),
            "ur_monthly_min_charge": 0,
            "ur_dc_enable": 1,
            "ur_dc_flat_mat": [[month, 1, ENDLESS, float(rate["flatdemandstructure"][0][0]["rate"])] for month in range(12)],
            "ur_dc_tou_mat": [[p + 1, 1, ENDLESS, float(row[0]["rate"])] for p, row in enumerate(rate["demandratestructure"])],
            "ur_dc_sched_weekday": grid("demandweekdayschedule"),
            "ur_dc_sched_weekend": grid("demandweekendschedule"),
        }
    )
    model.Lifetime.assign({"analysis_period": 1, "inflation_rate": 0, "system_use_lifetime_output": 0})
    model.SystemOutput.degradation = [0]
    model.SystemOutput.gen = [0.0] * 35_040
    return model


def beside_sam() -> tuple[float, float]:
    """(ours, theirs) account-months a second on the same loads, turn and turn about; the totals must agree to the cent."""
    plans, model = months(), sam_model()
    edges = np.cumsum([0, *(plan.intervals for plan in plans)])
    years = np.random.default_rng(2).integers(0, 1500, (YEAR_ACCOUNTS, 35_040), dtype=np.int32)
    loads = [[float(wh) / 250 for wh in year] for year in years]  # kW of each quarter hour
    by_month = [np.ascontiguousarray(np.tile(years[:, a:b], (40, 1))) for a, b in pairwise(edges)]
    ours, theirs, bills = [], [], []
    for turn in range(ROUNDS):
        begin = time.perf_counter()
        for plan, values in zip(plans, by_month, strict=True):
            price(plan, determinants(plan, values))
        middle = time.perf_counter()
        bills = []
        for load in loads:
            model.Load.load = load
            model.execute(0)
            bills.append(model.Outputs.utility_bill_w_sys_ym[1])
        end = time.perf_counter()
        if turn:  # the first warms both up
            ours.append(12 * YEAR_ACCOUNTS * 40 / (middle - begin))
            theirs.append(12 * YEAR_ACCOUNTS / (end - middle))
    check_totals(plans, [values[:YEAR_ACCOUNTS] for values in by_month], bills)
    return median(ours), median(theirs)


def check_totals(plans: list, by_month: list, bills: list) -> None:
    """Every month of every account: the exact sum before rounding agrees with SAM's to a millionth, and the printed bill to its rounded lines."""
    for month, (plan, values) in enumerate(zip(plans, by_month, strict=True)):
        used = determinants(plan, values)
        lines = price(plan, used)
        for row, theirs in enumerate(bills):
            exact = sum(exact_amounts(plan, used.row(row)), Fraction(0))
            assert abs(float(exact) - theirs[month]) < 1e-6, f"account {row}, month {month + 1}: {float(exact)} here, {theirs[month]} there"
            printed = int(lines.present[row].sum())
            assert abs(int(lines.total[row]) / 100 - theirs[month]) <= 0.005 * printed + 1e-6


def claim(text: str, ours: float, theirs: float | None, unit: str, goal: float | None, *, of: str = "ratio") -> dict:
    ratio = ours / theirs if theirs else None
    reached = ratio if of == "ratio" else ours
    return {
        "claim": text,
        "ours": round(ours),
        "theirs": round(theirs) if theirs else None,
        "unit": unit,
        "ratio": round(ratio, 1) if ratio else None,
        "goal": goal,
        "holds": goal is None or (reached is not None and reached >= goal),
    }


def run() -> list[dict]:
    """All claims of pricing."""
    unit = "account-months/s"
    with_numba, with_numpy = account_months_per_second("auto"), account_months_per_second("numpy")
    ours, theirs = beside_sam()
    return [
        claim(
            "readings to exact lines on one core: TOU × tiers, flat and TOU demand, fixed, 15-minute readings",
            with_numba,
            None,
            unit,
            100_000,
            of="ours",
        ),
        claim("the same with numpy alone", with_numpy, None, unit, None, of="ours"),
        claim("beside PySAM Utilityrate5, same rate and readings, same run; every month agrees before rounding", ours, theirs, unit, 30),
        claim("the same with PySAM's time halved, since it also computes the bill without a system", ours, 2 * theirs, unit, None),
    ]


def main() -> None:
    begin = time.perf_counter()
    claims = run()
    if "--json" in sys.argv:
        print(json.dumps({"claims": claims}, indent=2, ensure_ascii=False))
    else:
        for one in claims:
            print(f"{one['ours']:>12,} {one['unit']}  {'×' + str(one['ratio']) if one['ratio'] else '':>8}  {one['claim']}")
        print(f"took {timedelta(seconds=round(time.perf_counter() - begin))}")
    sys.exit(0 if all(one["holds"] for one in claims) else 1)


if __name__ == "__main__":
    main()
