"""The compiled reading of a regular IntervalBlock, from the canonical text that lxml writes of an element it has parsed.

That text has no comments, no CDATA and no entities but the five of XML; whatever is out of the ordinary makes the scan give up, and the
block is read element by element.
"""

import numpy as np
from numba import njit

NO_QUALITY = 254
BEST_KNOWN = 20
"""Codes of quality are below this."""

_OTHER, _READING, _VALUE, _PERIOD, _QUALITIES, _START, _DURATION, _QUALITY = range(8)

_WORDS = (b"IntervalReading", b"value", b"timePeriod", b"ReadingQuality", b"start", b"duration", b"quality")

NAMES = np.array([list(word.ljust(16, b"\0")) for word in _WORDS], dtype=np.uint8)
"""Element names in the order of their codes (less one), 16 bytes each, filled with zeros."""


@njit(cache=True, nogil=True)
def _is(buf, a, b, names, word):
    """Whether the span spells a name."""
    length = b - a
    if length > 15 or buf[a] != names[word, 0] or names[word, length] != 0:
        return False
    for i in range(1, length):
        if buf[a + i] != names[word, i]:
            return False
    return names[word, length - 1] != 0


@njit(cache=True, nogil=True)
def _code(buf, a, b, prefix, above, depth, names):
    """What an element is, from its name after the namespace prefix (`prefix` bytes, those at the block's own name) and the element
    above."""
    for i in range(prefix):
        if a + i >= b or buf[a + i] != buf[1 + i]:
            return _OTHER
    a += prefix
    if a >= b:
        return _OTHER
    found = _OTHER
    if depth == 1:
        found = _READING if _is(buf, a, b, names, 0) else _OTHER
    elif above == _READING:
        for word in range(1, 4):
            if _is(buf, a, b, names, word):
                found = word + 1
    elif above == _PERIOD:
        found = _START if _is(buf, a, b, names, 4) else (_DURATION if _is(buf, a, b, names, 5) else _OTHER)
    elif above == _QUALITIES:
        found = _QUALITY if _is(buf, a, b, names, 6) else _OTHER
    return found


@njit(cache=True, nogil=True)
def _is_leaf(code):
    return code >= _START or code == _VALUE


@njit(cache=True, nogil=True)
def _is_regular(count, held):
    """Whether a reading has one start, duration and value, and at most one quality of the known codes."""
    has_one = count[_VALUE] == 1 and count[_START] == 1 and count[_DURATION] == 1 and count[_PERIOD] == 1
    return has_one and (count[_QUALITY] == 0 or (count[_QUALITY] == 1 and held[_QUALITY] >= 0 and held[_QUALITY] < BEST_KNOWN))


@njit(cache=True, nogil=True)
def _after_root(buf):
    """The byte after the block's own tag, and the length of its namespace prefix with the colon; (-1, 0) where it holds nothing."""
    i, prefix = 1, 0
    while i < len(buf) and buf[i] != 62 and buf[i] != 32:
        if buf[i] == 58:
            prefix = i
        i += 1
    while i < len(buf) and buf[i] != 62:
        i += 1
    if i >= len(buf) or buf[i - 1] == 47:
        return -1, 0
    return i + 1, prefix


@njit(cache=True, nogil=True)
def _whole(buf, a, b):
    """A whole number of up to 18 digits with spaces around, and whether it is one."""
    while a < b and buf[a] <= 32:
        a += 1
    while b > a and buf[b - 1] <= 32:
        b -= 1
    is_negative = a < b and buf[a] == 45
    a += is_negative
    if a == b or b - a > 18:
        return 0, False
    number = 0
    for i in range(a, b):
        if buf[i] < 48 or buf[i] > 57:
            return 0, False
        number = number * 10 + (buf[i] - 48)
    return (-number if is_negative else number), True


@njit(cache=True, nogil=True)
def readings(buf, names, starts, durations, values, qualities):  # noqa: C901 - one pass of a small state machine
    """Fill the columns from the text of one IntervalBlock; how many readings there are, or -1 where the text is not regular.

    `qualities` gets the ESPI code, or NO_QUALITY where a reading has none.
    """
    codes = np.zeros(8, dtype=np.int64)
    held = np.zeros(8, dtype=np.int64)
    count = np.zeros(8, dtype=np.int64)
    i, prefix = _after_root(buf)
    if i < 0:
        return 0
    n, depth, text, end = 0, 1, 0, len(buf)
    while i < end:
        if buf[i] != 60:
            i += 1
            continue
        if buf[i + 1] == 47:
            depth -= 1
            code = codes[depth]
            if _is_leaf(code):
                held[code], is_good = _whole(buf, text, i)
                count[code] += 1
                if not is_good:
                    return -1
            elif code == _READING and depth == 1:
                if not _is_regular(count, held):
                    return -1
                quality = held[_QUALITY] if count[_QUALITY] else NO_QUALITY
                starts[n], durations[n], values[n], qualities[n] = held[_START], held[_DURATION], held[_VALUE], quality
                n += 1
            if depth == 0:
                return n
            while buf[i] != 62:
                i += 1
            continue
        at = i + 1
        if depth >= 7 or buf[at] == 33 or buf[at] == 63 or _is_leaf(codes[depth - 1]):
            return -1
        while buf[i] != 62:
            i += 1
            if buf[i] == 32:
                return -1
        is_closed = buf[i - 1] == 47
        code = _code(buf, at, i - is_closed, prefix, codes[depth - 1] if depth > 1 else _OTHER, depth, names)
        if code == _READING:
            count[:] = 0
        count[_PERIOD] += code == _PERIOD
        if is_closed:
            if code != _OTHER:
                return -1
        else:
            codes[depth] = code
            depth += 1
            text = i + 1
    return -1
