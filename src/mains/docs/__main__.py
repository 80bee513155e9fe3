"""`python -m mains.docs`: write every generated page below the folder it is run in."""

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from uuid import uuid4

from psycopg import Connection, sql

import mains.docs
from mains.base import server
from mains.base.migrate import init_database
from mains.base.place import Place


def pages() -> list[ModuleType]:
    """The modules that are pages, by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(mains.docs.__path__) if not found.name.startswith("_"))
    modules = [import_module(f"mains.docs.{name}") for name in names]
    return [module for module in modules if hasattr(module, "FILE") and hasattr(module, "page")]


@contextmanager
def scratch_database() -> Iterator[Connection]:
    """A connection to a database built from the schema files, dropped afterwards."""
    urls = Place.from_environment().urls()
    urls = urls.of_database(f"mains_docs_{uuid4().hex[:12]}")
    init_database(urls)
    try:
        with server.connect(urls.admin) as conn:
            yield conn
    finally:
        with server.connect(server.with_database(urls.admin, "postgres")) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(server.database_of(urls.admin))))


def main() -> None:
    """Write all pages, saying which changed."""
    with scratch_database() as conn:
        for module in pages():
            text = module.page(conn) if inspect.signature(module.page).parameters else module.page()
            file = Path(module.FILE)
            file.parent.mkdir(parents=True, exist_ok=True)
            is_new = not file.exists() or file.read_text(encoding="utf-8") != text
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{'written' if is_new else 'as it was'}: {file}\n")


if __name__ == "__main__":
    main()
