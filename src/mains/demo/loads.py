"""One place's electricity, slot by slot: what is on at the wall and on the roof, as whole Wh delivered and received. Compiled, one place a
call.

Only sums, products and comparisons of doubles happen here, no sine and no exponential, so that every machine computes the same integers.
"""

import numba
import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11))
_UNIT = 1.0 / 9007199254740992.0


@numba.njit(inline="always")
def _draw(state):
    """The next state and a number in [0, 1): SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    state = state + _STEP
    mixed = (state ^ (state >> _SHIFTS[0])) * _MIX_1
    mixed = (mixed ^ (mixed >> _SHIFTS[1])) * _MIX_2
    mixed = mixed ^ (mixed >> _SHIFTS[2])
    return state, float(mixed >> _SHIFTS[3]) * _UNIT


@numba.njit(inline="always")
def _run(need, debt, is_on, cycles):
    """Share of the slot that a compressor or burner runs, what it still owes, and whether it is on.

    Many units together follow the need. A single one starts and stops several times an hour, of which a quarter of an hour shows about
    half: the other half of the need is owed, paid from when most of a slot is owed until nothing is.
    """
    if cycles == 0:
        return min(need, 1.0), 0.0, False
    half = 0.5 * min(need, 1.0)
    debt = min(debt + 0.5 * need, 2.0)
    if not is_on and debt < 0.3:
        return half, debt, False
    share = min(debt, 0.5)
    debt -= share
    return half + share, debt, debt > 0.05


@numba.njit(cache=True, nogil=True)
def simulate(load, activity, presence, local_slot, day_kind, temperature, dark, panel, delivered, received):  # noqa: C901 - one pass, one place, no calls
    """Fills `delivered` and `received` (int32 [slots], Wh) from a row of `shapes.LOAD`, its life's tables [3, 96] and the slots' calendar
    and weather.
    """
    state = load.stream
    day_factor, machine_on = 1.0, False
    noise = cool_debt = heat_debt = fridge_phase = 0.0
    cool_on = heat_on = False
    indoor = float(temperature[0])
    oven = dryer = dishes = 0
    water_left = ev_left = carry_in = carry_out = 0.0
    idle = 0
    for slot in range(delivered.size):
        clock = (local_slot[slot] - load.shift) % 96
        kind = day_kind[slot]
        if local_slot[slot] == 0:
            state, u = _draw(state)
            state, v = _draw(state)
            day_factor = 1.0 + load.day_spread * (u + v - 1.0) * 2.0
        while idle < 3 and slot >= load.idle_to[idle]:
            idle += 1
        is_idle = idle < 3 and slot >= load.idle_from[idle]
        here = 0.0 if is_idle else float(presence[kind, clock])
        busy = float(activity[kind, clock]) * (load.idle_level if is_idle else day_factor)
        outside = float(temperature[slot])

        state, u = _draw(state)
        noise = 0.8 * noise + (u - 0.5) * 1.6
        energy = load.base_w * (0.97 + 0.06 * u) + busy * load.activity_w * max(0.25, 1.0 + load.noise * noise)
        energy += load.light_w * float(dark[slot]) * busy

        if load.fridge_w > 0.0:
            fridge_phase += 1.0 / load.fridge_period
            if fridge_phase >= 1.0:
                fridge_phase -= 1.0
            if fridge_phase < 0.36 + 0.008 * max(0.0, outside - 15.0):
                energy += load.fridge_w * (0.85 + 0.3 * u)

        indoor += load.lag * (outside + 4.0 * float(panel[0, slot]) - indoor)
        relax = load.setback_k * (1.0 - here)
        if load.cool_w > 0.0:
            need = (indoor - load.cool_from_c - relax) * load.cool_per_k
            share, cool_debt, cool_on = _run(max(0.0, need), cool_debt, cool_on, load.cycles)
            energy += load.cool_w * share * (1.0 + 0.011 * (outside - 28.0))
        if load.heat_w > 0.0:
            need = (load.heat_from_c - relax - indoor) * load.heat_per_k
            share, heat_debt, heat_on = _run(max(0.0, need), heat_debt, heat_on, load.cycles)
            energy += load.heat_w * share + load.aux_w * min(1.0, max(0.0, need - 1.0))

        if load.water_w > 0.0:
            water_left = min(water_left + load.water_wh * (0.004 + 0.021 * busy * (0.0 if is_idle else 1.0)), 2.0 * load.water_w)
            if water_left > 0.2 * load.water_w:
                spent = min(water_left, 0.25 * load.water_w)
                water_left -= spent
                energy += 4.0 * spent
        if load.oven_a_day > 0.0 and not is_idle:
            state, u = _draw(state)
            state, v = _draw(state)
            if oven == 0 and clock >= 64 and clock < 78 and u < load.oven_a_day / 14.0:
                oven = 2 + int(3.0 * v)
            if dryer == 0 and clock >= 32 and clock < 88 and v < load.dryer_a_day * (1.9 if kind > 0 else 0.65) / 56.0:
                dryer = 3 + int(2.0 * u)
            if dishes == 0 and clock >= 76 and clock < 92 and u > 1.0 - load.dishes_a_day / 16.0:
                dishes = 4
            if v > 0.96:
                energy += 900.0 * busy
        if oven > 0:
            oven -= 1
            energy += 1500.0
        if dryer > 0:
            dryer -= 1
            energy += 3400.0
        if dishes > 0:
            energy += 1400.0 if dishes % 2 == 0 else 250.0
            dishes -= 1
        if load.machine_w > 0.0:
            state, u = _draw(state)
            machine_on = u > 0.22 if machine_on else u < 0.16 * busy
            if machine_on:
                energy += load.machine_w * (0.6 + 0.4 * busy)

        if load.ev_w > 0.0:
            if local_slot[slot] == load.ev_slot and not is_idle:
                state, u = _draw(state)
                state, v = _draw(state)
                if u < load.ev_a_day:
                    ev_left = min(ev_left + load.ev_wh * (0.4 + 1.2 * v), 65000.0)
            if ev_left > 0.0:
                spent = min(ev_left, 0.25 * load.ev_w)
                ev_left -= spent
                energy += 4.0 * spent
        if load.pv_w > 0.0:
            energy -= load.pv_w * load.pv_shade * float(panel[load.pv_facing, slot])

        energy *= 0.25
        if energy >= 0.0:
            carry_in += energy
            whole = int(carry_in)
            delivered[slot] = whole
            received[slot] = 0
            carry_in -= whole
        else:
            carry_out -= energy
            whole = int(carry_out)
            delivered[slot] = 0
            received[slot] = whole
            carry_out -= whole
