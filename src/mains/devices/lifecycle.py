"""The life of a meter: registered into inventory, installed, removed, restocked or retired. Every step has its instant, its reason and who entered it.

What the meter measures is metering's: `mains.metering.fieldwork` does these steps together with channels and register reads. The caller owns the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg import Connection

from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.base.units import UNITS
from mains.devices import operations, queries
from mains.devices.queries import Meter

_sql = Statements("mains.devices", "operations.sql")

LONGEST_REASON = 2000


class UnableToRegisterMeter(Problem):
    """The meter, or the type of meter, cannot be registered as given."""

    status = 409


class IllegalStep(Problem):
    """A meter cannot take this step from where it is."""

    status = 409


class StepOutOfTime(Problem):
    """The step lies in the future, or before another step of the same meter."""

    status = 409


class ServicePointTaken(Problem):
    """Another meter of the same commodity hangs at the service point."""

    status = 409


class WrongCommodity(Problem):
    """The meter measures something else than the service point supplies."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChannel:
    """A register that every meter of a type has: value in `unit` = raw x 10^`pow10` x `multiplier`; `interval_s` None where it is read now and then."""

    register: str
    unit: str
    flow: str = "delivered"
    pow10: int = 0
    multiplier: Decimal = Decimal(1)
    interval_s: int | None = None


def define_model(
    conn: Connection, *, model_code: str, commodity: str, channels: Sequence[ModelChannel], manufacturer: str | None = None, model: str | None = None,
    dial_digits: int | None = None, has_switch: bool = False,
) -> UUID:  # fmt: skip
    """Enter a type of meter with what it measures, or change one: meters that are installed from then on get these channels. Its key.

    Raises:
        UnableToRegisterMeter: it has no register, one twice, a unit that is not known, or a value that cannot be.
    """
    registers = [channel.register for channel in channels]
    unknown = sorted({channel.unit for channel in channels} - UNITS.keys())
    if not channels or len(set(registers)) < len(registers) or unknown:
        said = f"the unit {unknown[0]!r} is not known" if unknown else "it has no register, or one of them twice"
        raise UnableToRegisterMeter(f"type {model_code}: {said}", cure=f"give each register once, in one of {', '.join(UNITS)}")
    values = {"model_code": model_code, "commodity": commodity, "manufacturer": manufacturer, "model": model, "dial_digits": dial_digits, "has_switch": has_switch}
    columns = {name: [getattr(channel, name) for channel in channels] for name in ("register", "flow", "unit", "pow10", "multiplier", "interval_s")}
    try:
        with conn.transaction():
            row = conn.execute(_sql.define_model, values).fetchone()
            assert row is not None  # INSERT … RETURNING always answers
            conn.execute(_sql.drop_model_channels, {"meter_model_id": row[0]})
            conn.execute(_sql.define_model_channels, columns | {"meter_model_id": row[0]})
    except psycopg.errors.CheckViolation as error:
        cure = "a code has letters, digits and . _ -, dials have 3 to 12 digits, a multiplier is above 0, intervals divide the day"
        raise UnableToRegisterMeter(f"type {model_code}: {error.diag.message_primary}", cure=cure) from error
    return row[0]


def register(
    conn: Connection, *, meter_number: str, commodity: str | None = None, model_code: str | None = None, dial_digits: int | None = None, at: datetime, now: datetime, reason: str
) -> Meter:
    """Take a new meter into inventory; what its type says need not be given.

    Raises:
        UnableToRegisterMeter: the number is taken or cannot be one, or nothing says what it measures.
        NotFound: there is no such type.
        StepOutOfTime: `at` lies in the future.
    """
    found = queries.model_by_code(conn, model_code) if model_code else None
    measured = commodity or (found.commodity if found else None)
    if measured is None or (found and found.commodity != measured):
        said = "its type says another commodity" if measured else "nothing says whether it measures electric, gas or water"
        raise UnableToRegisterMeter(f"meter {meter_number}: {said}", cure="give its type, or its commodity")
    if not 1 <= len(meter_number) <= 100 or not meter_number.isprintable() or meter_number != meter_number.strip():
        raise UnableToRegisterMeter("a meter's number has 1 to 100 letters, digits and signs", cure="give the number that is printed on it")
    check_step(at=at, now=now, reason=reason)
    conn.execute(_sql.give_reason, {"reason": reason})
    values = {
        "meter_number": meter_number, "commodity": measured, "dial_digits": dial_digits or (found.dial_digits if found else None),
        "manufacturer": found.manufacturer if found else None, "model": found.model if found else None, "meter_model_id": found.meter_model_id if found else None,
    }  # fmt: skip
    try:
        with conn.transaction():
            row = conn.execute(_sql.register_meter, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise UnableToRegisterMeter(f"meter number {meter_number} is taken", cure="give another number, or look at the meter that has it") from error
    except psycopg.errors.CheckViolation as error:
        raise UnableToRegisterMeter(f"meter {meter_number}: {error.diag.message_primary}", cure="it measures electric, gas or water, and its dial has 3 to 12 digits") from error
    assert row is not None  # INSERT … RETURNING always answers
    _note(conn, row[0], "registered", at=at, now=now, reason=reason)
    return meter_by_number(conn, meter_number)


def meter_by_number(conn: Connection, meter_number: str) -> Meter:
    """One meter.

    Raises:
        NotFound: no meter has that number here.
    """
    found = queries.meters_by_number(conn, [meter_number]).get(meter_number)
    if found is None:
        raise NotFound(f"there is no meter {meter_number[:100]} here", cure="see mains meters list, or register it")
    return found


def install(
    conn: Connection, meter_number: str, *, service_point_id: UUID, at: datetime, now: datetime, reason: str, kind: str = "new", is_beside: bool = False
) -> UUID:
    """Hang a meter at a service point from an instant on; the installation's key. `is_beside` lets it hang beside another meter of the commodity.

    Raises:
        NotFound: there is no such meter or service point.
        IllegalStep: the meter hangs somewhere, or was removed or retired.
        StepOutOfTime: `at` lies in the future, or not after the meter's last step.
        WrongCommodity, ServicePointTaken: the place is not one for it.
    """
    meter = _begin(conn, meter_number, at=at, now=now, reason=reason)
    point = queries.service_point(conn, service_point_id)
    last = queries.installations_of(conn, [meter.meter_id])[-1:]
    if meter.meter_status in ("removed", "retired") or (last and last[0].to_at is None):
        cures = {"removed": "take it back into inventory first: mains meters restock", "retired": "a retired meter is never used again: take another one"}
        where = f"is {meter.meter_status}" if meter.meter_status != "active" else "hangs somewhere already"
        raise IllegalStep(f"meter {meter_number} {where}", cure=cures.get(meter.meter_status, "remove it there first, or exchange it"))
    _check_after_last(conn, meter, at)
    if point.commodity != meter.commodity:
        raise WrongCommodity(f"meter {meter_number} measures {meter.commodity}, service point {point.service_point_number} supplies {point.commodity}", cure="take a meter for it")
    others = queries.meters_at(conn, service_point_id, at=at)
    if others and not is_beside:
        taken = f"meter {others[0]} hangs at service point {point.service_point_number} at {at.isoformat()}"
        raise ServicePointTaken(taken, cure=f"exchange it: mains meters exchange {others[0]} {meter_number}; or say that both hang there: --beside")
    installed = operations.install_meter(conn, meter_id=meter.meter_id, service_point_id=service_point_id, from_at=at, reason=kind)
    _note(conn, meter.meter_id, "installed", at=at, now=now, reason=reason, installation=installed)
    return installed


def remove(conn: Connection, meter_number: str, *, at: datetime, now: datetime, reason: str) -> UUID:
    """Take a meter down at an instant; the installation that ends. Its switch has no state from then on, and commands that were not sent yet are taken back.

    Raises:
        NotFound: there is no such meter.
        IllegalStep: it hangs nowhere.
        StepOutOfTime: `at` lies in the future, or not after its installation.
    """
    meter = _begin(conn, meter_number, at=at, now=now, reason=reason)
    last = queries.installations_of(conn, [meter.meter_id])[-1:]
    if not last or last[0].to_at is not None:
        raise IllegalStep(f"meter {meter_number} hangs nowhere", cure="look at its installations: mains meters show")
    _check_after_last(conn, meter, at)
    ended = operations.remove_meter(conn, meter_id=meter.meter_id, at=at)
    conn.execute(_sql.end_service_states, {"meter_id": meter.meter_id, "at": at})
    conn.execute(_sql.cancel_commands_of, {"meter_id": meter.meter_id, "finding": f"the meter was removed at {at.isoformat()}", "at": now})
    _note(conn, meter.meter_id, "removed", at=at, now=now, reason=reason, installation=ended)
    return ended


def exchange(conn: Connection, old_number: str, new_number: str, *, at: datetime, now: datetime, reason: str) -> tuple[UUID, UUID]:
    """Take one meter down and hang another in its place at the same instant: the installation that ends, and the one that begins.

    Raises:
        As `remove` and `install`; and IllegalStep where both are one.
    """
    if old_number == new_number:
        raise IllegalStep(f"meter {old_number} cannot be exchanged for itself", cure="give the number of the meter that takes its place")
    meter = meter_by_number(conn, old_number)
    last = queries.installations_of(conn, [meter.meter_id])[-1:]
    ended = remove(conn, old_number, at=at, now=now, reason=reason)
    begun = install(conn, new_number, service_point_id=last[0].service_point_id, at=at, now=now, reason=reason, kind="exchange", is_beside=True)
    return ended, begun


def restock(conn: Connection, meter_number: str, *, at: datetime, now: datetime, reason: str) -> None:
    """Take a removed meter, or one that a file brought and that hangs nowhere, into inventory.

    Raises:
        NotFound, IllegalStep, StepOutOfTime: it cannot be restocked then.
    """
    _put_away(conn, meter_number, step="restocked", status="inventory", at=at, now=now, reason=reason, cure="only a meter that was removed goes back into inventory")


def retire(conn: Connection, meter_number: str, *, at: datetime, now: datetime, reason: str) -> None:
    """Take a meter out of use for good.

    Raises:
        NotFound, IllegalStep, StepOutOfTime: it cannot be retired then.
    """
    _put_away(conn, meter_number, step="retired", status="retired", at=at, now=now, reason=reason, cure="remove it first; a retired meter stays retired")


def _put_away(conn: Connection, meter_number: str, *, step: str, status: str, at: datetime, now: datetime, reason: str, cure: str) -> None:
    meter = _begin(conn, meter_number, at=at, now=now, reason=reason)
    allowed = ("removed", "unassigned") if status == "inventory" else ("removed", "unassigned", "inventory")
    if meter.meter_status not in allowed:
        raise IllegalStep(f"meter {meter_number} is {meter.meter_status} and cannot be {step}", cure=cure)
    _check_after_last(conn, meter, at)
    conn.execute(_sql.set_status, {"meter_id": meter.meter_id, "status": status})
    _note(conn, meter.meter_id, step, at=at, now=now, reason=reason)


def check_step(*, at: datetime, now: datetime, reason: str) -> None:
    """Refuse a step without a reason, or one that has not come yet.

    Raises:
        IllegalStep: no reason is given, or a longer one than is kept.
        StepOutOfTime: `at` is after `now`.
    """
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise IllegalStep("no reason is given" if not reason.strip() else f"the reason has more than {LONGEST_REASON} letters", cure="say why, for the record")
    if at > now:
        raise StepOutOfTime(f"{at.isoformat()} has not come yet", cure="enter the step when it was done; check the clock it was taken from")


def _begin(conn: Connection, meter_number: str, *, at: datetime, now: datetime, reason: str) -> Meter:
    """The meter, kept for this transaction, and the reason given to the audit log; a step that has no reason or has not come yet is refused."""
    meter = meter_by_number(conn, meter_number)
    check_step(at=at, now=now, reason=reason)
    conn.execute(_sql.lock_meter, {"meter_id": meter.meter_id})
    conn.execute(_sql.give_reason, {"reason": reason})
    return meter_by_number(conn, meter_number)


def _check_after_last(conn: Connection, meter: Meter, at: datetime) -> None:
    """Refuse a step that does not come after the meter's last one; the same instant will do for what follows at once."""
    row = conn.execute(_sql.last_step, {"meter_id": meter.meter_id}).fetchone()
    if row is not None and row[0] is not None and (at < row[0] or (row[1] and at == row[0])):
        message = f"meter {meter.meter_number} took its last step at {row[0].isoformat()}, not before {at.isoformat()}"
        raise StepOutOfTime(message, cure="give the instant at which it was done, after that")


def _note(conn: Connection, meter_id: UUID, step: str, *, at: datetime, now: datetime, reason: str, installation: UUID | None = None) -> None:
    """Keep the step."""
    conn.execute(_sql.note_step, {"meter_id": meter_id, "step": step, "at": at, "now": now, "reason": reason.strip(), "installation": installation})
