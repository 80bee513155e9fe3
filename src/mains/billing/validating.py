"""The gate between validation and bills: only readings that were validated, or estimated in their place, are billed; what an open failure is about waits."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import Connection

from mains.billing.model import Held, Service
from mains.metering.vee import queries
from mains.metering.vee.queries import Failure

NOT_HOLDING = ("gap", "future-stale", "inactive-use")
"""Rules whose failures hold no bill by themselves: what is missing holds it as missing, age spoils no reading, and use outside of a meter's time is not billed."""


def holds(conn: Connection, services: Sequence[Service], *, at: datetime) -> dict[UUID, Held]:
    """Which services must wait, by account, each with its reason and its cure; none where the utility does not want bills held."""
    if not services or not queries.policy_on(conn, at.astimezone(ZoneInfo(services[0].timezone)).date()).is_holding_bills:
        return {}
    spans = [(number, span) for number, service in enumerate(services) for span in service.channels if span.interval_s is not None]
    found: dict[UUID, Held] = {}
    for failure in queries.failures(conn, [(span.channel_id, span.from_at, span.to_at) for _, span in spans]):
        service = services[spans[failure.n - 1][0]]
        if failure.rule_name not in NOT_HOLDING:
            found.setdefault(service.account_id, _failed(service, failure))
    first, last = min((span.from_at for _, span in spans), default=at), max((span.to_at for _, span in spans), default=at)
    waiting = queries.channels_not_validated(conn, [span.channel_id for _, span in spans], first, last)
    for number, span in spans:
        if span.channel_id in waiting:
            service = services[number]
            found.setdefault(
                service.account_id,
                Held(
                    service=service, code="readings-not-validated", message=f"meter {span.meter_number or span.channel_id} has readings of the period that no rule has judged yet",
                    cure="run mains vee run, then the cycle again",
                ),
            )  # fmt: skip
    return found


def _failed(service: Service, failure: Failure) -> Held:
    """A service held for an open failure."""
    zone = ZoneInfo(service.timezone)
    when = f"{failure.from_at.astimezone(zone):%Y-%m-%d %H:%M} to {failure.to_at.astimezone(zone):%Y-%m-%d %H:%M}"
    return Held(
        service=service, code="failed-validation", message=f"rule {failure.rule_name} failed for {when}: {failure.finding}",
        cure=f"see mains vee explain {failure.vee_exception_id}; accept it, estimate or edit the readings, or import corrected ones; then run the cycle again",
    )  # fmt: skip
