"""Compile the numeric kernels once, at installation, so that the first import and the first bill run do not wait for it. `python -m mains.warming`.

Each kernel is used once on something tiny; numba keeps what it compiled beside the source, or in the user's cache folder.
"""

import io
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

_DAY = ",".join(["0.25"] * 48)
_NEM12 = f"100,NEM12,202601020000,MDP,RET\n200,WARMING001,E1,E1,E1,N1,METER1,KWH,30,\n300,20260101,{_DAY},A,,,20260102000000,\n900\n"
_LONG = "meter,register,start,value,unit\nM1,1,2026-01-01T00:00:00-06:00,0.25,kWh\nM1,1,2026-01-01T00:15:00-06:00,0.25,kWh\n"
_WIDE = "meter,register,date,unit,interval_minutes," + ",".join(f"{h:02d}:00" for h in range(24)) + "\nM1,1,2026-01-01,kWh,60," + ",".join(["1.5"] * 24) + "\n"
_ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><entry><content><IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>1800</duration><start>1767225600</start></interval>'
    + "".join(f"<IntervalReading><timePeriod><duration>900</duration><start>{1767225600 + 900 * i}</start></timePeriod><value>25{i}</value></IntervalReading>" for i in range(2))
    + "</IntervalBlock></content></entry></feed>"
)


def warm_formats() -> None:
    """The scanners of meter files."""
    from mains.metering import formats

    for text in (_NEM12, _LONG, _WIDE, _ATOM):
        list(formats.parse(io.BytesIO(text.encode()), name="warming", timezone="America/Chicago"))


def warm_rates() -> None:
    """The reduction of readings to what was used, for both widths of integers."""
    from mains.rates import engine
    from mains.rates.calendars import Calendar
    from mains.rates.compile import compile_plan
    from mains.rates.model import Energy, Ladder, RateVersion, Tier

    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("America/Chicago"))
    energy = Energy(id="energy", label="Energy", ladders=(Ladder(tiers=(Tier(price=Decimal("0.1")),)),))
    version = RateVersion(name="warming", effective_from=start.date(), calendar=Calendar(timezone="America/Chicago"), charges=(energy,))
    plan = compile_plan(version, period=(start, start + timedelta(days=31)), interval_s=900)
    for kind in (np.int32, np.int64):
        engine.determinants(plan, np.ones((1, plan.intervals), dtype=kind), kernel="numba")


def warm_demo() -> None:
    """The simulation of the demo utility."""
    from mains.demo import generate

    generate.readings(generate.plan(customers=1), range(1))


def warm_validation() -> None:
    """The rules of validation, with marks and without, over a window long enough for all of them."""
    from mains.metering.vee.engine import RuleSet, run
    from mains.metering.vee.model import Window

    values = np.random.default_rng(1).integers(1, 500, (3, 31, 24)).astype(np.int32)
    values[:, 20, :12] = 7
    excused = np.zeros(values.shape, dtype=bool)
    excused[0, 3, 4] = True
    for known in (None, excused):
        run(Window.of(values, first_day=1_704_067_200, excused=known), RuleSet.of())


KERNELS: tuple[Callable[[], None], ...] = (warm_rates, warm_formats, warm_validation, warm_demo)


def main() -> int:
    """Warm every kernel and say how long it took."""
    began = time.monotonic()
    for warm in KERNELS:
        warm()
    sys.stdout.write(f"kernels are compiled ({time.monotonic() - began:.0f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
