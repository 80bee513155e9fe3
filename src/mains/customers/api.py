"""JSON routes: customers, their agreements, and the places they are supplied at."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.customers import queries

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
