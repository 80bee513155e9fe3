"""Green Button (ESPI) usage: UsagePoint, MeterReading, ReadingType, IntervalBlock, LocalTimeParameters and summaries of an Atom feed, in any order.

Regular readings are taken straight from the bytes (`espi_scan`); what remains is read as a stream by lxml with entities, DTDs and the network off. A DOCTYPE is
refused, and so is every reading of a file that is not well-formed. Readings of a month and the like become period reads. Source: NAESB REQ.21 ESPI, namespace
http://naesb.org/espi.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs

from mains.metering.formats.assemble import Rows, Stream, assemble
from mains.metering.formats.espi_blocks import ATOM, ESPI, Block, Excision, Kept, Piece, asides_of, read_one
from mains.metering.formats.espi_links import Entry, Feed, UnresolvedBlockError
from mains.metering.formats.espi_scan import NO_QUALITY
from mains.metering.formats.espi_summary import SUMMARIES, Stated, read_summary, summaries_of
from mains.metering.formats.findings import Findings
from mains.metering.formats.local_time import standard_offset_min, zone_named
from mains.metering.formats.source import BLOCK, Source
from mains.metering.model import ParsedFile, Quality
from mains.metering.quality import ESPI_QUALITIES

_STATED = {
    "UsagePoint": {"kind": f"{{{ESPI}}}ServiceCategory/{{{ESPI}}}kind"},
    "MeterReading": {},
    "ReadingType": {name: f"{{{ESPI}}}{name}" for name in (
        "accumulationBehaviour", "commodity", "flowDirection", "intervalLength", "powerOfTenMultiplier", "uom", "defaultQuality")},
    "LocalTimeParameters": {"tzOffset": f"{{{ESPI}}}tzOffset"},
}  # fmt: skip
_ASIDE = ("ElectricPowerQualitySummary",)
_TAGS = {f"{{{ESPI}}}{name}": name for name in ("IntervalBlock", "IntervalReading", *_STATED, *SUMMARIES, *_ASIDE)} | {f"{{{ATOM}}}entry": "entry"}
_LINK, _TITLE, _IN_BLOCK = f"{{{ATOM}}}link", f"{{{ATOM}}}title", f"{{{ESPI}}}IntervalBlock"

PART = 2_000_000
"""Readings of one part of a long file."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What a pass over the file has collected; `numbered` are the rows of runs whose place in the document is still to be seen."""

    findings: Findings
    mark: str
    kept: Kept = field(default_factory=Kept)
    entries: list[Entry] = field(default_factory=list)
    summaries: list[Stated] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)
    numbered: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    open_blocks: dict[Any, int] = field(default_factory=dict)
    pending: list[Block | Entry | Stated] = field(default_factory=list)
    found: int = 0
    refused: int = 0
    asides: int = 0

    def take(self, element: Any) -> None:
        """An element that ended: readings and resources are read, and freed."""
        name = _TAGS[element.tag]
        if name == "IntervalReading":
            self._reading(element)
        elif name == "IntervalBlock":
            self.open_blocks.pop(element, None)
            element.clear()
        elif name == "entry":
            self.close(element)
            _free(element)
        elif name in SUMMARIES:
            self.pending.append(read_summary(element, name))
        elif name in _ASIDE:
            self.aside[name] += 1
        else:
            self.pending.append(Entry(kind=name, stated=_stated(element, name)))

    def _reading(self, element: Any) -> None:
        """A run of regular readings, or one that has to be read alone."""
        above = element.getparent()
        if above is None or above.tag != _IN_BLOCK:
            return
        number = self.open_blocks.get(above)
        if number is None:
            number = self.open_blocks[above] = len(self.kept.blocks)
            block = Block(line=int(above.sourceline or 0))
            self.kept.blocks.append(block)
            self.pending.append(block)
        mark = element.get(self.mark)
        if mark is not None:
            first, end, asides = self.numbered.pop(mark)
            self.kept.ranges.append((first, end, number))
            self.found += end - first
            self.asides += asides
            return
        self.found += 1
        row = read_one(element, self.findings)
        if row is None:
            self.refused += 1
        else:
            self.kept.keep_one(row, number)
            self.asides += asides_of(element)
        element.clear()
        while (before := element.getprevious()) is not None:
            above.remove(before)

    def close(self, entry: Any | None) -> None:
        """Give what an Atom entry held its links."""
        own = up = title = ""
        related: list[str] = []
        for each in entry if entry is not None else ():
            if each.tag == _LINK:
                rel, href = each.get("rel", ""), each.get("href", "").rstrip("/")
                if rel == "related":
                    related.append(href)
                elif rel == "self":
                    own = own or href
                elif rel == "up":
                    up = up or href
            elif each.tag == _TITLE and not title:
                title = (each.text or "").strip()[:200]
        for each in self.pending:
            each.own, each.up, each.related = own, up, tuple(related)
            if isinstance(each, Entry):
                each.title = title
                self.entries.append(each)
            elif isinstance(each, Stated):
                self.summaries.append(each)
        self.pending = []


class _DoctypeError(Exception):
    """The document has a DOCTYPE."""


def parse(
    source: Source, *, timezone: str | None = None, limits: Mapping[str, float] | None = None, excising: bool = True
) -> Iterator[ParsedFile]:
    """The parts of a Green Button file, one at least; `timezone` (IANA) gives the standard offset where the file has no LocalTimeParameters.

    `excising` False reads every reading by the XML parser: slow, and the measure of what the scan of the bytes gives.
    """
    findings = Findings(source.name)
    walk = _Walk(findings=findings, mark=f"r{source.sha256[:32]}")
    if timezone and zone_named(timezone) is None:
        findings.add("no-local-time", f"there is no time zone {timezone[:60]!r}", severity="warning")
        timezone = None
    try:
        is_whole = _is_walked(source, walk, excising=excising and _is_plain(source))
        yield from _parts(source, walk, is_whole=is_whole, timezone=timezone, limits=limits)
    finally:
        walk.kept.close()


def _is_walked(source: Source, walk: _Walk, *, excising: bool) -> bool:
    """Whether the file could be read to its end; where not, there is an issue that counts every reading seen."""
    findings = walk.findings
    try:
        _walk(source, walk, excising=excising)
    except _DoctypeError:
        findings.add("xml-entities", "the file has a DOCTYPE", line=1, count=walk.found - findings.quarantined())
    except etree.XMLSyntaxError as error:
        line = (error.position or (0, 0))[0]
        findings.add("malformed-xml", f"not well-formed: {str(error)[:200]}", line=line or None, count=walk.found - findings.quarantined())
    else:
        return True
    return False


def _is_plain(source: Source) -> bool:
    """Whether the text is in an encoding in which a byte below 128 is the letter it looks like."""
    head = source.head(200).removeprefix(b"\xef\xbb\xbf")
    if not head.lstrip(b" \t\r\n").startswith(b"<") or b"\0" in head:
        return False
    declared = head.partition(b"?>")[0].partition(b"encoding")[2].strip(b" \t\r\n=\"'").upper() if head.startswith(b"<?xml") else b""
    return not declared or declared.startswith((b"UTF-8", b"US-ASCII", b"ISO-8859-1"))


def _walk(source: Source, walk: _Walk, *, excising: bool) -> None:
    """One pass over the file."""
    parser = etree.XMLPullParser(
        events=("end",),
        tag=list(_TAGS),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
    )
    excision = Excision(mark=walk.mark, is_on=excising)
    is_first = True
    for piece in _pieces(source, excision):
        base = walk.kept.keep(piece.rows) if len(piece.rows) else 0
        number = excision.numbered - len(piece.runs)
        walk.numbered.update({str(number + k): (base + a, base + b, asides) for k, (a, b, asides) in enumerate(piece.runs)})
        try:
            if piece.text:
                parser.feed(piece.text)
        finally:
            for _, element in parser.read_events():
                if is_first:
                    _refuse_doctype(element)
                    is_first = False
                walk.take(element)
    root = parser.close()
    walk.close(None)
    _refuse_doctype(root)
    if walk.asides:
        walk.aside["costs and tariff periods of readings"] = walk.asides
    if is_first:
        walk.findings.add("unknown-format", f"the root {root.tag!r} holds no Green Button resource", line=1)


def _pieces(source: Source, excision: Excision) -> Iterator[Piece]:
    """The file's bytes for the parser, piece by piece."""
    ahead = source.stream.read(BLOCK)
    while ahead:
        data, ahead = ahead, source.stream.read(BLOCK)
        yield excision.of(data, is_last=not ahead)


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


def _parts(
    source: Source, walk: _Walk, *, is_whole: bool, timezone: str | None, limits: Mapping[str, float] | None
) -> Iterator[ParsedFile]:
    """Channels and period reads of a whole file, part by part, once all links are known; of a broken one its issues."""
    findings, kept = walk.findings, walk.kept
    if not is_whole:
        yield ParsedFile(file=source.name, format="espi", sha256=source.sha256, found=walk.found, issues=findings.issues())
        return
    for name, times in walk.aside.items():
        findings.add("not-imported", f"{times} {name} left aside", severity="info")
    zone = zone_named(timezone) if timezone else None
    joined: _Joined | None = None
    summaries = []
    left, numbers = walk.refused, count(1)
    for rows, block in kept.parts(PART):
        if joined is None:
            offset = standard_offset_min(zone, int(rows["start"][0])) if zone else None
            joined = _Joined(feed=Feed(walk.entries, offset_min=offset, timezone=timezone), blocks=kept.blocks)
            summaries = summaries_of(walk.summaries, joined.feed, findings)
        channels, reads = assemble(joined.rows(rows, block, findings), joined.streams, findings, limits=limits)
        if joined.feed.has_no_local_time and not joined.has_told:
            findings.add("no-local-time", "the file has no LocalTimeParameters and no time zone is named", severity="warning")
            joined.has_told = True
        yield ParsedFile(
            file=source.name, format="espi", sha256=source.sha256, found=len(rows) + left, channels=channels, register_reads=reads,
            issues=findings.issues(), part=next(numbers), summaries=summaries,
        )  # fmt: skip
        findings, left, summaries = Findings(source.name), 0, []
    if joined is None:
        feed = Feed(walk.entries, offset_min=standard_offset_min(zone, 0) if zone else None, timezone=timezone)
        summaries = summaries_of(walk.summaries, feed, findings)
        yield ParsedFile(file=source.name, format="espi", sha256=source.sha256, found=left, issues=findings.issues(), summaries=summaries)


@dataclass(slots=True, kw_only=True)
class _Joined:
    """The blocks of a file beside the channels they belong to, found as they are met."""

    feed: Feed
    blocks: list[Block]
    streams: list[Stream] = field(default_factory=list)
    numbers: dict[Stream, int] = field(default_factory=dict)
    has_told: bool = False

    def rows(self, rows: np.ndarray, block: np.ndarray, findings: Findings) -> Rows:
        """The readings as rows of streams; where a reading has no duration, the ReadingType's intervalLength, and where it has no quality, its defaultQuality."""
        if (np.diff(rows["line"]) < 0).any():  # those read alone stand behind the others
            order = np.argsort(rows["line"], kind="stable")
            rows, block = rows[order], block[order]
        changes = np.flatnonzero(np.diff(block)) + 1
        heads = np.append(0, changes)
        counts = np.diff(np.append(heads, len(block)))
        of_block = [self._kind(number, size, findings) for number, size in zip(block[heads].tolist(), counts.tolist(), strict=True)]
        stream, length, usual, power = (np.repeat(np.array(column, dtype=np.int32), counts) for column in zip(*of_block, strict=True))
        found = Rows(
            stream=stream,
            interval=np.where(rows["duration"] == 0, length, rows["duration"]),
            start=rows["start"].astype(np.int64),
            mantissa=rows["value"].astype(np.int64),
            exponent=power.astype(np.int16),
            quality=np.where(rows["quality"] == NO_QUALITY, usual.astype(np.uint8), rows["quality"]),
            line=rows["line"].astype(np.int32),
        )
        if (stream < 0).any():
            found = found.where(stream >= 0)
        bad = found.interval <= 0
        if bad.any():
            message = "readings without a duration, of a ReadingType without intervalLength"
            findings.add("unknown-interval", message, line=int(found.line[bad].min()) or None, count=int(bad.sum()))
            found = found.where(~bad)
        return found

    def _kind(self, number: int, size: int, findings: Findings) -> tuple[int, int, int, int]:
        """Stream (-1 where none is found: then `size` readings are refused), usual length, usual quality and power of ten of a block."""
        block = self.blocks[number]
        try:
            stream, kind = self.feed.stream_of(block)
        except UnresolvedBlockError as why:
            findings.add(why.code, str(why), line=block.line or None, count=size)
            return -1, 0, 0, 0
        known = self.numbers.setdefault(stream, len(self.streams))
        if known == len(self.streams):
            self.streams.append(stream)
        stated = kind.stated
        usual = ESPI_QUALITIES.get(stated.get("defaultQuality") or 0, Quality.ACTUAL)
        return known, stated.get("intervalLength") or 0, int(usual), stated.get("powerOfTenMultiplier") or 0
