"""A utility whose meters are heard over the wire, and a real broker."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metering"))

from meter_world import add_channels, found_utility

_PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


@pytest.fixture(scope="module")
def staff(database):
    """A clerk of the utility."""
    with database.administering(autocommit=True) as admin:
        return found_utility(admin, "seaside")


@pytest.fixture
def meter(database, staff):
    """Makes a meter with one channel: meter("M-1", unit="Wh"); gives the channel's key."""
    return lambda number, **channel: add_channels(database, staff, numbers=[number], **channel)[0]


class Mosquitto:
    """A broker of its own on a loopback port, that keeps its messages when it is restarted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (home / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {home}/\n"
            "max_inflight_messages 0\nmax_queued_messages 0\nlog_dest file " + str(home / "log") + "\n"
        )
        self._process = None

    def start(self) -> None:
        self._process = subprocess.Popen([_PROGRAM, "-c", str(self.home / "mosquitto.conf")])
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise AssertionError((self.home / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def broker(tmp_path):
    if not Path(_PROGRAM).exists():
        pytest.skip("there is no mosquitto on this machine (Debian: apt-get install mosquitto)")
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()
