"""SML on the wire (BSI TR-03109-1 annex IV): transport frames with their checksum, and the values inside a frame, decoded without recursion.

A frame is 1b1b1b1b 01010101 … 1b1b1b1b 1a pp cccc: `pp` fill bytes, CRC-16/X.25 over all before it. A value is a byte of type and length
(more bytes where the highest bit is set) and its bytes; a list's length is the number of its elements.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

START = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
_ESCAPE = b"\x1b\x1b\x1b\x1b"

MOST_FRAME = 1 << 16
"""Bytes of the longest frame that is read; real ones have some hundreds."""

MOST_DEPTH, MOST_ELEMENTS = 12, 4096
"""Lists within lists, and values of one message."""

_MOST_FILL = 7  # three fill up to four bytes; some meters send four

OCTETS, BOOLEAN, SIGNED, UNSIGNED, LIST = 0, 4, 5, 6, 7
END = object()
"""The byte that ends a message."""


class MalformedFrameError(Exception):
    """A frame or a message in it is not of its form; the message names the byte."""


class BadChecksumError(Exception):
    """The checksum of a frame or message is not that of its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One transport frame: its bytes from the start mark to the checksum, where it begins in the file, and whether its end was there."""

    data: bytes
    at: int
    is_whole: bool


def _tables() -> tuple[list[int], int]:
    found = []
    for each in range(256):
        crc = each
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        found.append(crc)
    return found, 0xFFFF


_CRC, _ONES = _tables()


def crc_x25(data: bytes, *, start: int = _ONES, flip: int = _ONES) -> int:
    """CRC-16/X.25; with `start` and `flip` 0 it is CRC-16/KERMIT.

    >>> hex(crc_x25(b"123456789")), hex(crc_x25(b"123456789", start=0, flip=0))
    ('0x906e', '0x2189')
    """
    crc = start
    for each in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ each) & 0xFF]
    return crc ^ flip


def _matches(data: bytes, said: int) -> bool:
    """Whether a checksum is that of the bytes: X.25, or KERMIT, which some meters in the field use in its place; either byte order."""
    found = {crc_x25(data), crc_x25(data, start=0, flip=0)}
    return said in found or ((said & 0xFF) << 8 | said >> 8) in found


def frames(data: bytes, *, at: int, is_last: bool) -> tuple[list[Frame], int]:
    """The frames of a stretch of bytes that begins at byte `at` of the file, and how many bytes are used up.

    What stands between frames is passed over. A frame that has not ended is left for the next stretch, or, where the file ends, given
    as not whole.
    """
    found: list[Frame] = []
    place = 0
    while True:
        begin = data.find(START, place)
        if begin < 0:
            return found, len(data) if is_last else max(place, len(data) - len(START) + 1)
        end, again = _end(data, begin)
        if end < 0:
            if again < 0 and len(data) - begin <= MOST_FRAME and not is_last:
                return found, begin
            stop = again if again >= 0 else min(len(data), begin + MOST_FRAME)
            found.append(Frame(data=data[begin:stop], at=at + begin, is_whole=False))
            place = stop
            if again < 0:
                place = len(data) if is_last else stop
            continue
        found.append(Frame(data=data[begin:end], at=at + begin, is_whole=True))
        place = end


def _end(data: bytes, begin: int) -> tuple[int, int]:
    """Where the frame from `begin` ends (after its checksum), or -1 and where another frame begins within it, or -1."""
    place = begin + len(START)
    while True:
        mark = data.find(_ESCAPE, place)
        if mark < 0 or mark + 8 > len(data) or mark - begin > MOST_FRAME:
            return -1, -1
        what = data[mark + 4 : mark + 8]
        if what == _ESCAPE:
            place = mark + 8
        elif what[0] == 0x1A:
            return mark + 8, -1
        elif what == START[4:]:
            return -1, mark
        else:
            place = mark + 1


def content(frame: Frame) -> bytes:
    """The messages of a frame: its checksum checked, its escapes and fill bytes taken out.

    Raises:
        MalformedFrameError: it has no end.
        BadChecksumError: its checksum is another.
    """
    if not frame.is_whole:
        raise MalformedFrameError(f"the frame at byte {frame.at} does not end")
    if not _matches(frame.data[:-2], frame.data[-1] << 8 | frame.data[-2]):
        raise BadChecksumError(f"the frame at byte {frame.at} says CRC {frame.data[-2:].hex()}, its bytes have {crc_x25(frame.data[:-2]):04x}")
    fill = frame.data[-3]
    inner = frame.data[len(START) : -8]
    if fill > _MOST_FILL or fill > len(inner):
        raise MalformedFrameError(f"the frame at byte {frame.at} says {fill} fill bytes")
    return inner[: len(inner) - fill].replace(_ESCAPE * 2, _ESCAPE)


def messages(data: bytes) -> Iterator[tuple[list[Any], int, int]]:
    """Each message of a frame's content as its decoded list, and where it begins and ends.

    Raises:
        MalformedFrameError: what stands there is no message.
        BadChecksumError: a message's checksum is another.
    """
    place = 0
    while place < len(data):
        if data[place] == 0:
            place += 1
            continue
        found, end, marks = _value(data, place)
        if not isinstance(found, list) or len(found) != 6 or found[5] is not END:
            raise MalformedFrameError(f"no message of six elements at byte {place}")
        checked = marks[4]
        if not isinstance(found[4], int) or not _matches(data[place:checked], found[4]):
            raise BadChecksumError(f"the checksum of the message at byte {place} is another")
        yield found, place, end
        place = end


def _value(data: bytes, place: int) -> tuple[Any, int, list[int]]:
    """The value at a byte, the byte after it, and where the elements of the outermost list begin."""
    root: list[Any] = []
    open_lists: list[tuple[list[Any], int]] = [(root, 1)]
    marks: list[int] = []
    count = 0
    while open_lists:
        target, wanted = open_lists[-1]
        if len(target) == wanted:
            open_lists.pop()
            continue
        count += 1
        if count > MOST_ELEMENTS:
            raise MalformedFrameError(f"more than {MOST_ELEMENTS} values in the message at byte {place}")
        if len(open_lists) == 2:
            marks.append(place)
        kind, length, size = _head(data, place)
        if kind == LIST:
            if len(open_lists) > MOST_DEPTH:
                raise MalformedFrameError(f"lists within lists deeper than {MOST_DEPTH} at byte {place}")
            if length > len(data) - place:
                raise MalformedFrameError(f"a list of {length} elements at byte {place}, where {len(data) - place} bytes are left")
            inner: list[Any] = []
            target.append(inner)
            open_lists.append((inner, length))
            place += size
        else:
            target.append(_scalar(data, place, kind, length, size))
            place += max(length, size)
    return root[0], place, marks


def _head(data: bytes, place: int) -> tuple[int, int, int]:
    """Type, length (bytes with the head, or elements of a list) and bytes of the head of the value at a byte."""
    if place >= len(data):
        raise MalformedFrameError(f"the message ends at byte {place}, within a list")
    first = data[place]
    kind, length, size = first >> 4 & 7, first & 15, 1
    while data[place + size - 1] & 0x80:
        if place + size >= len(data) or size > 3:
            raise MalformedFrameError(f"a length of more than four bytes at byte {place}")
        length = length << 4 | data[place + size] & 15
        size += 1
    return kind, length, size


def _scalar(data: bytes, place: int, kind: int, length: int, size: int) -> Any:
    """Bytes, a number, a truth value, None for what is left out, or END."""
    if kind == OCTETS and length == 0 and size == 1:
        return END
    if length < size or place + length > len(data):
        raise MalformedFrameError(f"a value of {length} bytes at byte {place}, where {len(data) - place} are left")
    held = data[place + size : place + length]
    if kind == OCTETS:
        return held or None
    if kind == BOOLEAN and len(held) == 1:
        return held[0] != 0
    if kind in (SIGNED, UNSIGNED) and 1 <= len(held) <= 8:
        return int.from_bytes(held, "big", signed=kind == SIGNED)
    raise MalformedFrameError(f"a value of type {kind} and {length} bytes at byte {place}")
