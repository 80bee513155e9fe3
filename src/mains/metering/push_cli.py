"""`mains readings push` and `mains readings flush`: readings as lines of JSON into the inbox, and what waits there into the store."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from mains.base.terminal import Json, answer, say
from mains.identity.acting import Utility, acting
from mains.metering import inbox, push_keys, push_lines

app = typer.Typer(name="readings", help="Readings that are pushed.", no_args_is_help=True)


@app.command()
def push(
    file: Annotated[str, typer.Argument(help="File of JSON lines, plain or gzip; - reads what is piped in.")],
    *,
    key: Annotated[str | None, typer.Option(min=1, help="A name for this push: the same again changes nothing.")] = None,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Push readings, one JSON object a line: {"meter", "register", "start", "value", "unit"?, "quality"?}."""
    who = acting(utility)
    if file == "-":
        gathered, sha256 = _gather(sys.stdin.buffer)
    else:
        with Path(file).open("rb") as stream:
            gathered, sha256 = _gather(stream)
    done = push_keys.store_once(who.database, who.actor, gathered, key=key, source=f"push {Path(file).name}", at=datetime.now(UTC), sha256=sha256)

    def tell() -> None:
        say(f"{done['found']:,} readings: {done['accepted']:,} accepted, {done['quarantined']:,} refused")
        for issue in done["issues"][:20]:
            say(f"  line {issue.get('line', '?')}: {issue['message']} ({issue['code']}); {issue['cure']}")

    answer(done, as_json=as_json, text=tell)


@app.command()
def flush(*, utility: Utility = None, as_json: Json = False) -> None:
    """Store what waits in the inbox now."""
    who = acting(utility)
    now = datetime.now(UTC)
    done = inbox.flush(who.database, who.actor, at=now)
    with who.database.transaction(actor=who.actor) as conn:
        push_keys.forget(conn, at=now)
    text = f"{done.taken:,} readings taken: {done.new:,} new, {done.changed:,} changed, {done.superseded:,} superseded, {done.quarantined:,} refused"
    answer(done, as_json=as_json, text=text if not done.is_busy else "another flush is under way")


def _gather(stream: BinaryIO) -> tuple[push_lines.Gathered, bytes]:
    """The readings of a stream, compressed or not."""
    first = stream.read(64 << 10)

    def pieces() -> Iterator[bytes]:
        yield first
        while piece := stream.read(64 << 10):
            yield piece

    return push_lines.gather_lines(pieces(), is_gzip=first.startswith(b"\x1f\x8b"))
