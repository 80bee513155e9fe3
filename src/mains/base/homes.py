"""Where mains keeps what is its own on this machine: the home folder, the file of generated passwords, and a lock between processes."""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mains.base.problems import Problem


class HomeNotUsable(Problem):
    """The home folder of mains cannot be used by this user."""

    status = 503


class HomeIsBusy(Problem):
    """Another process has been holding the lock of the home folder for too long."""

    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Passwords of the three logins of one home, generated once."""

    admin: str
    app: str
    ingest: str


def user_home() -> Path:
    """The folder for mains in the data folder of this platform and user, whether it exists or not."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "mains"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "mains"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mains"


def system_home() -> Path:
    """The folder for mains that accounts other than root can reach as well."""
    return Path("/usr/local/var/mains" if sys.platform == "darwin" else "/var/lib/mains")


def make_folder(path: Path, *, mode: int) -> None:
    """Make a folder, and the missing ones above it, that this user can write in.

    Raises:
        HomeNotUsable: it cannot be made, or it belongs to somebody else.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeNotUsable(
            f"the folder {path} cannot be made: {error.strerror}", cure="set MAINS_HOME to a folder that you can write in"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise HomeNotUsable(
            f"the folder {path} cannot be written by this user", cure="run as its owner, or set MAINS_HOME to a folder of your own"
        )


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step with text that only this user can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def credentials(home: Path) -> Credentials:
    """The passwords kept in `home`, generated at the first call; call it while holding `exclusive(home)`.

    Raises:
        HomeNotUsable: the file is unreadable to this user or damaged.
    """
    path = home / "credentials.json"
    if not path.exists():
        fresh = Credentials(**{field.name: secrets.token_urlsafe(24) for field in fields(Credentials)})
        write_private(path, json.dumps(asdict(fresh), indent=1))
        return fresh
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except PermissionError as error:
        raise HomeNotUsable(
            f"{path} belongs to another user", cure="run as that user, or set MAINS_HOME to a folder of your own"
        ) from error
    except (ValueError, TypeError) as error:
        raise HomeNotUsable(f"{path} is damaged: {error}", cure="put it back from a backup of the home folder") from error


@contextmanager
def exclusive(home: Path, *, timeout_s: float = 180) -> Iterator[None]:
    """Hold the one lock of a home folder, so that several processes may start or build its database at once.

    Raises:
        HomeIsBusy: somebody else held it for `timeout_s` seconds.
    """
    with (home / "lock").open("a+b") as file:
        give_up = time.monotonic() + timeout_s
        while not _try_lock(file.fileno()):
            if time.monotonic() > give_up:
                raise HomeIsBusy(
                    f"{home / 'lock'} has been held by another process for {timeout_s:.0f} s",
                    cure="wait for the other mains to finish, or end it",
                )
            time.sleep(0.05)
        yield  # closing the file gives the lock back, as the end of the process does


def _try_lock(descriptor: int) -> bool:
    """Take the lock of an open file unless somebody has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
