"""Meter data files: what each holds, strictly read, with every refused reading counted and explained.

Nouns: a source is one inner file; a part is a stretch of a long one; an issue names the place, the fact and the cure. The one verb is
`parse`.
Formats: Green Button (espi), AEMO NEM12 and NEM13, CIM MeterReadings (cim), RSM-012 (rsm012), P1 telegrams (p1), SML (sml), MSCONS
(mscons), CSV long and wide, and CSV of any layout by a map; zip archives of these. docs/reference/formats.md has the layouts and the codes.

What holds, for each part: found = accepted + the counts of the issues. Bad content never raises.
Nothing here reads the clock or a database: whether a meter is known and a reading lies in the future is judged by the import.
Duplicates and conflicts are found within a part; across parts of a very long file the import's own idempotence answers for them.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from mains.metering.formats import cim, csv_long, csv_mapped, csv_wide, espi, mscons, nem12, nem13, p1, parquet, rsm012, sml
from mains.metering.formats.archive import members
from mains.metering.formats.csv_map import CsvMap
from mains.metering.formats.findings import Findings
from mains.metering.formats.sniff import kind_of
from mains.metering.formats.source import Source, as_source
from mains.metering.model import ParsedFile

_PARSERS: dict[str, Callable[..., Iterator[ParsedFile]]] = {
    "espi": espi.parse,
    "nem12": nem12.parse,
    "nem13": nem13.parse,
    "cim": cim.parse,
    "rsm012": rsm012.parse,
    "p1": p1.parse,
    "sml": sml.parse,
    "mscons": mscons.parse,
    "parquet": parquet.parse,
    "csv_long": csv_long.parse,
    "csv_wide": csv_wide.parse,
}

FORMATS = (*_PARSERS, "csv", "auto")
"""What `format` may name; csv tells long from wide by the first line."""

DONE = "done"
"""The format of an inner file that was not read because it is done."""

_REASONS = {
    "empty": ("empty-file", "the file holds {}"),
    "wrong-encoding": ("wrong-encoding", "{}"),
    "unsupported": ("unsupported-format", "{} is not read"),
    "unknown": ("unknown-format", "not a meter data file: {}"),
}


def parse(
    source: Path | str | BinaryIO,
    *,
    name: str | None = None,
    timezone: str | None = None,
    format: str | None = None,  # noqa: A002 - the word the command line uses
    limits: Mapping[str, float] | None = None,
    layout: CsvMap | None = None,
    is_done: Callable[[str], bool] | None = None,
) -> Iterator[ParsedFile]:
    """One `ParsedFile` for each inner file, or for each part of a long one.

    `name` stands in the issues (default: the file's name). `timezone` is the IANA zone of local times and days. `format` is one of
    `FORMATS` (default: told from the bytes). `limits` is the most that a meter may measure in an hour, by quantity of `base.units`,
    in base units. `layout` reads every file that is told to be text as CSV of that map. A stream must be binary and stays open. An inner file
    of which `is_done` (asked with its sha256) says so is not read: it comes as one part of format `DONE` with nothing in it.
    """
    if isinstance(source, Path | str):
        path = Path(source)
        name = name or path.name.encode(errors="surrogateescape").decode(errors="replace")
        try:
            with path.open("rb") as stream:
                yield from _parse(as_source(stream, name=name), timezone=timezone, wanted=format, limits=limits, layout=layout, is_done=is_done)
        except OSError as error:
            yield _refused(name, "", "unreadable-file", f"the file cannot be read: {error.strerror or error}")
        return
    name = name or "input"
    try:
        opened = as_source(source, name=name)
    except OSError as error:
        yield _refused(name, "", "unreadable-file", f"the input cannot be read: {error.strerror or error}")
        return
    try:
        yield from _parse(opened, timezone=timezone, wanted=format, limits=limits, layout=layout, is_done=is_done)
    finally:
        if opened.stream is not source:
            opened.stream.close()


def _parse(
    source: Source, *, timezone: str | None, wanted: str | None, limits: Mapping[str, float] | None, layout: CsvMap | None, is_done: Callable[[str], bool] | None
) -> Iterator[ParsedFile]:
    """The inner files of a source: its members where it is a zip, else itself."""
    if kind_of(source.head())[0] != "zip":
        yield from _parse_inner(source, timezone=timezone, wanted=wanted, limits=limits, layout=layout, is_done=is_done)
        return
    for member, findings in members(source):
        if member is None:
            yield ParsedFile(file=findings.file, format="zip", sha256=source.sha256, found=0, issues=findings.issues())
            continue
        with member.stream:
            yield from _parse_inner(member, timezone=timezone, wanted=wanted, limits=limits, layout=layout, is_done=is_done)


def _parse_inner(
    source: Source, *, timezone: str | None, wanted: str | None, limits: Mapping[str, float] | None, layout: CsvMap | None, is_done: Callable[[str], bool] | None
) -> Iterator[ParsedFile]:
    if is_done is not None and is_done(source.sha256):
        yield ParsedFile(file=source.name, format=DONE, sha256=source.sha256, found=0)
        return
    kind, seen = kind_of(source.head())
    if layout is not None and kind not in ("empty", "wrong-encoding", "unsupported", "zip"):
        yield from csv_mapped.parse(source, layout=layout, timezone=timezone, limits=limits)
        return
    if wanted not in (None, "auto") and kind not in ("empty", "wrong-encoding", "zip"):
        kind = kind if wanted == "csv" and kind in ("csv_long", "csv_wide") else {"csv": "csv_long"}.get(str(wanted), str(wanted))
    if kind in _PARSERS:
        yield from _PARSERS[kind](source, timezone=timezone, limits=limits)
    else:
        code, message = _REASONS.get(kind, _REASONS["unknown"])
        yield _refused(source.name, source.sha256, code, message.format(seen))


def _refused(name: str, sha256: str, code: str, message: str) -> ParsedFile:
    findings = Findings(name)
    findings.add(code, message)
    return ParsedFile(file=name, format="unknown", sha256=sha256, found=0, issues=findings.issues())

