"""What kind of file this is, told from its first bytes."""

import re

from mains.metering.formats.csv_table import is_label
from mains.metering.formats.sml import is_hex

KINDS = ("espi", "nem12", "nem13", "cim", "rsm012", "p1", "sml", "mscons", "parquet", "csv_long", "csv_wide")

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAGIC = (
    (b"\x1f\x8b", "unsupported", "a gzip file"),
    (b"BZh", "unsupported", "a bzip2 file"),
    (b"\xfd7zXZ", "unsupported", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "unsupported", "a zstd file"),
    (b"7z\xbc\xaf", "unsupported", "a 7z archive"),
    (b"PAR1", "parquet", "a Parquet file"),
    (b"PARE", "unsupported", "an encrypted Parquet file"),
    (b"ARROW1", "unsupported", "an Arrow file: write it as Parquet"),
    (b"%PDF", "unknown", "a PDF document"),
    (b"\x89PNG", "unknown", "a picture"),
    (b"\xff\xd8\xff", "unknown", "a picture"),
    (b"SQLite format 3\x00", "unknown", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "unknown", "an office document"),
)
"""First bytes of kinds of files that are no meter data."""
_ESPI = b"http://naesb.org/espi"
_SML = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
_P1 = re.compile(rb"(?:\d{4}-\d\d-\d\d[T ][^\s/]+\s*\n)?/[A-Za-z]{3}[0-9A-Za-z]")
_EDIFACT = re.compile(rb"UNA[^A-Za-z0-9]{6}\s*UN[BG]|UNB.UNO")
_RSM = b"NotifyValidatedMeasureData_MarketDocument"


def kind_of(head: bytes) -> tuple[str, str]:
    """The kind and a word on what was seen; the kind is one of KINDS, zip, empty, wrong-encoding, unsupported or unknown."""
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        return ("wrong-encoding", "nothing but zero bytes") if b"\x00" in head else ("empty", "nothing but blank lines" if head else "no bytes")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip", "a zip archive"
    for magic, kind, what in _MAGIC:
        if head.startswith(magic):
            return kind, what
    if head[257:262] == b"ustar":
        return "unsupported", "a tar archive"
    if _SML in head[:4096] or is_hex(head):
        return "sml", "SML frames"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(_UTF16) or b"\x00" in head[:4096]:
        return _wide_text(head)
    if text.startswith(b"<"):
        return _xml(text)
    return _text(text)


def _wide_text(head: bytes) -> tuple[str, str]:
    """UTF-16: XML declares it and may use it, CSV may not."""
    plain = head.replace(b"\x00", b"")
    if head.startswith(_UTF16) and plain[2:].lstrip().startswith(b"<"):
        return _xml(plain[2:].lstrip())
    return "wrong-encoding", "UTF-16 text" if head.startswith(_UTF16) else "zero bytes in the text"


def _xml(text: bytes) -> tuple[str, str]:
    if _ESPI in text:
        return "espi", "Green Button XML"
    root = re.search(rb"<([A-Za-z_][\w.:-]*)[^>]*", text)
    if root is None or root[1].split(b":")[-1] == b"feed" or b"<!DOCTYPE" in text[:4096]:
        return "espi", "an Atom feed"
    name = root[1].split(b":")[-1]
    if name == _RSM:
        return "rsm012", "an RSM-012 document"
    if name == b"MeterReadings" or re.search(rb"<(?:[A-Za-z_][\w.-]*:)?MeterReadings[\s>/]|/MeterReadings#", text):
        return "cim", "CIM meter readings"
    if name.endswith(b"_MarketDocument"):
        return "unsupported", f"the market document {name[:60].decode(errors='replace')}"
    return "unknown", f"XML whose root is {root[1][:60].decode(errors='replace')}, and no Green Button namespace"


def _text(text: bytes) -> tuple[str, str]:
    if _P1.match(text):
        return "p1", "P1 telegrams"
    if _EDIFACT.match(text):
        return "mscons", "an EDIFACT interchange"
    if text.startswith(b"{") and _RSM in text[:4096]:
        return "rsm012", "an RSM-012 document"
    line = text.split(b"\n", 1)[0].strip()
    cells = [cell.strip().strip(b'"').strip().lower() for cell in line.split(b",")]
    if cells[0] == b"100" and len(cells) > 1:
        what = cells[1].decode(errors="replace")[:20].upper()
        return {"NEM12": ("nem12", "NEM12"), "NEM13": ("nem13", "NEM13")}.get(what, ("unknown", f"a 100 record that says {what!r}"))
    if len(cells) > 1 and cells[0] in (b"200", b"300"):
        return "nem12", "NEM12 records without their header"
    if b"meter" in cells:
        is_wide = b"date" in cells or any(is_label(cell.decode(errors="replace")) for cell in cells)
        return ("csv_wide", "a wide CSV table") if is_wide else ("csv_long", "a long CSV table")
    shown = line[:60].decode(errors="replace")
    return "unknown", f"text that begins {shown!r}" if line.isascii() else "binary, or text in another encoding"
