"""Writing many rows at once under row-level security, which COPY alone may not do: COPY into a temporary table, then one INSERT … SELECT that policies and triggers see."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count

from psycopg import Connection, Copy, sql

_numbers = count(1)


def insert_rows(conn: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, on_conflict: str = "") -> int:
    """Insert rows into `schema.table` and say how many went in; columns that are not named take their defaults.

    `on_conflict` is "" (a conflict is an error) or "skip" (rows that are there already stay as they are).
    """

    def send(copy: Copy) -> None:
        for row in rows:
            copy.write_row(row)

    return _insert(conn, table, columns, send, on_conflict=on_conflict)


def insert_text(conn: Connection, table: str, columns: Sequence[str], pieces: Iterable[str]) -> int:
    """The same from pieces of text in COPY's own format (tabs between values, a line end after each row), for very many rows of numbers."""

    def send(copy: Copy) -> None:
        for piece in pieces:
            copy.write(piece)

    return _insert(conn, table, columns, send, on_conflict="")


def _insert(conn: Connection, table: str, columns: Sequence[str], send: Callable[[Copy], None], *, on_conflict: str) -> int:
    """Stage what `send` sends, and insert it."""
    target = sql.Identifier(*table.split("."))
    staging = sql.Identifier(f"staged_{next(_numbers)}_{table.rpartition('.')[2]}"[:60])
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    conn.execute(sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(staging, names, target))
    with conn.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(staging)) as copy:
            send(copy)
        tail = sql.SQL("ON CONFLICT DO NOTHING" if on_conflict == "skip" else "")
        cursor.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} {}").format(target, names, names, staging, tail))
        inserted = cursor.rowcount
    conn.execute(sql.SQL("DROP TABLE {}").format(staging))
    return inserted
