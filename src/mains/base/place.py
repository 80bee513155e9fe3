"""Which database is meant: the embedded one of a home folder, or a given server. The MAINS_… variables of the environment say."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mains.base import programs as pg
from mains.base import server
from mains.base.embedded import Cluster
from mains.base.homes import credentials, exclusive, make_folder, system_home, user_home
from mains.base.server import Urls


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which database is meant: the embedded one of `home`, or the one of `database_url` (an administrator's URL)."""

    home: Path
    database_url: str | None = None
    app_url: str | None = None
    ingest_url: str | None = None
    pg_bin: Path | None = None
    pg_user: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Place":
        """The place that the MAINS_… variables name; without any, the embedded database in the user's data folder."""
        known = {key: value for key, value in (os.environ if environment is None else environment).items() if value}
        user = known.get("MAINS_PG_USER")
        return cls(
            home=Path(known["MAINS_HOME"]).expanduser().absolute() if "MAINS_HOME" in known else default_home(user),
            database_url=known.get("MAINS_DATABASE_URL"),
            app_url=known.get("MAINS_APP_URL"),
            ingest_url=known.get("MAINS_INGEST_URL"),
            pg_bin=Path(known["MAINS_PG_BIN"]) if "MAINS_PG_BIN" in known else None,
            pg_user=user,
        )

    @property
    def is_embedded(self) -> bool:
        """Whether the server is ours to start and stop."""
        return self.database_url is None

    def cluster(self) -> Cluster:
        """The embedded server of this place."""
        return Cluster(home=self.home, programs=self.pg_bin, user=self.pg_user)

    def urls(self) -> Urls:
        """How to reach the database, starting the embedded server if need be.

        A given server gets the roles of mains, and the database, if they are missing.
        """
        if self.database_url is None:
            return self.cluster().ensure_running()
        make_folder(self.home, mode=0o700)
        with exclusive(self.home):
            secrets = credentials(self.home)
            made = {"app": server.with_login(self.database_url, user="mains_app", password=secrets.app)}
            made["ingest"] = server.with_login(self.database_url, user="mains_ingest", password=secrets.ingest)
            urls = Urls(admin=self.database_url, app=self.app_url or made["app"], ingest=self.ingest_url or made["ingest"])
            with server.connect(server.with_database(urls.admin, "postgres")) as conn:
                given = {"mains_app": None if self.app_url else secrets.app, "mains_ingest": None if self.ingest_url else secrets.ingest}
                server.provide_roles(conn, passwords={login: password for login, password in given.items() if password})
                server.create_database(conn, server.database_of(urls.admin))
            return urls


def default_home(user: str | None = None) -> Path:
    """The user's data folder; for root, whose home is closed to the account that runs the server, the system's."""
    with suppress(pg.NoUnprivilegedAccount):
        account = pg.account_to_run_as(user)
        if account and not account.can_enter(user_home()):
            return system_home()
    return user_home()
