"""`mains readings close|thaw|archive|verify-archive|restore`: months into the dense tier and back, and out to Parquet files and back.

The commands are named in metering/cli.py, beside the others of `mains readings`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from mains.base.place import Place
from mains.base.problems import NotFound, Problem
from mains.base.terminal import Json, answer
from mains.identity.acting import Utility, acting
from mains.metering import queries
from mains.metering.closing import operations
from mains.metering.closing.operations import Progress

Month = Annotated[str, typer.Option("--month", help="Month, YYYY-MM (UTC).")]


class NotAMonth(Problem):
    """What was given is not a month."""


def close(
    *,
    month: Month,
    force: Annotated[bool, typer.Option("--force", help="Also with deliveries that are not validated, or open failures.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Move a month that is over into the dense tier: about a byte a reading, and every answer stays the same."""
    who = acting(utility)
    with _bar(f"closing {month}", quiet=as_json) as tell:
        done = operations.close_month(who.database, who.actor, month=_month(month), at=datetime.now(UTC), is_forced=force, progress=tell)
    each = f", {done.payload_bytes / done.readings:.2f} bytes each" if done.readings else ""
    text = f"closed {done.month}: {done.channels:,} channels, {done.blocks:,} days, {done.readings:,} readings{each}; its old place is {done.disk}"
    answer(asdict(done), as_json=as_json, text=text)


def thaw(
    *,
    month: Month,
    meter: Annotated[str | None, typer.Option(help="Number of a meter; else all.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Bring a closed month, or one meter's, back to where SQL sees its readings."""
    who, start = acting(utility), operations.month_start(_month(month))
    if meter is None:
        with _bar(f"thawing {month}", quiet=as_json) as tell:
            channels, blocks = operations.thaw_month(who.database, who.actor, month=start, progress=tell)
    else:
        with who.database.transaction(actor=who.actor) as conn:
            ids = [channel.channel_id for channel in queries.channels_of_meters(conn, [meter])]
            if not ids:
                raise NotFound(f"there is no meter {meter}", cure="mains readings show lists the channels")
            channels, blocks = len(ids), operations.thaw(conn, ids, start)
    found = {"month": f"{start:%Y-%m}", "channels": channels, "blocks": blocks}
    answer(found, as_json=as_json, text=f"thawed {found['month']}: {channels:,} channels, {blocks:,} days")


def archive(
    *,
    month: Month,
    to: Annotated[Path | None, typer.Option("--to", file_okay=False, help="Folder to write to; else the folder archive of mains' home.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the closed month out of the database once the file is seen to hold all of it.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Write a month as one Parquet file with a manifest, for DuckDB, Polars or a safe place."""
    from mains.metering.closing import archive as archives

    who = acting(utility)
    folder = to or Place.from_environment().home / "archive"
    with _bar(f"archiving {month}", quiet=as_json) as tell:
        made = archives.archive_month(who.database, who.actor, month=_month(month), folder=folder, at=datetime.now(UTC), progress=tell)
    file = folder / made.file
    removed = 0
    if remove:
        with _bar("comparing and removing", quiet=as_json) as tell:
            removed = archives.remove_archived(who.database, who.actor, file, progress=tell)
    gone = f"; took {removed:,} closed rows out of the database: mains readings restore {file} brings them back" if remove else ""
    text = f"wrote {file}: {made.blocks:,} days, {made.readings:,} readings, {made.file_bytes / made.readings:.2f} bytes each, SHA-256 {made.sha256}{gone}"
    answer(asdict(made) | {"path": file, "removed_rows": removed}, as_json=as_json, text=text)


def verify(
    file: Annotated[Path, typer.Argument(help="A .parquet file that mains readings archive wrote.")],
    *,
    sha256: Annotated[str | None, typer.Option(help="Hash that you kept of it, where this database has no record of it.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Hold an archive against what was recorded of it: its hash, its counts, its sum."""
    from mains.metering.closing import archive as archives

    who = acting(utility)
    found = archives.verify_archive(who.database, who.actor, file, sha256=sha256)
    answer(asdict(found), as_json=as_json, text=f"{file} is whole: {found.month}, {found.blocks:,} days, {found.readings:,} readings that sum up to {found.raw_sum:,}")


def restore(
    file: Annotated[Path, typer.Argument(help="A .parquet file that mains readings archive wrote.")],
    *,
    sha256: Annotated[str | None, typer.Option(help="Hash that you kept of it, where this database has no record of it.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Bring an archived month back, with its versions, deliveries and qualities; a file that was changed is refused."""
    from mains.metering.closing import archive as archives

    who = acting(utility)
    with _bar(f"restoring {file.name}", quiet=as_json) as tell:
        done = archives.restore_archive(who.database, who.actor, file, at=datetime.now(UTC), sha256=sha256, progress=tell)
    text = f"restored {done.month}: {done.channels:,} channels, {done.blocks:,} days, {done.readings:,} readings; {done.already_there:,} channels had them already"
    if done.merged:
        text += f"; {done.merged:,} days had readings since, which were merged with the archive's"
    if done.left:
        text += f"; {done.left:,} days have intervals of another length and stay as they are"
    answer(asdict(done), as_json=as_json, text=text)


def _month(text: str) -> str:
    """A month as YYYY-MM.

    Raises:
        NotAMonth: it is none.
    """
    try:
        return f"{datetime.strptime(text, '%Y-%m').replace(tzinfo=UTC):%Y-%m}"
    except ValueError as error:
        raise NotAMonth(f"--month is {text!r}", cure="write it as YYYY-MM, like 2026-03") from error


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Progress | None]:
    """Progress on a terminal, on stderr; elsewhere nothing."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = Bar(SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[channels]:,} channels, {task.fields[done]:,} done"), TimeElapsedColumn(), transient=True)
    task = bar.add_task(what, channels=0, done=0)
    with bar:
        yield lambda channels, done: bar.update(task, channels=channels, done=done)
