"""`mains readings …`: import meter files, show and export what is stored, see what was refused and why."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mains.base.problems import NotFound, Problem
from mains.base.terminal import PROBLEM, Json, answer, note, say, table
from mains.identity.acting import Utility, acting
from mains.metering import exporting, formats, importing, push_cli, queries
from mains.metering.closing import cli as closing_cli
from mains.metering.exporting import files as export_files
from mains.metering.exporting.register_reads import left_out
from mains.metering.exporting.removed import ReadingsInArchive, refuse_archived
from mains.metering.exporting.selecting import chosen
from mains.metering.formats import csv_map
from mains.metering.queries import Channel
from mains.metering.rollups import operations as rollups

app = typer.Typer(name="readings", help="Readings: import, show, export; what was refused and why.", no_args_is_help=True)
app.command()(push_cli.push)
app.command()(push_cli.flush)
for _command in (closing_cli.close, closing_cli.thaw, closing_cli.archive, closing_cli.restore):
    app.command()(_command)
app.command("verify-archive")(closing_cli.verify)


class UnknownChoice(Problem):
    """An option has a value that it does not take."""


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Meter files, or folders of them.")],
    *,
    timezone: Annotated[str | None, typer.Option(help="IANA zone of local times in the files.")] = None,
    format: Annotated[str | None, typer.Option(help=f"One of {', '.join(formats.FORMATS)}; else told from the bytes.")] = None,  # noqa: A002 - the option's name
    map_: Annotated[Path | None, typer.Option("--map", help="YAML map of a CSV layout: which column is what.")] = None,
    unknown_meters: Annotated[str, typer.Option(help="auto: register those of self-describing formats; register; quarantine.")] = "auto",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the files.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Read files again whose content was imported before.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Import meter files; the same file again changes nothing, and an interrupted import begun again passes over what is done. Exit code 1 where nothing could be read at all."""
    _one_of("--format", format or "auto", formats.FORMATS)
    _one_of("--unknown-meters", unknown_meters, ("auto", "register", "quarantine"))
    zone = ZoneInfo(timezone).key if timezone and _is_zone(timezone) else None
    who = acting(utility)
    with _bar(quiet=as_json) as tell:
        report = importing.import_files(
            who.database,
            who.actor,
            files,
            timezone=zone,
            format=format,
            unknown_meters=cast("importing.UnknownMeters", unknown_meters),
            at=datetime.now(UTC),
            progress=tell,
            layout=csv_map.read_map(map_) if map_ else None,
            processes=jobs,
            again=again,
        )
    answer(report.as_json(), as_json=as_json, text=lambda: _tell(report))
    if report.is_nothing_read:
        raise typer.Exit(PROBLEM)


@app.command()
def show(
    *,
    channel: Annotated[int | None, typer.Option(help="Key of a channel.")] = None,
    meter: Annotated[str | None, typer.Option(help="Number of a meter.")] = None,
    account: Annotated[str | None, typer.Option(help="Number of an account.")] = None,
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z"], help="First instant, local.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z"], help="End, exclusive, local.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most readings to show.")] = 200,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Channels, and with --from and --to the readings of them."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        channels = _channels(conn, channel=channel, meter=meter, account=account)
        if from_ is None or to is None:
            rows = [_facts(each) for each in channels]
            answer({"channels": rows}, as_json=as_json, text=lambda: table(rows, columns=list(rows[0]) if rows else ["channel_id"]))
            return
        zone = ZoneInfo(queries.zone_of_utility(conn))
        found = []
        for reading in exporting.readings(conn, channels, _local(from_, zone), _local(to, zone)):
            if len(found) == limit:
                break
            found.append(reading.as_row(zone))
    answer({"readings": found, "is_cut_off": len(found) == limit}, as_json=as_json, text=lambda: table(found, columns=list(exporting.COLUMNS)))


@app.command()
def export(
    *,
    from_: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z"], help="First instant, local.")],
    to: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z"], help="End, exclusive, local.")],
    service_point: Annotated[str | None, typer.Option(help="Number of a service point: what its meters measured while they hung there.")] = None,
    account: Annotated[str | None, typer.Option(help="Number of an account: what was measured for it.")] = None,
    meter: Annotated[str | None, typer.Option(help="Number of a meter.")] = None,
    channel: Annotated[int | None, typer.Option(help="Key of a channel.")] = None,
    format: Annotated[str, typer.Option(help=f"One of {', '.join(export_files.FORMATS)}.")] = "csv",  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(help="File to write; else the output of the command.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Also without the months that are in an archive; they are named.")] = False,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Write readings as Green Button, CSV, Parquet or an Arrow stream; import reads the first three back to the same readings. What a format cannot hold is counted on stderr."""
    _one_of("--format", format, tuple(export_files.FORMATS))
    if sum(each is not None for each in (service_point, account, meter, channel)) != 1:
        raise UnknownChoice("it is not said whose readings are meant", cure="name one of --service-point, --account, --meter or --channel")
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        zone = ZoneInfo(queries.zone_of_utility(conn))
        stretches = chosen(conn, service_point=service_point, account=account, meter=meter, channel=channel, from_at=_local(from_, zone), to_at=_local(to, zone))
        try:
            refuse_archived(conn, stretches)
        except ReadingsInArchive as problem:
            if not partial:
                raise
            note(f"left out: {problem.detail}")
        left = left_out(conn, stretches, format="json" if as_json and output is None else format)
        if left.total:
            note(left.sentence())
        found = export_files.pieces(conn, stretches, format=format, zone=zone, at=datetime.now(UTC))
        if output is None and not as_json:
            export_files.write(sys.stdout.buffer, found)
            sys.stdout.flush()
            return
        if output is None:
            rows = [reading.as_row(zone) for reading in exporting.of_stretches(conn, stretches)]
            answer({"readings": rows, "register_reads_left_out": left.as_json()}, as_json=True, text="")
            return
        with output.open("wb") as file:
            count = export_files.write(file, found)
    told = {"file": output, "format": format, "readings": count, "register_reads_left_out": left.as_json()}
    answer(told, as_json=as_json, text=f"wrote {count:,} readings to {output}")


@app.command("sum")
def sum_(
    *,
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Day after the last, UTC.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Make the sums by zone anew: of days that places changed behind, and of the days named."""
    who = acting(utility)
    if (from_ is None) != (to is None):
        raise UnknownChoice("only one end of the days is named", cure="name both --from and --to, or neither")
    stretches = rollups.settle(who.database, who.actor)
    rows = 0
    if from_ is not None and to is not None:
        rows = rollups.rebuild_days(who.database, who.actor, from_.date(), to.date())
    text = f"made {stretches} stretches of days anew that places had changed behind" + (f", and {rows:,} sums of the days named" if from_ else "")
    answer({"stretches": stretches, "rows": rows}, as_json=as_json, text=text)


@app.command()
def quarantine(
    *,
    batch: Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Number of one delivery.")] = None,
    code: Annotated[str | None, typer.Option(help="One kind of problem.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most places to show.")] = 50,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """What was refused, by kind, and the latest places of it with what cures them."""
    who = acting(utility)
    with who.database.transaction(actor=who.actor) as conn:
        totals = queries.quarantine_totals(conn)
        places = queries.quarantine_page(conn, batch_id=batch, code=code, limit=limit)

    def tell() -> None:
        rows = ({"code": each.code, "places": each.places, "readings": each.readings, "what to do": each.cure} for each in totals)
        table(rows, columns=["code", "places", "readings", "what to do"])
        for each in places:
            say(f"{each.file}{f', line {each.line}' if each.line else ''}: {each.message} ({each.code}, {each.readings} readings)")

    answer({"totals": totals, "places": places}, as_json=as_json, text=tell)


def _tell(report: importing.ImportReport) -> None:
    """An import's report for people."""
    for each in report.by_file:
        say(f"{each.file}: {each.accepted:,} of {each.found:,} readings accepted ({each.new:,} new, {each.changed:,} changed, {each.unchanged:,} unchanged)")
    for reason in report.as_json()["reasons"]:
        where = f"{reason['first']['file']}{', line ' + str(reason['first']['line']) if reason['first']['line'] else ''}"
        refused = f"{reason['count']:,} readings refused, " if reason["count"] else ""
        say(f"{reason['severity']} {reason['code']}: {refused}{reason['places']} places, first {where}: {reason['message']}")
        say(f"  what to do: {reason['cure']}")
    say(f"{len(report.by_file)} files: {report.total('accepted'):,} accepted, {report.total('quarantined'):,} quarantined, {report.total('found'):,} found")


@contextmanager
def _bar(*, quiet: bool) -> Iterator[importing.Progress | None]:
    """A progress bar on a terminal, on stderr; elsewhere nothing."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[found]:,} readings"), TimeElapsedColumn(), transient=True)
    task = bar.add_task("importing", total=None, found=0)
    with bar:
        yield lambda name, number, files, found: bar.update(task, description=name, completed=number - 1, total=files, found=found)


def _channels(conn: Connection, *, channel: int | None, meter: str | None, account: str | None) -> list[Channel]:
    """The channels that the options name.

    Raises:
        NotFound: there are none.
    """
    found = queries.channels_page(conn, meter_number=meter, account_number=account, limit=1000) if channel is None else queries.channels_by_id(conn, [channel])
    if not found:
        raise NotFound("there is no such channel", cure="mains readings show lists the channels")
    return found


def _facts(channel: Channel) -> dict[str, object]:
    return {
        "channel_id": channel.channel_id, "meter": channel.meter_number, "register": channel.register, "commodity": channel.commodity, "flow": channel.flow,
        "unit": channel.unit, "step": channel.step, "interval_s": channel.interval_s, "utc_offset_min": channel.utc_offset_min,
    }  # fmt: skip


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownChoice(f"{option} is {value!r}", cure=f"use one of {', '.join(known)}")


def _is_zone(name: str) -> bool:
    """Whether there is such a zone.

    Raises:
        UnknownChoice: there is not.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownChoice(f"--timezone is {name!r}, which is no IANA zone", cure="use a name like America/Chicago") from error
    return True
