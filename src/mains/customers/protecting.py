"""Who may not be disconnected: protections of single customers, and moratoria for all or some. Disconnects are refused by what stands here.

Nothing is forgotten: a protection or a moratorium ends at an instant, and one that has not begun is taken back; the audit log keeps who did it and why. The caller
owns the transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.customers import queries

_sql = Statements("mains.customers", "protecting.sql")

ProtectionKind = Literal["life_support", "medical", "age", "hardship", "dispute", "payment_plan", "other"]
MOST_LETTERS = 2000


class UnableToProtect(Problem):
    """The protection or moratorium cannot be set up as given."""

    status = 409


class UnableToEndProtection(Problem):
    """The protection or moratorium cannot be ended then."""

    status = 409


class ReasonNeeded(Problem):
    """What is done here is done for a reason, which is kept."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerProtection:
    """Why a customer may not be disconnected from `from_at` to before `to_at` (None: until it is ended), and what that rests on."""

    protection_id: UUID
    customer_id: UUID
    customer_number: str
    full_name: str
    protection_kind: str
    from_at: datetime
    to_at: datetime | None
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moratorium:
    """A time in which nobody is disconnected; for a commodity, a class of customers or a zone where one is named, else for all."""

    moratorium_id: UUID
    moratorium_name: str
    from_at: datetime
    to_at: datetime | None
    commodity: str | None
    customer_class: str | None
    service_zone_id: UUID | None


# Reads ------------------------------------------------------------------------------------------------------------------------------------------------------------


def protections(
    conn: Connection, *, customer_id: UUID | None = None, at: datetime | None = None, before: tuple[datetime, UUID] | None = None, limit: int = 100
) -> list[CustomerProtection]:
    """At most `limit` protections, the latest first, before one; of one customer, or those that hold at an instant, where it is given."""
    return _protections(conn, customer_id=customer_id, at=at, before=before, limit=limit)


def protection(conn: Connection, protection_id: UUID) -> CustomerProtection:
    """One protection.

    Raises:
        NotFound: there is none.
    """
    found = _protections(conn, protection_id=protection_id, limit=1)
    if not found:
        raise NotFound(f"there is no protection {protection_id} here", cure="see mains customers protections, or GET /v1/protections")
    return found[0]


def moratoria(conn: Connection, *, at: datetime | None = None, before: tuple[datetime, UUID] | None = None, limit: int = 100) -> list[Moratorium]:
    """At most `limit` moratoria, the latest first, before one; those that hold at an instant where it is given."""
    return _moratoria(conn, at=at, before=before, limit=limit)


def moratorium(conn: Connection, moratorium_id: UUID) -> Moratorium:
    """One moratorium.

    Raises:
        NotFound: there is none.
    """
    found = _moratoria(conn, moratorium_id=moratorium_id, limit=1)
    if not found:
        raise NotFound(f"there is no moratorium {moratorium_id} here", cure="see mains customers moratorium list, or GET /v1/moratoria")
    return found[0]


def moratorium_named(conn: Connection, name: str) -> Moratorium:
    """The moratorium of a name.

    Raises:
        NotFound: there is none.
    """
    found = _moratoria(conn, name=name, limit=1)
    if not found:
        raise NotFound(f"there is no moratorium {name[:200]!r} here", cure="see mains customers moratorium list --all")
    return found[0]


def customer_named(conn: Connection, name: str) -> UUID:
    """The key of a customer from their key, their number, or the number of an agreement of theirs.

    Raises:
        NotFound: there is no such customer or agreement here.
    """
    row = conn.execute(_sql.customer_of_account, {"account_number": name}).fetchone()
    return row[0] if row else queries.customer_id_of(conn, name)


def zone_of_code(conn: Connection, zone_code: str) -> UUID:
    """The key of a service zone from its code.

    Raises:
        NotFound: there is none of that code.
    """
    row = conn.execute(_sql.zone_by_code, {"zone_code": zone_code}).fetchone()
    if row is None:
        raise NotFound(f"there is no zone {zone_code[:60]} here", cure="see GET /v1/zones for the codes")
    return row[0]


# Writes -----------------------------------------------------------------------------------------------------------------------------------------------------------


def protect_customer(
    conn: Connection, *, customer_id: UUID, kind: ProtectionKind, from_at: datetime, to_at: datetime | None = None, evidence: str
) -> CustomerProtection:
    """Protect a customer from being disconnected in [from_at, to_at), or until it is ended; `evidence` is what it rests on: a certificate, a letter, a call.

    A disconnect that was asked for or approved before is refused when it is to go out.

    Raises:
        NotFound: there is no such customer.
        UnableToProtect: it ends before it begins, or rests on nothing.
    """
    queries.customer(conn, customer_id=customer_id)
    _check(from_at, to_at, evidence, what="what a protection rests on")
    row = conn.execute(_sql.protect, {"customer_id": customer_id, "kind": kind, "from_at": from_at, "to_at": to_at, "evidence": evidence.strip()}).fetchone()
    assert row is not None  # INSERT … RETURNING always answers
    return protection(conn, row[0])


def end_protection(conn: Connection, protection_id: UUID, *, at: datetime, reason: str) -> None:
    """End a protection at an instant; one that begins then or later is taken back. The audit log keeps the reason.

    Raises:
        NotFound: there is none.
        UnableToEndProtection: it has ended before.
        ReasonNeeded: no reason is given.
    """
    protection(conn, protection_id)
    _say_why(conn, reason)
    values = {"protection_id": protection_id, "at": at}
    if not (conn.execute(_sql.end_protection, values).fetchone() or conn.execute(_sql.take_back_protection, values).fetchone()):
        raise UnableToEndProtection(f"protection {protection_id} has ended before {at.isoformat()}", cure="see when: mains customers protections --all")


def declare_moratorium(
    conn: Connection, *, name: str, from_at: datetime, to_at: datetime | None = None, reason: str, commodity: str | None = None, customer_class: str | None = None,
    service_zone_id: UUID | None = None,
) -> Moratorium:  # fmt: skip
    """Let nobody be disconnected in [from_at, to_at), or until it is ended: for all, or for a commodity, a class of customers or a zone. The audit log keeps the reason.

    Raises:
        UnableToProtect: the name is taken, it ends before it begins, or the zone is not here.
        ReasonNeeded: no reason is given.
    """
    _check(from_at, to_at, name, what="a moratorium's name", most=200)
    _say_why(conn, reason)
    values = {"moratorium_name": name.strip(), "from_at": from_at, "to_at": to_at, "commodity": commodity, "customer_class": customer_class, "service_zone_id": service_zone_id}
    try:
        with conn.transaction():
            row = conn.execute(_sql.declare, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise UnableToProtect(f"there is a moratorium {name.strip()!r} already", cure="give it another name, such as one with the year") from error
    except (psycopg.errors.ForeignKeyViolation, psycopg.errors.CheckViolation) as error:
        cure = "a zone is one of GET /v1/zones; a commodity electric, gas or water; a class residential, commercial, industrial or public_authority"
        raise UnableToProtect("the moratorium names a zone, a commodity or a class that is not here", cure=cure) from error
    assert row is not None  # INSERT … RETURNING always answers
    return moratorium(conn, row[0])


def end_moratorium(conn: Connection, moratorium_id: UUID, *, at: datetime, reason: str) -> None:
    """End a moratorium at an instant; one that begins then or later is taken back. The audit log keeps the reason.

    Raises:
        NotFound: there is none.
        UnableToEndProtection: it has ended before.
        ReasonNeeded: no reason is given.
    """
    moratorium(conn, moratorium_id)
    _say_why(conn, reason)
    values = {"moratorium_id": moratorium_id, "at": at}
    if not (conn.execute(_sql.end_moratorium, values).fetchone() or conn.execute(_sql.take_back_moratorium, values).fetchone()):
        raise UnableToEndProtection(f"moratorium {moratorium_id} has ended before {at.isoformat()}", cure="see when: mains customers moratorium list --all")


def _check(from_at: datetime, to_at: datetime | None, text: str, *, what: str, most: int = MOST_LETTERS) -> None:
    if to_at is not None and to_at <= from_at:
        raise UnableToProtect(f"it would end at {to_at.isoformat()}, and begin at {from_at.isoformat()}", cure="let it end after it begins, or leave the end open")
    if not 1 <= len(text.strip()) <= most:
        raise UnableToProtect(f"{what} has 1 to {most} letters", cure="say it in a few words")


def _say_why(conn: Connection, reason: str) -> None:
    """Keep why something is done.

    Raises:
        ReasonNeeded: no reason is given, or one that is too long.
    """
    if not 1 <= len(reason.strip()) <= MOST_LETTERS:
        raise ReasonNeeded(f"a reason has 1 to {MOST_LETTERS} letters", cure="say why in a few words")
    conn.execute(_sql.say_why, {"reason": reason.strip()})


def _protections(
    conn: Connection, *, protection_id: UUID | None = None, customer_id: UUID | None = None, at: datetime | None = None, before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[CustomerProtection]:  # fmt: skip
    asked = {"protection_id": protection_id, "customer_id": customer_id, "at": at, "limit": limit, "before_at": before[0] if before else None}
    with conn.cursor(row_factory=class_row(CustomerProtection)) as cursor:
        return cursor.execute(_sql.protections, asked | {"before_id": before[1] if before else None}).fetchall()


def _moratoria(
    conn: Connection, *, moratorium_id: UUID | None = None, name: str | None = None, at: datetime | None = None, before: tuple[datetime, UUID] | None = None, limit: int
) -> list[Moratorium]:
    asked = {"moratorium_id": moratorium_id, "moratorium_name": name, "at": at, "limit": limit, "before_at": before[0] if before else None}
    with conn.cursor(row_factory=class_row(Moratorium)) as cursor:
        return cursor.execute(_sql.moratoria, asked | {"before_id": before[1] if before else None}).fetchall()
