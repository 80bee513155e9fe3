"""SQL kept in files: named statements, loaded once, bound by the functions beside them.

A file holds blocks of the form::

    -- name: open_outages
    -- Outages not yet restored, newest first.
    SELECT …

`Statements("mains.outages", "queries.sql").open_outages` is that text. A name that is not there answers with the names that are.
"""

import re
from collections.abc import Iterator
from importlib import resources
from typing import LiteralString, cast

_BLOCK = re.compile(r"^-- name: (\w+)\n(?P<doc>(?:--[^\n]*\n)+)(?P<text>.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


class Statements:
    """The named statements of one .sql file in one package."""

    def __init__(self, package: str, file: str) -> None:
        source = resources.files(package).joinpath(file).read_text(encoding="utf-8")
        self._texts = {block[1]: block["text"].strip() for block in _BLOCK.finditer(source)}
        self._where = f"{package.replace('.', '/')}/{file}"

    def __getattr__(self, name: str) -> LiteralString:
        """The text of one statement."""
        try:
            return cast("LiteralString", self._texts[name])
        except KeyError:
            known = ", ".join(sorted(self._texts))
            raise AttributeError(f"{self._where} has no statement {name!r}; it has: {known}") from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each (name, text), for the test that plans them all."""
        return iter(self._texts.items())
