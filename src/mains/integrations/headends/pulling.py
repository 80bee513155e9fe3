"""Meters that are asked: many at a time, what they answered stored as pushes are, what failed said one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from mains.base.db import Actor, Database
from mains.integrations.headends.dlms import Address, MeterNotRead, Question, read_all
from mains.metering.pushing import Gathered, Refused, store_push

METERS_A_PUSH = 100
"""Meters whose answers are stored in one transaction."""


@dataclass(slots=True, kw_only=True)
class Pulled:
    """What came of asking meters: meters that answered, readings, and why others did not; found = accepted + quarantined. `drifts_s` are the clocks less ours."""

    answered: int = 0
    found: int = 0
    accepted: int = 0
    quarantined: int = 0
    batch_ids: list[int] = field(default_factory=list)
    drifts_s: dict[str, float] = field(default_factory=dict)
    problems: list[MeterNotRead] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The outcome as commands print it."""
        counts = {name: getattr(self, name) for name in ("answered", "found", "accepted", "quarantined", "batch_ids", "drifts_s")}
        return counts | {"problems": [problem.as_json() for problem in self.problems]}


def pull(database: Database, actor: Actor, addresses: Sequence[Address], question: Question, *, at: datetime, at_once: int = 16) -> Pulled:
    """Ask meters, at most `at_once` at a time, and store what they say; `at` is now.

    Raises:
        UnableToStoreReadings: the database stopped; what was stored before stays, and asking again doubles nothing.
    """
    done = Pulled()
    answers: Iterator[Any] = read_all(addresses, question, at=at, at_once=at_once)
    while some := list(islice(answers, METERS_A_PUSH)):
        heard = [answer for answer in some if not isinstance(answer, MeterNotRead)]
        done.problems += [answer for answer in some if isinstance(answer, MeterNotRead)]
        done.answered += len(heard)
        gathered = Gathered(refused=Refused(places=[f"dlms {each.meter}" for each in heard]))
        for number, each in enumerate(heard, start=1):
            if each.drift_s is not None:
                done.drifts_s[each.meter] = each.drift_s
            for reading in each.as_sent():
                gathered.add(**reading, line=number)
        if gathered.found:
            pushed = store_push(database, actor, gathered, source="dlms", at=at)
            done.batch_ids.append(pushed.batch_id)
            done.found += pushed.found
            done.accepted += pushed.accepted
            done.quarantined += pushed.quarantined
    return done
