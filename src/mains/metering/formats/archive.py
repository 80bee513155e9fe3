"""Zip archives: each member on its own, and a clear word where one is cut off, encrypted, nested or far too large."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from mains.metering.formats.findings import Findings
from mains.metering.formats.source import Source, as_source

MOST_MEMBERS = 10_000
MOST_BYTES = 4 << 30
"""Unpacked bytes of one member."""

MOST_RATIO = 200
"""Unpacked over packed size, above the first 16 MiB: meter data packs 5 to 40 times."""

_FREE = 16 << 20
_IN_MEMORY = 64 << 20


def members(source: Source) -> Iterator[tuple[Source | None, Findings]]:
    """Each member as a source, or None with the issue that keeps it out; directories are passed over."""
    try:
        packed = zipfile.ZipFile(source.stream)
        listed = [each for each in packed.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, IndexError) as error:
        yield _refused(source.name, "truncated-archive", f"the zip cannot be opened: {_short(error)}")
        return
    if len(listed) > MOST_MEMBERS:
        yield _refused(source.name, "archive-too-large", f"{len(listed)} members; at most {MOST_MEMBERS} are read")
        return
    if not listed:
        yield _refused(source.name, "empty-file", "the zip holds no file")
    for member in listed:
        yield _member(packed, member, f"{source.name}/{member.filename}")


def _member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> tuple[Source | None, Findings]:
    if member.flag_bits & 1:
        return _refused(name, "encrypted-archive", "the member is encrypted")
    copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the source keeps it
    refusal = _unpack(packed, member, copy)
    copy.seek(0)
    if refusal is None and copy.read(4) == b"PK\x03\x04":
        refusal = "nested-archive", "a zip within a zip"
    if refusal is not None:
        copy.close()
        return _refused(name, *refusal)
    return as_source(cast(BinaryIO, copy), name=name), Findings(name)


def _unpack(packed: zipfile.ZipFile, member: zipfile.ZipInfo, copy: IO[bytes]) -> tuple[str, str] | None:
    """Copy a member's bytes; the issue code and message where it cannot be done or goes too far."""
    size = 0
    try:
        with packed.open(member) as stream:
            while piece := stream.read(1 << 20):
                size += len(piece)
                if size > MOST_BYTES or (size > _FREE and size > MOST_RATIO * max(member.compress_size, 1)):
                    return "archive-too-large", f"the member unpacks to more than {size} bytes from {member.compress_size}"
                copy.write(piece)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        ValueError,
        RuntimeError,
        UnicodeDecodeError,
        IndexError,
    ) as error:
        return "truncated-archive", f"the member cannot be unpacked: {_short(error)}"
    return None


def _refused(name: str, code: str, message: str) -> tuple[None, Findings]:
    findings = Findings(name)
    findings.add(code, message)
    return None, findings


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
