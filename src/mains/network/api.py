"""JSON routes: the utility one works for, and its zones."""

from uuid import UUID

from fastapi import APIRouter

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.network import queries

router = APIRouter(prefix="/v1", tags=["network"])


@router.get("/utility")
def utility(conn: InTransaction) -> queries.Utility:
    """The utility that you work for."""
    return queries.own_utility(conn)


@router.get("/zones")
def service_zones(conn: InTransaction, paging: Paging) -> Page[queries.ServiceZone]:
    """Its service zones, by code."""
    after = paging.key_after(str)
    return paging.page(queries.service_zones(conn, after=after[0] if after else None, limit=paging.limit + 1), key=lambda zone: (zone.zone_code,))


@router.get("/zones/{zone_id}")
def service_zone(conn: InTransaction, zone_id: UUID) -> queries.ServiceZone:
    """One service zone."""
    return queries.service_zone(conn, zone_id=zone_id)
