"""The embedded PostgreSQL: one server a home folder, started by our own launcher from the programs of a wheel or of the system.

It listens on 127.0.0.1 only, asks passwords of everyone, and remembers its port. Several processes may call `Cluster.ensure_running`
at once; the first starts it. Which server is meant, this one or a given one, is said by `mains.base.place.Place`.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from mains.base import programs as pg
from mains.base import server
from mains.base.homes import HomeNotUsable, credentials, exclusive, make_folder, system_home, write_private
from mains.base.problems import Problem
from mains.base.server import Urls

DATABASE = "mains"
SUPERUSER = "postgres"
_START_S = 60
_NOT_IN_A_HOME = '"$`' if os.name == "nt" else '"$`\\'
"""Letters that pg_ctl hands to a shell as they are, which reads them as something else."""


class UnableToStartDatabase(Problem):
    """The embedded database did not start."""

    status = 503


class UnableToStopDatabase(Problem):
    """The embedded database did not stop."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """What one embedded server is doing: `state` is absent, stopped, starting or running."""

    state: str
    home: Path
    pid: int | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The embedded server of one home folder.

    `programs` is a bin folder (None: the wheel's), `user` the account to run it as when we are root,
    `settings` extra lines of its configuration.
    """

    home: Path
    programs: Path | None = None
    user: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder of the server."""
        return self.home / "postgresql" / "data"

    @property
    def log(self) -> Path:
        """The log of the server."""
        return self.home / "postgresql" / "server.log"

    def ensure_running(self) -> Urls:
        """Start the server if it does not run, with the roles of mains and its empty database, and say how to reach it.

        Raises:
            UnableToStartDatabase, HomeNotUsable, HomeIsBusy, ProgramsNotFound, NoUnprivilegedAccount: with what to do about it.
        """
        account = pg.account_to_run_as(self.user)
        self._open_home(account)
        with exclusive(self.home):
            secrets = credentials(self.home)
            port = self._answering_port(secrets.admin)
            if port is None:
                folder = pg.reachable_programs(pg.find_programs(self.programs), account=account, home=self.home)
                self._make_data(folder, account, secrets.admin)
                port = self._start(folder, account, secrets.admin)
            urls = self._urls(port)
            with server.connect(server.with_database(urls.admin, "postgres")) as conn:
                if not (self.home / "ready").exists():
                    server.provide_roles(conn, passwords={"mains_app": secrets.app, "mains_ingest": secrets.ingest})
                    server.create_database(conn, DATABASE)
                    (self.home / "ready").touch()
            return urls

    def stop(self) -> bool:
        """Stop the server of this home, letting it write everything out; False where it does not run.

        Raises:
            UnableToStopDatabase: it did not end within a minute.
        """
        if not self.data.exists():
            return False
        account = pg.account_to_run_as(self.user)
        with exclusive(self.home):
            if self._owner_pid() is None:
                return False
            folder = pg.reachable_programs(pg.find_programs(self.programs), account=account, home=self.home)
            ended = pg.run(
                [pg.program(folder, "pg_ctl") or "pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", str(_START_S)],
                account=account,
                cwd=self.data.parent,
            )
            if ended.returncode != 0:
                raise UnableToStopDatabase(
                    f"the server of {self.home} does not stop: {_last_line(ended.stderr or ended.stdout)}", cure=f"see {self.log}"
                )
            return True

    def status(self) -> ClusterStatus:
        """What the server is doing, without starting it."""
        if not (self.data / "PG_VERSION").exists():
            return ClusterStatus(state="absent", home=self.home)
        pid = self._owner_pid()
        if pid is None:
            return ClusterStatus(state="stopped", home=self.home, port=self._remembered_port())
        port = self._answering_port(credentials(self.home).admin)
        return ClusterStatus(state="running" if port else "starting", home=self.home, pid=pid, port=port or self._remembered_port())

    def _urls(self, port: int) -> Urls:
        secrets = credentials(self.home)
        logins = {"admin": (SUPERUSER, secrets.admin), "app": ("mains_app", secrets.app), "ingest": ("mains_ingest", secrets.ingest)}
        return Urls(
            **{
                key: server.url_of(user=user, password=password, host="127.0.0.1", port=port, database=DATABASE)
                for key, (user, password) in logins.items()
            }
        )

    def _open_home(self, account: pg.Account | None) -> None:
        """Make the home folder, and hold that the account of the server can reach it; folders above it keep their modes."""
        if odd := sorted({letter for letter in str(self.home) if letter in _NOT_IN_A_HOME or not letter.isprintable()}):
            raise HomeNotUsable(
                f"the programs of PostgreSQL cannot be given a folder with {' '.join(map(ascii, odd))} in its name: {self.home}",
                cure="set MAINS_HOME to a folder whose name has letters, digits, spaces and plain signs",
            )
        make_folder(self.home, mode=0o711 if account else 0o700)
        if account is None:
            return
        if not account.can_enter(self.home.parent):
            raise HomeNotUsable(
                f"the account {account.name}, which runs PostgreSQL because root may not, cannot enter {self.home}: "
                "a folder above it is closed to others",
                cure=f"set MAINS_HOME to a folder that {account.name} can enter, such as {system_home()}",
            )
        if not account.can_enter(self.home):
            self.home.chmod(self.home.stat().st_mode & 0o777 | 0o011)  # the home folder is ours; the passwords in it stay 0600
        folder = self.data.parent
        if not folder.exists():
            folder.mkdir(mode=0o700)
        if folder.stat().st_uid != account.uid:
            if any(folder.iterdir()):
                raise HomeNotUsable(
                    f"{folder} belongs to another account than {account.name}",
                    cure="set MAINS_PG_USER to the account that owns it, or MAINS_HOME to another folder",
                )
            os.chown(folder, account.uid, account.gid)

    def _make_data(self, folder: Path, account: pg.Account | None, password: str) -> None:
        """Make the data folder once, in a draft that gets its name when it is whole; a folder of another version is refused."""
        major = pg.version_of(folder)[0]
        mark = self.data / "PG_VERSION"
        if mark.exists():
            if mark.read_text().strip() != str(major):
                raise UnableToStartDatabase(
                    f"the data in {self.data} is of PostgreSQL {mark.read_text().strip()}, the programs in {folder} are {major}",
                    cure="set MAINS_PG_BIN to the programs it was made with, save it (mains db backup), restore into a new MAINS_HOME",
                )
            return
        self.data.parent.mkdir(mode=0o700, exist_ok=True)
        draft = self.data.with_name("data.draft")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.home / ".initial-password"
        try:
            write_private(password_file, password)
            if account:
                os.chown(password_file, account.uid, account.gid)
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
            command = [pg.program(folder, "initdb") or "initdb", "-D", draft, "-U", SUPERUSER, "-E", "UTF8", "--locale=C", *locale]
            made = pg.run([*command, "--auth=scram-sha-256", f"--pwfile={password_file}"], account=account, cwd=draft.parent, timeout_s=300)
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode != 0:
            raise UnableToStartDatabase(
                f"initdb failed in {draft}: {_last_line(made.stderr)}", cure="the usual cause is a full or read-only disk"
            )
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"\ninclude '{_conf_text((self.home / 'server.conf').as_posix())}'\n")
        draft.rename(self.data)

    def _start(self, folder: Path, account: pg.Account | None, password: str) -> int:
        """Start the server and wait until it answers; the port is the remembered one unless somebody else has taken it."""
        if self._owner_pid() is not None:
            return self._wait_for(password)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        deadline = time.monotonic() + _START_S
        while True:
            port = self._choose_port()
            self._write_settings(folder, port)
            mark = self.log.stat().st_size if self.log.exists() else 0
            command = [pg.program(folder, "pg_ctl") or "pg_ctl", "start", "-D", self.data, "-l", self.log, "-w", "-t", str(_START_S)]
            try:
                started = pg.run(command, account=account, cwd=self.data.parent)
            except subprocess.TimeoutExpired:
                return self._wait_for(password)
            said = self.log.read_bytes()[mark:].decode(errors="replace") if self.log.exists() else ""
            if started.returncode == 0:
                return self._wait_for(password)
            taken = "Address already in use" in said or "could not bind" in said
            dying = "is still in use" in said  # processes of a killed server are on their way out
            if (taken or dying) and time.monotonic() < deadline:
                time.sleep(0.5 if dying else 0)
                continue
            if self._owner_pid() is not None:
                return self._wait_for(password)
            why = _why(said) or _last_line(started.stderr or started.stdout)
            raise UnableToStartDatabase(f"the embedded PostgreSQL did not start: {why}", cure=f"see {self.log}")

    def _wait_for(self, password: str) -> int:
        """Wait for a server that is coming up, recovering from a crash included."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            port = self._answering_port(password)
            if port is not None:
                return port
            if self._owner_pid() is None:
                break
            time.sleep(0.1)
        if self._owner_pid() is None:
            raise UnableToStartDatabase("the embedded PostgreSQL ended while it started", cure=f"see {self.log}")
        raise UnableToStartDatabase(
            f"the embedded PostgreSQL does not answer after {_START_S} s; it may be recovering from a crash",
            cure=f"see {self.log}; try again when it is done",
        )

    def _owner_pid(self) -> int | None:
        """The process that owns the data folder, if it lives and is a server of this folder."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if pg.serves(pid, self.data) else None

    def _answering_port(self, password: str) -> int | None:
        """The port on which the server of this very folder lets us in, or None."""
        if self._owner_pid() is None:
            return None
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        if len(lines) < 4 or not lines[3].strip().isdigit():
            return None
        port = int(lines[3])
        url = server.url_of(user=SUPERUSER, password=password, host="127.0.0.1", port=port, database="postgres")
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5, autocommit=True) as conn:
            if Path(server.data_folder(conn)).resolve() == self.data.resolve():
                return port
        return None

    def _remembered_port(self) -> int | None:
        try:
            return int(json.loads((self.home / "port.json").read_text())["port"])
        except (OSError, ValueError, KeyError):
            return None

    def _choose_port(self) -> int:
        """The remembered port if it is free, else a free one, remembered from now on."""
        remembered = self._remembered_port()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", remembered or 0))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port != remembered:
            write_private(self.home / "port.json", json.dumps({"port": port}))
        return port

    def _write_settings(self, folder: Path, port: int) -> None:
        """The configuration of the server, written anew at each start; it holds no secret."""
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "max_connections": "100",
            "shared_buffers": f"{shared_buffers_mb()}MB",
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
            "max_wal_size": "4GB",
            "wal_compression": "pglz",
            "checkpoint_timeout": "15min",
            "fsync": "on",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if pg.has_library(folder, "pg_stat_statements"):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        path = self.home / "server.conf"
        path.write_text(
            "".join(f"{name} = '{_conf_text(value)}'\n" for name, value in (settings | dict(self.settings)).items()), encoding="utf-8"
        )
        path.chmod(0o644)


def shared_buffers_mb() -> int:
    """A quarter of the memory this machine or container has, at most 2048 and at least 128 MB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = 2 << 30
    with suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(128, min(2048, (total >> 20) // 4))


def _conf_text(value: str) -> str:
    """A value inside the single quotes of a configuration file."""
    return value.replace("\\", "\\\\").replace("'", "''")


def _last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _why(log: str) -> str | None:
    """The last FATAL or PANIC line of a log, without its prefix."""
    found = [line.partition(mark)[2].strip() for line in log.splitlines() for mark in ("FATAL:", "PANIC:") if mark in line]
    return found[-1] if found else None
