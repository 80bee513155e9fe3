"""Commands to meters: who may ask, who must approve, what is sent, and when it is done."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from field_world import DAY, HOUR, SPRING, Field

from mains.base.problems import NotFound
from mains.devices import commands
from mains.devices.commands import ApprovalNeeded, CommandKeyReused, IllegalCommandMove, ServiceProtected, UnableToCommandMeter

MINUTE = timedelta(minutes=1)
JUNE = SPRING + 61 * DAY


@pytest.fixture(autouse=True)
def quiet(field: Field) -> None:
    """Nothing of the test before waits: it is all taken back or has failed."""
    field.ask("UPDATE devices.commands SET command_status = 'cancelled' WHERE command_status IN ('requested', 'approved') RETURNING 1")
    field.ask("UPDATE devices.commands SET command_status = 'failed' WHERE command_status IN ('sent', 'acknowledged') RETURNING 1")


@pytest.fixture
def june(request) -> object:
    """An hour that no other test uses, so that no limit of one reaches into another."""
    order = request.session.items.index(request.node) if request.node in request.session.items else 0
    return JUNE + order * 3 * HOUR


def switched(field: Field, number: str, kind: str, at) -> None:
    """A switching from asking to its confirmation, in ten minutes."""
    asked = field.order(number, kind, at)
    if asked.command_status == "requested":
        field.approve(asked, at + MINUTE)
    assert [each.command_id for each in field.claim(at + 2 * MINUTE)] == [asked.command_id]
    field.acknowledge(asked, at + 3 * MINUTE)
    (ping,) = field.claim(at + 4 * MINUTE)
    field.finish(ping, at + 10 * MINUTE, switch=commands.SWITCHING[kind])


def test_a_read_goes_out_at_once_and_brings_its_answer(field: Field, june):
    number, _ = field.smart_home()
    with field.database.transaction(actor=field.clerk) as conn:
        asked = commands.request_read(conn, number, at=june, reason="the last one was doubtful", registers=["total"], period=(june - DAY, june))

    assert (asked.command_status, asked.approved_by, asked.requested_by) == ("approved", None, "Ada Clerk")
    assert asked.arguments["registers"] == ["total"]
    (sent,) = field.claim(june + MINUTE)
    assert (sent.command_id, sent.command_status, sent.attempts, sent.leased_by) == (asked.command_id, "sent", 1, "head-end 1")
    done = field.finish(sent, june + 2 * MINUTE, total="123.4")
    assert (done.command_status, done.result, done.answered_at) == ("done", {"total": "123.4"}, june + 2 * MINUTE)


def test_a_disconnect_needs_another_person_and_a_ping_that_finds_it_so(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    assert (asked.command_status, field.claim(june)) == ("requested", [])
    with pytest.raises(ApprovalNeeded, match="Ada Clerk asked for this disconnect"):
        field.approve(asked, june, by=field.clerk)
    assert field.approve(asked, june + MINUTE).approved_by == "Ben Clerk"
    (sent,) = field.claim(june + 2 * MINUTE)
    with pytest.raises(IllegalCommandMove, match="not done by being answered"):
        field.finish(sent, june + 3 * MINUTE, switch="disconnected")
    field.acknowledge(sent, june + 3 * MINUTE)
    assert field.states(number) == []

    (ping,) = field.claim(june + 4 * MINUTE)
    with pytest.raises(UnableToCommandMeter, match="does not say how its switch stands"):
        field.finish(ping, june + 5 * MINUTE)
    field.finish(ping, june + 5 * MINUTE, switch="disconnected")

    done = field.look(asked, june + 6 * MINUTE)
    assert (ping.confirms_id, done.command_status, done.result) == (asked.command_id, "done", {"switch": "disconnected"})
    assert field.states(number) == [("disconnected", june + 3 * MINUTE, None)]


def test_a_switch_that_did_not_move_is_a_failure(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    field.approve(asked, june)
    field.acknowledge(field.claim(june)[0], june + MINUTE)
    field.finish(field.claim(june + MINUTE)[0], june + 2 * MINUTE, switch="connected")

    failed = field.look(asked, june + 3 * MINUTE)
    assert (failed.command_status, field.states(number)) == ("failed", [])
    assert failed.finding.startswith("a ping found the switch connected")


def test_a_disconnection_is_kept_from_switch_to_switch_and_ends_with_the_meter(field: Field, june):
    number, _ = field.smart_home()
    switched(field, number, "disconnect", june)
    switched(field, number, "connect", june + HOUR)
    assert field.states(number) == [("disconnected", june + 3 * MINUTE, june + HOUR + 3 * MINUTE), ("connected", june + HOUR + 3 * MINUTE, None)]
    with pytest.raises(UnableToCommandMeter, match="is connected already since"):
        field.order(number, "connect", june + 2 * HOUR)
    field.remove(number, june + 2 * HOUR)
    assert field.states(number)[-1] == ("connected", june + HOUR + 3 * MINUTE, june + 2 * HOUR)


def protect(field: Field, customer, kind: str, begin, end) -> None:
    query = "INSERT INTO customers.protections (customer_id, protection_kind, protected_period, evidence) VALUES (%s, %s, tstzrange(%s, %s), 'letter') RETURNING 1"
    field.ask(query, customer, kind, begin, end)


def test_a_protected_customer_is_not_disconnected_and_is_told_what_protects(field: Field, june):
    number, customer = field.smart_home()
    protect(field, customer, "life_support", june - DAY, None)
    protect(field, customer, "dispute", june - DAY, june + DAY)
    protect(field, customer, "medical", june - 2 * DAY, june - DAY)
    with pytest.raises(ServiceProtected) as refused:
        field.order(number, "disconnect", june)
    assert refused.value.facts == {"protections": [f"dispute until {(june + DAY).isoformat()}", "life support"]}
    assert field.order(number, "read", june).command_status == "approved"


def test_marked_customers_critical_places_and_moratoria_protect_too(field: Field, june):
    marked, _ = field.smart_home(is_protected=True)
    with pytest.raises(ServiceProtected, match="protected customer"):
        field.order(marked, "disconnect", june)
    number, _ = field.smart_home()
    mark = """UPDATE customers.service_points SET is_critical = true
        WHERE service_point_id = (SELECT service_point_id FROM devices.meter_installations JOIN devices.meters USING (meter_id) WHERE meter_number = %s) RETURNING 1"""
    field.ask(mark, number)
    with pytest.raises(ServiceProtected, match="critical facility"):
        field.order(number, "disconnect", june)
    winter = "INSERT INTO customers.moratoria (moratorium_name, moratorium_period, commodity, customer_class) VALUES (%s, tstzrange(%s, %s), %s, %s) RETURNING 1"
    field.ask(winter, "gas only", june, june + HOUR, "gas", None)
    field.ask(winter, "shops", june, june + HOUR, None, "commercial")
    home, _ = field.smart_home()
    field.cancel(field.order(home, "disconnect", june), june)
    field.ask(winter, "heat wave", june, june + HOUR, "electric", "residential")
    with pytest.raises(ServiceProtected, match="moratorium heat wave until"):
        field.order(home, "disconnect", june)
    assert field.order(home, "disconnect", june + HOUR).command_status == "requested"


def test_a_protection_that_comes_in_between_stops_the_disconnect(field: Field, june):
    number, customer = field.smart_home()
    other, neighbour = field.smart_home()
    first, second = field.order(number, "disconnect", june), field.order(other, "disconnect", june)
    field.approve(second, june)
    for each in (customer, neighbour):
        protect(field, each, "medical", june, None)
    with pytest.raises(ServiceProtected):
        field.approve(first, june + MINUTE)

    assert field.claim(june + MINUTE) == []
    stopped = field.look(second, june + MINUTE)
    assert (stopped.command_status, stopped.finding) == ("cancelled", "protected: medical")


def test_a_burst_of_disconnects_needs_a_third_person(field: Field, june):
    with field.database.transaction(actor=field.clerk) as conn:
        commands.set_limits(conn, commands_per_minute=100, disconnects_per_hour=2)
    asked = [field.order(field.smart_home()[0], "disconnect", june) for _ in range(3)]
    for each in asked[:2]:
        assert field.approve(each, june).command_status == "approved"

    once = field.approve(asked[2], june + MINUTE)
    assert (once.command_status, once.approved_by) == ("requested", "Ben Clerk")
    assert once.second_approval_because == "2 disconnects were approved in the hour before, and 2 are allowed"
    with pytest.raises(ApprovalNeeded, match="Ben Clerk approved this disconnect"):
        field.approve(asked[2], june + MINUTE)
    twice = field.approve(asked[2], june + 2 * MINUTE, by=field.third)
    assert (twice.command_status, twice.second_approved_by) == ("approved", "Cleo Clerk")
    with field.database.transaction(actor=field.clerk) as conn:
        commands.set_limits(conn, commands_per_minute=120, disconnects_per_hour=20)


def test_no_more_is_sent_in_a_minute_than_the_utility_allows(field: Field, june):
    with field.database.transaction(actor=field.clerk) as conn:
        commands.set_limits(conn, commands_per_minute=2, disconnects_per_hour=20)
    number, _ = field.smart_home()
    for _ in range(3):
        field.order(number, "ping", june)
    assert [len(field.claim(june)), len(field.claim(june + MINUTE / 2)), len(field.claim(june + MINUTE))] == [2, 0, 1]
    with field.database.transaction(actor=field.clerk) as conn:
        commands.set_limits(conn, commands_per_minute=120, disconnects_per_hour=20)


def test_workers_at_once_never_take_the_same_command(field: Field, june):
    number, _ = field.smart_home()
    wanted = {field.order(number, "ping", june).command_id for _ in range(12)}
    with ThreadPoolExecutor(4) as pool:
        taken = [each.command_id for claimed in pool.map(lambda n: field.claim(june + MINUTE, worker=f"worker {n}", limit=4), range(4)) for each in claimed]
    assert len(taken) == 12
    assert set(taken) == wanted


def test_a_command_whose_worker_died_goes_out_again_and_then_fails(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    field.approve(asked, june)
    for attempt in (1, 2, 3):
        at = june + attempt * 10 * MINUTE
        assert [(each.command_id, each.attempts) for each in field.claim(at)] == [(asked.command_id, attempt)]
        assert field.claim(at + MINUTE) == []
    late = june + 50 * MINUTE
    assert field.claim(late) == []
    assert field.expire(late) == 1

    failed = field.look(asked, late)
    assert (failed.command_status, failed.finding) == ("failed", "nothing was heard after it went out, times 3")
    (ping,) = field.claim(late)
    assert (ping.command_kind, ping.reason) == ("ping", "nothing was heard of the disconnect")
    field.finish(ping, late + MINUTE, switch="disconnected")
    assert field.states(number) == [("disconnected", late + MINUTE, None)]


def test_a_switching_that_cannot_be_confirmed_fails(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    field.approve(asked, june)
    field.acknowledge(field.claim(june)[0], june)
    field.fail(field.claim(june)[0], june + MINUTE)
    failed = field.look(asked, june + MINUTE)
    assert (failed.command_status, failed.finding) == ("failed", "no read or ping confirmed it")


def test_a_command_is_not_sent_after_its_time(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june, life=HOUR)
    late = june + HOUR
    assert field.look(asked, late).command_status == "expired"
    with pytest.raises(IllegalCommandMove, match="is expired and cannot be approved"):
        field.approve(asked, late)
    again = field.order(number, "disconnect", late)
    field.approve(again, late)
    assert field.claim(late + 25 * HOUR) == []
    assert field.expire(late + 25 * HOUR) == 1
    assert field.look(again, late).command_status == "expired"


def test_the_same_key_gives_the_same_command(field: Field, june):
    number, _ = field.smart_home()
    first, again = (field.order(number, "read", june + i * MINUTE, idempotency_key=f"key of {number}") for i in range(2))
    assert first.command_id == again.command_id
    with pytest.raises(CommandKeyReused, match="read of meter"):
        field.order(number, "ping", june, idempotency_key=f"key of {number}")


@pytest.mark.parametrize("verb", ["approve", "cancel", "acknowledge", "finish", "fail"])
def test_a_done_command_is_done(field: Field, june, verb: str):
    number, _ = field.smart_home()
    field.order(number, "ping", june)
    (ping,) = field.claim(june)
    field.finish(ping, june + MINUTE)
    with pytest.raises(IllegalCommandMove) as refused:
        getattr(field, verb)(ping, june + 2 * MINUTE)
    assert refused.value.cure


def test_the_database_itself_keeps_the_path_of_a_command(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="cannot go from requested to done"):
        field.ask("UPDATE devices.commands SET command_status = 'done', approved_by = 'x' WHERE command_id = %s RETURNING 1", asked.command_id)


def test_a_meter_takes_one_switching_at_a_time_and_only_where_it_hangs_with_a_switch(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    with pytest.raises(UnableToCommandMeter, match="has a disconnect that is requested"):
        field.order(number, "disconnect", june)
    field.cancel(asked, june)
    plain = field.meter(model_code=field.model(has_switch=False))
    with pytest.raises(UnableToCommandMeter, match="hangs nowhere"):
        field.order(plain, "ping", SPRING + HOUR)
    field.install(plain, field.point())
    with pytest.raises(UnableToCommandMeter, match="of a type without a switch"):
        field.order(plain, "connect", june)
    with pytest.raises(NotFound):
        field.order("no such meter", "ping", june)


def test_what_waits_for_a_meter_is_taken_back_when_it_is_removed(field: Field, june):
    number, _ = field.smart_home()
    asked = field.order(number, "disconnect", june)
    field.remove(number, june + HOUR)
    assert (field.look(asked, june + HOUR).command_status, field.claim(june + HOUR)) == ("cancelled", [])


def test_the_neighbour_sees_no_command_of_ours(field: Field, neighbour, june):
    number, _ = field.smart_home()
    asked = field.order(number, "ping", june)
    with field.database.transaction(actor=neighbour) as conn:
        assert commands.claim(conn, worker="theirs", at=june + MINUTE) == []
        with pytest.raises(NotFound):
            commands.cancel(conn, asked.command_id, at=june, reason="x")
