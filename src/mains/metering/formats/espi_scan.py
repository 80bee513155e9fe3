"""The compiled reading of regular Green Button readings, straight from the bytes of a file.

An IntervalReading is regular where it is plain tags of one namespace prefix with whole numbers in them, each in its place; of such readings nothing is left
to judge but where they stand, and that is left to the XML parser: each run of them is replaced by one empty element. Whatever is not regular is not touched.
"""

import numpy as np
from numba import njit

NO_QUALITY = 254
LATEST = 7_258_118_400  # the year 2200
LONGEST = 400 * 86_400

READING, PERIOD, QUALITIES, VALUE, COST, TOU, TIER, CPP, START, DURATION, QUALITY = range(11)

_WORDS = (
    b"IntervalReading", b"timePeriod", b"ReadingQuality", b"value", b"cost", b"tou", b"consumptionTier", b"cpp", b"start", b"duration", b"quality",
)  # fmt: skip

NAMES = np.array([list(word.ljust(16, b"\0")) for word in _WORDS], dtype=np.uint8)
"""Element names in the order of their codes, 16 bytes each, filled with zeros."""

_LENGTHS = np.array([len(word) for word in _WORDS], dtype=np.int64)
_NUMBERS = 16
"""The most numbers that a regular reading holds."""

_IRREGULAR, _CUT_OFF = -1, -2
_PREFIX = 64
"""The longest namespace prefix, with its colon, of a regular reading."""
LONGEST_READING = 4096


@njit(cache=True, nogil=True, inline="always")
def _is_space(byte):
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


@njit(cache=True, nogil=True)
def _after_name(buf, i, end, names, word, prefix, length):
    """The byte after `prefix:name>` at i; IRREGULAR where something else stands there, CUT_OFF where the bytes end before that is known."""
    for k in range(length):
        if i == end:
            return _CUT_OFF
        if buf[i] != buf[prefix + k]:
            return _IRREGULAR
        i += 1
    for k in range(_LENGTHS[word]):
        if i == end:
            return _CUT_OFF
        if buf[i] != names[word, k]:
            return _IRREGULAR
        i += 1
    if i == end:
        return _CUT_OFF
    return i + 1 if buf[i] == 62 else _IRREGULAR


@njit(cache=True, nogil=True)
def _opened(buf, i, end, names, above, prefix, length):
    """What the tag after a `<` at i opens under the element `above`, and the byte after it."""
    first, last = VALUE, CPP
    if above == PERIOD:
        first, last = START, DURATION
    elif above == QUALITIES:
        first, last = QUALITY, QUALITY
    for word in range(first, last + 1):
        at = _after_name(buf, i, end, names, word, prefix, length)
        if at != _IRREGULAR:
            return word, at
    if above == READING:
        for word in (PERIOD, QUALITIES):
            at = _after_name(buf, i, end, names, word, prefix, length)
            if at != _IRREGULAR:
                return word, at
    return -1, _IRREGULAR


@njit(cache=True, nogil=True)
def _number(buf, i, end):
    """A whole number of 1 to 18 digits at i: the number and the byte after it, or IRREGULAR or CUT_OFF instead of that."""
    is_negative = i < end and buf[i] == 45
    i += is_negative
    first, number = i, np.int64(0)
    while i < end and 48 <= buf[i] <= 57 and i - first < 19:
        number = number * 10 + (buf[i] - 48)
        i += 1
    if i == end:
        return np.int64(0), _CUT_OFF
    if i == first or i - first > 18:
        return np.int64(0), _IRREGULAR
    return (-number if is_negative else number), i


@njit(cache=True, nogil=True)
def _reading(buf, i, end, names, prefix, length, held, count, spans):  # noqa: C901 - one pass of a small state machine
    """The byte after the reading whose own tag ends at i, with what it says in `held` and `count`, and where its numbers stand in `spans`; or IRREGULAR, CUT_OFF.

    A row of `spans` is (first byte, byte after it, code), in the order of the file; `count[READING]` says how many there are.
    """
    count[:] = 0
    above, numbers = READING, 0
    while True:
        while i < end and _is_space(buf[i]):
            i += 1
        if i + 1 >= end:
            return _CUT_OFF
        if buf[i] != 60:
            return _IRREGULAR
        if buf[i + 1] == 47:
            i = _after_name(buf, i + 2, end, names, above, prefix, length)
            if i < 0:
                return i
            if above == READING:
                count[READING] = numbers
                return i
            above = READING
            continue
        word, i = _opened(buf, i + 1, end, names, above, prefix, length)
        if i < 0:
            return i
        count[word] += 1
        if word <= QUALITIES:
            above = word
            continue
        while i < end and _is_space(buf[i]):
            i += 1
        if numbers == _NUMBERS:
            return _IRREGULAR
        spans[numbers, 0], spans[numbers, 2] = i, word
        held[word], i = _number(buf, i, end)
        if i < 0:
            return i
        spans[numbers, 1] = i
        numbers += 1
        while i < end and _is_space(buf[i]):
            i += 1
        if i + 1 >= end:
            return _CUT_OFF
        if buf[i] != 60 or buf[i + 1] != 47:
            return _IRREGULAR
        i = _after_name(buf, i + 2, end, names, word, prefix, length)
        if i < 0:
            return i


@njit(cache=True, nogil=True)
def _alike(buf, i, end, like, after, held, count, spans):
    """As `_reading`, for one at i that is written byte for byte as the one at `like` but for its numbers; `spans` are of that one and become those of this.

    IRREGULAR where it is not alike: then it has to be read on its own.
    """
    there = like
    for k in range(count[READING]):
        size = spans[k, 0] - there
        if i + size >= end:
            return _IRREGULAR
        for j in range(size):
            if buf[i + j] != buf[there + j]:
                return _IRREGULAR
        i += size
        there = spans[k, 1]
        spans[k, 0] = i
        held[spans[k, 2]], i = _number(buf, i, end)
        if i < 0:
            return _IRREGULAR
        spans[k, 1] = i
    size = after - there
    if i + size > end:
        return _IRREGULAR
    for j in range(size):
        if buf[i + j] != buf[there + j]:
            return _IRREGULAR
    return i + size


@njit(cache=True, nogil=True)
def _is_good(held, count, known):
    """Whether a reading has one period with one start and at most one duration, one value, at most one quality, all within reach."""
    if count[PERIOD] != 1 or count[START] != 1 or count[DURATION] > 1 or count[VALUE] != 1 or count[QUALITIES] > 1 or count[QUALITY] != count[QUALITIES]:
        return False
    if held[START] < 0 or held[START] >= LATEST or (count[DURATION] and (held[DURATION] <= 0 or held[DURATION] > LONGEST)):
        return False
    return count[QUALITY] == 0 or (0 <= held[QUALITY] < len(known) and known[held[QUALITY]] < NO_QUALITY)


@njit(cache=True, nogil=True)
def _own_tag(buf, i, end, names):
    """Where the tag of a reading whose `<` is at i ends, and how long its prefix is with the colon; IRREGULAR where it is no such tag, CUT_OFF where the bytes end."""
    at = i + 1
    while at < end and at - i <= _PREFIX:
        byte = buf[at]
        if byte == 58 or byte == 62 or byte == 47 or byte == 32:
            break
        is_letter = 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95
        if not is_letter and (at == i + 1 or not (48 <= byte <= 57 or byte == 45 or byte == 46)):
            return _IRREGULAR, 0
        at += 1
    if at == end:
        return (_CUT_OFF if end - i <= _PREFIX + 20 else _IRREGULAR), 0
    length = at - i if buf[at] == 58 and at > i + 1 else 0
    return _after_name(buf, i + 1, end, names, READING, i + 1, length), length


@njit(cache=True, nogil=True)
def excise(buf, line, is_last, names, known, starts, durations, values, qualities, lines, runs):  # noqa: C901 - one pass over the bytes
    """Take the regular readings out of some bytes, the first of which is on `line`: (readings, runs, bytes that were looked at, line they end on).

    The columns get a row a reading; a quality is what `known` has for its ESPI code, NO_QUALITY where none is given. A row of `runs` is (first byte, byte after
    it, first reading, readings, line ends within, length of the prefix with its colon, costs and tariff
    periods). Unless `is_last`, what is cut off at the end waits for more.
    """
    held, count = np.zeros(11, dtype=np.int64), np.zeros(11, dtype=np.int64)
    spans = np.zeros((_NUMBERS, 3), dtype=np.int64)
    i, n, found, end = 0, 0, 0, len(buf)
    while i < end and n < len(starts) and found < len(runs):
        if buf[i] != 60:
            line += buf[i] == 10
            i += 1
            continue
        at, length = _own_tag(buf, i, end, names)
        begin, first, prefix, ends, asides, like, gap = i, n, i + 1, 0, 0, -1, 0
        while at >= 0 and n < len(starts):
            after = _reading(buf, at, end, names, prefix, length, held, count, spans) if like < 0 else at
            if after < 0 or not _is_good(held, count, known):
                at = after if after == _CUT_OFF else _IRREGULAR
                break
            starts[n], values[n], lines[n] = held[START], held[VALUE], line
            durations[n] = held[DURATION] if count[DURATION] else 0
            qualities[n] = known[held[QUALITY]] if count[QUALITY] else NO_QUALITY
            asides += count[COST] + count[TOU] + count[TIER] + count[CPP]
            n += 1
            if like < 0:
                gap = 0
                for k in range(i, after):
                    gap += buf[k] == 10
            line += gap
            ends += gap
            done, like, i = after, i, after
            while i < end and _is_space(buf[i]):
                line += buf[i] == 10
                ends += buf[i] == 10
                i += 1
            if i >= end:
                at = _CUT_OFF
                break
            at = _alike(buf, i, end, like, done, held, count, spans)
            if at < 0:
                like = -1
                if buf[i] != 60:
                    at = _IRREGULAR
                    break
                at, other = _own_tag(buf, i, end, names)
                if at >= 0 and (other != length or not _same(buf, i + 1, prefix, length)):
                    at = _IRREGULAR
        if n > first:
            # the spaces behind the last reading go with the run
            runs[found, 0], runs[found, 1], runs[found, 2], runs[found, 3], runs[found, 4], runs[found, 5] = begin, i, first, n - first, ends, length
            runs[found, 6] = asides
            found += 1
        if at == _CUT_OFF and not is_last and end - i < LONGEST_READING:
            return n, found, i, line
        if n == first:
            i += 1
    return n, found, i, line


@njit(cache=True, nogil=True)
def _same(buf, one, other, length):
    for k in range(length):  # noqa: SIM110 - compiled as it stands
        if buf[one + k] != buf[other + k]:
            return False
    return True
