"""Setting up a utility of one's own from the command line."""

import json

import pytest

from mains.base.db import Database
from mains.cli import main


@pytest.fixture
def mains(database: Database, monkeypatch, capsys, tmp_path):
    """Run a command; gives its exit code and its JSON."""
    for name, value in {"HOME": str(tmp_path), "DATABASE_URL": database.admin_url, "APP_URL": database.app_url, "INGEST_URL": database.ingest_url}.items():
        monkeypatch.setenv(f"MAINS_{name}", value)

    def run(*words: str):
        return main([*words, "--json"]), json.loads(capsys.readouterr().out)

    return run


def test_a_utility_is_set_up_with_somebody_who_may_come_in(mains):
    code, made = mains("network", "found", "prairie", "--name", "Prairie Power", "--timezone", "America/Chicago", "--staff", "ada@example.org", "--commodities", "electric,gas")

    assert (code, made["utility_code"]) == (0, "prairie")
    assert [person["login"] for person in mains("staff", "list", "--utility", "prairie")[1]] == ["ada@example.org"]
    code, again = mains("network", "found", "prairie", "--name", "Another", "--timezone", "America/Chicago", "--staff", "bob@example.org")
    assert (code, again["type"]) == (1, "/problems/unable-to-found-utility")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--timezone", "Mars/Olympus", "--currency", "USD"), "no time zone"),
        (("--timezone", "UTC", "--currency", "XXX"), "is not known here"),
        (("--timezone", "UTC", "--commodities", "steam"), "violates check constraint"),
    ],
)
def test_what_cannot_be_is_said(mains, wrong, said):
    code, problem = mains("network", "found", "elsewhere", "--name", "Elsewhere", "--staff", "eve@example.org", *wrong)

    assert code == 1
    assert said in problem["detail"]
    assert problem["cure"]
