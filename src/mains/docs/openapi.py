"""The description of the JSON API as a file that a reviewer can read and a test can hold: docs/reference/openapi.json."""

import json

from mains.app import create_app
from mains.base.db import Database
from mains.settings import Settings

FILE = "docs/reference/openapi.json"


def page() -> str:
    """The OpenAPI document as it is served, sorted by key."""
    nowhere = Database(app_url="postgresql://nowhere", admin_url="postgresql://nowhere", ingest_url="postgresql://nowhere")
    app = create_app(nowhere, Settings())  # pyright: ignore[reportCallIssue] - every field has a default
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
