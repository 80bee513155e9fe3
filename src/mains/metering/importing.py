"""Importing meter files: parse, find the channels, store, and account for every reading.

One inner file is one transaction: its readings, its delivery record and its quarantine are there together or not at all. Long files come in parts, so memory stays
bounded; their parts wait in a staging table of the database and are merged at the end.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psycopg
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import Issue, Problem
from mains.metering import formats, operations, queries, registers, store
from mains.metering.closing import queries as closing
from mains.metering.formats.csv_map import CsvMap
from mains.metering.load import as_instant
from mains.metering.model import ChannelKey, ParsedFile
from mains.metering.resolving import CURES, SELF_DESCRIBING, Resolver
from mains.metering.resolving_blocks import Fitted
from mains.metering.rollups import operations as rollups

UnknownMeters = Literal["auto", "register", "quarantine"]
Progress = Callable[[str, int, int, int], None]
"""Told as it goes: file, its number from 1, how many files there are, readings found so far."""

_ATTEMPTS = 3


class NoSuchFile(Problem):
    """A path to import is not there."""

    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one inner file; counts are of readings, accepted + quarantined = found, new + changed + unchanged = accepted."""

    file: str
    format: str
    batch_id: int
    found: int
    accepted: int
    quarantined: int
    new: int
    changed: int

    @property
    def unchanged(self) -> int:
        """Readings that were there already."""
        return self.accepted - self.new - self.changed

    def as_json(self) -> dict[str, Any]:
        """The report with what follows from it."""
        return asdict(self) | {"unchanged": self.unchanged}


@dataclass(slots=True, kw_only=True)
class ReasonTotal:
    """One kind of issue over all files: readings it took out, places it was met at, and the first of them."""

    code: str
    severity: str
    cure: str
    count: int
    places: int
    message: str
    file: str
    line: int | None

    def as_json(self) -> dict[str, Any]:
        """The total with its first place as one member."""
        found = asdict(self)
        return {key: found[key] for key in ("code", "severity", "count", "places", "cure", "message")} | {"first": {"file": self.file, "line": self.line}}


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What became of an import."""

    by_file: list[FileReport] = field(default_factory=list)
    reasons: dict[str, ReasonTotal] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """The sum of one count over all files."""
        return sum(getattr(report, name) for report in self.by_file)

    @property
    def is_nothing_read(self) -> bool:
        """Whether not one reading could be found in any file, and something was wrong."""
        return self.total("found") == 0 and any(reason.severity == "error" for reason in self.reasons.values())

    def note(self, issues: Iterable[Issue], *, file: str) -> None:
        """Count issues under their codes."""
        for issue in issues:
            known = self.reasons.get(issue.code)
            if known is None:
                self.reasons[issue.code] = ReasonTotal(
                    code=issue.code, severity=issue.severity, cure=issue.cure, count=issue.count, places=1, message=issue.message, file=issue.file or file, line=issue.line
                )  # fmt: skip
            else:
                known.count += issue.count
                known.places += 1

    def take_in(self, other: "ImportReport") -> None:
        """Add the report of other files, which come after these."""
        self.by_file += other.by_file
        for code, more in other.reasons.items():
            known = self.reasons.setdefault(code, more)
            if known is not more:
                known.count += more.count
                known.places += more.places

    def as_json(self) -> dict[str, Any]:
        """The report as commands and the API print it."""
        counts = {name: self.total(name) for name in ("found", "accepted", "quarantined", "new", "changed", "unchanged")}
        reasons = sorted(self.reasons.values(), key=lambda reason: (-reason.count, reason.code))
        return {
            "files": len(self.by_file), **counts, "by_file": [report.as_json() for report in self.by_file], "reasons": [reason.as_json() for reason in reasons],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read and what is done about unknown meters, as `import_files` was told."""

    timezone: str | None = None
    format: str | None = None
    unknown_meters: UnknownMeters = "auto"
    future_tolerance: timedelta = timedelta(hours=1)
    layout: CsvMap | None = None
    again: bool = False

    @property
    def read_as(self) -> str:
        """What changes the readings that are found in a file, as deliveries keep it."""
        told = {"timezone": self.timezone, "format": self.format, "map": self.layout and hashlib.sha256(repr(self.layout).encode()).hexdigest()[:16]}
        return " ".join(f"{name}={value}" for name, value in told.items() if value)


def import_files(
    database: Database,
    actor: Actor,
    paths: Sequence[Path],
    *,
    timezone: str | None = None,
    format: str | None = None,  # noqa: A002 - the word the command line uses
    unknown_meters: UnknownMeters = "auto",
    at: datetime,
    future_tolerance: timedelta = timedelta(hours=1),
    progress: Progress | None = None,
    layout: CsvMap | None = None,
    processes: int = 1,
    again: bool = False,
) -> ImportReport:
    """Import meter files, and all files of folders; `at` is now.

    `timezone` is the IANA zone of local times in the files; `format` one of `formats.FORMATS`, None to tell it from the bytes. `unknown_meters`: "auto" registers
    the meters of self-describing formats and quarantines those of others; "register" and "quarantine" do that with all. `layout` maps CSV of another layout.

    A file whose content was imported before, read the same way and with nothing refused, is not read again: its readings count as unchanged; `again` reads it nevertheless.
    With several `processes` the files are shared among them, and where two files say something of the same interval, either may come last.

    Raises:
        NoSuchFile: a path is not there; nothing was imported.
        UnableToStoreReadings: the database stopped; the files before the one it names are stored, nothing of that one is.
    """
    files = expand(paths)
    reading = Reading(timezone=timezone, format=format, unknown_meters=unknown_meters, future_tolerance=future_tolerance, layout=layout, again=again)
    if processes > 1 and len(files) > 1:
        from mains.metering import import_processes  # here: it uses this module

        report = import_processes.run(database, actor, files, reading=reading, at=at, processes=min(processes, len(files)), progress=progress)
    else:
        report = ImportReport()
        for number, path in enumerate(files, start=1):

            def tell(found: int, path: Path = path, number: int = number) -> None:
                if progress:
                    progress(path.name, number, len(files), found)

            tell(report.total("found"))
            import_one(database, actor, path, reading=reading, at=at, report=report, tell=tell)
    rollups.settle(database, actor)
    return report


def import_one(
    database: Database, actor: Actor, path: Path, *, reading: Reading, at: datetime, report: ImportReport, tell: Callable[[int], None]
) -> None:
    """Import one file, or the files of one archive, into `report`; `tell` hears how many readings were found so far."""
    importer = _Importer(database=database, actor=actor, at=at, reading=reading, report=report, tell=tell)
    importer.take(
        lambda: formats.parse(path, timezone=reading.timezone, format=reading.format, layout=reading.layout, is_done=None if reading.again else importer.is_done)
    )


def import_stream(
    database: Database, actor: Actor, parts: Callable[[], Iterator[ParsedFile]], *, at: datetime, unknown_meters: UnknownMeters = "auto"
) -> ImportReport:
    """Import what `parts` parses; it is called again where the database asks to try again."""
    report = ImportReport()
    _Importer(database=database, actor=actor, at=at, reading=Reading(unknown_meters=unknown_meters), report=report, tell=lambda _: None).take(parts)
    return report


def expand(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders as the files in them, in order of their names.

    Raises:
        NoSuchFile: a path is not there, or cannot be looked at.
    """
    found: list[Path] = []
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            raise NoSuchFile(f"there is no file {str(path)[:200]}: {error.strerror}", cure="check the path") from error
        found += sorted(_files_below(path)) if path.is_dir() else [path]
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file of a folder and of those in it; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise NoSuchFile(f"the folder {error.filename} cannot be read: {error.strerror}", cure="check the rights of the folder") from error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (path for name in names if (path := Path(place, name)).is_file())


@dataclass(slots=True, kw_only=True)
class _Importer:
    """One path being imported: its inner files one after the other."""

    database: Database
    actor: Actor
    at: datetime
    reading: Reading
    report: ImportReport
    tell: Callable[[int], None]

    def take(self, parse: Callable[[], Iterator[ParsedFile]]) -> None:
        """Import every inner file; where two importers stood in each other's way, the one that was sent back tries again."""
        done: set[tuple[str, str]] = set()
        for attempt in range(_ATTEMPTS):
            try:
                for key, parts in groupby(parse(), key=lambda part: (part.file, part.sha256)):
                    if key not in done:
                        self._inner(parts)
                        done.add(key)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    def is_done(self, sha256: str) -> bool:
        """Whether an inner file of this content was imported before, read the same way, and nothing of it was refused."""
        return self._delivered(sha256) is not None

    def _delivered(self, sha256: str) -> queries.Delivered | None:
        with store.refusing_clearly("the list of deliveries"), self.database.transaction(actor=self.actor) as conn:
            return queries.delivery_of_content(conn, sha256=bytes.fromhex(sha256), read_as=self.reading.read_as)

    def _known(self, part: ParsedFile) -> None:
        """An inner file that is done: all its readings are there."""
        known = self._delivered(part.sha256)
        assert known is not None  # it was there a moment ago, and deliveries stay
        count = known.readings_found
        self.report.by_file.append(
            FileReport(file=part.file, format=known.format, batch_id=known.batch_id, found=count, accepted=count, quarantined=0, new=0, changed=0)
        )
        message = f"delivery {known.batch_id} brought the same file; it was not read again"
        self.report.note([Issue(code="imported-before", message=message, cure=CURES["imported-before"], file=part.file, severity="info")], file=part.file)
        self.tell(self.report.total("found"))

    def _inner(self, parts: Iterator[ParsedFile]) -> None:
        """One inner file in one transaction."""
        part = next(parts)
        if part.format == formats.DONE:
            self._known(part)
            return
        tally = _Tally(file=part.file)
        with store.refusing_clearly(part.file), self.database.transaction(actor=self.actor) as conn:
            batch_id = self._begin(conn, part)
            resolver = Resolver(conn=conn, at=self.at, registers=self._registers(part.format), future_tolerance=self.reading.future_tolerance)
            self._part(conn, resolver, part, tally, batch_id)
            for more in parts:
                self._part(conn, resolver, more, tally, batch_id)
            self._make_months(tally)
            stored = store.merge_staged(conn, utility_id=self.actor.utility_id, batch_id=batch_id)
            tally.refuse(_refusals(stored.refusals, tally), raw_sum=sum(refusal.raw_sum for refusal in stored.refusals))
            tally.add(_archived(conn, tally))
            operations.quarantine(conn, batch_id=batch_id, issues=tally.waiting, file=part.file)
            tally.new, tally.changed = tally.new + stored.new, tally.changed + stored.changed
            operations.close_batch(
                conn, batch_id=batch_id, found=tally.found, accepted=tally.accepted, quarantined=tally.quarantined, new=tally.new, changed=tally.changed,
                raw_sum=tally.raw_sum,
            )  # fmt: skip
        self.report.by_file.append(
            FileReport(
                file=part.file, format=part.format, batch_id=batch_id, found=tally.found, accepted=tally.accepted, quarantined=tally.quarantined, new=tally.new,
                changed=tally.changed,
            )
        )  # fmt: skip
        self.report.note(tally.issues, file=part.file)

    def _registers(self, form: str) -> bool:
        return self.reading.unknown_meters == "register" or (self.reading.unknown_meters == "auto" and form in SELF_DESCRIBING)

    def _begin(self, conn: Connection, part: ParsedFile) -> int:
        """The delivery's record and the staging table."""
        digest = bytes.fromhex(part.sha256) if part.sha256 else hashlib.sha256().digest()
        batch_id = operations.open_batch(conn, source=part.file, format=part.format, sha256=digest, at=self.at, read_as=self.reading.read_as)
        store.open_staging(conn)
        return batch_id

    def _part(self, conn: Connection, resolver: Resolver, part: ParsedFile, tally: "_Tally", batch_id: int) -> None:
        """Stage what of a part may be stored, and keep what may not."""
        prepared = resolver.prepare(part)
        tally.found += part.found
        tally.accepted += prepared.accepted
        tally.raw_sum += prepared.raw_sum
        tally.first_lines |= prepared.first_lines
        tally.whole_days += prepared.whole_days
        for blocks in prepared.blocks:
            tally.months.update(np.unique(blocks.block_start.astype("datetime64[s]").astype("datetime64[M]")).tolist())
        store.stage(conn, prepared.blocks, utility_id=self.actor.utility_id, batch_id=batch_id)
        kept = registers.store_reads(conn, prepared.reads, batch_id=batch_id)
        tally.new, tally.changed = tally.new + kept.new, tally.changed + kept.changed
        tally.add([*part.issues, *prepared.issues])
        if kept.refused:
            lost = [store.Refusal(channel_id=read.channel_id, block_start=int(read.read_at.timestamp()), readings=1, raw_sum=read.raw, code="lower-standing", stored="a read of higher standing, which was kept") for read in kept.refused]  # fmt: skip  # noqa: E501
            tally.refuse(_refusals(lost, tally), raw_sum=sum(refusal.raw_sum for refusal in lost))
        operations.quarantine(conn, batch_id=batch_id, issues=tally.waiting, file=part.file)
        tally.waiting = []
        self.tell(self.report.total("found") + tally.found)

    def _make_months(self, tally: "_Tally") -> None:
        """The months that the file needs, made before this transaction touches the blocks: a new month waits for everyone who works on them."""
        if tally.months:
            with self.database.transaction(actor=self.actor) as conn:
                for month in sorted(tally.months):
                    begin = datetime(month.year, month.month, 1, tzinfo=self.at.tzinfo)
                    operations.ensure_partitions(conn, from_at=begin, to_at=begin)


@dataclass(slots=True, kw_only=True)
class _Tally:
    """The counts of one inner file; `waiting` are issues not yet written."""

    file: str
    found: int = 0
    accepted: int = 0
    new: int = 0
    changed: int = 0
    raw_sum: int = 0
    months: set[Any] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    waiting: list[Issue] = field(default_factory=list)
    first_lines: dict[int, tuple[ChannelKey, int]] = field(default_factory=dict)
    whole_days: list[Fitted] = field(default_factory=list)

    def first_line(self, channel_id: int) -> tuple[ChannelKey, int]:
        """The name of a channel in the file, and the first line that says something of it."""
        for fitted in self.whole_days if channel_id not in self.first_lines else ():
            at = np.flatnonzero(fitted.blocks.channel_id == channel_id)
            if len(at):
                self.first_lines[channel_id] = fitted.keys[int(at[0])], int(fitted.lines[at[0]])
                break
        return self.first_lines[channel_id]

    @property
    def quarantined(self) -> int:
        """Readings refused."""
        return self.found - self.accepted

    def add(self, issues: Sequence[Issue]) -> None:
        """Issues whose readings were never counted as accepted."""
        self.issues += issues
        self.waiting += [issue for issue in issues if issue.severity != "info"]

    def refuse(self, issues: Sequence[Issue], *, raw_sum: int) -> None:
        """Issues that take back readings that were counted as accepted."""
        self.accepted -= sum(issue.count for issue in issues)
        self.raw_sum -= raw_sum
        self.add(issues)


def _archived(conn: Connection, tally: _Tally) -> list[Issue]:
    """A warning for each archive that holds the other readings of a month to which the file brought some."""
    if not tally.months:
        return []
    first, last = (datetime(month.year, month.month, 1, tzinfo=UTC) for month in (min(tally.months), max(tally.months)))
    removed = [each for each in closing.removed_months(conn, first, last + timedelta(days=1)) if each.month in tally.months]
    return [
        Issue(
            code="month-in-archive", message=closing.sentence([each]), cure=f"restore the archive, which merges it with these readings: mains readings restore {each.file}",
            file=tally.file, severity="warning",
        )
        for each in removed
    ]  # fmt: skip


def _refusals(refusals: Sequence[store.Refusal], tally: _Tally) -> list[Issue]:
    """What the store refused, one issue a channel and reason."""
    found: list[Issue] = []
    ordered = sorted(refusals, key=lambda refusal: (refusal.channel_id, refusal.code, refusal.block_start))
    for (channel_id, code), group in groupby(ordered, key=lambda refusal: (refusal.channel_id, refusal.code)):
        same = list(group)
        key, line = tally.first_line(channel_id)
        message = f"{len(same)} days of {key.meter} {key.register} from {as_instant(same[0].block_start).isoformat()} on hold {same[0].stored}"
        found.append(
            Issue(code=code, message=message, cure=CURES[code], file=tally.file, line=line or None, count=sum(each.readings for each in same), severity="error")
        )
    return found
