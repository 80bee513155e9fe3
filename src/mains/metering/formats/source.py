"""Bytes on their way in: a seekable source with its hash, and blocks of whole lines with bounded memory."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from mains.metering.formats.findings import Findings

MAX_LINE = 1 << 20
"""Bytes of the longest line that is read; a longer one is skipped and reported."""

BLOCK = 8 << 20
"""Bytes read at a time: some 1.4 million NEM12 readings."""

_IN_MEMORY = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One inner file: its name, its sha256 (hex), its length in bytes and its bytes."""

    name: str
    sha256: str
    size: int
    stream: BinaryIO

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes; the stream stands at its beginning afterwards."""
        self.stream.seek(0)
        found = self.stream.read(size)
        self.stream.seek(0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Whole lines: their bytes, the number of the first, whether the file ends here, and the overlong lines left out: (line, bytes,
    whether more followed)."""

    data: bytes
    first_line: int
    is_last: bool
    overlong: list[tuple[int, int, bool]]

    def report_overlong(self, findings: Findings) -> int:
        """Add an issue for each overlong line, and say how many there are; each counts as one reading."""
        for line, length, has_more in self.overlong:
            findings.add("line-too-long", f"a line of {'more than ' if has_more else ''}{length} bytes was skipped", line=line, count=1)
        return len(self.overlong)


def as_source(stream: BinaryIO, *, name: str) -> Source:
    """Hash a stream; one that cannot seek is copied to memory, or to disk when it is long."""
    if not stream.seekable():
        copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - it lives as long as the source and goes with it
        shutil.copyfileobj(stream, copy, 1 << 20)
        stream = copy  # type: ignore[assignment]  # a spooled file reads and seeks as any binary file
    digest = hashlib.sha256()
    size = 0
    stream.seek(0)
    while piece := stream.read(1 << 20):
        digest.update(piece)
        size += len(piece)
    stream.seek(0)
    return Source(name=name, sha256=digest.hexdigest(), size=size, stream=stream)


def after_last_line(data: bytes) -> int:
    """Where the last whole line ends; 0 where there is none."""
    return data.rfind(b"\n") + 1


def blocks(stream: BinaryIO, *, cut: Callable[[bytes], int] = after_last_line, size: int = BLOCK) -> Iterator[Block]:
    """Blocks of whole lines, each ending where `cut` says; a byte order mark is dropped, an overlong line becomes an empty one."""
    carry, line, is_skipping, is_first = b"", 1, False, True
    overlong: list[tuple[int, int, bool]] = []
    while True:
        piece = _read_whole(stream, size)
        is_last = len(piece) < size
        if is_first:
            piece, is_first = piece.removeprefix(b"\xef\xbb\xbf"), False
        if is_skipping:
            at = piece.find(b"\n")
            if at < 0 and not is_last:
                continue  # still inside the overlong line
            piece, is_skipping = piece[at:] if at >= 0 else b"", False
        data = carry + piece
        tail = len(data) - after_last_line(data)
        if tail > MAX_LINE:
            overlong.append((line + data.count(b"\n"), tail, not is_last))
            data, is_skipping = data[: len(data) - tail], True
        end = len(data) if is_last else cut(data)
        if not end and len(data) > 4 * size:
            end = after_last_line(data)
        if end or is_last:
            chunk = _without_long_lines(data[:end], line, overlong)
            yield Block(data=chunk, first_line=line, is_last=is_last, overlong=overlong)
            line += chunk.count(b"\n")
            overlong = []
        carry = data[end:]
        if is_last:
            return


def line_bounds(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Start and end (exclusive, without CR LF) of each line, int64; a last line without a newline counts."""
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == 10)
    starts = np.empty(len(ends) + 1, dtype=np.int64)
    starts[0] = 0
    starts[1:] = ends + 1
    if starts[-1] == len(data):
        starts = starts[:-1]
    else:
        ends = np.append(ends, len(data))
    has_cr = (ends > starts) & (raw[np.maximum(ends - 1, 0)] == 13) if len(ends) else np.zeros(0, dtype=bool)
    return starts, ends - has_cr


def _read_whole(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, or fewer only where the stream ends."""
    piece = stream.read(size)
    while piece and len(piece) < size and (more := stream.read(size - len(piece))):
        piece += more
    return piece


def _without_long_lines(data: bytes, first_line: int, overlong: list[tuple[int, int, bool]]) -> bytes:
    """The bytes with each overlong line emptied and noted."""
    if len(data) <= MAX_LINE:
        return data
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == 10)
    lengths = np.diff(ends, prepend=-1) - 1
    if not (lengths > MAX_LINE).any():
        return data
    kept, at = [], 0
    for index in np.flatnonzero(lengths > MAX_LINE):
        overlong.append((first_line + int(index), int(lengths[index]), False))
        kept.append(data[at : ends[index] - lengths[index]])
        at = int(ends[index])
    return b"".join([*kept, data[at:]])
