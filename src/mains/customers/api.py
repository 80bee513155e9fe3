"""JSON routes: customers, their agreements, the places they are supplied at, and who may not be disconnected."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.customers import protecting, queries
from mains.customers.protecting import CustomerProtection, Moratorium, ProtectionKind

router = APIRouter(prefix="/v1", tags=["customers"])

Search = Annotated[str | None, Query(max_length=200, description="A part of the name, or the beginning of the customer's or an account's number")]
CustomerClass = Literal["residential", "commercial", "industrial", "public_authority"]
ServiceStatus = Literal["pending", "active", "suspended", "closed"]
Commodity = Literal["electric", "gas", "water", "sewer", "telecom"]
AccountStatus = Literal["pending", "active", "final", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiseWithPoints:
    """A place, and where commodities are handed over there."""

    premise: queries.Premise
    service_points: list[queries.ServicePoint]


@router.get("/customers")
def customers(
    conn: InTransaction, paging: Paging, search: Search = None, customer_class: CustomerClass | None = None, service_status: ServiceStatus | None = None,
    service_zone_id: UUID | None = None,
) -> Page[queries.Customer]:  # fmt: skip
    """Customers by number; all of them, or those that match."""
    after = paging.key_after(str)
    rows = queries.customers(
        conn, search=search, customer_class=customer_class, service_status=service_status, service_zone_id=service_zone_id,
        after=after[0] if after else None, limit=paging.limit + 1,
    )  # fmt: skip
    return paging.page(rows, key=lambda customer: (customer.customer_number,))


@router.get("/customers/{customer_id}")
def customer(conn: InTransaction, customer_id: UUID) -> queries.Customer:
    """One customer."""
    return queries.customer(conn, customer_id=customer_id)


@router.get("/customers/{customer_id}/accounts")
def accounts_of_customer(conn: InTransaction, paging: Paging, customer_id: UUID) -> Page[queries.ServiceAccount]:
    """A customer's agreements by number, with the rate each is on today."""
    queries.customer(conn, customer_id=customer_id)
    after = paging.key_after(str)
    rows = queries.service_accounts(conn, at=datetime.now(UTC), customer_id=customer_id, after=after[0] if after else None, limit=paging.limit + 1)
    return paging.page(rows, key=lambda account: (account.account_number,))


@router.get("/accounts")
def accounts(
    conn: InTransaction, paging: Paging, commodity: Commodity | None = None, account_status: AccountStatus | None = None, premise_id: UUID | None = None
) -> Page[queries.ServiceAccount]:
    """Agreements by number, with the rate each is on today."""
    after = paging.key_after(str)
    rows = queries.service_accounts(
        conn, at=datetime.now(UTC), commodity=commodity, account_status=account_status, premise_id=premise_id, after=after[0] if after else None, limit=paging.limit + 1
    )
    return paging.page(rows, key=lambda account: (account.account_number,))


@router.get("/accounts/{account_id}")
def account(conn: InTransaction, account_id: UUID) -> queries.ServiceAccount:
    """One agreement, with the rate it is on today."""
    return queries.service_account(conn, account_id=account_id, at=datetime.now(UTC))


@router.get("/premises")
def premises(conn: InTransaction, paging: Paging, service_zone_id: UUID | None = None) -> Page[queries.Premise]:
    """Places that are supplied, by number."""
    after = paging.key_after(str)
    rows = queries.premises(conn, service_zone_id=service_zone_id, after=after[0] if after else None, limit=paging.limit + 1)
    return paging.page(rows, key=lambda premise: (premise.premise_number,))


@router.get("/premises/{premise_id}")
def premise(conn: InTransaction, premise_id: UUID) -> PremiseWithPoints:
    """One place, and where commodities are handed over there."""
    found = queries.premise(conn, premise_id=premise_id)
    return PremiseWithPoints(premise=found, service_points=queries.service_points_of(conn, premise_id=premise_id))


# Who may not be disconnected --------------------------------------------------------------------------------------------------------------------------------------

Why = Annotated[str, Field(min_length=1, max_length=protecting.MOST_LETTERS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProtection:
    """A protection of a customer, from now where `from_at` is left out, until it is ended where `to_at` is; `evidence` is what it rests on."""

    kind: ProtectionKind
    evidence: Why
    from_at: AwareDatetime | None = None
    to_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMoratorium:
    """A time in which nobody is disconnected; for a commodity, a class of customers or a zone where one is named."""

    moratorium_name: Annotated[str, Field(min_length=1, max_length=200)]
    from_at: AwareDatetime
    reason: Why
    to_at: AwareDatetime | None = None
    commodity: Commodity | None = None
    customer_class: CustomerClass | None = None
    service_zone_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why it ends, and when: now where `at` is left out."""

    reason: Why
    at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What ended, and when; what had not begun then is taken back."""

    ended: UUID
    at: datetime


@router.get("/protections")
def protections(conn: InTransaction, paging: Paging, customer_id: UUID | None = None, *, is_in_force: bool = False) -> Page[CustomerProtection]:
    """Protections, the latest first; of one customer, or only those that hold now."""
    after = paging.key_after(datetime, UUID)
    before = (after[0], after[1]) if after else None
    rows = protecting.protections(conn, customer_id=customer_id, at=datetime.now(UTC) if is_in_force else None, before=before, limit=paging.limit + 1)
    return paging.page(rows, key=lambda each: (each.from_at, each.protection_id))


@router.post("/customers/{customer_id}/protections", status_code=201)
def protect_customer(conn: InTransaction, customer_id: UUID, asked: NewProtection) -> CustomerProtection:
    """Protect a customer from being disconnected."""
    from_at = asked.from_at or datetime.now(UTC)
    return protecting.protect_customer(conn, customer_id=customer_id, kind=asked.kind, from_at=from_at, to_at=asked.to_at, evidence=asked.evidence)


@router.post("/protections/{protection_id}/end")
def end_protection(conn: InTransaction, protection_id: UUID, ending: Ending) -> Ended:
    """End a protection; one that has not begun is taken back."""
    at = ending.at or datetime.now(UTC)
    protecting.end_protection(conn, protection_id, at=at, reason=ending.reason)
    return Ended(ended=protection_id, at=at)


@router.get("/moratoria")
def moratoria(conn: InTransaction, paging: Paging, *, is_in_force: bool = False) -> Page[Moratorium]:
    """Times in which nobody is disconnected, the latest first; or only those that hold now."""
    after = paging.key_after(datetime, UUID)
    before = (after[0], after[1]) if after else None
    rows = protecting.moratoria(conn, at=datetime.now(UTC) if is_in_force else None, before=before, limit=paging.limit + 1)
    return paging.page(rows, key=lambda each: (each.from_at, each.moratorium_id))


@router.post("/moratoria", status_code=201)
def declare_moratorium(conn: InTransaction, asked: NewMoratorium) -> Moratorium:
    """Let nobody be disconnected for a time."""
    return protecting.declare_moratorium(
        conn, name=asked.moratorium_name, from_at=asked.from_at, to_at=asked.to_at, reason=asked.reason, commodity=asked.commodity, customer_class=asked.customer_class,
        service_zone_id=asked.service_zone_id,
    )  # fmt: skip


@router.post("/moratoria/{moratorium_id}/end")
def end_moratorium(conn: InTransaction, moratorium_id: UUID, ending: Ending) -> Ended:
    """End a moratorium; one that has not begun is taken back."""
    at = ending.at or datetime.now(UTC)
    protecting.end_moratorium(conn, moratorium_id, at=at, reason=ending.reason)
    return Ended(ended=moratorium_id, at=at)
