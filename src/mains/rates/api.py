"""JSON routes: the rate book."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from mains.base.http import InTransaction, Paging
from mains.base.paging import Page
from mains.base.problems import NotFound
from mains.rates import documents, queries

router = APIRouter(prefix="/v1", tags=["rates"])


@router.get("/rates")
def rates(conn: InTransaction, paging: Paging) -> Page[queries.RateListing]:
    """Rates by code with the headline prices of the newest version."""
    after = paging.key_after(str)
    rows = queries.rate_book(conn, after=after[0] if after else "", limit=paging.limit + 1)
    return paging.page(rows, key=lambda rate: (rate.rate_code,))


@router.get("/rate-versions/{rate_version_id}")
def rate_version(conn: InTransaction, rate_version_id: UUID) -> dict[str, Any]:
    """One version of a rate, as the document that prices bills."""
    found = queries.versions_by_id(conn, [rate_version_id]).get(rate_version_id)
    if found is None:
        raise NotFound(f"there is no rate version {rate_version_id} here", cure="bills name the versions that priced them")
    return documents.to_document(found.version)
