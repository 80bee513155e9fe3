"""Bills take only what was validated or estimated: what fails waits, and is let go by whoever looks at it."""

from datetime import UTC, date, timedelta

import numpy as np
import pytest
from town import AFTERWARDS, Town, midnight

from mains.billing.explaining import explain_bill
from mains.metering.model import MISSING, Quality
from mains.metering.vee import edits, filling, operations, queries, work_list
from mains.metering.vee.queries import Wanted

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
FIRST = date(2026, 3, 1)


def lived_in(seed: int) -> np.ndarray:
    """Two months of quarter hours."""
    chance = np.random.default_rng(seed)
    hours = np.arange(96) / 4
    shape = 60 + 200 * np.exp(-((hours - 19) ** 2) / 6)
    return np.maximum(chance.gamma(9, 1 / 9, size=(64, 96)) * shape, 3).astype(np.int32)


@pytest.fixture
def spiked(town: Town):
    """A home with one reading of 90 kWh on 11 April: its account and its channel."""
    account, channel = town.home()
    values = lived_in(1)
    values[41, 30] = 90_000
    town.measures(channel, values, first=FIRST)
    return account, channel


def exceptions(town: Town, **wanted) -> list[int]:
    with town.database.transaction(actor=town.clerk) as conn:
        return [each.vee_exception_id for each in queries.exceptions_page(conn, Wanted(**wanted))]


def test_fresh_readings_are_validated_before_they_are_billed(town: Town):
    account, channel = town.home()
    town.measures(channel, lived_in(2), first=FIRST)
    assert town.bills(APRIL, MAY).bills_made == 1
    assert town.ask("SELECT count(*) FROM metering.ingest_batches WHERE validated_at IS NULL") == [(0,)]
    assert town.bill_of(account, APRIL) is not None


def test_a_failure_holds_the_bill_until_it_is_accepted(town: Town, spiked):
    account, channel = spiked
    assert town.bills(APRIL, MAY).exceptions == 1
    assert town.held(account) == ["doubtful-readings"]
    (cure,) = town.ask("SELECT cure FROM billing.bill_exceptions WHERE account_id = %s", account)[0]
    assert "mains vee exceptions" in cure
    work_list.accept(town.database, town.clerk, exceptions(town, channel_id=channel, severity="failure"), at=AFTERWARDS, reason="a welder")
    assert town.bills(APRIL, MAY).bills_made == 1
    assert town.held(account) == []


def test_a_bill_says_how_many_readings_were_estimated(town: Town, spiked):
    account, channel = spiked
    town.bills(APRIL, MAY)
    filling.estimate_exceptions(town.database, town.clerk, exceptions(town, channel_id=channel, severity="failure"), at=AFTERWARDS, reason="a jump of the counter")
    assert town.bills(APRIL, MAY).bills_made == 1
    assert town.ask("SELECT estimated_readings FROM billing.bills WHERE account_id = %s", account) == [(1,)]
    with town.database.transaction(actor=town.clerk) as conn:
        told = explain_bill(conn, town.bill_of(account, APRIL)[0])
    assert told.by_quality == {"actual": 30 * 96 - 1, "estimated": 1}
    assert told.as_json()["inputs"]["readings_by_quality"] == told.by_quality


def test_a_gap_holds_the_bill_until_it_is_estimated(town: Town):
    account, channel = town.home()
    values = lived_in(3)
    values[41, 20:50] = MISSING
    town.measures(channel, values, first=FIRST)
    town.bills(APRIL, MAY)
    assert town.held(account) == ["missing-readings"]
    filling.estimate_exceptions(town.database, town.clerk, exceptions(town, channel_id=channel, rule_name="gap"), at=AFTERWARDS, reason="no contact")
    assert town.bills(APRIL, MAY).bills_made == 1
    assert town.ask("SELECT estimated_readings FROM billing.bills WHERE account_id = %s", account) == [(30,)]


def test_the_policy_can_fill_gaps_by_itself(town: Town):
    with town.database.transaction(actor=town.clerk) as conn:
        operations.set_policy(conn, from_date=date(2026, 1, 1), is_estimating=True)
    account, channel = town.home()
    values = lived_in(4)
    values[41, 20:50] = MISSING
    town.measures(channel, values, first=FIRST)
    assert town.bills(APRIL, MAY).bills_made == 1
    assert town.ask("SELECT estimated_readings FROM billing.bills WHERE account_id = %s", account) == [(30,)]


def test_an_edit_releases_the_bill_and_is_told(town: Town, spiked):
    account, channel = spiked
    town.bills(APRIL, MAY)
    start = midnight(date(2026, 3, 1)).astimezone(UTC) + timedelta(days=41, minutes=450)
    (found,) = exceptions(town, channel_id=channel, severity="failure")
    edits.propose_edit(town.database, town.clerk, channel_id=channel, from_at=start, values=[80], at=AFTERWARDS, reason="read on site", vee_exception_id=found)
    assert town.ask("SELECT quality FROM metering.readings(%s, %s, %s)", channel, start, start + timedelta(minutes=15)) == [(int(Quality.EDITED),)]
    assert town.bills(APRIL, MAY).bills_made == 1
    with town.database.transaction(actor=town.clerk) as conn:
        assert explain_bill(conn, town.bill_of(account, APRIL)[0]).by_quality["edited"] == 1


def test_a_utility_may_bill_in_spite_of_open_failures_but_never_on_doubtful_readings(town: Town, spiked):
    account, _ = spiked
    with town.database.transaction(actor=town.clerk) as conn:
        operations.set_policy(conn, from_date=date(2026, 1, 1), is_holding_bills=False)
    assert town.bills(APRIL, MAY).exceptions == 1
    assert town.held(account) == ["doubtful-readings"]


def test_a_failure_of_another_month_holds_nothing(town: Town, spiked):
    account, _ = spiked
    assert town.bills(date(2026, 3, 2), APRIL).bills_made == 1
    assert town.held(account) == []
