"""The compiled reading of NEM12 records: 300 records with the 400 records that follow them, straight into rows."""

import numpy as np
from numba import njit

from mains.metering.formats.scan import BAD_DAY, OK, commas, compact_date, decimal, digits, field_end, trimmed

BLANK, UNKNOWN = 0, -1

(
    WRONG_COUNT,
    BAD_DATE,
    BAD_QUALITY,
    NOT_COVERED,
    AFTER_END,
    ORPHAN,
    REFUSED,
    BAD_VALUE,
    ABSURD_VALUE,
    FINE_VALUE,
    CUT_OFF,
    STRAY_400,
    OUT_OF_ORDER,
) = range(1, 14)
"""What a fault says; BAD_VALUE … FINE_VALUE in the order of the number states."""

VARIABLE = 100
BAD = 255
_MARKET_OFFSET_S = 36_000
_MOST_INTERVALS = 1440


@njit(cache=True, nogil=True)
def kinds(buf, starts, ends):
    """The record indicator of each line: 100 to 900, BLANK, or UNKNOWN."""
    found = np.empty(len(starts), dtype=np.int16)
    for i in range(len(starts)):
        a, b = trimmed(buf, starts[i], ends[i])
        if a == b:
            found[i] = BLANK
            continue
        number = digits(buf, a, a + 3) if b - a >= 3 else -1
        is_whole = b - a == 3 or (b - a > 3 and buf[a + 3] == 44)
        found[i] = number if is_whole and (number == 900 or (number >= 100 and number <= 500 and number % 100 == 0)) else UNKNOWN
    return found


@njit(cache=True, nogil=True)
def quality_flag(buf, a, b):
    """A, N, V, or E, S, F with the type of a method, as `Quality` (S16, agreed, is an edit), VARIABLE or BAD."""
    a, b = trimmed(buf, a, b)
    if b - a == 1:
        c = buf[a]
        return 0 if c == 65 else (15 if c == 78 else (VARIABLE if c == 86 else BAD))
    method = digits(buf, a + 1, b)
    if b - a != 3 or not (11 <= method <= 19 or 51 <= method <= 79):
        return BAD
    c = buf[a]
    if c == 83:
        return 5 if method == 16 else 3
    return 2 if c == 69 else (4 if c == 70 else BAD)


@njit(cache=True, nogil=True)
def _coverage(buf, starts, ends, kind, first, n, flags):
    """Fill `flags` from the 400 records beginning at line `first`; whether they cover 1..n in order."""
    reached = 0
    i = first
    while i < len(kind) and kind[i] == 400:
        at = starts[i] + 4
        one = field_end(buf, at, ends[i])
        two = field_end(buf, one + 1, ends[i])
        three = field_end(buf, two + 1, ends[i])
        low, high = digits(buf, at, one), digits(buf, one + 1, two)
        flag = quality_flag(buf, two + 1, three)
        if low != reached + 1 or high < low or high > n or flag in (BAD, VARIABLE):
            return False
        flags[low - 1 : high] = flag
        reached = high
        i += 1
    return reached == n


@njit(cache=True, nogil=True)
def _values(buf, at, end, n, exponent, base, step, flags, out, k):
    """Write the values of one record at row k; (rows written, faults by number state, byte after the last value)."""
    starts, mantissas, exponents, qualities = out
    faults = np.zeros(5, dtype=np.int64)
    for i in range(n):
        stop = at
        while stop < end and buf[stop] != 44:
            stop += 1
        mantissa, places, state = decimal(buf, at, stop)
        at = stop + 1
        if flags[i] == 15:
            mantissa, places, state = 0, -exponent, OK
        if state != OK:
            faults[state] += 1
            continue
        starts[k] = base + i * step
        mantissas[k] = mantissa
        exponents[k] = exponent + places
        qualities[k] = flags[i]
        k += 1
    return k, faults


@njit(cache=True, nogil=True)
def _tail(buf, a, b, skip):
    """The span of the field after `skip` commas."""
    at = a
    for _ in range(skip):
        while at < b and buf[at] != 44:
            at += 1
        at += 1
    return at, field_end(buf, at, b)


@njit(cache=True, nogil=True)
def _refusal(buf, a, b, what, is_cut_off, state, n):
    """Why a 300 record (or an unknown one) cannot be read, or 0; a detail of that; how many readings it holds; its day."""
    width = commas(buf, a, b) + 1
    held = max(width - 7, 1) if what == 300 else max(width - 7, 0)
    day = compact_date(buf, a + 4, field_end(buf, a + 4, b)) if what == 300 else 0
    fault, detail = 0, 0
    if state[3]:
        fault = AFTER_END
    elif what != 300:
        fault = UNKNOWN
    elif is_cut_off:
        fault, held = CUT_OFF, max(min(width - 2, max(n, 1)), 1)
    elif state[0] < 0:
        fault, detail = (ORPHAN, 0) if state[0] == -1 else (REFUSED, -2 - state[0])
    elif width != n + 7:
        fault, detail = WRONG_COUNT, n
    elif day == BAD_DAY:
        fault = BAD_DATE
    return fault, detail, held, day


@njit(cache=True, nogil=True)
def _flags(buf, starts, ends, kind, i, n, flags):
    """Fill the quality of the intervals of a 300 record, from its own flag or its 400 records; the fault, or 0."""
    a, b = _tail(buf, starts[i], ends[i], n + 2)
    flag = quality_flag(buf, a, b)
    flags[:n] = flag
    if flag == BAD:
        return BAD_QUALITY
    if flag == VARIABLE and not _coverage(buf, starts, ends, kind, i + 1, n, flags):
        return NOT_COVERED
    return 0


@njit(cache=True, nogil=True)
def records(buf, starts, ends, kind, heads, state, is_cut, rows, faults):
    """Read the 300 records of a block.

    `heads` is int32[lines, 3], filled for each 200 line: stream (or -1 - refusal number), interval minutes, exponent. `state` int64[6]
    carries over blocks:
    stream, minutes, exponent, 1 after the 900, last date, found. `is_cut`: the last line has no line end and no 900 precedes it.
    `rows`: starts, mantissas, exponents, qualities, streams, intervals, lines. `faults` int64[m, 4]: kind, line index, readings, detail.
    Returns (rows, faults) written.
    """
    row_starts, mantissas, exponents, qualities, streams, intervals, lines = rows
    out = (row_starts, mantissas, exponents, qualities)
    flags = np.zeros(_MOST_INTERVALS, dtype=np.uint8)
    k, f, is_open = 0, 0, False
    for i in range(len(kind)):
        what = kind[i]
        if what == BLANK or what == 100 or what == 500:
            continue
        if what == 900:
            state[3] = 1
            is_open = False
            continue
        if what == 200:
            state[0], state[1], state[2], state[4] = heads[i, 0], heads[i, 1], heads[i, 2], 0
            is_open = False
            continue
        if what == 400:
            if not is_open:
                faults[f] = (STRAY_400, i, 0, 0)
                f += 1
            continue
        is_open = True
        n = 1440 // state[1] if state[1] > 0 else 0
        is_last_cut = is_cut and i == len(kind) - 1
        fault, detail, held, day = _refusal(buf, starts[i], ends[i], what, is_last_cut, state, n)
        state[5] += held
        if fault == 0:
            fault = _flags(buf, starts, ends, kind, i, n, flags)
        if fault:
            faults[f] = (fault, i, held, detail)
            f += 1
            continue
        if day < state[4]:
            faults[f] = (OUT_OF_ORDER, i, 0, 0)
            f += 1
        state[4] = day
        first = field_end(buf, starts[i] + 4, ends[i]) + 1
        step = state[1] * 60
        was = k
        k, bad = _values(buf, first, ends[i], n, state[2], day * 86400 - _MARKET_OFFSET_S, step, flags, out, k)
        streams[was:k] = state[0]
        intervals[was:k] = step
        lines[was:k] = i
        for number in range(1, 5):
            if bad[number]:
                faults[f] = (BAD_VALUE + max(number - 2, 0), i, bad[number], 0)
                f += 1
    return k, f
