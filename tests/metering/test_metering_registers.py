"""What a register says was used between two instants."""

from datetime import UTC, datetime, timedelta

import pytest
from meter_world import NOW, add_channels

from mains.metering import operations, registers
from mains.metering.model import Quality
from mains.metering.registers import NewRead

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, 6, tzinfo=UTC) for month in (1, 2, 3))


@pytest.fixture
def dial(database, staff):
    """A gas meter whose dial has five digits."""
    (channel,) = add_channels(database, staff, commodity="gas", unit="ccf", interval_s=None)
    return channel


def read(database, actor, *reads):
    with database.transaction(actor=actor) as conn:
        batch_id = operations.open_batch(conn, source="route 7", format="arrays", sha256=bytes(32), at=NOW)
        done = registers.store_reads(conn, reads, batch_id=batch_id)
        refused = len(done.refused)
        operations.close_batch(conn, batch_id=batch_id, found=len(reads), accepted=len(reads) - refused, quarantined=refused, new=done.new, changed=done.changed)
    return done


def used(database, actor, channel, from_at=JANUARY, to_at=FEBRUARY, **more):
    with database.transaction(actor=actor) as conn:
        (answer,) = registers.usage(conn, [channel], from_at, to_at, **more)
    return answer


def test_usage_is_the_difference_of_the_reads_at_both_ends(database, staff, dial):
    read(database, staff, *(NewRead(channel_id=dial, read_at=at, raw=raw) for at, raw in ((JANUARY, 1200), (FEBRUARY, 1290), (MARCH, 1400))))
    both = [used(database, staff, dial), used(database, staff, dial, FEBRUARY, MARCH)]

    assert [(answer.raw, answer.from_raw, answer.to_raw, answer.reason) for answer in both] == [(90, 1200, 1290, None), (110, 1290, 1400, None)]


def test_a_dial_that_passes_its_last_digit_begins_again_at_zero(database, staff, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY, raw=99_950), NewRead(channel_id=dial, read_at=FEBRUARY, raw=40))
    answer = used(database, staff, dial)

    assert (answer.raw, answer.rolled_over) == (90, True)


def test_a_dial_that_goes_back_is_a_doubt_and_no_roll_over(database, staff, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY, raw=5_000), NewRead(channel_id=dial, read_at=FEBRUARY, raw=4_900))
    answer = used(database, staff, dial)

    assert (answer.raw, answer.reason.code) == (0, "register-went-back")


def test_a_read_that_is_not_there_is_said_with_its_instant(database, staff, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY, raw=1), NewRead(channel_id=dial, read_at=FEBRUARY - timedelta(days=3), raw=9))
    answer = used(database, staff, dial)

    assert answer.reason.code == "missing-reads"
    assert "2026-02-01" in answer.reason.message
    assert "2026-01-01" not in answer.reason.message


def test_a_read_some_hours_off_is_the_read_of_that_end(database, staff, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY + timedelta(hours=9), raw=1, quality=2), NewRead(channel_id=dial, read_at=FEBRUARY - timedelta(hours=2), raw=9))
    answer = used(database, staff, dial)

    assert (answer.raw, answer.from_at, answer.qualities) == (8, JANUARY + timedelta(hours=9), (2, 0))


def test_delivered_usages_add_up_where_they_lie_end_to_end(database, staff, dial):
    middle = JANUARY + timedelta(days=14)
    read(database, staff, NewRead(channel_id=dial, read_at=middle, from_at=JANUARY, raw=40), NewRead(channel_id=dial, read_at=FEBRUARY, from_at=middle, raw=44))
    assert used(database, staff, dial).raw == 84

    gap = used(database, staff, dial, JANUARY, MARCH)
    assert (gap.raw, gap.reason.code) == (0, "missing-reads")


def test_a_corrected_read_counts_and_what_a_bill_was_made_from_can_still_be_found(database, staff, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY, raw=100), NewRead(channel_id=dial, read_at=FEBRUARY, raw=190, quality=Quality.ESTIMATED))
    before = used(database, staff, dial)
    with database.transaction(actor=staff) as conn:
        as_of = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    assert read(database, staff, NewRead(channel_id=dial, read_at=FEBRUARY, raw=205)).changed == 1
    assert len(read(database, staff, NewRead(channel_id=dial, read_at=FEBRUARY, raw=190, quality=Quality.ESTIMATED)).refused) == 1

    now, then = used(database, staff, dial), used(database, staff, dial, as_of=as_of)
    assert (before.raw, now.raw, then.raw) == (90, 105, 90)
    assert then.fingerprint == before.fingerprint != now.fingerprint


def test_the_neighbour_has_no_reads_of_ours(database, staff, neighbour, dial):
    read(database, staff, NewRead(channel_id=dial, read_at=JANUARY, raw=100), NewRead(channel_id=dial, read_at=FEBRUARY, raw=190))

    assert used(database, neighbour, dial).reason.code == "missing-reads"
