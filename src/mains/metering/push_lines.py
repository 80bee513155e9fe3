"""Pushes as lines of JSON: `{"meter", "register", "start", "value", "unit"?, "quality"?}`, one reading a line, plain or gzip, read piece by piece within fixed bounds.

A line that is no reading is noted with its number and what cures it; the others go on. Values keep the digits that they were written with.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from mains.base.problems import Problem
from mains.metering.pushing import Gathered

LARGEST = 256 << 20
"""Bytes that a push may have, uncompressed."""
MOST_READINGS = 1_000_000
"""Lines that a push may have."""
LONGEST_LINE = 16 << 10
"""Bytes that one line may have."""
MOST_SWELLING, FREE_SWELLING = 200, 1 << 20
"""How many times its compressed size a push may have, beyond the first bytes."""
MEMBERS = ("meter", "register", "start", "value", "unit", "quality")
REQUIRED = frozenset(MEMBERS[:4])

_ALLOWED = frozenset(MEMBERS)
_PIECE = 64 << 10


class PushNotReadable(Problem):
    """What was pushed is not what it says it is."""

    status = 422


class PushTooLarge(Problem):
    """More was pushed than is taken at once."""

    status = 413


def gather_lines(pieces: Iterable[bytes], *, is_gzip: bool = False) -> tuple[Gathered, bytes]:
    """The readings of a push and the SHA-256 of its text.

    Raises:
        PushNotReadable: the compression is broken, or ends early.
        PushTooLarge: there are more bytes or lines than are taken, or they swell more than honest text does.
    """
    gathered, digest = Gathered(), hashlib.sha256()
    number, rest, is_skipping, total = 0, b"", False, 0
    for piece in _swollen(pieces) if is_gzip else pieces:
        digest.update(piece)
        total += len(piece)
        if total > LARGEST:
            raise PushTooLarge(f"a push takes {LARGEST >> 20} MiB of text", cure="send it in several pushes, or as files: mains readings import")
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            if is_skipping:
                is_skipping = False
                continue
            _take(line, number, gathered)
        if len(rest) > LONGEST_LINE:
            if not is_skipping:
                _too_long(number + 1, gathered)
            is_skipping, rest = True, b""
        if number > MOST_READINGS:
            raise PushTooLarge(f"a push takes {MOST_READINGS:,} lines", cure="send it in several pushes, or as files: mains readings import")
    if rest and not is_skipping:
        _take(rest, number + 1, gathered)
    return gathered, digest.digest()


def _too_long(number: int, gathered: Gathered) -> None:
    gathered.refused.add("line-too-long", f"the line has more than {LONGEST_LINE} bytes", line=number, cure="send one reading a line")


def _take(line: bytes, number: int, gathered: Gathered) -> None:
    """One line."""
    if len(line) > LONGEST_LINE:
        _too_long(number, gathered)
        return
    if not line.strip():
        return
    try:
        found = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        gathered.refused.add("not-json", "the line is no JSON", line=number, cure="send one JSON object a line, in UTF-8")
        return
    take_object(found, number, gathered)


def take_object(found: Any, number: int, gathered: Gathered) -> None:
    """One reading that JSON holds, its numbers as text."""
    if fault := fault_of(found):
        code, message, cure = fault
        gathered.refused.add(code, message, line=number, cure=cure)
        return
    gathered.add(
        meter=found["meter"], register=found["register"], start=found["start"], value=found["value"], unit=found.get("unit"), quality=found.get("quality"), line=number,
    )  # fmt: skip


def fault_of(found: Any) -> tuple[str, str, str] | None:
    """Why something is no object with the members of a reading: code, message and cure; None where it is one."""
    if not isinstance(found, dict):
        return "not-an-object", "the JSON is no object", "send one JSON object a reading"
    if REQUIRED <= found.keys() <= _ALLOWED:
        return None
    wrong, missing = sorted(found.keys() - _ALLOWED), sorted(REQUIRED - found.keys())
    message = f"{wrong[0][:40]!r} is no member of a reading" if wrong else f"{missing[0]!r} is missing"
    return "member-unknown" if wrong else "member-missing", message, f"the members are {', '.join(MEMBERS)}; the last two may be left out"


def _swollen(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text of a gzip stream, in pieces of bounded size; several members one after another are one text."""
    inflate, taken, given = zlib.decompressobj(31), 0, 0
    for piece in pieces:
        taken += len(piece)
        waiting = piece
        while waiting:
            if inflate.eof:
                inflate = zlib.decompressobj(31)
            try:
                text = inflate.decompress(waiting, _PIECE)
            except zlib.error as error:
                raise PushNotReadable("the body is no gzip stream, or it is damaged", cure="compress it again, or send it without Content-Encoding") from error
            waiting = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            given += len(text)
            if given > FREE_SWELLING + MOST_SWELLING * taken:
                raise PushTooLarge(f"the body swells to more than {MOST_SWELLING} times its size", cure="send readings, uncompressed if they are that much alike")
            if text:
                yield text
            elif not waiting:
                break
    if not inflate.eof and taken:
        raise PushNotReadable("the gzip stream ends early", cure="send all of it")
