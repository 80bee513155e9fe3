"""The settings: all documented, none needed, secrets never shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mains.base.place import Place
from mains.settings import Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith("MAINS_")]:
        monkeypatch.delenv(name)


def test_nothing_needs_to_be_set():
    settings = Settings()  # pyright: ignore[reportCallIssue]
    assert (settings.host, settings.port, settings.log_level, settings.database_url) == ("127.0.0.1", 8000, "info", None)


def test_every_setting_is_one_documented_line():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert "\n" not in field.description, name


def test_settings_and_environment_name_the_same_place(monkeypatch):
    wanted = {
        "HOME": "/srv/mains",
        "DATABASE_URL": "postgresql://a:b@c/d",
        "APP_URL": "postgresql://e",
        "PG_USER": "nobody",
        "PG_BIN": "/opt/pg",
    }
    for name, value in wanted.items():
        monkeypatch.setenv(f"MAINS_{name}", value)

    place = Settings().place()  # pyright: ignore[reportCallIssue]
    assert place == Place.from_environment()
    assert (place.home, place.pg_bin, place.app_url) == (Path("/srv/mains"), Path("/opt/pg"), "postgresql://e")


def test_a_secret_is_not_shown_and_a_wrong_value_is_refused(monkeypatch):
    monkeypatch.setenv("MAINS_DATABASE_URL", "postgresql://a:secret@c/d")
    assert "secret" not in repr(Settings())  # pyright: ignore[reportCallIssue]
    monkeypatch.setenv("MAINS_PORT", "many")
    with pytest.raises(ValidationError, match="port"):
        Settings()  # pyright: ignore[reportCallIssue]
