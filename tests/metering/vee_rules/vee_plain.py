"""The rules once more, as plainly as they can be said: loops over one channel at a time, no figures kept, nothing shared with the rules that are tested."""

import numpy as np

MISSING = -(2**31)


def runs(flags):
    """[first, last) of each stretch of True."""
    out, begin = [], None
    for i, flag in enumerate([*flags, False]):
        if flag and begin is None:
            begin = i
        if not flag and begin is not None:
            out.append((begin, i))
            begin = None
    return out


def negatives(values):
    slots = values.shape[2]
    return {(row, d * slots + a, d * slots + b) for row in range(len(values)) for d in range(values.shape[1]) for a, b in runs((values[row, d] < 0) & (values[row, d] != MISSING))}


def zeros(values, hours, head_days_of_zero):
    """Stretches of nothing that reach the limit inside the window."""
    slots = values.shape[2]
    needed = hours * slots // 24
    out = set()
    for row, each in enumerate(values):
        for a, b in runs(each.reshape(-1) == 0):
            before = head_days_of_zero[row] * slots if a == 0 else 0
            if b - a + before >= needed and before < needed:
                out.add((row, a, b))
    return out


def top_three(head_peaks, values, day):
    """The three highest of the day's intervals, the highest of each head, and the three highest of each earlier day."""
    pool = list(head_peaks)
    for d in range(day + 1):
        pool += sorted(v for v in values[d].tolist() if v != MISSING)[-3:]
    return sorted(pool)[::-1][:3]


def spikes(head_peaks, values, ratio, floor):
    """Days of a window of at most ten whose highest interval is a spike, by 29 days of heads less those gone out of the cycle."""
    out = set()
    for row, each in enumerate(values):
        spoiled = set()
        for day in range(each.shape[0]):
            heads = head_peaks[row][len(head_peaks[row]) - (29 - day) :]
            pool = list(heads)
            for d in range(day):
                if d not in spoiled:
                    pool += sorted(each[d].tolist())[-3:]
            pool += sorted(each[day].tolist())[-3:]
            third = sorted(pool)[-3]
            if each[day].max() > (1 + ratio) * third and each[day].max() > floor:
                out.add((row, day))
                spoiled.add(day)
    return out


def sums_off(values, totals, steps):
    pairs = [(row, day) for row in range(len(values)) for day in range(values.shape[1])]
    return {(row, day) for row, day in pairs if MISSING not in values[row, day] and abs(int(values[row, day].sum()) - totals[row, day]) > steps}


def repeats(values, least):
    """Whether any stretch of a channel equals what lies some intervals before it, by looking at every pair of places."""
    flat = values.reshape(-1)
    for lag in range(least // 2, len(flat)):
        same = flat[lag:] == flat[:-lag]
        if any(b - a >= least for a, b in runs(same)):
            return True
    return False


def average_use(totals, first, last):
    return float(np.mean(totals[first:last]))
