"""`mains readings close|thaw|archive|verify-archive|restore`, as they are typed."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from meter_world import add_channels, days, first_load
from typer.testing import CliRunner

from mains.metering import cli as readings_cli
from mains.metering import queries
from mains.metering.cli import app
from mains.metering.closing import archive, cli
from mains.metering.exporting.removed import ReadingsInArchive

MAY = datetime(2026, 5, 1, 6, tzinfo=UTC)


@pytest.fixture
def run(database, staff, monkeypatch):
    """Runs a command and gives its JSON."""
    for module in (cli, readings_cli):
        monkeypatch.setattr(module, "acting", lambda _: SimpleNamespace(database=database, actor=staff, utility_id=staff.utility_id))

    def command(*words: str):
        done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    return command


def test_a_month_goes_through_every_command(database, staff, run, tmp_path):
    channels = add_channels(database, staff, 2)
    first_load(database, staff, days(channels, np.full((2, 31, 96), 5, np.int32), first=MAY))
    with database.transaction(actor=staff) as conn:
        meter = queries.channels_by_id(conn, channels)[0].meter_number

    closed = run("close", "--month", "2026-05", "--force")
    assert (closed["channels"], closed["blocks"], closed["readings"]) == (2, 62, 2 * 31 * 96)
    assert run("thaw", "--month", "2026-05", "--meter", meter) == {"month": "2026-05", "channels": 1, "blocks": 31}
    assert run("close", "--month", "2026-05", "--force")["blocks"] == 31
    made = run("archive", "--month", "2026-05", "--to", str(tmp_path), "--remove")
    assert (made["readings"], made["removed_rows"]) == (5952, 2)
    asked = ("export", "--from", "2026-05-02", "--to", "2026-05-03", "--meter", meter)
    with pytest.raises(ReadingsInArchive, match=made["file"]):
        run(*asked)
    assert "left out" in CliRunner().invoke(app, [*asked, "--partial", "--output", str(tmp_path / "part.csv")]).output
    assert run("verify-archive", made["path"])["raw_sum"] == 5 * 5952
    assert run("restore", made["path"]) == {"month": "2026-05", "channels": 2, "blocks": 62, "readings": 5952, "already_there": 0, "merged": 0, "left": 0}
    assert run("thaw", "--month", "2026-05")["blocks"] == 62


def test_what_is_no_month_and_no_archive_is_said(run, tmp_path):
    with pytest.raises(cli.NotAMonth):
        run("close", "--month", "May")
    with pytest.raises(archive.ArchiveNotKnown):
        run("restore", str(tmp_path / "nothing.parquet"))
