"""Messages into the store: a batch of them in one transaction with what Sparkplug nodes said of themselves; what makes a batch fail by itself goes to quarantine alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog
from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from mains.base.db import Actor, Database
from mains.base.log import facts_of
from mains.base.sql import Statements
from mains.integrations.headends.messages import Understood, gather
from mains.integrations.headends.sparkplug import Birth, Names
from mains.metering.inbox import InboxFull
from mains.metering.pushing import Pushed, push_gathered
from mains.metering.store import UnableToStoreReadings

_sql = Statements("mains.integrations.headends", "headends.sql")
log = structlog.get_logger("mains.headends")

NOT_NOW = (InboxFull, UnableToStoreReadings, psycopg.OperationalError, PoolTimeout)
"""What passes with time: the same batch is tried again."""
_LATEST_BIRTH = 253_402_300_799_000
_NOTHING = Pushed(batch_id=0, found=0, accepted=0, quarantined=0, issues=[])


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where messages go: the database, who stores them, and how many readings may wait there."""

    database: Database
    actor: Actor
    source: str
    most_waiting: int

    def keep(self, messages: Sequence[Understood], *, at: datetime) -> Pushed:
        """Store messages; when this returns, they are committed, or in quarantine.

        Raises:
            One of NOT_NOW: nothing was stored; the same can be tried again.
        """
        try:
            return self._keep(messages, at=at)
        except NOT_NOW:
            raise
        except Exception as error:  # noqa: BLE001 - one message must not stop all
            log.warning("a batch of messages cannot be stored together", messages=len(messages), **facts_of(error))
            if len(messages) == 1:
                return self._set_aside(messages[0], error, at=at)
        done = [self.keep([message], at=at) for message in messages]
        return Pushed(
            batch_id=done[-1].batch_id, found=sum(each.found for each in done), accepted=sum(each.accepted for each in done),
            quarantined=sum(each.quarantined for each in done), issues=[issue for each in done for issue in each.issues],
        )  # fmt: skip

    def _keep(self, messages: Sequence[Understood], *, at: datetime) -> Pushed:
        gathered = gather(messages)
        births = [birth for message in messages for birth in message.births]
        if not gathered.found and not births:
            return _NOTHING
        with self.database.transaction(actor=self.actor) as conn:
            if births:
                keep_births(conn, births)
            return push_gathered(conn, gathered, source=self.source, at=at, most_waiting=self.most_waiting) if gathered.found else _NOTHING

    def _set_aside(self, message: Understood, error: Exception, *, at: datetime) -> Pushed:
        """A message that cannot be stored, kept in quarantine as it was understood."""
        count = max(1, len(message.readings) + len(message.refused))
        text = f"{type(error).__name__} while storing {str(message.readings)[:1500]}"
        aside = Understood(topic=message.topic, refused=[("message-not-stored", text, "report this, and push its readings again")] * count)
        return self._keep([aside], at=at)


def keep_births(conn: Connection, births: Sequence[Birth]) -> None:
    """Remember what nodes and devices said of themselves, the last of each."""
    for birth in {each.names: each for each in births}.values():
        group, node, device = birth.names
        aliases = Jsonb({str(alias): list(named) for alias, named in birth.aliases.items()})
        conn.execute(_sql.keep_birth, {"group": group, "node": node, "device": device, "born_ms": min(birth.born_ms, _LATEST_BIRTH), "aliases": aliases})


def known_births(conn: Connection) -> dict[Names, Birth]:
    """What nodes and devices last said of themselves."""
    found: dict[Names, Birth] = {}
    for group, node, device, born_ms, aliases in conn.execute(_sql.births):
        named = {int(alias): (name, kind) for alias, (name, kind) in aliases.items()}
        found[group, node, device] = Birth(names=(group, node, device), born_ms=born_ms, aliases=named)
    return found
