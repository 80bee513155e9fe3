"""A series of whole numbers in few bytes, and back: the coder of closed months. Compiled; every step is on integers, so that every machine gives the same bytes.

A number is told in two parts. Its class is how large it is, to two bits behind the leading one: 0 to 7 each are a class of their own, 8 and 9 share one, … 56 to 63 share one.
The class is coded bit by bit, most significant first, by an adaptive binary range coder (after G. N. N. Martin, "Range encoding", 1979): how often a bit was set so far is
counted apart for each class that the number before had. The bits below the class are noise in measured loads and are written as they are.
What is coded is the number itself, its difference to the one before, or its difference to the same time of the day before: whichever comes out shortest.

A coded series is one byte (the kind of difference, whether numbers are folded to be positive, and how many bits a class has), the length of the range coder's bytes
(4 bytes, little-endian), those bytes, and the low bits, least significant first. How many numbers there are is not in it.
"""

from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray

AS_IT_IS, TO_THE_ONE_BEFORE, TO_THE_DAY_BEFORE = 0, 1, 2
_CLASS_BITS = 7
_HALF = 1 << 15
_RATE = np.array([65536 * 10 // (10 * seen + 16) for seen in range(256)], dtype=np.int64)
"""How far a probability, of 65536, moves to what was just seen, by how often it was asked before."""
_HEAD = 5


class NotDecodable(ValueError):
    """Bytes that no series was coded to."""


@numba.njit(cache=True, nogil=True)
def _differences(values, kind, slots, numbers):
    """Fills `numbers` with what is coded of `values`, and says whether they were folded (…, -1 as 1, 1 as 2, …) because one is negative."""
    lag = 0 if kind == 0 else 1 if kind == 1 else slots
    folded = False
    for i in range(values.size):
        number = np.int64(values[i])
        if lag > 0 and i >= lag:
            number -= np.int64(values[i - lag])
        numbers[i] = number
        folded |= number < 0
    if folded:
        for i in range(values.size):
            numbers[i] = (numbers[i] << 1) ^ (numbers[i] >> 63)
    return folded


@numba.njit(cache=True, nogil=True)
def _class_of(number):
    """The class of a number and how many bits lie below it."""
    if number < 8:
        return number, 0
    below, rest = -2, number
    while rest > 1:
        rest >>= 1
        below += 1
    return 8 + ((below - 1) << 2) + ((number >> below) & 3), below


@numba.njit(cache=True, nogil=True)
def _guess(numbers, counts):
    """About how many bits numbers will take: what lies below their classes, and the classes by how often each comes. `counts` is workspace, int64 [classes]."""
    counts[:] = 0
    bits = 0.0
    for i in range(numbers.size):
        klass, below = _class_of(numbers[i])
        counts[klass] += 1
        bits += below
    for count in counts:
        if count > 0:
            bits += count * np.log2(numbers.size / count)
    return bits


@numba.njit(cache=True, nogil=True)
def _put(out, at, low, carry_from, waiting):
    """Write the top byte of `low`, with its carry into bytes that wait for one (as in Igor Pavlov's LZMA); place, low, first waiting byte, how many wait."""
    if low < 0xFF000000 or low > 0xFFFFFFFF:
        carry = low >> 32
        out[at] = (carry_from + carry) & 0xFF
        for i in range(1, waiting):
            out[at + i] = (0xFF + carry) & 0xFF
        at += waiting
        waiting = 0
        carry_from = (low >> 24) & 0xFF
    return at, (low & 0x00FFFFFF) << 8, carry_from, waiting + 1


@numba.njit(cache=True, nogil=True)
def _put_low_bits(numbers, out, at):
    """Write what lies below the classes of numbers from a place on; where it ends."""
    held, count = np.int64(0), 0
    for i in range(numbers.size):
        below = _class_of(numbers[i])[1]
        held |= (numbers[i] & ((1 << below) - 1)) << count
        count += below
        while count >= 8:
            out[at] = held & 0xFF
            at += 1
            held >>= 8
            count -= 8
    if count > 0:
        out[at] = held & 0xFF
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def _encode(numbers, folded, kind, odds, rate, out):
    """Code numbers into `out`, which has room; its length. `odds` is workspace, int32 [classes x nodes]: probability of a set bit x 256 + times asked."""
    top = 0
    for i in range(numbers.size):
        top = max(top, numbers[i])
    bits = 1
    while (1 << bits) <= _class_of(top)[0]:
        bits += 1
    for i in range(1 << (2 * bits)):
        odds[i] = _HALF << 8
    low, width = np.int64(0), np.int64(0xFFFFFFFF)
    at, carry_from, waiting = _HEAD - 1, np.int64(0), 1  # the first byte is always 0: the head takes its place
    before = 0
    for i in range(numbers.size):
        number = numbers[i]
        klass = _class_of(number)[0]
        row, node = before << bits, 1
        for level in range(bits - 1, -1, -1):
            bit = (klass >> level) & 1
            state = np.int64(odds[row + node])
            chance, seen = state >> 8, state & 0xFF
            bound = (width * chance) >> 16
            if bit:
                width = bound
                chance += ((65536 - chance) * rate[seen]) >> 16
            else:
                low += bound
                width -= bound
                chance -= (chance * rate[seen]) >> 16
            odds[row + node] = (chance << 8) | min(seen + 1, 255)
            node = (node << 1) | bit
            while width < 0x01000000:
                width <<= 8
                at, low, carry_from, waiting = _put(out, at, low, carry_from, waiting)
        before = klass
    for _ in range(5):
        at, low, carry_from, waiting = _put(out, at, low, carry_from, waiting)
    out[0] = kind | (4 if folded else 0) | (bits << 3)
    for i in range(4):
        out[1 + i] = ((at - _HEAD) >> (8 * i)) & 0xFF
    return _put_low_bits(numbers, out, at)


@numba.njit(cache=True, nogil=True)
def _decode(data, first, end, slots, odds, rate, values):  # noqa: C901 - one pass over the bytes, no calls
    """Fill `values` from the coded series at data[first:end]; whether it is one."""
    if end - first < _HEAD + 4:
        return False
    kind, folded, bits = data[first] & 3, (data[first] & 4) != 0, np.int64(data[first] >> 3)
    length = np.int64(0)
    for i in range(4):
        length |= np.int64(data[first + 1 + i]) << (8 * i)
    at, stop = first + _HEAD, first + _HEAD + length
    if kind > 2 or bits < 1 or bits > _CLASS_BITS or stop > end:
        return False
    for i in range(1 << (2 * bits)):
        odds[i] = _HALF << 8
    lag = 0 if kind == 0 else 1 if kind == 1 else slots
    code, width = np.int64(0), np.int64(0xFFFFFFFF)
    for _ in range(4):
        code = (code << 8) | np.int64(data[at] if at < stop else 0)
        at += 1
    raw, held, count = stop, np.int64(0), 0
    before = np.int64(0)
    for i in range(values.size):
        row, node = before << bits, np.int64(1)
        for _ in range(bits):
            state = np.int64(odds[row + node])
            chance, seen = state >> 8, state & 0xFF
            bound = (width * chance) >> 16
            if code < bound:
                width = bound
                chance += ((65536 - chance) * rate[seen]) >> 16
                node = (node << 1) | 1
            else:
                code -= bound
                width -= bound
                chance -= (chance * rate[seen]) >> 16
                node <<= 1
            odds[row + (node >> 1)] = (chance << 8) | min(seen + 1, 255)
            while width < 0x01000000:
                width <<= 8
                code = (code << 8) | np.int64(data[at] if at < stop else 0)
                at += 1
        before = node - (1 << bits)
        number = before
        if before >= 8:
            below = ((before - 8) >> 2) + 1
            while count < below:
                held |= np.int64(data[raw] if raw < end else 0) << count
                raw += 1
                count += 8
            number = ((4 | (before & 3)) << below) | (held & ((1 << below) - 1))
            held >>= below
            count -= below
        if folded:
            number = (number >> 1) ^ -(number & 1)
        if lag > 0 and i >= lag:
            number += np.int64(values[i - lag])
        values[i] = number
    return raw == end and at <= stop + 4


@numba.njit(cache=True, nogil=True)
def _encode_all(values, begins, slots, rate, out, ends):
    """Code each series values[begins[i]:begins[i + 1]] in the shortest way, one after the other into `out`; `ends` gets where each ends."""
    longest = 0
    for i in range(begins.size - 1):
        longest = max(longest, begins[i + 1] - begins[i])
    numbers = np.empty(longest, dtype=np.int64)
    odds = np.empty(1 << (2 * _CLASS_BITS), dtype=np.int32)
    tried = np.empty(2 * (6 * longest + 64), dtype=np.uint8)
    counts = np.empty(1 << _CLASS_BITS, dtype=np.int64)
    at = 0
    for i in range(begins.size - 1):
        series = values[begins[i] : begins[i + 1]]
        best, least = 0, np.inf
        for kind in range(3):
            if kind > 0 and series.size <= (1 if kind == 1 else slots):
                continue
            folded = _differences(series, kind, slots, numbers)
            bits = _guess(numbers[: series.size], counts)
            if bits > (least if kind < 2 else 0.8 * least):  # numbers as they are gain more by the class before than differences do
                continue
            least = min(bits, least)
            length = _encode(numbers[: series.size], folded, kind, odds, rate, tried)
            if best == 0 or length < best:
                best = length
                out[at : at + length] = tried[:length]
        at += best
        ends[i] = at


@numba.njit(cache=True, nogil=True)
def _decode_all(data, firsts, ends, begins, slots, rate, values):
    """Fill values[begins[i]:begins[i + 1]] from data[firsts[i]:ends[i]]; the first i that is no coded series, -1 where all are."""
    odds = np.empty(1 << (2 * _CLASS_BITS), dtype=np.int32)
    for i in range(firsts.size):
        if not _decode(data, firsts[i], ends[i], slots, odds, rate, values[begins[i] : begins[i + 1]]):
            return i
    return -1


def encode(values: NDArray[np.int32], begins: NDArray[np.int64], *, slots: int) -> list[bytes]:
    """Series of numbers, values[begins[i]:begins[i + 1]], each as bytes; `slots` numbers are a day."""
    longest = int(np.diff(begins).max(initial=0))
    found: list[bytes] = []
    step = max(1, 8_000_000 // max(longest, 1))
    for first in range(0, len(begins) - 1, step):
        part = begins[first : first + step + 1]
        out = np.empty(int(12 * (part[-1] - part[0]) + 64 * len(part)), dtype=np.uint8)
        ends = np.empty(len(part) - 1, dtype=np.int64)
        _encode_all(values, part, slots, _RATE, out, ends)
        whole, starts = out[: int(ends[-1])].tobytes(), [0, *ends.tolist()]
        found += [whole[a:b] for a, b in pairwise(starts)]
    return found


def decode(data: bytes, firsts: NDArray[np.int64], ends: NDArray[np.int64], begins: NDArray[np.int64], *, slots: int) -> NDArray[np.int32]:
    """The numbers of the series coded at data[firsts[i]:ends[i]], which has begins[i + 1] - begins[i] of them, one after the other.

    Raises:
        NotDecodable: bytes that no series was coded to.
    """
    values = np.empty(int(begins[-1]), dtype=np.int32)
    wrong = _decode_all(np.frombuffer(data, dtype=np.uint8), firsts, ends, begins, slots, _RATE, values)
    if wrong >= 0:
        raise NotDecodable(f"series {wrong} of {len(firsts)} is not one that was coded here")
    return values
