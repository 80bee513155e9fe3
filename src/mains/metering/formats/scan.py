"""The compiled reading of bytes: decimals, dates, times, fields and the numbering of repeated keys.

All functions take the buffer (uint8) and a span [a, b) of it; spaces around a value are allowed. States: see OK … FINER.
"""

from numba import njit

OK, EMPTY, NOT_A_NUMBER, ABSURD, FINER = 0, 1, 2, 3, 4
NO_OFFSET = -32768
BAD_DAY = -(1 << 40)

_ROOM = 90_000_000_000_000_000  # one more digit still fits 63 bits


@njit(cache=True, nogil=True)
def trimmed(buf, a, b):
    """The span without spaces, tabs and one pair of double quotes around it."""
    while a < b and (buf[a] == 32 or buf[a] == 9):
        a += 1
    while b > a and (buf[b - 1] == 32 or buf[b - 1] == 9 or buf[b - 1] == 13):
        b -= 1
    if b - a >= 2 and buf[a] == 34 and buf[b - 1] == 34:
        return a + 1, b - 1
    return a, b


@njit(cache=True, nogil=True)
def decimal(buf, a, b):
    """A plain decimal as (mantissa, exponent of ten, state): 12.50 is (1250, -2, OK)."""
    a, b = trimmed(buf, a, b)
    if a == b:
        return 0, 0, EMPTY
    is_negative = buf[a] == 45
    if is_negative or buf[a] == 43:
        a += 1
    mantissa, places, digits, is_fraction, state = 0, 0, 0, False, OK
    for i in range(a, b):
        c = buf[i]
        if c == 46 and not is_fraction:
            is_fraction = True
            continue
        if c < 48 or c > 57:
            return 0, 0, NOT_A_NUMBER
        digits += 1
        if mantissa > _ROOM:
            if not is_fraction:
                state = ABSURD
            elif c != 48 and state == OK:
                state = FINER
            continue
        mantissa = mantissa * 10 + (c - 48)
        if is_fraction:
            places += 1
    if digits == 0:
        return 0, 0, NOT_A_NUMBER
    return (-mantissa if is_negative else mantissa), -places, state


@njit(cache=True, nogil=True)
def digits(buf, a, b):
    """A run of digits as a number; -1 where another byte stands in it or it is empty or longer than 9."""
    if a >= b or b - a > 9:
        return -1
    number = 0
    for i in range(a, b):
        if buf[i] < 48 or buf[i] > 57:
            return -1
        number = number * 10 + (buf[i] - 48)
    return number


@njit(cache=True, nogil=True)
def day_number(year, month, day):
    """Days from 1970-01-01 of a Gregorian date, or BAD_DAY where the calendar has no such date or the year is outside 1900 to 2200.

    The count of days follows from shifting the year's start to March, so that the leap day is its last.
    """
    if year < 1900 or year > 2200 or month < 1 or month > 12 or day < 1:
        return BAD_DAY
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 30 if month in (4, 6, 9, 11) else (28 + is_leap if month == 2 else 31)
    if day > length:
        return BAD_DAY
    shifted = year - (month < 3)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719468


@njit(cache=True, nogil=True)
def compact_date(buf, a, b):
    """YYYYMMDD as days from 1970, or BAD_DAY."""
    a, b = trimmed(buf, a, b)
    if b - a != 8:
        return BAD_DAY
    return day_number(digits(buf, a, a + 4), digits(buf, a + 4, a + 6), digits(buf, a + 6, b))


@njit(cache=True, nogil=True)
def iso_date(buf, a, b):
    """YYYY-MM-DD as days from 1970, or BAD_DAY."""
    if b - a != 10 or buf[a + 4] != 45 or buf[a + 7] != 45:
        return BAD_DAY
    return day_number(digits(buf, a, a + 4), digits(buf, a + 5, a + 7), digits(buf, a + 8, b))


@njit(cache=True, nogil=True)
def offset_minutes(buf, a, b):
    """Z, +HH:MM, +HHMM or +HH as minutes east; NO_OFFSET where it is none of these."""
    if b - a == 1 and (buf[a] == 90 or buf[a] == 122):
        return 0
    if a >= b or (buf[a] != 43 and buf[a] != 45):
        return NO_OFFSET
    hours = digits(buf, a + 1, min(a + 3, b))
    rest = a + 3
    minutes = 0
    if rest < b:
        rest += buf[rest] == 58
        minutes = digits(buf, rest, b)
        if b - rest != 2:
            return NO_OFFSET
    if b - a < 3 or hours < 0 or hours > 15 or minutes < 0 or minutes > 59:
        return NO_OFFSET
    return -(hours * 60 + minutes) if buf[a] == 45 else hours * 60 + minutes


@njit(cache=True, nogil=True)
def iso_time(buf, a, b):
    """YYYY-MM-DD[T ]HH:MM[:SS][offset] as (wall-clock seconds from 1970, minutes east or NO_OFFSET, is good)."""
    a, b = trimmed(buf, a, b)
    if b - a < 16 or (buf[a + 10] != 84 and buf[a + 10] != 32) or buf[a + 13] != 58:
        return 0, NO_OFFSET, False
    day = iso_date(buf, a, a + 10)
    hour, minute, second = digits(buf, a + 11, a + 13), digits(buf, a + 14, a + 16), 0
    at = a + 16
    if at < b and buf[at] == 58:
        second = digits(buf, at + 1, min(at + 3, b)) if b - at >= 3 else -1
        at += 3
    if day == BAD_DAY or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return 0, NO_OFFSET, False
    offset = NO_OFFSET
    if at < b:
        offset = offset_minutes(buf, at, b)
        if offset == NO_OFFSET:
            return 0, NO_OFFSET, False
    return day * 86400 + hour * 3600 + minute * 60 + second, offset, True


@njit(cache=True, nogil=True)
def field_end(buf, a, b):
    """Where the field that begins at `a` ends: at its comma or at `b`; commas in double quotes do not count, two double quotes are one sign."""
    if a < b and buf[a] == 34:
        i = a + 1
        while i < b and (buf[i] != 34 or (i + 1 < b and buf[i + 1] == 34)):
            i += 2 if buf[i] == 34 else 1
        a = min(i, b)
    while a < b and buf[a] != 44:
        a += 1
    return a


@njit(cache=True, nogil=True)
def commas(buf, a, b):
    """How many commas the span holds."""
    count = 0
    for i in range(a, b):
        count += buf[i] == 44
    return count


@njit(cache=True, nogil=True)
def intern(buf, spans, used, table, firsts, known):
    """The number of a key made of `used` spans (rows of [a, b)): that of an equal key before, or the next free one.

    `table` is an open-addressed hash table of numbers (power of two long, -1 free); `firsts[number]` keeps the spans of the first of its
    kind.
    """
    mixed = 1469598103934665603
    for k in range(used):
        for i in range(spans[k, 0], spans[k, 1]):
            mixed = (mixed ^ buf[i]) * 1099511628211
        mixed = (mixed ^ 256) * 1099511628211
    mask = len(table) - 1
    slot = (mixed ^ (mixed >> 29)) & mask
    while table[slot] >= 0:
        number = table[slot]
        if _same(buf, spans, firsts[number], used):
            return number
        slot = (slot + 1) & mask
    table[slot] = known
    firsts[known, :used] = spans[:used]
    return known


@njit(cache=True, nogil=True)
def _same(buf, one, other, used):
    for k in range(used):
        length = one[k, 1] - one[k, 0]
        if other[k, 1] - other[k, 0] != length:
            return False
        for i in range(length):
            if buf[one[k, 0] + i] != buf[other[k, 0] + i]:
                return False
    return True
