"""How commands speak."""

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import typer

from mains.base.problems import Problem
from mains.base.terminal import DOES_NOT_HOLD, INTERRUPTED, run, table, to_json


class MeterIsSealed(Problem):
    """The meter is sealed."""


def command_that(action) -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)

    @app.command("act")
    def act(*, as_json: bool = typer.Option(False, "--json")):
        action()

    return app


def raising(error: BaseException):
    def act():
        raise error

    return act


def test_a_problem_is_a_sentence_and_its_cure_or_the_object(capsys):
    app = command_that(raising(MeterIsSealed("meter 7 is sealed", cure="call the office")))

    assert run(app, ["act"]) == 1
    assert capsys.readouterr().err == "The meter is sealed: meter 7 is sealed\n  what to do: call the office\n"
    assert run(app, ["act", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "type": "/problems/meter-is-sealed",
        "title": "The meter is sealed",
        "status": 400,
        "detail": "meter 7 is sealed",
        "cure": "call the office",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (psycopg.OperationalError("server closed the connection"), 1),
        (psycopg.DataError("integer out of range"), 1),
        (FileNotFoundError(2, "No such file or directory", "gone.csv"), 1),
        (OSError(28, "No space left on device"), 1),
        (typer.Exit(DOES_NOT_HOLD), 3),
        (KeyboardInterrupt(), INTERRUPTED),
        (typer.Abort(), INTERRUPTED),
    ],
)
def test_exit_codes(error: BaseException, code: int, capsys):
    assert run(command_that(raising(error)), ["act"]) == code


def test_a_file_that_cannot_be_written_is_named(capsys):
    app = command_that(raising(PermissionError(13, "Permission denied", "out.csv")))

    assert run(app, ["act"]) == 1
    assert capsys.readouterr().err.startswith("A file, or the output of the command, cannot be read or written: out.csv: Permission denied\n  what to do:")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full here")
def test_an_output_that_is_full_is_said_beside_it(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", buffering=1))
    assert run(command_that(lambda: table([{"name": "A"}], columns=["name"])), ["act"]) == 1
    assert "No space left on device" in capsys.readouterr().err


def test_a_table_without_any_output_is_no_fault(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    table([{"name": "A"}], columns=["name"])


def test_a_fault_of_ours_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError):
        run(command_that(raising(ZeroDivisionError())), ["act"])


def test_exact_numbers_instants_and_ids_are_text():
    value = {
        "owed": Decimal("12.30"),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "on": date(2026, 1, 2),
        "id": UUID(int=1),
        "file": Path("a/b"),
    }
    assert list(json.loads(to_json(value)).values()) == [
        "12.30",
        "2026-01-02T00:00:00+00:00",
        "2026-01-02",
        "00000000-0000-0000-0000-000000000001",
        "a/b",
    ]


def test_a_table_away_from_a_terminal_is_tab_separated(capsys):
    table([{"name": "A", "owed": None}, {"name": "B", "owed": 0}], columns=["name", "owed"])
    assert capsys.readouterr().out == "name\towed\nA\t\nB\t0\n"
