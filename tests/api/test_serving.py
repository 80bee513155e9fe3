"""The server as a process: what it says, where it listens, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from urllib.error import HTTPError

import pytest

from mains.base.db import Database
from mains.serving import UnableToListen, is_loopback, listen


@pytest.fixture
def environment(database: Database, tmp_path):
    """The environment of a process that uses the database of the tests."""
    given = {"MAINS_HOME": str(tmp_path), "MAINS_DATABASE_URL": database.admin_url, "MAINS_APP_URL": database.app_url, "MAINS_INGEST_URL": database.ingest_url}
    return {key: value for key, value in os.environ.items() if not key.startswith("MAINS_")} | given


def mains(*words: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from mains.cli import main; sys.exit(main())", *words]


def test_it_serves_on_a_free_port_of_this_machine_until_it_is_told_to_end(environment):
    process = subprocess.Popen(mains("serve", "--port", "0", "--json"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = "".join(process.stdout.readline() for _ in range(3))
        url = json.loads(said)["url"]
        assert url.startswith("http://127.0.0.1:")
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/customers", 401)):
            try:
                with urllib.request.urlopen(url + path, timeout=30) as answer:
                    got, headers = answer.status, answer.headers
            except HTTPError as error:
                got, headers = error.code, error.headers
                error.close()
            assert got == status
            assert headers["server"] is None
    finally:
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["status"] for line in lines if line.get("event") == "request"] == [200, 200, 401]


def test_an_environment_alone_does_not_open_it_to_other_machines(environment):
    ended = subprocess.run(mains("serve", "--port", "0", "--json"), env=environment | {"MAINS_HOST": "0.0.0.0"}, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert json.loads(ended.stdout)["type"] == "/problems/address-needs-consent"
    assert "--host 0.0.0.0" in json.loads(ended.stdout)["cure"]


def test_a_port_that_is_taken_is_told_before_anything_starts():
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(UnableToListen, match="cannot be listened on"):
            listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "answer"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("192.168.1.2", False)]
)
def test_what_counts_as_this_machine(address, answer):
    assert is_loopback(address) is answer
