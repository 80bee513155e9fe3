"""What a person may do on a page: each verb is one of a domain's, as the person signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from fastapi import Request

from mains.base.db import Actor, Database
from mains.base.http import actor_of
from mains.base.problems import Problem
from mains.metering import queries
from mains.metering.vee import edits, filling, work_list
from mains.metering.vee.queries import vee_exception
from mains.web.format import plural


class FormNotUnderstood(Problem):
    """A form was sent that a page would not send."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class PageActs:
    """What one person may do at one instant."""

    database: Database
    actor: Actor
    at: datetime

    def decide(self, action: str, ids: Sequence[int], *, reason: str) -> str:
        """Accept, estimate or ask again for the readings of exceptions; what became of it, in a sentence.

        Raises:
            FormNotUnderstood: no exception was chosen, or the action is none of these.
        """
        if not ids:
            raise FormNotUnderstood("no exception was chosen", cure="tick those that are meant, then say what to do with them")
        reason = work_list.checked_reason(reason)
        if action == "accept":
            decided = work_list.accept(self.database, self.actor, ids, at=self.at, reason=reason)
            return f"{plural(len(decided.exceptions), 'exception')} accepted; {plural(decided.readings, 'reading')} count again."
        if action == "estimate":
            filled = filling.estimate_exceptions(self.database, self.actor, ids, at=self.at, reason=reason)
            left = f" {plural(len(filled.left), 'exception')} stay open: nothing to learn an estimate from." if filled.left else ""
            return f"{plural(filled.readings, 'reading')} estimated, {plural(len(filled.settled), 'exception')} settled.{left}"
        if action == "re_read":
            asked = work_list.re_read(self.database, self.actor, ids, at=self.at, reason=reason)
            refused = f" {plural(len(asked.refused), 'meter')} could not be asked: {asked.refused[0]['why']}." if asked.refused else ""
            return f"{plural(len(asked.exceptions), 'meter')} asked again.{refused}"
        raise FormNotUnderstood(f"there is no action {action[:40]!r}", cure="accept, estimate or re_read")

    def edit(self, exception_id: int, values: dict[int, str], *, reason: str) -> str:
        """Put typed values, in the channel's unit and by number of the interval inside the exception, in place of its readings.

        Raises:
            FormNotUnderstood: a value is no number, or finer than the channel's step.
        """
        with self.database.transaction(actor=self.actor) as conn:
            found = vee_exception(conn, exception_id)
            channel = queries.channels_by_id(conn, [found.channel_id])[0]
        step = channel.interval_s or 900
        raws: list[int | None] = []
        for n in range(int((found.to_at - found.from_at).total_seconds()) // step):
            text = values.get(n, "").strip().replace(",", "")
            raws.append(_raw(text, channel.step, n) if text else None)
        made = edits.propose_edit(
            self.database, self.actor, channel_id=found.channel_id, from_at=found.from_at, values=raws, at=self.at, reason=reason, vee_exception_id=exception_id
        )
        if made.edit_status == "proposed":
            return "The edit is proposed; it takes effect when somebody else approves it."
        return f"{plural(sum(raw is not None for raw in raws), 'reading')} edited."


def _raw(text: str, step: Decimal, number: int) -> int:
    try:
        raw = Decimal(text) / step
    except InvalidOperation as error:
        raise FormNotUnderstood(f"{text[:40]!r}, the value of interval {number + 1}, is no number", cure="write digits with a point, or leave it empty") from error
    if not raw.is_finite() or raw != raw.to_integral_value():
        raise FormNotUnderstood(f"{text[:40]} is no whole number of the meter's steps of {step.normalize():f}", cure="round it to a step")
    return int(raw)


def acts_for(request: Request) -> PageActs:
    """What a request may do, as the person who is signed in."""
    return PageActs(database=request.app.state.database, actor=actor_of(request), at=request.app.state.clock())
