"""Reads: the utility one works for, and its zones."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from mains.base.problems import NotFound
from mains.base.sql import Statements

_sql = Statements("mains.network", "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """A utility: what it supplies, in which money and zone of time it thinks. `service_area` is a GeoJSON polygon, WGS 84."""

    utility_id: UUID
    utility_name: str
    utility_code: str
    utility_type: str
    commodities: list[str]
    currency: str
    timezone: str
    language: str
    service_area: dict[str, Any] | None
    regulator_name: str | None
    eia_utility_id: int | None
    contact_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceZone:
    """A part of the territory. `zone_boundary` is a GeoJSON polygon, WGS 84; loads in MW, `capacity_mw` with the largest element out."""

    zone_id: UUID
    zone_code: str
    zone_name: str
    zone_type: str
    zone_boundary: dict[str, Any] | None
    peak_load_mw: Decimal | None
    capacity_mw: Decimal | None


def own_utility(conn: Connection) -> Utility:
    """The utility that the transaction works for.

    Raises:
        NotFound: it does not exist.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql.utilities).fetchone()
    if found is None:
        raise NotFound("there is no utility that you work for", cure="ask the administrator of this installation")
    found["service_area"] = polygon(found["service_area"])
    return Utility(**found)


def service_zones(conn: Connection, *, after: str | None = None, limit: int = 100) -> list[ServiceZone]:
    """Zones by code, those after a code, at most `limit`."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_zone(row) for row in cursor.execute(_sql.service_zones, {"after": after, "limit": limit})]


def service_zone(conn: Connection, *, zone_id: UUID) -> ServiceZone:
    """One zone.

    Raises:
        NotFound: there is no such zone here.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_sql.service_zone, {"zone_id": zone_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no zone {zone_id} here", cure="see which there are: GET /v1/zones")
    return _zone(row)


def polygon(path: str | None) -> dict[str, Any] | None:
    """The text of a closed path as a GeoJSON polygon, its ring closed (RFC 7946 §3.1.6).

    >>> polygon("((0,0),(1,0),(1,1))")["coordinates"]
    [[[0, 0], [1, 0], [1, 1], [0, 0]]]
    """
    if path is None:
        return None
    ring = json.loads(path.replace("(", "[").replace(")", "]"))
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def _zone(row: dict[str, Any]) -> ServiceZone:
    row["zone_boundary"] = polygon(row["zone_boundary"])
    return ServiceZone(**row)
