"""Killing the database and the importer in the middle of their work: what was acknowledged is there, once, and nobody is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mains.base.db import Database

ROOT = Path(__file__).parents[2]
IMPORTER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from mains.base.db import Actor, Database
from mains.metering.importing import import_files

if __name__ == "__main__":
    database, actor = Database(**json.loads(sys.argv[1])), Actor(role="staff", utility_id=UUID(sys.argv[2]), name="importer")
    import_files(database, actor, [Path(sys.argv[3])], at=datetime(2026, 11, 20, tzinfo=UTC), unknown_meters="register", processes=2)
"""

on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def children(parent: int) -> list[int]:
    """Processes that a process started and that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, of = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(of) == parent and state != "Z":
            found.append(int(path.parent.name))
    return found


def lives(pid: int) -> bool:
    """Whether a process is there and not dead already."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.nightly
@on_linux
def test_nothing_acknowledged_is_lost_or_doubled_by_kills():
    command = [sys.executable, "-m", "benchmarks.kill", "--json", "--readings", "2000000", "--kills", "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.stdout, done.stderr[-2000:]
    claims = json.loads(done.stdout)["claims"]
    assert [one["claim"] for one in claims if not one["holds"]] == [], done.stderr[-2000:]
    assert any(one["unit"] == "readings" and one["ours"] == 0 and "lost or doubled" in one["claim"] for one in claims)


@pytest.mark.nightly
@on_linux
def test_a_killed_import_leaves_no_process_of_it_behind(database: Database, staff, tmp_path):
    for number in range(300):  # so many reports fill the pipe to the one that is killed
        rows = [f"KI-{number},1,2026-07-01T{hour:02d}:00:00Z,{hour},Wh,60" for hour in range(24)]
        (tmp_path / f"{number}.csv").write_text("\n".join(["meter,register,start,value,unit,interval_minutes", *rows]) + "\n")
    script = tmp_path.with_name("importer.py")  # processes that are started import it
    script.write_text(IMPORTER)
    urls = json.dumps({"app_url": database.app_url, "admin_url": database.admin_url, "ingest_url": database.ingest_url})

    def stored() -> int:
        with database.transaction(actor=staff) as conn:
            row = conn.execute("SELECT count(*) FROM metering.ingest_batches").fetchone()
        return row[0] if row else 0

    importer = subprocess.Popen([sys.executable, str(script), urls, str(staff.utility_id), str(tmp_path)])
    try:
        while stored() < 3:
            assert importer.poll() is None
            time.sleep(0.02)
        started = children(importer.pid)
    finally:
        importer.kill()
        importer.wait()
    deadline = time.monotonic() + 30
    while (left := [pid for pid in started if lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)

    assert len(started) >= 2
    assert left == []
    assert stored() < 300
