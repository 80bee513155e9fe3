"""What a user would pick instead: a TimescaleDB hypertable (Apache edition) on PostgreSQL 17, from Debian trixie's packages in a folder of its own.

The folder is built once by mmdebstrap and entered by chroot, so this needs root, Debian's mmdebstrap and its archive; where one of them is missing, the reason is told and the
side is left out. The server listens on a socket in that folder only. The Apache edition has hypertables and `time_bucket`; it has neither compression nor continuous aggregates.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import Connection

_SETTINGS = {
    "listen_addresses": "", "shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off", "timescaledb.license": "apache", "shared_buffers": "1GB",
    "max_wal_size": "8GB", "wal_level": "replica", "fsync": "on", "synchronous_commit": "on", "jit": "off", "max_worker_processes": "16", "work_mem": "64MB",
}  # fmt: skip
_QUIET = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_PROGRAMS = "/usr/lib/postgresql/17/bin"


class NotHere(Exception):
    """The side cannot be measured on this machine; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A running server of the folder: its connection string and what it says of itself."""

    conninfo: str
    version: str

    def connect(self) -> Connection:
        """A connection in autocommit."""
        return psycopg.connect(self.conninfo, autocommit=True)


def build(root: Path) -> None:
    """Make the folder where it is not there yet: half a minute, some 410 MB.

    Raises:
        NotHere: no root, no mmdebstrap, or no archive to build from.
    """
    if (root / _PROGRAMS.lstrip("/") / "postgres").exists():
        return
    if os.geteuid() != 0:
        raise NotHere("only root may build and enter the folder")
    if shutil.which("mmdebstrap") is None:
        raise NotHere("mmdebstrap is not installed (apt-get install mmdebstrap)")
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = [site for site in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split() if "security" not in site]
    if not sites:
        raise NotHere("apt knows no Debian archive")
    options = ["force-unsafe-io", *(f"path-exclude={path}" for path in _QUIET)]
    none = 'mkdir -p "$1/etc/postgresql-common/createcluster.d"; echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/none.conf"'
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", "--include=postgresql-17,postgresql-17-timescaledb", *(f"--dpkgopt={each}" for each in options),
         f"--setup-hook={none}", "trixie", str(root), f"deb {sites[0]} trixie main"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if made.returncode:
        shutil.rmtree(root, ignore_errors=True)
        raise NotHere("mmdebstrap could not build it: " + (made.stderr.strip().splitlines() or ["no reason given"])[-1])


@contextmanager
def running(root: Path) -> Iterator[Side]:
    """The server of the folder with an empty database `peer`; it is stopped and its data removed at the end.

    Raises:
        NotHere: it cannot be built or started here.
    """
    build(root)
    home = root / "srv" / "peer"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    owner = _owner(root)
    os.chown(home, *owner)
    _inside(root, f"{_PROGRAMS}/initdb", "--pgdata=/srv/peer/data", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres")
    with (home / "data" / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in {**_SETTINGS, "unix_socket_directories": "/srv/peer"}.items())
    try:
        _inside(root, f"{_PROGRAMS}/pg_ctl", "start", "--wait", "--silent", "--pgdata=/srv/peer/data", "--log=/srv/peer/log")
        yield _prepared(home)
    finally:
        if (home / "data" / "postmaster.pid").exists():
            _inside(root, f"{_PROGRAMS}/pg_ctl", "stop", "--wait", "--silent", "--mode=fast", "--pgdata=/srv/peer/data")
        shutil.rmtree(home, ignore_errors=True)


def _prepared(home: Path) -> Side:
    """The side, once it answers."""
    where = f"host={home} user=postgres"
    with psycopg.connect(f"{where} dbname=postgres", autocommit=True) as conn:
        conn.execute("CREATE DATABASE peer")
    with psycopg.connect(f"{where} dbname=peer", autocommit=True) as conn:
        conn.execute("CREATE EXTENSION timescaledb")
        server, extension = conn.execute("SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone() or ("", "")
        assert conn.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone() == ("on", "on")
    return Side(conninfo=f"{where} dbname=peer", version=f"TimescaleDB {extension} (Apache edition) on PostgreSQL {server.split()[0]}")


def _owner(root: Path) -> tuple[int, int]:
    """The numbers of the folder's account `postgres`."""
    line = next(line for line in (root / "etc" / "passwd").read_text().splitlines() if line.startswith("postgres:"))
    return int(line.split(":")[2]), int(line.split(":")[3])


def _inside(root: Path, *command: str) -> None:
    """Run a command in the folder as its account `postgres`."""
    user, group = _owner(root)
    entering = [shutil.which("chroot") or "/usr/sbin/chroot", f"--userspec={user}:{group}", str(root)]
    done = subprocess.run(
        [*entering, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/srv/peer"},
    )  # fmt: skip
    if done.returncode:
        raise NotHere(f"{Path(command[0]).name}: " + (done.stderr.strip().splitlines() or ["no reason given"])[-1])


NARROW = """
CREATE TABLE readings (account_id uuid NOT NULL, reading_at timestamptz NOT NULL, kwh numeric(12,3), quality smallint, PRIMARY KEY (account_id, reading_at));
SELECT create_hypertable('readings', 'reading_at', chunk_time_interval => interval '31 days');
"""
"""The same columns and key as the narrow table of `ingest`, as a hypertable with a chunk a month."""


def make_hypertable(conn: Connection) -> None:
    """An empty hypertable `readings`."""
    conn.execute("DROP TABLE IF EXISTS readings")
    for statement in filter(str.strip, NARROW.split(";")):
        conn.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]


def bytes_a_row(conn: Connection) -> float:
    """Of heap, index and TOAST of the hypertable."""
    size, rows = conn.execute("SELECT hypertable_size('readings'), (SELECT count(*) FROM readings)").fetchone() or (0, 1)
    return float(size / rows)


if __name__ == "__main__":
    begin = time.perf_counter()
    with running(Path(os.environ.get("MAINS_TIMESCALE_ROOT", "/var/cache/mains-timescale"))) as peer:
        print(f"{peer.version}, ready after {time.perf_counter() - begin:.1f} s")
