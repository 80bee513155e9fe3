"""Rules on what is declared: clocks, devices, units, registers, flags, siblings and balances; each holds a fact told against a fact known."""

import numpy as np

from mains.metering.model import MISSING
from mains.metering.vee.figures import stretches
from mains.metering.vee.model import DAY, SUBSTITUTE, EventFlag
from mains.metering.vee.scene import NOTHING, Found, Limits, Scene, found, instants, of_channels, of_days, together


def time_tolerance(scene: Scene, limits: Limits) -> Found:
    """The device's clock against UTC, s: over the tolerance a warning, over one interval a failure."""
    error = np.abs(scene.window.facts.clock_error_s)
    over = error > limits["tolerance_s"]
    return of_channels(scene.window, over, measured=error, limit=limits["tolerance_s"], severity=np.where(error > scene.window.interval_s, 2, -1))


def meter_identity(scene: Scene, limits: Limits) -> Found:
    """The device that delivered is the one installed."""
    del limits
    return of_channels(scene.window, ~scene.window.facts.is_known_device, measured=1, limit=0)


def interval_size(scene: Scene, limits: Limits) -> Found:
    """The interval delivered is the one the channel is set to, s."""
    del limits
    expected = scene.window.facts.interval_s
    return of_channels(scene.window, (expected != 0) & (expected != scene.window.interval_s), measured=scene.window.interval_s, limit=expected)


def unit_and_multiplier(scene: Scene, limits: Limits) -> Found:
    """Unit and multiplier delivered are the channel's."""
    del limits
    facts = scene.window.facts
    differs = np.abs(facts.delivered_multiplier - facts.multiplier) > 1e-9 * np.abs(facts.multiplier)
    of_multipliers = of_channels(scene.window, differs, measured=facts.delivered_multiplier, limit=facts.multiplier)
    return together([of_multipliers, of_channels(scene.window, ~facts.is_unit_right & ~differs, measured=np.nan, limit=np.nan)])


def register_sum(scene: Scene, limits: Limits) -> Found:
    """The intervals between two reads sum up to their difference, within some steps of the dial."""
    window, spans = scene.window, scene.window.registers
    if spans is None or not len(spans):
        return NOTHING
    aligned = not (spans.first % window.slots).any() and not (spans.last % window.slots).any()
    if aligned:
        places, amounts, is_gap = window.slots, scene.figures.total, window.slots - scene.figures.n_valid
    else:
        places, flat = 1, window.values.reshape(window.channels, -1)
        is_gap = flat == MISSING
        amounts = np.where(is_gap, 0, flat)
    first, last = spans.first // places, spans.last // places
    total = np.zeros((window.channels, amounts.shape[1] + 1), dtype=np.int64)
    gaps = np.zeros(total.shape, dtype=np.int32)
    np.cumsum(amounts, axis=1, out=total[:, 1:])
    np.cumsum(is_gap, axis=1, out=gaps[:, 1:])
    off = np.abs(total[spans.row, last] - total[spans.row, first] - spans.raw)
    whole = gaps[spans.row, last] == gaps[spans.row, first]
    limit = np.maximum(limits["dial_steps"][spans.row] * spans.resolution, limits["share"][spans.row] * np.abs(spans.raw))
    over = np.flatnonzero(spans.is_actual & whole & (off > limit))
    return found(spans.row[over], spans.first[over], spans.last[over], measured=off[over], limit=limit[over])


def tou_sum(scene: Scene, limits: Limits) -> Found:
    """The time-of-use registers sum up to the total register."""
    spans = scene.window.registers
    if spans is None:
        return NOTHING
    off = np.abs(spans.tou_raw - spans.raw)
    limit = limits["dial_steps"][spans.row] * spans.resolution
    over = np.flatnonzero(spans.is_actual & (off > limit))
    return found(spans.row[over], spans.first[over], spans.last[over], measured=off[over], limit=limit[over])


def register_decrease(scene: Scene, limits: Limits) -> Found:
    """A dial does not run back, unless it is known to have passed its last digit; nor does it count more than it has digits for."""
    del limits
    window, spans = scene.window, scene.window.registers
    if spans is None:
        return NOTHING
    digits = window.facts.dial_digits[spans.row].astype(np.float64)
    most = np.where(digits > 0, 10.0**digits * spans.resolution, np.inf)
    net = window.facts.flow[spans.row] == 2
    over = np.flatnonzero(spans.is_backward | (~net & (spans.raw < 0)) | (spans.raw >= most))
    return found(spans.row[over], spans.first[over], spans.last[over], measured=spans.raw[over], limit=np.where(spans.raw[over] >= most[over], most[over], 0))


def reactive(scene: Scene, limits: Limits) -> Found:
    """A power factor, from kWh and its kVArh channel, under the limit for longer than some hours on end."""
    window = scene.window
    rows = np.flatnonzero(window.facts.reactive_row >= 0)
    if not len(rows):
        return NOTHING
    own, other = window.values[rows].reshape(len(rows), -1), window.values[window.facts.reactive_row[rows]].reshape(len(rows), -1)
    there = (own != MISSING) & (other != MISSING)
    active = np.where(there, own, 0) * window.facts.step[rows, None]
    idle = np.where(there, other, 0) * window.facts.step[window.facts.reactive_row[rows], None]
    apparent = np.hypot(active, idle)
    factor = np.where(apparent > 0, np.abs(active) / np.where(apparent > 0, apparent, 1), 1.0)
    row, first, last = stretches(there & (factor < limits["least_factor"][rows, None]))
    hours = (last - first) * window.interval_s / 3600
    over = np.flatnonzero(hours > limits["hours"][rows[row]])
    worst = [float(factor[row[i], first[i] : last[i]].mean()) for i in over]
    return found(rows[row[over]], first[over], last[over], measured=np.asarray(worst), limit=limits["least_factor"][rows[row[over]]])


def inactive_consumption(scene: Scene, limits: Limits) -> Found:
    """Use while the service is disconnected, or before a meter is installed or after it is removed, a day."""
    window = scene.window
    least = scene.per_day(limits["kwh_per_day"])[:, None]
    total = np.zeros((window.channels, window.days), dtype=np.int64)
    if window.is_disconnected is not None and window.is_disconnected.any():
        total += np.where(window.is_disconnected & (window.values != MISSING), window.values, 0).sum(axis=2, dtype=np.int64)
    begin = instants(window)[None, :]
    inside = (begin >= window.facts.installed_from[:, None]) & (begin <= window.facts.installed_to[:, None] - DAY)
    rows = np.flatnonzero(~inside.all(axis=1))
    if len(rows):
        at = begin[..., None] + window.interval_s * np.arange(window.slots, dtype=np.int64)
        out = (at < window.facts.installed_from[rows, None, None]) | (at >= window.facts.installed_to[rows, None, None])
        total[rows] += np.where(out & (window.values[rows] != MISSING), window.values[rows], 0).sum(axis=2, dtype=np.int64)
    return of_days(window, total > least, measured=total, limit=least)


def event_flags(scene: Scene, limits: Limits) -> Found:
    """Flags of the meter on an interval that say its value is not to be used as it is; `flags` is the sum of the `EventFlag` bits that count."""
    events = scene.window.events
    if events is None:
        return NOTHING
    counted = events.flag.astype(np.int64) & limits["flags"][events.row].astype(np.int64)
    over = np.flatnonzero(counted)
    return found(events.row[over], events.place[over], events.place[over] + 1, measured=counted[over], limit=0)


ALL_FLAGS = int(
    EventFlag.PULSE_OVERFLOW | EventFlag.TEST_MODE | EventFlag.POWER_FAIL | EventFlag.PARTIAL_INTERVAL | EventFlag.LONG_INTERVAL | EventFlag.CLOCK_SET | EventFlag.CLOCK_INVALID
)


def prolonged_estimation(scene: Scene, limits: Limits) -> Found:
    """Days in a row, or bills in a row, that were estimated; it speaks on the day that the limit is passed."""
    window = scene.window
    bills = of_channels(window, window.facts.estimated_bills > limits["bills"], measured=window.facts.estimated_bills, limit=limits["bills"])
    heads = window.heads.is_estimated
    if window.quality is None or not SUBSTITUTE[window.quality].any():
        return bills
    own = np.asarray(SUBSTITUTE[window.quality].any(axis=2))
    count = np.zeros(window.channels, dtype=np.int64)
    if heads is not None:
        for column in range(heads.shape[1]):
            following = column == 0 or window.heads.days[column] == window.heads.days[column - 1] + 1
            count = np.where(heads[:, column], count * following + 1, 0)
        if len(window.heads.days) and window.heads.days[-1] != -1:
            count[:] = 0
    passed = np.zeros((window.channels, window.days), dtype=bool)
    for day in range(window.days):
        count = np.where(own[:, day], count + 1, 0)
        passed[:, day] = count == np.floor(limits["days"]) + 1
    return together([bills, of_days(window, passed, measured=limits["days"][:, None] + 1, limit=limits["days"][:, None])])


def siblings(scene: Scene, limits: Limits) -> Found:
    """Every channel of the device delivered."""
    del limits
    facts = scene.window.facts
    return of_channels(scene.window, facts.siblings_here < facts.siblings, measured=facts.siblings_here, limit=facts.siblings)


def balance(scene: Scene, limits: Limits) -> Found:
    """What the meters of a transformer or feeder measured in a day does not differ from what went in by more than a share; every meter of the group is named."""
    window, group = scene.window, scene.window.balance
    if group is None or not len(group.groups):
        return NOTHING
    order = np.argsort(group.groups)
    place = np.searchsorted(group.groups[order], window.facts.group)
    place = order[np.minimum(place, len(order) - 1)]
    belongs = group.groups[place] == window.facts.group
    sign = np.where(window.facts.flow == 1, -1.0, 1.0)
    energy = scene.figures.total * window.facts.step[:, None] * sign[:, None]
    whole = scene.figures.n_valid == window.slots
    total, count = np.zeros(group.energy.shape), np.zeros(group.energy.shape)
    np.add.at(total, place[belongs], energy[belongs])
    np.add.at(count, place[belongs], ~whole[belongs])
    known = group.is_whole[:, None] & (count == 0) & (group.energy > 0)
    off = np.abs(total - group.energy) / np.where(group.energy > 0, group.energy, 1)
    share = np.where(known, off, 0)[place]
    limit = limits["share"][:, None]
    return of_days(window, belongs[:, None] & (share > limit), measured=share, limit=limit)


def future_or_stale(scene: Scene, limits: Limits) -> Found:
    """Readings whose interval ends after now and a tolerance, and readings older than a limit of days; measured is the age, s (negative: in the future)."""
    window = scene.window
    starts = instants(window)
    parts: list[Found] = []
    if starts[-1] + DAY > window.now + limits["ahead_s"].min(initial=0):
        ends = (starts[:, None] + window.interval_s * np.arange(1, window.slots + 1)).reshape(-1)
        late = (ends[None, :] > window.now + limits["ahead_s"][:, None]) & (window.values.reshape(window.channels, -1) != MISSING)
        row = np.flatnonzero(late.any(axis=1))
        first = late[row].argmax(axis=1)
        last = late.shape[1] - late[row, ::-1].argmax(axis=1)
        parts.append(found(row, first, last, measured=window.now - ends[last - 1], limit=-limits["ahead_s"][row]))
    if starts[0] < window.now - limits["days"].min(initial=np.inf) * DAY:
        old = (starts[None, :] + DAY < window.now - limits["days"][:, None] * DAY) & (scene.figures.n_valid > 0)
        parts.append(of_days(window, old, measured=(window.now - starts)[None, :].astype(float), limit=limits["days"][:, None] * DAY))
    return together(parts)

