"""Killing the database and the importer in the middle of their work: what was acknowledged is there, once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the processes of its own server in /proc")
def test_nothing_acknowledged_is_lost_or_doubled_by_kills():
    command = [sys.executable, "-m", "benchmarks.kill_imports", "--json", "--readings", "2000000", "--kills", "6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    assert done.stdout, done.stderr[-2000:]
    claims = json.loads(done.stdout)["claims"]
    assert [one["claim"] for one in claims if not one["holds"]] == [], done.stderr[-2000:]
    assert any(one["unit"] == "readings" and one["ours"] == 0 and "lost or doubled" in one["claim"] for one in claims)
