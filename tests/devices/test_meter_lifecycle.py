"""The life of a meter: what it may do from where it is, and what is kept of it."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import psycopg
import pytest
from field_world import DAY, HOUR, NOW, SPRING, Field, figures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mains.base.problems import NotFound, Problem
from mains.devices import lifecycle, queries
from mains.devices.lifecycle import IllegalStep, ModelChannel, ServicePointTaken, StepOutOfTime, UnableToRegisterMeter, WrongCommodity
from mains.metering import fieldwork, importing, store
from mains.metering import operations as metering
from mains.metering import queries as metering_queries
from mains.metering.blocks import encode
from mains.metering.channel_changes import UnableToChangeChannel, change_channel
from mains.metering.fieldwork import FigureNotKept, UnknownRegister
from mains.metering.registers import usage_between


def test_a_meter_goes_from_inventory_to_a_home_and_back(field: Field):
    number, point = field.meter(), field.point()
    assert field.status(number) == "inventory"
    field.install(number, point)
    assert field.status(number) == "active"
    field.remove(number, SPRING + DAY)
    field.restock(number, SPRING + DAY)
    field.install(number, point, SPRING + 2 * DAY)
    field.remove(number, SPRING + 3 * DAY)
    field.retire(number, SPRING + 3 * DAY)

    assert field.status(number) == "retired"
    assert field.steps(number) == ["registered", "installed", "removed", "restocked", "installed", "removed", "retired"]
    assert field.places(number) == [(SPRING, SPRING + DAY, "new"), (SPRING + 2 * DAY, SPRING + 3 * DAY, "new")]
    said = field.ask("SELECT change_reason FROM identity.utility_audit_log WHERE table_name = 'devices.meter_installations' ORDER BY audit_id DESC LIMIT 1")
    assert said == [("house torn down",)]


def test_a_type_says_what_its_meters_measure(field: Field):
    number = field.meter(model_code=field.model())

    hung = field.install(number, field.point(timezone="Europe/Berlin"), figures=figures(total="12.5"))

    assert [(each.register, each.unit, each.interval_s, each.utc_offset_min) for each in hung.channels] == [("1", "Wh", 900, 60), ("total", "kWh", None, 60)]
    assert field.ask("SELECT raw, read_at FROM metering.register_reads WHERE channel_id = %s", hung.channels[1].channel_id) == [(125, SPRING)]
    assert field.ask("SELECT format, readings_found, readings_new, raw_sum FROM metering.ingest_batches WHERE batch_id = %s", hung.batch_id) == [("fieldwork", 1, 1, 125)]


def test_a_meter_that_moves_to_another_zone_counts_its_days_there(field: Field):
    number = field.meter(model_code=field.model())
    (first, _) = field.install(number, field.point()).channels
    field.remove(number, SPRING + DAY)
    field.restock(number, SPRING + DAY)

    hung = field.install(number, field.point(timezone="Asia/Kolkata"), SPRING + 2 * DAY + timedelta(minutes=7))

    (moved,) = (each for each in hung.channels if each.register == "1")
    assert (moved.utc_offset_min, moved.in_service_from, first.utc_offset_min) == (330, SPRING + 2 * DAY, -360)


def test_an_exchange_ends_one_meter_and_begins_the_next_at_one_instant(field: Field):
    point, model = field.point(), field.model()
    old, new = field.meter(model_code=model), field.meter(model_code=model)
    first = field.install(old, point, figures=figures(total="99990.0"))
    at = SPRING + 10 * DAY + 7 * HOUR + timedelta(minutes=11)

    done = field.exchange(old, new, at, last_figures=figures(total="6.5"), first_figures=figures(total="0"))

    assert (field.status(old), field.status(new)) == ("removed", "active")
    assert field.places(old) == [(SPRING, at, "new")]
    assert field.places(new) == [(at, None, "exchange")]
    with field.database.transaction(actor=field.clerk) as conn:
        (used,) = usage_between(conn, [(first.channels[1].channel_id, SPRING, at, 6)])
    assert (used.raw, used.rolled_over) == (165, True)
    assert [each.register for each in done.begun.channels] == ["1", "total"]


def test_a_new_meter_without_a_type_gets_the_registers_of_the_old_one(field: Field):
    old, new = field.meter(model_code=field.model()), field.meter()
    field.install(old, field.point())
    assert [each.register for each in field.exchange(old, new, SPRING + DAY).begun.channels] == ["1", "total"]


def test_late_readings_of_a_removed_meter_are_still_its(field: Field, tmp_path):
    old, new = field.meter(model_code=field.model()), field.meter(model_code=field.model())
    field.install(old, field.point())
    field.exchange(old, new, SPRING + DAY)
    late = [f"{old},1,{(SPRING + DAY + timedelta(minutes=15 * i)).isoformat()},100,Wh,15" for i in range(-4, 4)]
    path = tmp_path / "late.csv"
    path.write_text("\n".join(["meter,register,start,value,unit,interval_minutes", *late]) + "\n")

    report = importing.import_files(field.database, field.clerk, [path], at=NOW)

    assert (report.total("accepted"), report.total("quarantined")) == (8, 0)
    assert report.reasons["meter-not-installed"].severity == "warning"


@pytest.mark.parametrize("state", ["inventory", "active", "removed", "retired"])
def test_only_steps_from_where_the_meter_is_are_taken(field: Field, state: str):
    number, point = field.meter(), field.point()
    if state != "inventory":
        field.install(number, point)
    if state in ("removed", "retired"):
        field.remove(number, SPRING + DAY)
    if state == "retired":
        field.retire(number, SPRING + DAY)
    later = SPRING + 2 * DAY
    steps = {
        "install": (lambda: field.install(number, field.point(), later), ("inventory",)),
        "remove": (lambda: field.remove(number, later), ("active",)),
        "restock": (lambda: field.restock(number, later), ("removed",)),
        "retire": (lambda: field.retire(number, later), ("removed", "inventory")),
        "exchange": (lambda: field.exchange(number, field.meter(), later), ("active",)),
    }
    for name, (take, allowed) in steps.items():
        if state not in allowed:
            with pytest.raises(IllegalStep) as refused:
                take()
            assert refused.value.cure, name
    assert field.status(number) == state


def test_the_database_itself_keeps_the_path(field: Field):
    number = field.meter()
    field.retire(number, SPRING)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="cannot go from retired to active"):
        field.ask("UPDATE devices.meters SET meter_status = 'active' WHERE meter_number = %s RETURNING 1", number)


def test_a_step_comes_after_the_one_before_and_never_from_the_future(field: Field):
    number, point = field.meter(), field.point()
    with pytest.raises(StepOutOfTime, match="has not come yet"):
        field.install(number, point, NOW + timedelta(seconds=1))
    with pytest.raises(StepOutOfTime, match="took its last step"):
        field.install(number, point, SPRING - 365 * DAY)
    field.install(number, point)
    for at in (SPRING, SPRING - DAY):
        with pytest.raises(StepOutOfTime):
            field.remove(number, at)
    with pytest.raises(IllegalStep, match="no reason"):
        field.remove(number, SPRING + DAY, reason="  ")


def test_a_meter_hangs_where_it_belongs_and_alone(field: Field):
    first, second, gas, point = field.meter(), field.meter(), field.meter(commodity="gas"), field.point()
    field.install(first, point)
    with pytest.raises(ServicePointTaken, match=first):
        field.install(second, point, SPRING + DAY)
    field.install(second, point, SPRING + DAY, is_beside=True)
    with pytest.raises(WrongCommodity):
        field.install(gas, point, SPRING + DAY)
    with pytest.raises(IllegalStep, match="for itself"):
        field.exchange(first, first, SPRING + 2 * DAY)


def test_a_failed_exchange_leaves_the_old_meter_where_it_was(field: Field):
    old, gas = field.meter(), field.meter(commodity="gas")
    field.install(old, field.point())
    with pytest.raises(WrongCommodity):
        field.exchange(old, gas, SPRING + DAY)
    assert field.places(old) == [(SPRING, None, "new")]


@pytest.mark.parametrize(
    ("shown", "error"),
    [({"other": "1"}, UnknownRegister), *(({"total": figure}, FigureNotKept) for figure in ("1.25", "100000", "-1", "NaN"))],
)
def test_a_figure_is_one_that_the_dial_can_show(field: Field, shown, error):
    number = field.meter(model_code=field.model())
    with pytest.raises(error) as refused:
        field.install(number, field.point(), figures=figures(**shown))
    assert refused.value.cure
    assert field.status(number) == "inventory"


def test_numbers_and_types_are_held_to_what_they_can_be(field: Field):
    number = field.meter()
    with field.database.transaction(actor=field.clerk) as conn:
        for name, commodity in ((number, "gas"), ("", "gas"), ("N-1", None), ("N-1", "steam")):
            with pytest.raises(UnableToRegisterMeter):
                lifecycle.register(conn, meter_number=name, commodity=commodity, at=SPRING, now=NOW, reason="x")
        with pytest.raises(NotFound):
            lifecycle.register(conn, meter_number="N-1", model_code="no-such", at=SPRING, now=NOW, reason="x")
        twice = [ModelChannel(register="1", unit="Wh"), ModelChannel(register="1", unit="Wh")]
        for channels in ([], twice, [ModelChannel(register="1", unit="furlong")], [ModelChannel(register="1", unit="Wh", interval_s=7)]):
            with pytest.raises(UnableToRegisterMeter):
                lifecycle.define_model(conn, model_code="T-1", commodity="electric", channels=channels)


def test_the_neighbour_sees_no_meter_of_ours(field: Field, neighbour):
    number = field.meter()
    with pytest.raises(NotFound), field.database.transaction(actor=neighbour) as conn:
        lifecycle.retire(conn, number, at=NOW, now=NOW, reason="x")


# Commissioning -----------------------------------------------------------------------------------------------------------------------------------------------------


def measured(field: Field, channel, wh: int, *, days: int = 3) -> None:
    first = SPRING + HOUR  # standard-time midnight
    blocks = encode(
        channel_id=np.full(days, channel.channel_id), block_start=int(first.timestamp()) + 86_400 * np.arange(-1, days - 1), values=np.full((days, 96), wh, dtype=np.int32),
        utc_offset_min=-360,
    )  # fmt: skip
    with field.database.transaction(actor=field.clerk) as conn:
        batch = metering.open_batch(conn, source="t", format="arrays", sha256=bytes(32), at=NOW)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=field.clerk.utility_id, batch_id=batch)
        store.merge_staged(conn, utility_id=field.clerk.utility_id, batch_id=batch)
        metering.close_batch(conn, batch_id=batch, found=blocks.readings, accepted=blocks.readings, new=blocks.readings)


def read_off(field: Field, channel, at, raw: int) -> None:
    field.ask("INSERT INTO metering.register_reads (channel_id, read_at, raw, batch_id) VALUES (%s, %s, %s, 1) RETURNING 1", channel.channel_id, at, raw)


@pytest.mark.parametrize(("moved", "outcome"), [(240, "agrees"), (242, "agrees"), (243, "differs"), (2400, "differs")])
def test_a_meter_is_commissioned_where_its_register_moved_as_its_intervals_add_up(field: Field, moved: int, outcome: str):
    number = field.meter(model_code=field.model())
    intervals, dial = field.install(number, field.point(), figures=figures(total="7")).channels
    measured(field, intervals, 250)
    read_off(field, dial, SPRING + DAY, 70 + moved)

    with field.database.transaction(actor=field.clerk) as conn:
        (found,) = fieldwork.commission(conn, number, at=SPRING + 2 * DAY)
        (kept,) = queries.commissionings_of(conn, lifecycle.meter_by_number(conn, number).meter_id)

    assert (found.outcome, found.interval_total, found.register_total, found.tolerance) == (outcome, Decimal(24), Decimal(moved) / 10, Decimal("0.2"))
    assert (kept.outcome, kept.from_at, kept.to_at, kept.actor) == (outcome, SPRING, SPRING + DAY, "Ada Clerk")


def test_a_commissioning_without_reads_or_intervals_says_so(field: Field):
    number = field.meter(model_code=field.model())
    intervals, dial = field.install(number, field.point(), figures=figures(total="7")).channels
    with field.database.transaction(actor=field.clerk) as conn:
        (found,) = fieldwork.commission(conn, number, at=SPRING + DAY)
    assert (found.outcome, found.finding) == ("not_comparable", "register total: it was not read twice since the meter was hung")
    read_off(field, dial, SPRING + DAY, 310)
    with field.database.transaction(actor=field.clerk) as conn:
        (found,) = fieldwork.commission(conn, number, at=SPRING + DAY)
    assert found.finding == "register total: 96 intervals between its reads are missing"
    measured(field, intervals, 250)
    with field.database.transaction(actor=field.clerk) as conn, pytest.raises(Problem, match="hangs nowhere"):
        fieldwork.commission(conn, field.meter(), at=SPRING + DAY)


# Any sequence ---------------------------------------------------------------------------------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.sampled_from(["install", "remove", "exchange", "restock", "retire", "change"]), st.integers(0, 2), st.integers(0, 1), st.integers(0, 3)), max_size=14)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_done_a_meter_is_in_one_place_and_its_state_says_so(field: Field, steps):
    model = field.model((ModelChannel(register="1", unit="Wh", interval_s=900),))
    meters, points, at = [field.meter(model_code=model) for _ in range(3)], [field.point(), field.point()], SPRING
    for verb, which, where, hours in steps:
        at += hours * HOUR
        one, other = meters[which], meters[(which + 1) % 3]
        take = {
            "install": lambda one=one, where=where, at=at: field.install(one, points[where], at),
            "remove": lambda one=one, at=at: field.remove(one, at),
            "exchange": lambda one=one, other=other, at=at: field.exchange(one, other, at),
            "restock": lambda one=one, at=at: field.restock(one, at),
            "retire": lambda one=one, at=at: field.retire(one, at),
            "change": lambda one=one, at=at: change_multiplier(field, one, at),
        }[verb]
        with suppress(Problem):
            take()
    check_invariants(field, meters, points)


def change_multiplier(field: Field, number: str, at) -> None:
    with field.database.transaction(actor=field.clerk) as conn:
        serving = [each for each in metering_queries.channels_of_meters(conn, [number]) if each.is_in_service(at)]
        if not serving:
            raise UnableToChangeChannel("it has no channel yet", cure="install it")
        change_channel(conn, serving[0].channel_id, at=at, now=NOW, reason="another transformer", multiplier=serving[0].multiplier + 1)


def check_invariants(field: Field, meters, points) -> None:
    for number in meters:
        hung, state = field.places(number), field.status(number)
        assert all(before[1] is not None and before[1] <= after[0] for before, after in pairwise(hung))
        assert (state == "active") == any(until is None for _, until, _ in hung)
        assert (state == "removed") == (field.steps(number)[-1] == "removed")
        channels = field.ask(
            "SELECT in_service FROM metering.channels c JOIN devices.meters m USING (meter_id) WHERE m.meter_number = %s AND register = '1' ORDER BY in_service", number
        )
        assert bool(channels) == bool(hung)
        assert all(before[0].upper == after[0].lower for before, after in pairwise(channels))
        assert not channels or (channels[0][0].lower is None and channels[-1][0].upper is None)
    for point in points:
        query = """SELECT count(*) FROM devices.meter_installations a JOIN devices.meter_installations b USING (service_point_id)
            WHERE a.service_point_id = %s AND a.meter_id < b.meter_id AND a.installed_period && b.installed_period"""
        assert field.ask(query, point) == [(0,)]
