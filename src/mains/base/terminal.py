"""How every command speaks: one JSON value with --json, plain text otherwise, tables only on a terminal, problems as the same object as on
the wire.

Exit codes: 0 done; 1 a problem, which is printed; 2 the command was written wrongly; 3 a check ran and found something that does not
hold; 130 interrupted.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer

from mains.base.problems import Problem
from mains.base.server import DatabaseNotReachable

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]

DONE, PROBLEM, WRONG_USAGE, DOES_NOT_HOLD, INTERRUPTED = 0, 1, 2, 3, 130


class CommandNotUnderstood(Problem):
    """The command was written in a way that cannot be understood."""

    status = 400


class FileNotUsable(Problem):
    """A file, or the output of the command, cannot be read or written."""


class ValueNotKept(Problem):
    """A value is outside of what the database can keep."""

    status = 422


def say(text: str) -> None:
    """One line of the answer."""
    typer.echo(text)


def note(text: str) -> None:
    """One line about progress, beside the answer (on stderr)."""
    typer.echo(text, err=True)


def answer(value: Any, *, as_json: bool, text: str | Callable[[], None]) -> None:
    """Print the answer of a command: `value` as JSON, or `text` (a callable prints it itself)."""
    if as_json:
        say(to_json(value))
    elif callable(text):
        text()
    else:
        say(text)


def to_json(value: Any) -> str:
    """JSON in which money and exact numbers are strings, instants ISO 8601, ids and paths text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def table(rows: Iterable[Mapping[str, Any]], *, columns: Sequence[str]) -> None:
    """Rows as a table on a terminal, as tab-separated lines with a heading elsewhere; an absent value is empty."""
    texts = [["" if row.get(column) is None else str(row[column]) for column in columns] for row in rows]
    if sys.stdout is None or not sys.stdout.isatty():
        for line in ([*columns], *texts):
            say("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for line in texts:
        drawn.add_row(*map(Text, line))
    Console().print(drawn)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command of `app` and return its exit code; what goes wrong is printed as a problem, as JSON with --json."""
    as_json = "--json" in arguments
    try:
        code = app(list(arguments), prog_name="mains", standalone_mode=False)
    except Problem as problem:
        return _refuse(problem, as_json=as_json)
    except psycopg.OperationalError as error:
        why = str(error).strip().splitlines()[-1] if str(error).strip() else "the connection ended"
        return _refuse(
            DatabaseNotReachable(f"the database does not answer: {why}", cure="see mains db status, then mains db start"), as_json=as_json
        )
    except psycopg.DataError as error:
        said = error.diag.message_primary or str(error)
        return _refuse(ValueNotKept(f"the database does not take a value: {said}", cure="see the command's --help for what it takes"), as_json=as_json)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _refuse(FileNotUsable(f"{place}{error.strerror or error}", cure="check the path, the rights, and the room on the disk"), as_json=as_json)
    except typer.TyperException as error:
        if as_json:
            _refuse(CommandNotUnderstood(error.format_message(), cure="see the command's --help"), as_json=True)
        else:
            _show_usage(error)
        return error.exit_code
    except typer.Exit as leaving:
        return leaving.exit_code
    except (typer.Abort, KeyboardInterrupt):
        note("interrupted")
        return INTERRUPTED
    return code if isinstance(code, int) else DONE


def _refuse(problem: Problem, *, as_json: bool) -> int:
    """Print a problem: the object on stdout, or its sentence and its cure on stderr."""
    if as_json:
        try:
            say(to_json(problem.as_json()))
        except OSError:  # nobody takes the output
            note(f"{problem.title()}: {problem.detail}")
    else:
        note(f"{problem.title()}: {problem.detail}")
        if problem.cure:
            note(f"  what to do: {problem.cure}")
    return PROBLEM


def _show_usage(error: typer.TyperException) -> None:
    """What is wrong with the command, with its usage where the error knows it."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
    else:
        note(error.format_message())


def _plain(value: object) -> object:
    """What JSON has no type for."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
