"""Days as they are lived: for each way of life and kind of day, how much goes on at each quarter of an hour of the local clock (0…1), and
who is there.

A curve is a few (hour, level) points joined by straight lines over 24 h.
"""

import numpy as np
from numpy.typing import NDArray

Curve = tuple[tuple[float, float], ...]

_HOME_WEEKEND: Curve = ((0, 0.16), (5, 0.12), (7, 0.2), (8.5, 0.5), (10, 0.62), (12.5, 0.7), (14, 0.55), (17, 0.75), (19, 1),
 (21.5, 0.85), (23, 0.4), (24, 0.16))
_NEVER: Curve = ((0, 0.05), (24, 0.05))
ACTIVITY: dict[str, tuple[Curve, Curve, Curve]] = {
    "workers": (
        ((0, 0.14), (4.5, 0.11), (6, 0.45), (7.2, 0.72), (8.5, 0.28), (10, 0.16), (15, 0.18), (16.5, 0.42), (18.3, 1), (20, 0.92),
         (22, 0.7), (23.3, 0.3), (24, 0.14)),
        _HOME_WEEKEND,
        _HOME_WEEKEND,
    ),
    "family": (
        ((0, 0.14), (5, 0.12), (6.3, 0.62), (7.7, 0.8), (8.7, 0.3), (11.5, 0.32), (14.8, 0.4), (15.7, 0.7), (18, 1), (19.5, 0.95),
         (21, 0.75), (22.5, 0.35), (24, 0.14)),
        _HOME_WEEKEND,
        _HOME_WEEKEND,
    ),
    "at_home": (
        ((0, 0.13), (5.5, 0.12), (7, 0.45), (9, 0.62), (12, 0.85), (13.5, 0.6), (16, 0.62), (18, 1), (20, 0.8), (22, 0.5), (23, 0.22),
         (24, 0.13)),
        ((0, 0.13), (6, 0.12), (8, 0.45), (12, 0.85), (14, 0.6), (18, 1), (20.5, 0.8), (22.5, 0.45), (24, 0.13)),
        ((0, 0.13), (6, 0.12), (8.5, 0.45), (12.2, 0.95), (14, 0.6), (18, 0.95), (20.5, 0.8), (22.5, 0.45), (24, 0.13)),
    ),
    "night_shift": (
        ((0, 0.22), (6, 0.2), (7.5, 0.7), (9, 0.4), (10, 0.15), (15, 0.15), (16.5, 0.55), (18.5, 1), (20.5, 0.9), (21.8, 0.35), (24, 0.22)),
        _HOME_WEEKEND,
        _HOME_WEEKEND,
    ),
    "shop": (
        ((0, 0.08), (7.5, 0.1), (9, 0.75), (10, 0.95), (13, 1), (18, 0.95), (20, 0.75), (20.6, 0.2), (21.5, 0.08), (24, 0.08)),
        ((0, 0.08), (8, 0.1), (9.5, 0.85), (11, 1), (17, 1), (19.5, 0.7), (20.2, 0.15), (24, 0.08)),
        ((0, 0.08), (10, 0.1), (11.5, 0.8), (14, 0.9), (17, 0.75), (18.2, 0.12), (24, 0.08)),
    ),
    "office": (
        ((0, 0.07), (5.5, 0.08), (7.5, 0.6), (9, 0.95), (12, 0.86), (13.2, 1), (16.5, 0.92), (18, 0.4), (19.5, 0.16), (22, 0.07),
         (24, 0.07)),
        ((0, 0.07), (9, 0.1), (12, 0.2), (15, 0.14), (18, 0.07), (24, 0.07)),
        _NEVER,
    ),
    "restaurant": (
        ((0, 0.12), (2, 0.08), (8, 0.12), (10, 0.55), (11.8, 0.95), (13.5, 0.8), (15.5, 0.55), (17.5, 0.95), (19.5, 1), (21.5, 0.7),
         (23, 0.25), (24, 0.12)),
        ((0, 0.2), (1.5, 0.08), (9, 0.15), (11.8, 0.9), (14, 0.8), (16, 0.65), (18, 1), (20.5, 1), (22.5, 0.75), (24, 0.2)),
        ((0, 0.12), (2, 0.08), (8.5, 0.15), (10.5, 0.8), (13, 1), (15, 0.7), (18, 0.85), (20, 0.6), (22, 0.15), (24, 0.12)),
    ),
    "grocery": (
        ((0, 0.3), (5, 0.32), (6.5, 0.75), (9, 0.9), (16, 1), (19, 0.98), (21.5, 0.75), (22.3, 0.35), (24, 0.3)),
        ((0, 0.3), (5, 0.32), (7, 0.75), (10, 1), (18, 1), (21.5, 0.7), (22.3, 0.35), (24, 0.3)),
        ((0, 0.3), (6, 0.32), (8, 0.75), (11, 1), (17, 0.95), (20, 0.6), (21, 0.32), (24, 0.3)),
    ),
    "school": (
        ((0, 0.1), (5, 0.12), (7, 0.7), (8.5, 1), (12, 0.98), (14.5, 0.9), (16, 0.5), (19, 0.25), (21, 0.1), (24, 0.1)),
        ((0, 0.1), (9, 0.14), (13, 0.16), (17, 0.1), (24, 0.1)),
        ((0, 0.1), (24, 0.1)),
    ),
    "clinic": (
        ((0, 0.25), (5.5, 0.28), (7.5, 0.8), (9, 1), (16.5, 0.95), (18, 0.55), (21, 0.35), (24, 0.25)),
        ((0, 0.25), (8, 0.3), (10, 0.55), (14, 0.5), (17, 0.28), (24, 0.25)),
        ((0, 0.25), (24, 0.25)),
    ),
    "warehouse": (
        ((0, 0.18), (4.5, 0.2), (6, 0.8), (8, 1), (11.8, 0.95), (12.3, 0.7), (13, 1), (16, 0.9), (19, 0.5), (21, 0.25), (24, 0.18)),
        ((0, 0.18), (6, 0.2), (8, 0.5), (12, 0.5), (14, 0.2), (24, 0.18)),
        ((0, 0.15), (24, 0.15)),
    ),
    "church": (
        ((0, 0.06), (8, 0.08), (10, 0.2), (16, 0.18), (18.5, 0.3), (20.5, 0.2), (22, 0.06), (24, 0.06)),
        ((0, 0.06), (9, 0.1), (11, 0.3), (16, 0.2), (18, 0.4), (20, 0.1), (24, 0.06)),
        ((0, 0.06), (6.5, 0.1), (8.5, 0.9), (10, 1), (12.3, 0.9), (13.5, 0.15), (24, 0.06)),
    ),
    "one_shift": (
        ((0, 0.1), (5.3, 0.12), (6, 0.7), (6.8, 1), (9, 0.98), (9.4, 0.86), (9.8, 1), (11.9, 0.98), (12.1, 0.6), (12.6, 0.62),
         (12.9, 1), (15, 0.96), (15.6, 0.4), (16.5, 0.14), (24, 0.1)),
        ((0, 0.1), (6, 0.14), (7, 0.35), (11.5, 0.35), (12.5, 0.1), (24, 0.1)),
        ((0, 0.09), (24, 0.09)),
    ),
    "two_shifts": (
        ((0, 0.2), (0.6, 0.14), (5, 0.16), (6, 0.9), (9.8, 1), (10.1, 0.8), (10.5, 1), (13.7, 0.97), (14.2, 0.78), (14.6, 1),
         (18, 0.97), (18.2, 0.7), (18.7, 0.98), (22.5, 0.92), (23.3, 0.4), (24, 0.2)),
        ((0, 0.18), (5.5, 0.16), (6.5, 0.75), (13.5, 0.72), (14.5, 0.2), (24, 0.14)),
        ((0, 0.13), (24, 0.13)),
    ),
    "three_shifts": (
        ((0, 0.93), (5.8, 0.92), (6.1, 0.8), (6.5, 0.98), (10, 1), (13.8, 0.98), (14.1, 0.82), (14.5, 1), (21.8, 0.95), (22.1, 0.8),
         (22.5, 0.94), (24, 0.93)),
        ((0, 0.9), (6, 0.85), (10, 0.9), (22, 0.86), (24, 0.85)),
        ((0, 0.8), (8, 0.72), (16, 0.74), (22, 0.85), (24, 0.9)),
    ),
}
"""What goes on (weekday, Saturday, Sunday and holidays), by way of life."""

LIVES = tuple(ACTIVITY)
"""The ways of life in the order of the tables."""

HOMES = ("workers", "family", "at_home", "night_shift")
_AWAY: dict[str, tuple[float, float]] = {"workers": (8, 16.8), "family": (8.4, 15.2), "at_home": (0, 0), "night_shift": (0, 0)}


def _table(curve: Curve) -> NDArray[np.float64]:
    hours, levels = zip(*curve, strict=True)
    return np.round(np.interp((np.arange(96) + 0.5) / 4, hours, levels), 4)


def activity_table() -> NDArray[np.float64]:
    """Level of activity 0…1 as [way of life, kind of day, slot of the local day]."""
    return np.array([[_table(curve) for curve in ACTIVITY[life]] for life in LIVES])


def presence_table() -> NDArray[np.float64]:
    """Share of comfort wanted 0…1, same shape: homes relax the thermostat while people are out on weekdays, businesses while they are
    closed.
    """
    table = np.ones((len(LIVES), 3, 96))
    hours = np.arange(96) / 4
    for row, life in enumerate(LIVES):
        if life in HOMES:
            start, end = _AWAY[life]
            table[row, 0, (hours >= start) & (hours < end)] = 0.0
        else:
            table[row] = np.clip((activity_table()[row] - 0.15) * 2.5, 0, 1)
    return table


LOAD = np.dtype(
    [
        ("life", np.int64),
        ("shift", np.int64),
        ("base_w", np.float64),
        ("activity_w", np.float64),
        ("noise", np.float64),
        ("day_spread", np.float64),
        ("light_w", np.float64),
        ("fridge_w", np.float64),
        ("fridge_period", np.float64),
        ("cool_w", np.float64),
        ("cool_from_c", np.float64),
        ("cool_per_k", np.float64),
        ("heat_w", np.float64),
        ("heat_from_c", np.float64),
        ("heat_per_k", np.float64),
        ("aux_w", np.float64),
        ("setback_k", np.float64),
        ("lag", np.float64),
        ("cycles", np.int64),
        ("water_w", np.float64),
        ("water_wh", np.float64),
        ("oven_a_day", np.float64),
        ("dryer_a_day", np.float64),
        ("dishes_a_day", np.float64),
        ("ev_w", np.float64),
        ("ev_slot", np.int64),
        ("ev_wh", np.float64),
        ("ev_a_day", np.float64),
        ("pv_w", np.float64),
        ("pv_facing", np.int64),
        ("pv_shade", np.float64),
        ("idle_from", np.int64, (3,)),
        ("idle_to", np.int64, (3,)),
        ("idle_level", np.float64),
        ("machine_w", np.float64),
        ("stream", np.uint64),
    ]
)
"""What a place draws, one row a premise. Powers in W (`_w`), energies in Wh (`_wh`), temperatures in °C (`_c`), slopes in share of capacity
a K.

`life`, `shift` row of the activity tables and how many slots later it is lived; `noise`, `day_spread` relative; `lag` share of the way
the building follows the outside temperature in a slot; `cycles` 1 where compressors run on and off, 0 where many modulate; `*_a_day`
expected starts a day; `ev_slot` local slot at which charging starts; `idle_from`, `idle_to` slots of the span in which nobody is there,
and `idle_level` what remains of the activity then; `machine_w` power of one large machine that starts and stops; `stream` the start of
the place's own chance.
"""
