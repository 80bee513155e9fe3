"""A run over what deliveries touched: what it finds, marks, closes again, and leaves alone."""

from datetime import timedelta

import numpy as np
import pytest
from meter_world import add_channels, service_point
from vee_world import LATER, day_start, delivered, households, qualities, validated, values_of, work_list

from mains.devices import operations as devices
from mains.metering.model import MISSING, Quality
from mains.metering.vee import operations, queries, telling
from mains.metering.vee.engine import RuleNotFound


def spiked(values: np.ndarray, *, meter: int, day: int, slot: int, value: int = 90_000) -> np.ndarray:
    changed = values.copy()
    changed[meter, day, slot] = value
    return changed


def test_a_clean_delivery_is_validated_and_nothing_is_written(database, staff, admin):
    channels = add_channels(database, staff, 4)
    batch = delivered(database, staff, channels, households(4, 20))
    report = validated(database, staff)
    assert report.batches == [batch.batch_id]
    assert (report.judged.days, report.judged.readings, report.judged.marked) == (80, 80 * 96, 0)
    assert work_list(database, staff, severity="failure") == []
    assert admin.execute("SELECT validated_at IS NOT NULL FROM metering.ingest_batches WHERE batch_id = %s", [batch.batch_id]).fetchone() == (True,)
    assert admin.execute("SELECT count(*) FROM metering.interval_block_history WHERE channel_id = ANY (%s)", [channels]).fetchone() == (0,)


def test_a_spike_fails_and_its_correction_closes_it(database, staff):
    channels = add_channels(database, staff, 2)
    clean = households(2, 40, seed=2)
    delivered(database, staff, channels, spiked(clean, meter=1, day=32, slot=40))
    report = validated(database, staff)
    failures = work_list(database, staff, severity="failure", channel_id=channels[1])
    assert [each.rule_name for each in failures] == ["spike"]
    assert report.judged.marked == 1
    assert qualities(database, staff, channels[1], 32)[40] == Quality.FAILED_CHECK
    assert (qualities(database, staff, channels[1], 32) == Quality.FAILED_CHECK).sum() == 1

    delivered(database, staff, channels[1:], clean[1:, 32:33], first_day=32)
    again = validated(database, staff)
    assert again.judged.resolved >= 1
    assert work_list(database, staff, severity="failure", channel_id=channels[1]) == []
    (closed,) = work_list(database, staff, statuses=("resolved",), rule_name="spike", channel_id=channels[1])
    assert closed.closed_by == staff.name
    assert closed.reason is not None
    assert (qualities(database, staff, channels[1], 32) == Quality.ACTUAL).all()


def test_running_twice_changes_nothing(database, staff, admin):
    channels = add_channels(database, staff, 2)
    batch = delivered(database, staff, channels, spiked(households(2, 40, seed=3), meter=0, day=35, slot=10))
    validated(database, staff)

    def everything():
        listed = work_list(database, staff, statuses=None)
        return listed, admin.execute("SELECT count(*), max(version) FROM metering.interval_block_history").fetchone()

    before = everything()
    assert validated(database, staff).batches == []
    again = validated(database, staff, batches=[batch.batch_id], is_again=True)
    assert (again.judged.opened, again.judged.changed, again.judged.resolved, again.judged.marked, again.judged.cleared) == (0, 0, 0, 0, 0)
    assert everything() == before


def test_the_same_file_again_does_not_undo_a_failure(database, staff):
    (channel,) = add_channels(database, staff)
    values = spiked(households(1, 40, seed=4), meter=0, day=28, slot=30)
    delivered(database, staff, [channel], values)
    validated(database, staff)
    again = delivered(database, staff, [channel], values)
    assert (again.new, again.changed) == (0, 0)
    assert qualities(database, staff, channel, 28)[30] == Quality.FAILED_CHECK


def test_what_was_stood_before_validation_is_kept(database, staff, admin):
    (channel,) = add_channels(database, staff)
    delivered(database, staff, [channel], spiked(households(1, 40, seed=5), meter=0, day=28, slot=30))
    validated(database, staff)
    history = admin.execute("SELECT version, quality, actor, reason, peak FROM metering.interval_block_history WHERE channel_id = %s", [channel]).fetchall()
    assert history == [(1, Quality.ACTUAL, staff.name, "a check of validation failed, or holds again", 90_000)]
    assert values_of(database, staff, channel, 28)[30] == 90_000


def test_day_after_day_finds_what_the_whole_finds(database, staff):
    channels = add_channels(database, staff, 2)
    values = spiked(households(2, 30, seed=6), meter=1, day=25, slot=50)
    for day in range(30):
        delivered(database, staff, channels, values[:, day : day + 1], first_day=day)
        validated(database, staff)
    assert [each.rule_name for each in work_list(database, staff, severity="failure", channel_id=channels[1])] == ["spike"]
    assert work_list(database, staff, severity="failure", channel_id=channels[0]) == []


def test_a_gap_is_filled_by_late_readings_in_any_order(database, staff):
    (channel,) = add_channels(database, staff)
    values = households(1, 12, seed=7)
    delivered(database, staff, [channel], values[:, :6])
    delivered(database, staff, [channel], values[:, 9:], first_day=9)
    validated(database, staff)
    (gap,) = work_list(database, staff, rule_name="gap", channel_id=channel)
    assert (gap.to_at - gap.from_at).days == 3
    for day in (8, 6, 7):
        delivered(database, staff, [channel], values[:, day : day + 1], first_day=day)
        validated(database, staff)
    assert work_list(database, staff, rule_name="gap", channel_id=channel) == []


def test_one_utility_does_not_see_anothers_list(database, staff, neighbour):
    (channel,) = add_channels(database, neighbour)
    delivered(database, neighbour, [channel], spiked(households(1, 40, seed=8), meter=0, day=28, slot=30))
    assert validated(database, staff).batches == []
    assert validated(database, neighbour).judged.opened >= 1
    assert work_list(database, staff, channel_id=channel, statuses=None) == []
    assert len(work_list(database, neighbour, channel_id=channel, severity="failure")) == 1


def test_a_missing_interval_is_no_reading(database, staff):
    (channel,) = add_channels(database, staff)
    values = households(1, 5, seed=9)
    values[0, 2, 20:24] = MISSING
    delivered(database, staff, [channel], values)
    report = validated(database, staff)
    assert report.judged.readings == 5 * 96 - 4
    (gap,) = work_list(database, staff, rule_name="gap", channel_id=channel)
    assert gap.measured == 4
    assert not gap.is_marked


@pytest.mark.parametrize("processes", [2])
def test_several_processes_find_the_same(database, staff, monkeypatch, processes):
    from mains.metering.vee import running

    channels = add_channels(database, staff, 6)
    delivered(database, staff, channels, spiked(households(6, 40, seed=10), meter=3, day=30, slot=50))
    monkeypatch.setattr(running, "FEW_DAYS", 10)
    report = running.run_pending(database, staff, at=LATER, processes=processes)
    assert report.judged.days == 240
    assert [each.rule_name for each in work_list(database, staff, severity="failure", channel_id=channels[3])] == ["spike"]


def out_of_service(conn, channel: int, *, from_at, to_at) -> None:
    """The channel's meter hangs behind a device that opened, from when to when."""
    node = "INSERT INTO network.nodes (node_name, node_kind) VALUES (%s, %s) RETURNING node_id"
    source, tap, home = (conn.execute(node, [f"{name} {channel}", kind]).fetchone()[0] for name, kind in (("source", "junction"), ("tap", "junction"), ("home", "junction")))
    edge = "INSERT INTO network.edges (edge_name, edge_kind, from_node_id, to_node_id, is_switchable) VALUES (%s, %s, %s, %s, %s) RETURNING edge_id"
    device = conn.execute(edge, [f"fuse {channel}", "fuse", source, tap, True]).fetchone()[0]
    conn.execute(edge, [f"line {channel}", "line", tap, home, False])
    point = service_point(conn, f"SP-{channel}")
    conn.execute("UPDATE customers.service_points SET node_id = %s WHERE service_point_id = %s", [home, point])
    (meter,) = conn.execute("SELECT meter_id FROM metering.channels WHERE channel_id = %s", [channel]).fetchone()
    devices.install_meter(conn, meter_id=meter, service_point_id=point, from_at=day_start(-30))
    conn.execute(
        "INSERT INTO outages.outages (outage_number, outage_status, outage_start, actual_restoration, device_edge_id) VALUES (%s, 'closed', %s, %s, %s)",
        [f"O-{channel}", from_at, to_at, device],
    )


def test_an_outage_excuses_zeros_and_gaps(database, staff):
    out, lit = add_channels(database, staff, 2)
    with database.transaction(actor=staff) as conn:
        out_of_service(conn, out, from_at=day_start(31), to_at=day_start(33))
    values = households(2, 40, seed=31)
    values[:, 31, :] = 0
    values[:, 32, 10:40] = MISSING
    values[:, 32, 40:] = 0
    delivered(database, staff, [out, lit], values)
    validated(database, staff)
    questioned = {"zero", "gap"}
    assert {each.rule_name for each in work_list(database, staff, channel_id=out)} & questioned == set()
    assert {each.rule_name for each in work_list(database, staff, channel_id=lit)} & questioned == questioned


def test_a_run_that_is_cut_off_goes_on_and_finds_the_same(database, staff, monkeypatch):
    from mains.metering.vee import running, touched

    channels = add_channels(database, staff, 3)
    values = households(3, 300, seed=32)
    for meter in range(3):
        values[meter, 60 + 90 * meter, 50] = 90_000
    batch = delivered(database, staff, channels, values)
    pieces_done = []
    judge = running._judge_piece

    def cut_off(*given):
        if len(pieces_done) == 2:
            raise KeyboardInterrupt
        pieces_done.append(judge(*given))
        return pieces_done[-1]

    monkeypatch.setattr(running, "_judge_piece", cut_off)
    with pytest.raises(KeyboardInterrupt):
        validated(database, staff)
    with database.transaction(actor=staff) as conn:
        assert [each.batch_id for each in queries.waiting_deliveries(conn)] == [batch.batch_id]
    monkeypatch.setattr(running, "_judge_piece", judge)
    assert validated(database, staff).batches == [batch.batch_id]
    for meter in range(3):
        (found,) = work_list(database, staff, rule_name="spike", channel_id=channels[meter])
        assert found.from_at == day_start(60 + 90 * meter) + timedelta(minutes=750)
        assert qualities(database, staff, channels[meter], 60 + 90 * meter)[50] == Quality.FAILED_CHECK
    assert touched.TILE < 300


def test_rules_hold_from_their_date_on(database, staff):
    channels = add_channels(database, staff, 1)
    values = households(1, 60, seed=33)
    values[0, 30, 50] = values[0, 50, 50] = 90_000
    with database.transaction(actor=staff) as conn:
        operations.set_rule(conn, "spike", from_date=day_start(40).date(), is_off=True)
    try:
        delivered(database, staff, channels, values)
        validated(database, staff)
        assert [each.from_at for each in work_list(database, staff, rule_name="spike", channel_id=channels[0])] == [day_start(30) + timedelta(minutes=750)]
    finally:
        with database.transaction(actor=staff) as conn:
            operations.set_rule(conn, "spike", from_date=day_start(40).date())
    with pytest.raises(RuleNotFound), database.transaction(actor=staff) as conn:
        operations.set_rule(conn, "spike", from_date=day_start(40).date(), parameters={"size": 3})
    with pytest.raises(RuleNotFound), database.transaction(actor=staff) as conn:
        operations.set_policy(conn, from_date=day_start(40).date(), profile="utopia")


def test_an_exception_is_explained_with_its_rule_and_what_was(database, staff):
    (channel,) = add_channels(database, staff)
    delivered(database, staff, [channel], spiked(households(1, 40, seed=34), meter=0, day=28, slot=30))
    validated(database, staff)
    (found,) = work_list(database, staff, rule_name="spike", channel_id=channel)
    with database.transaction(actor=staff) as conn:
        told = telling.explain(conn, found.vee_exception_id)
    assert told.title.startswith("rule 9")
    assert told.parameters["ratio"] == 1.8
    assert told.said_by.startswith("profile default")
    (questioned,) = [each for each in told.readings if each.is_questioned]
    assert (questioned.raw, questioned.quality) == (90_000, "failed_check")
    assert [was[:2] for was in questioned.before] == [(90_000, "actual")]
    assert len(told.readings) == 17
