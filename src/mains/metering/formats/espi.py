"""Green Button (ESPI) usage: UsagePoint, MeterReading, ReadingType, IntervalBlock and LocalTimeParameters of an Atom feed, in any order.

Read as a stream by lxml with entities, DTDs and the network off; a DOCTYPE is refused, and so is every reading of a file that is not
well-formed.
Readings of a month and the like become period reads. Source: NAESB REQ.21 ESPI, namespace http://naesb.org/espi.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs

from mains.metering.formats.assemble import Rows, Stream, assemble
from mains.metering.formats.espi_blocks import ATOM, ESPI, NO_QUALITY, QUALITIES, IntervalBlock, read_block
from mains.metering.formats.espi_links import Entry, Feed, UnresolvedBlockError
from mains.metering.formats.findings import Findings
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.source import Source
from mains.metering.model import ParsedChannel, ParsedFile, PeriodRead, Quality

_STATED = {
    "UsagePoint": {"kind": f"{{{ESPI}}}ServiceCategory/{{{ESPI}}}kind"},
    "MeterReading": {},
    "ReadingType": {name: f"{{{ESPI}}}{name}" for name in (
        "accumulationBehaviour", "commodity", "flowDirection", "intervalLength", "powerOfTenMultiplier", "uom", "defaultQuality")},
    "LocalTimeParameters": {"tzOffset": f"{{{ESPI}}}tzOffset"},
}  # fmt: skip
_ASIDE = ("UsageSummary", "ElectricPowerUsageSummary", "ElectricPowerQualitySummary")
_TAGS = [f"{{{ATOM}}}entry", *(f"{{{ESPI}}}{name}" for name in ("IntervalBlock", *_STATED, *_ASIDE))]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What a pass over the file has collected."""

    entries: list[Entry] = field(default_factory=list)
    blocks: list[tuple[Entry, IntervalBlock]] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)
    found: int = 0


class _DoctypeError(Exception):
    """The document has a DOCTYPE."""


def parse(source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None) -> Iterator[ParsedFile]:
    """The one part of a Green Button file; `timezone` (IANA) gives the standard offset where the file has no LocalTimeParameters."""
    findings, seen = Findings(source.name), _Seen()
    channels: list[ParsedChannel] = []
    reads: list[PeriodRead] = []
    if timezone and zone_named(timezone) is None:
        findings.add("no-local-time", f"there is no time zone {timezone[:60]!r}", severity="warning")
        timezone = None
    try:
        _walk(source, seen, findings)
    except _DoctypeError:
        findings.add("xml-entities", "the file has a DOCTYPE", line=1, count=seen.found - findings.quarantined())
    except etree.XMLSyntaxError as error:
        line = (error.position or (0, 0))[0]
        findings.add("malformed-xml", f"not well-formed: {str(error)[:200]}", line=line or None, count=seen.found - findings.quarantined())
    else:
        channels, reads = _joined(seen, findings, timezone=timezone, limits=limits)
    yield ParsedFile(
        file=source.name,
        format="espi",
        sha256=source.sha256,
        found=seen.found,
        channels=channels,
        register_reads=reads,
        issues=findings.issues(),
    )


def _walk(source: Source, seen: _Seen, findings: Findings) -> None:
    """One pass: readings are taken and their elements freed as they end."""
    pending: list[tuple[Entry | None, IntervalBlock | None]] = []
    events = etree.iterparse(
        source.stream,
        events=("start", "end"),
        tag=_TAGS,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
    )
    is_first = True
    for event, element in events:
        if is_first:
            _refuse_doctype(element)
            is_first = False
        if event == "start":
            continue
        name = etree.QName(element).localname
        if name == "entry":
            _close(pending, seen, element)
            pending = []
            _free(element)
        elif name == "IntervalBlock":
            block, count = read_block(element, findings)
            seen.found += count
            pending.append((None, block))
            element.clear()
        elif name in _ASIDE:
            seen.aside[name] += 1
        else:
            pending.append((Entry(kind=name, stated=_stated(element, name)), None))
    _close(pending, seen, None)
    if events.root is None:
        return
    _refuse_doctype(events.root)
    if is_first:
        findings.add("unknown-format", f"the root {events.root.tag!r} holds no Green Button resource", line=1)


def _refuse_doctype(element: Any) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise _DoctypeError


def _free(element: Any) -> None:
    """Drop an entry that has been read, and what stands before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _stated(element: Any, name: str) -> dict[str, int | None]:
    """The numbers that a resource states; None where the text is no whole number."""
    found = {}
    for what, path in _STATED[name].items():
        text = element.findtext(path)
        if text is not None:
            text = text.strip()
            found[what] = int(text) if text.removeprefix("-").isdigit() and text.isascii() and len(text) < 10 else None
    return found


def _close(pending: list[tuple[Entry | None, IntervalBlock | None]], seen: _Seen, entry: Any | None) -> None:
    """Give what an Atom entry held its links."""
    links = (
        [(link.get("rel", ""), link.get("href", "").rstrip("/")) for link in entry.iterfind(f"{{{ATOM}}}link")] if entry is not None else []
    )
    own = next((href for rel, href in links if rel == "self"), "")
    up = next((href for rel, href in links if rel == "up"), "")
    related = tuple(href for rel, href in links if rel == "related")
    title = (entry.findtext(f"{{{ATOM}}}title") or "").strip()[:200] if entry is not None else ""
    for resource, block in pending:
        if block is not None:
            seen.blocks.append((Entry(kind="IntervalBlock", own=own, up=up, related=related), block))
        elif resource is not None:
            seen.entries.append(Entry(kind=resource.kind, own=own, up=up, related=related, title=title, stated=resource.stated))


def _joined(
    seen: _Seen, findings: Findings, *, timezone: str | None, limits: Mapping[str, float] | None
) -> tuple[list[ParsedChannel], list[PeriodRead]]:
    """Channels and period reads of a whole file, once all links are known."""
    for name, count in seen.aside.items():
        findings.add("not-imported", f"{count} {name} left aside", severity="info")
    zone = zone_named(timezone) if timezone else None
    first = next((int(block.starts[0]) for _, block in seen.blocks if len(block.starts)), 0)
    feed = Feed(seen.entries, offset_min=standard_offset_min(zone, first) if zone else None, timezone=timezone)
    streams: dict[Stream, int] = {}
    parts: list[Rows] = []
    for entry, block in seen.blocks:
        try:
            stream, kind = feed.stream_of(entry)
        except UnresolvedBlockError as why:
            findings.add(why.code, str(why), line=block.line or None, count=len(block.starts))
            continue
        parts.append(_rows(block, kind, streams.setdefault(stream, len(streams)), findings))
    if feed.has_no_local_time:
        findings.add("no-local-time", "the file has no LocalTimeParameters and no time zone is named", severity="warning")
    if not parts:
        return [], []
    rows = Rows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__})
    return assemble(rows, list(streams), findings, limits=limits)


def _rows(block: IntervalBlock, kind: Entry, stream: int, findings: Findings) -> Rows:
    """The readings of one block as rows of a stream; where a reading has no duration, the ReadingType's intervalLength."""
    count = len(block.starts)
    usual = QUALITIES.get(str(kind.stated.get("defaultQuality")), Quality.ACTUAL)
    length = kind.stated.get("intervalLength") or 0
    rows = Rows(
        stream=np.full(count, stream, dtype=np.int32),
        interval=np.where(block.durations == 0, length, block.durations).astype(np.int32),
        start=block.starts,
        mantissa=block.values,
        exponent=np.full(count, kind.stated.get("powerOfTenMultiplier") or 0, dtype=np.int16),
        quality=np.where(block.qualities == NO_QUALITY, np.uint8(usual), block.qualities).astype(np.uint8),
        line=block.lines,
    )
    bad = rows.interval <= 0
    if not bad.any():
        return rows
    findings.add(
        "unknown-interval",
        "readings without a duration, of a ReadingType without intervalLength",
        line=block.line or None,
        count=int(bad.sum()),
    )
    return rows.where(~bad)
