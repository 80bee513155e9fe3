"""Deciding what the rules question: accept, estimate, edit with four eyes, ask again; and what stays of what was."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from meter_world import add_channels, service_point
from vee_world import LATER, day_start, delivered, households, qualities, validated, values_of, work_list

from mains.base.problems import NotFound
from mains.devices import operations as devices
from mains.metering.model import MISSING, Quality
from mains.metering.vee import edits, filling, operations, queries
from mains.metering.vee import work_list as deciding
from mains.metering.vee.deciding import IllegalDecision


@pytest.fixture
def spike(database, staff):
    """A channel with one spike of 90 kWh on day 28, slot 30, and its exception."""
    (channel,) = add_channels(database, staff)
    values = households(1, 40, seed=21)
    values[0, 28, 30] = 90_000
    delivered(database, staff, [channel], values)
    validated(database, staff)
    (found,) = work_list(database, staff, rule_name="spike", channel_id=channel)
    return found


@pytest.fixture
def gap(database, staff):
    """A channel that misses six hours of day 30, and its exception."""
    (channel,) = add_channels(database, staff)
    values = households(1, 50, seed=22)
    values[0, 30, 24:48] = MISSING
    delivered(database, staff, [channel], values)
    validated(database, staff)
    (found,) = work_list(database, staff, rule_name="gap", channel_id=channel)
    return found


def test_an_accepted_failure_counts_again_and_is_not_found_again(database, staff, spike):
    decided = deciding.accept(database, staff, [spike.vee_exception_id], at=LATER, reason="a welder was there")
    assert (decided.exceptions, decided.readings) == ([spike.vee_exception_id], 1)
    assert qualities(database, staff, spike.channel_id, 28)[30] == Quality.VALIDATED
    assert values_of(database, staff, spike.channel_id, 28)[30] == 90_000
    (closed,) = work_list(database, staff, statuses=("accepted",), channel_id=spike.channel_id)
    assert (closed.closed_by, closed.reason) == (staff.name, "a welder was there")
    again = validated(database, staff, batches=[spike.batch_id], is_again=True)
    assert (again.judged.opened, again.judged.marked) == (0, 0)
    assert qualities(database, staff, spike.channel_id, 28)[30] == Quality.VALIDATED


def test_what_is_settled_stays_settled(database, staff, spike):
    deciding.accept(database, staff, [spike.vee_exception_id], at=LATER, reason="right")
    with pytest.raises(IllegalDecision):
        deciding.re_read(database, staff, [spike.vee_exception_id], at=LATER, reason="or not")
    with pytest.raises(IllegalDecision):
        filling.estimate_exceptions(database, staff, [spike.vee_exception_id], at=LATER, reason="or not")
    with pytest.raises(NotFound):
        deciding.accept(database, staff, [10**12], at=LATER, reason="who knows")
    with pytest.raises(deciding.ReasonMissing):
        deciding.accept(database, staff, [spike.vee_exception_id], at=LATER, reason="  ")


def test_another_figure_is_another_finding(database, staff, spike):
    deciding.accept(database, staff, [spike.vee_exception_id], at=LATER, reason="right")
    value = np.full((1, 1, 96), MISSING, dtype=np.int32)
    value[0, 0, 30] = 95_000
    delivered(database, staff, [spike.channel_id], value, first_day=28)
    validated(database, staff)
    assert [each.rule_name for each in work_list(database, staff, severity="failure", channel_id=spike.channel_id)] == ["spike"]


def test_a_spike_is_estimated_and_both_values_are_kept(database, staff, spike, admin):
    filled = filling.estimate_exceptions(database, staff, [spike.vee_exception_id], at=LATER, reason="the counter jumped")
    assert (filled.readings, filled.settled, filled.left) == (1, [spike.vee_exception_id], [])
    assert qualities(database, staff, spike.channel_id, 28)[30] in (Quality.ESTIMATED, Quality.SUBSTITUTED)
    assert 0 <= values_of(database, staff, spike.channel_id, 28)[30] < 2_000
    history = admin.execute(
        "SELECT h.version, h.peak, b.format FROM metering.interval_block_history h JOIN metering.ingest_batches b ON b.batch_id = h.replaced_by WHERE h.channel_id = %s ORDER BY 1",
        [spike.channel_id],
    ).fetchall()
    assert history == [(1, 90_000, "vee"), (2, 90_000, "vee")]
    with database.transaction(actor=staff) as conn:
        (kept,) = queries.edits_page(conn, channel_id=spike.channel_id)
    assert (kept.edit_kind, kept.edit_status, kept.reason, kept.method) == ("estimate", "applied", "the counter jumped", "linear")
    assert len(kept.new_values) == 1


def test_a_gap_is_estimated_and_a_late_reading_still_wins(database, staff, gap):
    filled = filling.estimate_exceptions(database, staff, [gap.vee_exception_id], at=LATER, reason="no contact")
    assert filled.readings == 24
    guessed = qualities(database, staff, gap.channel_id, 30)
    assert np.isin(guessed[24:48], (Quality.ESTIMATED, Quality.SUBSTITUTED)).all()
    late = households(1, 50, seed=22)[:, 30:31]
    delivered(database, staff, [gap.channel_id], late, first_day=30)
    validated(database, staff)
    assert (values_of(database, staff, gap.channel_id, 30) == late[0, 0]).all()
    assert (qualities(database, staff, gap.channel_id, 30) == Quality.ACTUAL).all()


def test_a_warning_can_be_estimated_too(database, staff):
    (channel,) = add_channels(database, staff)
    values = households(1, 45, seed=23)
    values[0, 30, 20:60] = 217
    delivered(database, staff, [channel], values)
    validated(database, staff)
    (stuck,) = work_list(database, staff, rule_name="stuck", channel_id=channel)
    assert not stuck.is_marked
    filling.estimate_exceptions(database, staff, [stuck.vee_exception_id], at=LATER, reason="the register froze")
    assert not (qualities(database, staff, channel, 30)[20:60] == Quality.ACTUAL).any()
    assert (qualities(database, staff, channel, 30)[60:] == Quality.ACTUAL).all()


def test_an_edit_needs_a_second_person_where_that_is_asked(database, staff, spike, admin):
    with database.transaction(actor=staff) as conn:
        operations.set_policy(conn, from_date=day_start(0).date(), has_four_eyes=True)
    try:
        edit = edits.propose_edit(
            database, staff, channel_id=spike.channel_id, from_at=day_start(28) + timedelta(minutes=450), values=[88], at=LATER, reason="read on site",
            vee_exception_id=spike.vee_exception_id,
        )  # fmt: skip
        assert edit.edit_status == "proposed"
        assert values_of(database, staff, spike.channel_id, 28)[30] == 90_000
        with pytest.raises(edits.OwnEdit):
            edits.approve_edit(database, staff, edit.edit_id, at=LATER)
        other = replace(staff, name="Grace Checker")
        assert edits.approve_edit(database, other, edit.edit_id, at=LATER).approved_by == "Grace Checker"
        assert values_of(database, staff, spike.channel_id, 28)[30] == 88
        assert qualities(database, staff, spike.channel_id, 28)[30] == Quality.EDITED
        assert edits.approve_edit(database, other, edit.edit_id, at=LATER).edit_status == "applied"
        with pytest.raises(edits.EditDecided):
            edits.approve_edit(database, other, edit.edit_id, at=LATER, is_rejected=True)
        assert [each.exception_status for each in work_list(database, staff, statuses=None, rule_name="spike", channel_id=spike.channel_id)] == ["edited"]
        reasons = admin.execute("SELECT reason FROM metering.interval_block_history WHERE channel_id = %s ORDER BY version", [spike.channel_id]).fetchall()
        assert reasons[-1][0] == "read on site (proposed by Ada Clerk, approved by Grace Checker)"
    finally:
        with database.transaction(actor=staff) as conn:
            operations.set_policy(conn, from_date=day_start(0).date(), has_four_eyes=False)


def test_an_edit_of_a_part_leaves_the_rest_on_the_list(database, staff, gap):
    """Half of a gap typed in is half of it still missing."""
    asked = {"channel_id": gap.channel_id, "at": LATER, "reason": "read on site", "vee_exception_id": gap.vee_exception_id}
    edits.propose_edit(database, staff, from_at=gap.from_at, values=[88] * 12, **asked)
    (still,) = work_list(database, staff, rule_name="gap", channel_id=gap.channel_id)
    assert still.exception_status == "open"
    edits.propose_edit(database, staff, from_at=gap.from_at + timedelta(hours=3), values=[91] * 12, **asked)
    (done,) = work_list(database, staff, statuses=None, rule_name="gap", channel_id=gap.channel_id)
    assert done.exception_status == "edited"


def test_an_edit_alone_is_applied_at_once_and_stands_against_deliveries(database, staff, spike):
    edit = edits.propose_edit(
        database, staff, channel_id=spike.channel_id, from_at=day_start(28) + timedelta(minutes=450), values=[88, None, 91], at=LATER, reason="read on site",
        vee_exception_id=spike.vee_exception_id,
    )  # fmt: skip
    assert edit.edit_status == "applied"
    assert values_of(database, staff, spike.channel_id, 28)[[30, 32]].tolist() == [88, 91]
    values = households(1, 40, seed=21)[:, 28:29]
    again = delivered(database, staff, [spike.channel_id], values, first_day=28)
    assert again.refused == 2
    assert values_of(database, staff, spike.channel_id, 28)[30] == 88
    validated(database, staff)
    assert work_list(database, staff, severity="failure", channel_id=spike.channel_id) == []


@pytest.mark.parametrize(
    ("minutes", "values"), [(7, [1]), (0, []), (0, [None]), (0, [2**31]), (0, [1] * (62 * 96 + 1))]
)
def test_edits_that_do_not_fit_are_refused(database, staff, spike, minutes, values):
    with pytest.raises(edits.UnableToEditReadings):
        edits.propose_edit(database, staff, channel_id=spike.channel_id, from_at=day_start(28) + timedelta(minutes=minutes), values=values, at=LATER, reason="why")


def test_many_are_accepted_by_a_filter(database, staff):
    channels = add_channels(database, staff, 5)
    values = households(5, 40, seed=24)
    values[:, 35, 10] = 80_000
    batch = delivered(database, staff, channels, values)
    validated(database, staff)
    with database.transaction(actor=staff) as conn:
        wanted = deciding.matching(conn, queries.Wanted(batch_id=batch.batch_id, severity="failure"))
    assert sum(each.rule_name == "spike" for each in wanted) == 5
    decided = deciding.accept(database, staff, [each.vee_exception_id for each in wanted], at=LATER, reason="a test of the line")
    assert len(decided.exceptions) == len(wanted)
    assert decided.readings >= 5
    assert all(qualities(database, staff, channel, 35)[10] == Quality.VALIDATED for channel in channels)


def test_a_meter_is_asked_again_and_its_answer_settles_it(database, staff, spike, admin):
    refused = deciding.re_read(database, staff, [spike.vee_exception_id], at=LATER, reason="cannot be")
    assert refused.exceptions == []
    assert refused.refused[0]["vee_exception_id"] == spike.vee_exception_id
    with database.transaction(actor=staff) as conn:
        point = service_point(conn, f"SP-{spike.channel_id}")
        (meter,) = conn.execute("SELECT meter_id FROM metering.channels WHERE channel_id = %s", [spike.channel_id]).fetchone()
        devices.install_meter(conn, meter_id=meter, service_point_id=point, from_at=day_start(-10))
    asked = deciding.re_read(database, staff, [spike.vee_exception_id], at=LATER, reason="cannot be")
    assert asked.exceptions == [spike.vee_exception_id]
    assert deciding.re_read(database, staff, [spike.vee_exception_id], at=LATER, reason="cannot be").exceptions == [spike.vee_exception_id]
    assert admin.execute("SELECT count(*) FROM devices.commands WHERE meter_id = %s AND command_kind = 'read'", [meter]).fetchone() == (1,)
    answer = households(1, 40, seed=21)[:, 28:29]
    delivered(database, staff, [spike.channel_id], answer, first_day=28)
    validated(database, staff)
    assert [each.exception_status for each in work_list(database, staff, statuses=None, rule_name="spike", channel_id=spike.channel_id)] == ["resolved"]
