"""Writes: publishing a rate. The caller owns the transaction."""

import json
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg import Connection

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.rates import checks, documents
from mains.rates.model import Demand, Energy, Fixed, RateVersion

_sql = Statements("mains.rates", "operations.sql")


class UnableToPublishRate(Problem):
    """The rate cannot be published as it is."""

    status = 409


def publish_rate(
    conn: Connection, *, code: str, version: RateVersion, customer_class: str = "residential", approved_by: str | None = None
) -> UUID:
    """Publish a version of the rate `code`, from its first local date on; the version before it ends there. The same version twice changes nothing.

    Raises:
        UnableToPublishRate: the version has gaps or overlaps in itself, or its dates overlap one that is there.
    """
    faults = [issue for issue in checks.check_version(version) if issue.severity == "error"]
    if faults:
        raise UnableToPublishRate(f"rate {code}: {faults[0].message}", cure=faults[0].cure, issues=[issue.as_json() for issue in faults])
    schedule_id = _schedule(conn, code=code, version=version, customer_class=customer_class)
    sha256 = bytes.fromhex(documents.content_hash(version))
    known = {"rate_schedule_id": schedule_id, "sha256": sha256, "effective_from": version.effective_from}
    if found := conn.execute(_sql.version_by_hash, known).fetchone():
        return found[0]
    source = bytes.fromhex(version.source.sha256) if version.source.sha256 else None
    values = known | {
        "effective_to": version.effective_to,
        "document": json.dumps(documents.to_document(version)),
        "source_url": version.source.url or None,
        "source_sha256": source,
        "approved_by": approved_by,
    }
    try:
        with conn.transaction():
            conn.execute(_sql.close_open_version, known)
            row = conn.execute(_sql.insert_version, values).fetchone()
    except psycopg.errors.ExclusionViolation as error:
        detail = f"rate {code} from {version.effective_from}: its dates overlap a version that is there"
        raise UnableToPublishRate(detail, cure="begin after the last version began, or end this one before the next begins") from error
    assert row is not None  # INSERT … RETURNING always answers
    conn.execute(_sql.show_newest, known | _headline(version))
    return row[0]


def _schedule(conn: Connection, *, code: str, version: RateVersion, customer_class: str) -> UUID:
    """The rate of the code, made if it is new."""
    found = conn.execute(_sql.schedule_by_code, {"code": code}).fetchone()
    if found is None:
        found = conn.execute(
            _sql.insert_schedule, {"code": code, "name": version.name, "commodity": version.commodity, "customer_class": customer_class}
        ).fetchone()
    elif found[1] != version.commodity:
        raise UnableToPublishRate(
            f"rate {code} is for {found[1]}, the version for {version.commodity}", cure="publish it under another code"
        )
    assert found is not None  # INSERT … RETURNING always answers
    return found[0]


def _headline(version: RateVersion) -> dict[str, object]:
    """The prices that people look for first: lowest energy, sum of demand, price by period, fixed a month."""
    energy = [
        (ladder.period, ladder.tiers[0].price) for charge in version.charges if isinstance(charge, Energy) for ladder in charge.ladders
    ]
    demand = [ladder.tiers[0].price for charge in version.charges if isinstance(charge, Demand) for ladder in charge.ladders]
    fixed = [charge.amount for charge in version.charges if isinstance(charge, Fixed) and charge.per in ("month", "meter")]
    return {
        "base_rate": min((price for _, price in energy), default=None),
        "demand_charge": sum(demand, Decimal(0)) if demand else None,
        "time_of_use_rates": json.dumps({period: str(price) for period, price in energy}) if len(energy) > 1 else None,
        "service_charge": sum(fixed, Decimal(0)) if fixed else None,
    }
