"""Faults put into clean readings, one a household: what each looks like is said at its function. All lie in the second half of a window, so that there is a past to
compare with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks._households import DIAL_WH, SLOTS, Homes

MISSING = -(2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """`values` int32 [n, days, 96] with the fault; `dial` int64 [n, days + 1] as the register would then be reported; `first`, `last` [n] places the fault lies in;
    `names` rules that
    count as having found it."""

    values: np.ndarray
    dial: np.ndarray
    first: np.ndarray
    last: np.ndarray
    names: frozenset[str]
    hit: np.ndarray | None = None
    """Which households have the fault; None: all."""


def _places(rng: np.random.Generator, homes: Homes, length: np.ndarray, *, after: int = 0) -> tuple[np.ndarray, np.ndarray]:
    days = homes.values.shape[1]
    first = rng.integers(days // 2 * SLOTS, (days - after) * SLOTS - length)
    return first, first + length


def _put(homes: Homes, first: np.ndarray, last: np.ndarray, change: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    out = homes.values.reshape(len(homes.values), -1).copy()
    for i, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        out[i, a:b] = change(i, out[i, a:b])
    return out.reshape(homes.values.shape)


def gap(rng: np.random.Generator, homes: Homes) -> Faulty:
    """1 to 192 intervals missing."""
    first, last = _places(rng, homes, rng.integers(1, 193, len(homes.values)))
    return Faulty(values=_put(homes, first, last, lambda _, v: np.full_like(v, MISSING)), dial=homes.dial, first=first, last=last, names=frozenset({"gap"}))


def spike(rng: np.random.Generator, homes: Homes) -> Faulty:
    """One interval, or two, of 4 to 100 times the highest of the household's month, and never under 6 kWh/h."""
    first, last = _places(rng, homes, rng.integers(1, 3, len(homes.values)))
    peak = homes.values.reshape(len(homes.values), -1).max(axis=1)
    size = np.maximum(peak * np.exp(rng.uniform(np.log(4), np.log(100), len(peak))), 1500)
    return Faulty(values=_put(homes, first, last, lambda i, v: np.full_like(v, size[i])), dial=homes.dial, first=first, last=last, names=frozenset({"spike"}))


def stuck(rng: np.random.Generator, homes: Homes) -> Faulty:
    """One value again and again for 12 to 192 intervals (3 h to 2 days), whatever the value was then."""
    first, last = _places(rng, homes, rng.integers(12, 193, len(homes.values)))
    return Faulty(values=_put(homes, first, last, lambda _, v: np.full_like(v, v[0])), dial=homes.dial, first=first, last=last, names=frozenset({"stuck"}))


def negative(rng: np.random.Generator, homes: Homes) -> Faulty:
    """1 to 8 intervals with the sign turned."""
    first, last = _places(rng, homes, rng.integers(1, 9, len(homes.values)))
    return Faulty(values=_put(homes, first, last, lambda _, v: -v), dial=homes.dial, first=first, last=last, names=frozenset({"negative"}))


def _scaled(rng: np.random.Generator, homes: Homes, factor: float) -> Faulty:
    first, last = _places(rng, homes, np.full(len(homes.values), 7 * SLOTS))
    first = first // SLOTS * SLOTS
    last = first + 7 * SLOTS
    values = _put(homes, first, last, lambda _, v: np.floor(v * factor).astype(np.int32))
    return Faulty(values=values, dial=homes.dial, first=first, last=last, names=frozenset({"scale-change", "register-sum"}))


def tenfold(rng: np.random.Generator, homes: Homes) -> Faulty:
    """Everything ten times as high for seven days."""
    return _scaled(rng, homes, 10.0)


def tenth(rng: np.random.Generator, homes: Homes) -> Faulty:
    """Everything a tenth for seven days, rounded down to the Wh."""
    return _scaled(rng, homes, 0.1)


def _moved(values: np.ndarray, day: int, lag: int) -> np.ndarray:
    """A household's readings [days, 96] that come `lag` intervals late from a day on; where that leaves a hole, the same hours of a week before are put, so that only the
    shape tells."""
    flat, at = values.reshape(-1), day * SLOTS
    out = flat.copy()
    if lag > 0:
        out[at + lag :] = flat[at:-lag]
        out[at : at + lag] = flat[at - 7 * SLOTS : at - 7 * SLOTS + lag]
    else:
        out[at:lag] = flat[at - lag :]
        out[lag:] = flat[-7 * SLOTS + lag : -7 * SLOTS]
    return out.reshape(values.shape)


def _clock(rng: np.random.Generator, homes: Homes, days: np.ndarray, lags: np.ndarray) -> Faulty:
    del rng
    n, length, _ = homes.values.shape
    values = np.stack([_moved(homes.values[i], int(days[i]), int(lags[i])) for i in range(n)])
    return Faulty(values=values, dial=homes.dial, first=days * SLOTS, last=np.full(n, length * SLOTS), names=frozenset({"clock-shift", "register-sum"}))


def clock_shift(rng: np.random.Generator, homes: Homes) -> Faulty:
    """From a day on every reading 1 to 6 whole hours late or early, for three weeks, to the end of the window."""
    n, length, _ = homes.values.shape
    lags = rng.choice([1, 2, 3, 4, 5, 6], n) * rng.choice([-4, 4], n)
    return _clock(rng, homes, np.full(n, length - 21) + rng.integers(-3, 1, n), lags)


def dst_slip(rng: np.random.Generator, homes: Homes) -> Faulty:
    """From the change to summer time on every reading is an hour late: the change was not made. To the end of the window, three weeks."""
    change = int(np.flatnonzero(np.diff(homes.shift_min))[0])
    lag = int(homes.shift_min[change + 1] - homes.shift_min[change]) // 15
    return _clock(rng, homes, np.full(len(homes.values), change), np.full(len(homes.values), lag))


def duplicate(rng: np.random.Generator, homes: Homes) -> Faulty:
    """A day, or a stretch of 6 hours to 3 days, delivered again as what follows it."""
    n = len(homes.values)
    length = np.where(rng.random(n) < 0.5, SLOTS, rng.integers(24, 289, n))
    first, last = _places(rng, homes, length)
    flat = homes.values.reshape(n, -1)
    values = _put(homes, first, last, lambda i, v: flat[i, first[i] - len(v) : first[i]])
    return Faulty(values=values, dial=homes.dial, first=first, last=last, names=frozenset({"repetition", "register-sum"}))


def swapped(rng: np.random.Generator, homes: Homes) -> Faulty:
    """Pairs of households, one in ten of all, exchange everything from a day on, registers too, for three weeks, to the end of the window."""
    n, length, _ = homes.values.shape
    pairs = rng.permutation(n)[: max(n // 20, 1) * 2].reshape(-1, 2)
    values, dial = homes.values.copy(), homes.dial.copy()
    hit, first = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
    for one, other in pairs:
        day = length - 21 - int(rng.integers(0, 4))
        for here, there in ((one, other), (other, one)):
            values[here, day:] = homes.values[there, day:]
            dial[here, day + 1 :] = homes.dial[there, day + 1 :]
            hit[here], first[here] = True, day * SLOTS
    return Faulty(values=values, dial=dial, first=first, last=np.full(n, length * SLOTS), names=frozenset({"swapped-meters", "register-sum", "register-decrease"}), hit=hit)


KINDS: dict[str, Callable[[np.random.Generator, Homes], Faulty]] = {
    "gap": gap, "spike": spike, "stuck": stuck, "negative": negative, "multiplier x10": tenfold, "multiplier x0.1": tenth,
    "clock shift": clock_shift, "DST slip": dst_slip, "duplicate": duplicate, "swapped meters": swapped,
}  # fmt: skip


def dial_totals(dial: np.ndarray) -> np.ndarray:
    """Register differences a day [n, days], Wh."""
    return np.diff(dial, axis=1).astype(np.float64) * DIAL_WH
