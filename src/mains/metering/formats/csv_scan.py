"""The compiled reading of the two CSV layouts: lines into columns, with repeated keys and quality words numbered."""

import numpy as np
from numba import njit

from mains.metering.formats.scan import BAD_DAY, EMPTY, decimal, field_end, intern, iso_date, iso_time, trimmed

KEYS = 7
"""The columns that name a channel: meter, register, unit, interval_minutes, commodity, flow, utc_offset."""

TIME, VALUE, QUALITY = 10, 11, 12
"""Roles of the other columns; -1 is a column that is not read."""

WRONG_FIELDS, BAD_TIME = 5, 6
"""Faults of a line beside the number states."""


@njit(cache=True, nogil=True)
def _key(buf, spans):
    """Trim the spans of a key in place; a cell with doubled quotes inside keeps the ones around it, by which `csv_table.names_of` knows it."""
    for k in range(len(spans)):
        begin = spans[k, 0]
        a, b = trimmed(buf, begin, spans[k, 1])
        if a > begin and buf[a - 1] == 34:
            for i in range(a + 1, b):
                if buf[i] == 34 and buf[i - 1] == 34:
                    a, b = a - 1, b + 1
                    break
        spans[k] = (a, b)


@njit(cache=True, nogil=True)
def long_rows(buf, starts, ends, first, roles, names, words, rows, faults):
    """Read lines `first` on of the long layout.

    `names` and `words` are (table, firsts) for the keys and the quality words. `rows`: wall, offset, mantissa, exponent, state, name,
    word, line.
    `faults` int64[m, 2]: fault, line index. Returns (rows, faults, names, words) counted.
    """
    walls, offsets, mantissas, exponents, states, name_of, word_of, line_of = rows
    name_table, name_firsts = names
    word_table, word_firsts = words
    spans = np.zeros((KEYS, 2), dtype=np.int64)
    word = np.zeros((1, 2), dtype=np.int64)
    k, f, known, said = 0, 0, 0, 0
    for i in range(first, len(starts)):
        at, end = starts[i], ends[i]
        blank_a, blank_b = trimmed(buf, at, end)
        if blank_a == blank_b:
            continue
        spans[:] = 0
        word[:] = 0
        time_a, time_b, value_a, value_b, column = 0, 0, 0, 0, 0
        while at <= end:
            stop = field_end(buf, at, end)
            role = roles[column] if column < len(roles) else -1
            column += 1
            if role == TIME:
                time_a, time_b = at, stop
            elif role == VALUE:
                value_a, value_b = at, stop
            elif role == QUALITY:
                word[0] = trimmed(buf, at, stop)
            elif role >= 0:
                spans[role] = (at, stop)
            at = stop + 1
        if column != len(roles):
            faults[f] = (WRONG_FIELDS, i)
            f += 1
            continue
        wall, offset, is_good = iso_time(buf, time_a, time_b)
        mantissa, exponent, state = decimal(buf, value_a, value_b)
        if not is_good or state > EMPTY:
            faults[f] = (state if is_good else BAD_TIME, i)
            f += 1
            continue
        _key(buf, spans)
        name = intern(buf, spans, KEYS, name_table, name_firsts, known)
        known = max(known, name + 1)
        said_now = intern(buf, word, 1, word_table, word_firsts, said)
        said = max(said, said_now + 1)
        walls[k], offsets[k], mantissas[k], exponents[k] = wall, offset, mantissa, exponent
        states[k], name_of[k], word_of[k], line_of[k] = state, name, said_now, i
        k += 1
    return k, f, known, said


@njit(cache=True, nogil=True)
def wide_rows(buf, starts, ends, first, roles, names, words, rows, cells, faults):
    """Read lines `first` on of the wide layout; values begin after the last column of `roles`.

    `rows`: day, name, word, line, first cell, cells. `cells`: mantissa, exponent, state. `faults` int64[m, 3]: fault, line index, cells
    that are not empty.
    Returns (rows, cells, faults, names, words) counted.
    """
    days, name_of, word_of, line_of, first_cell, widths = rows
    mantissas, exponents, states = cells
    name_table, name_firsts = names
    word_table, word_firsts = words
    spans = np.zeros((KEYS, 2), dtype=np.int64)
    word = np.zeros((1, 2), dtype=np.int64)
    k, c, f, known, said = 0, 0, 0, 0, 0
    for i in range(first, len(starts)):
        at, end = starts[i], ends[i]
        blank_a, blank_b = trimmed(buf, at, end)
        if blank_a == blank_b:
            continue
        spans[:] = 0
        word[:] = 0
        column, day, was, filled = 0, BAD_DAY, c, 0
        while at <= end:
            stop = field_end(buf, at, end)
            if column >= len(roles):
                mantissas[c], exponents[c], states[c] = decimal(buf, at, stop)
                filled += states[c] != EMPTY
                c += 1
            elif roles[column] == TIME:
                a, b = trimmed(buf, at, stop)
                day = iso_date(buf, a, b)
            elif roles[column] == QUALITY:
                word[0] = trimmed(buf, at, stop)
            elif roles[column] >= 0:
                spans[roles[column]] = (at, stop)
            column += 1
            at = stop + 1
        if day == BAD_DAY or c == was:
            faults[f] = (WRONG_FIELDS if c == was else BAD_TIME, i, max(filled, 1))
            f += 1
            c = was
            continue
        _key(buf, spans)
        name = intern(buf, spans, KEYS, name_table, name_firsts, known)
        known = max(known, name + 1)
        said_now = intern(buf, word, 1, word_table, word_firsts, said)
        said = max(said, said_now + 1)
        days[k], name_of[k], word_of[k], line_of[k], first_cell[k], widths[k] = day, name, said_now, i, was, c - was
        k += 1
    return k, c, f, known, said
