"""A month in which the meter, or what it measures, was changed: it bills right to the cent, or is held by name."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from town import AFTERWARDS, OFFSET, ZONE, Town, midnight, shop_rate, tier

from mains.billing import queries
from mains.billing.explaining import explain_bill
from mains.billing.verifying import verify_bills
from mains.metering import operations as metering
from mains.metering import store
from mains.metering.blocks import encode
from mains.metering.channel_changes import change_channel
from mains.rates.calendars import Calendar
from mains.rates.model import Demand, Energy, Fixed, Ladder, RateVersion

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
SWAP = midnight(date(2026, 4, 16)) + timedelta(hours=10)
BEFORE_SWAP = 15 * 24 + 10
"""Hours of April before the exchange."""


def flat_rate(*, window: int | None = None, with_demand: bool = False) -> RateVersion:
    demand = (Demand(id="demand", label="Demand", ladders=(Ladder(tiers=(tier("9.75"),)),), window_minutes=window),) if with_demand else ()
    return RateVersion(
        name="Flat",
        effective_from=date(2025, 1, 1),
        calendar=Calendar(timezone=ZONE),
        charges=(
            Fixed(id="customer", label="Customer charge", amount=Decimal(10)),
            Energy(id="energy", label="Energy", ladders=(Ladder(tiers=(tier("0.10"),)),)),
            *demand,
        ),
    )


@pytest.fixture
def flat_town(town: Town) -> Town:
    town.publish("flat", flat_rate())
    return town


def measures(town: Town, channel: int, interval_s: int, values, *, first: date = date(2026, 3, 31)) -> None:
    """Days of any interval length; `values` [days, intervals], or one value for all intervals of 32 days."""
    values = np.asarray(values, dtype=np.int32)
    if values.ndim == 0:
        values = np.full((32, 86_400 // interval_s), values, dtype=np.int32)
    starts = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) - OFFSET * 60 + 86_400 * np.arange(len(values))
    blocks = encode(channel_id=np.full(len(values), channel), block_start=starts, values=values, utc_offset_min=OFFSET)
    with town.database.transaction(actor=town.clerk) as conn:
        metering.ensure_partitions(conn, from_at=midnight(date(2026, 3, 1)), to_at=midnight(date(2026, 5, 2)))
    with town.database.transaction(actor=town.clerk) as conn:
        batch = metering.open_batch(conn, source="test", format="arrays", sha256=bytes(32), at=AFTERWARDS)
        store.open_staging(conn)
        store.stage(conn, [blocks], utility_id=town.clerk.utility_id, batch_id=batch)
        store.merge_staged(conn, utility_id=town.clerk.utility_id, batch_id=batch)
        metering.close_batch(conn, batch_id=batch, found=blocks.readings, accepted=blocks.readings, new=blocks.readings)


def exchanged(town: Town, *, rate: str, old: int, new: int, at: datetime = SWAP):
    """A home whose meter of one interval length was exchanged for one of another: account, old and new channel."""
    point = town.service_point()
    channels = town.meter(point, until=at, interval_s=old), town.meter(point, since=at, interval_s=new)
    return town.moves_in(rate=rate, point=point), *channels


def is_made_again(town: Town) -> None:
    """Every bill can be verified, and explained to the cent."""
    with town.database.transaction(actor=town.clerk) as conn:
        ids = queries.bill_keys(conn)
        assert verify_bills(conn, ids).different == ()
        for bill_id in ids:
            explain_bill(conn, bill_id)


def test_a_multiplier_that_changed_in_mid_month_bills_each_half_by_its_own(flat_town: Town):
    point = flat_town.service_point()
    channel = flat_town.meter(point, multiplier=Decimal(40))
    account = flat_town.moves_in(rate="flat", point=point)
    with flat_town.database.transaction(actor=flat_town.clerk) as conn:
        done = change_channel(conn, channel, at=SWAP, now=AFTERWARDS, reason="transformers 60:5", multiplier=Decimal("12.5"))
    for each in (channel, done.opened.channel_id):
        measures(flat_town, each, 900, 3)

    report = flat_town.bills(APRIL, MAY)

    assert (report.bills_made, report.exceptions) == (1, 0)
    before, after = BEFORE_SWAP * 4 * 3 * 40, (720 - BEFORE_SWAP) * 4 * 3 * Decimal("12.5")
    kwh = (before + after) / 1000
    assert flat_town.ask("SELECT usage_kwh FROM billing.bills WHERE account_id = %s", account) == [(kwh,)]
    assert flat_town.bill_of(account, APRIL)[1] == (10 + kwh / 10).quantize(Decimal("0.01"))
    is_made_again(flat_town)


@pytest.mark.parametrize(("old", "new"), [(900, 1800), (1800, 900), (900, 3600), (300, 900), (900, 900)])
def test_an_exchange_for_another_interval_length_bills_all_that_was_used(flat_town: Town, old: int, new: int):
    account, first, second = exchanged(flat_town, rate="flat", old=old, new=new)
    measures(flat_town, first, old, old // 3)
    measures(flat_town, second, new, new // 2)

    report = flat_town.bills(APRIL, MAY)

    assert report.exceptions == 0
    kwh = Decimal(BEFORE_SWAP * 1200 + (720 - BEFORE_SWAP) * 1800) / 1000
    assert flat_town.ask("SELECT usage_kwh FROM billing.bills WHERE account_id = %s", account) == [(kwh,)]
    assert flat_town.bill_of(account, APRIL)[1] == (10 + kwh / 10).quantize(Decimal("0.01"))
    is_made_again(flat_town)


def test_time_of_use_stays_exact_where_its_hours_begin_with_the_longer_intervals(town: Town):
    town.publish("tou", replace(shop_rate(), name="Tou", charges=tuple(each for each in shop_rate().charges if each.kind == "energy")))
    account, first, second = exchanged(town, rate="tou", old=900, new=3600)
    quarters, hours = np.zeros((32, 96)), np.zeros((32, 24))
    quarters[:, 44:76] = 100  # 11:00 to 19:00 standard time is 12:00 to 20:00 in summer: on-peak
    quarters[:, 40:44] = 7
    hours[:, 11:19], hours[:, 19] = 1000, 50
    measures(town, first, 900, quarters)
    measures(town, second, 3600, hours)

    report = town.bills(APRIL, MAY)

    assert report.exceptions == 0
    by_period = dict(town.ask("SELECT tou_period, sum(quantity) FROM billing.bill_lines WHERE account_id = %s GROUP BY tou_period", account))
    weekdays = [day for day in range(1, 31) if date(2026, 4, day).weekday() < 5]
    early, late = [day for day in weekdays if day < 16], [day for day in weekdays if day >= 16]
    # the exchange at 10:00 on the 16th comes before that day's on-peak hours
    assert by_period["on"] == Decimal(len(early) * 32 * 100 + len(late) * 8 * 1000) / 1000
    total = Decimal(15 * (32 * 100 + 4 * 7) + 15 * (8 * 1000 + 50)) / 1000
    assert sum(by_period.values()) == total
    is_made_again(town)


def test_a_demand_is_measured_where_both_meters_can_tell_its_window(town: Town):
    town.publish("demand", replace(flat_rate(window=60, with_demand=True), name="Demand"))
    account, first, second = exchanged(town, rate="demand", old=900, new=1800)
    quarters = np.full((32, 96), 100)
    quarters[5, 48:52] = [100, 2000, 3000, 400]
    measures(town, first, 900, quarters)
    measures(town, second, 1800, 200)
    town.accepts_failures()

    assert town.bills(APRIL, MAY).exceptions == 0
    assert town.ask("SELECT quantity FROM billing.bill_lines WHERE account_id = %s AND charge_kind = 'demand'", account) == [(Decimal("5.500"),)]
    is_made_again(town)


@pytest.mark.parametrize(
    ("window", "said"), [(15, "Demand is measured over 15 minutes"), (None, "Demand names no window, and the meters of this period measure by 900 s and 1800 s")]
)
def test_a_demand_that_one_of_the_meters_cannot_tell_is_held_by_name(town: Town, window: int | None, said: str):
    town.publish("demand", replace(flat_rate(window=window, with_demand=True), name="Demand"))
    account, first, second = exchanged(town, rate="demand", old=900, new=1800)
    measures(town, first, 900, 100)
    measures(town, second, 1800, 200)

    assert town.bills(APRIL, MAY).bills_made == 0
    ((code, message),) = town.ask("SELECT code, message FROM billing.bill_exceptions WHERE account_id = %s", account)
    assert code == "rate-cannot-be-priced"
    assert message.startswith(said)


def test_the_interval_of_the_exchange_counts_from_both_meters(flat_town: Town):
    at = SWAP + timedelta(minutes=7)
    account, first, second = exchanged(flat_town, rate="flat", old=900, new=900, at=at)
    old, new = np.full((17, 96), 250), np.full((16, 96), 250)
    old[16, 36], old[16, 37:] = 110, -(2**31)  # 10:00 in summer is slot 36 of the standard day; the old meter counted seven minutes of it
    new[0, :36], new[0, 36] = -(2**31), 140
    measures(flat_town, first, 900, old)
    measures(flat_town, second, 900, new, first=date(2026, 4, 16))

    assert flat_town.bills(APRIL, MAY).exceptions == 0
    assert flat_town.ask("SELECT usage_kwh FROM billing.bills WHERE account_id = %s", account) == [(Decimal(2880 * 250) / 1000,)]
    is_made_again(flat_town)


def test_an_exchange_that_leaves_a_gap_is_held(flat_town: Town):
    at = SWAP + timedelta(minutes=15)
    account, first, second = exchanged(flat_town, rate="flat", old=900, new=1800, at=at)
    measures(flat_town, first, 900, 250)
    measures(flat_town, second, 1800, np.full((15, 48), 500), first=date(2026, 4, 17))

    flat_town.bills(APRIL, MAY)

    assert flat_town.held(account) == ["missing-readings"]
    ((message,),) = flat_town.ask("SELECT message FROM billing.bill_exceptions WHERE account_id = %s", account)
    assert "2026-04-16 10:00 to 2026-04-17 01:00" in message


def test_dials_of_both_meters_add_up_and_the_old_one_rolls_over(town: Town):
    point = town.service_point("gas")
    dial = {"commodity": "gas", "unit": "ccf", "interval_s": None, "register": "dial"}
    old, new = town.meter(point, until=SWAP, **dial), town.meter(point, since=SWAP, **dial)
    account = town.moves_in(rate="gas", point=point, commodity="gas")
    town.reads(old, (midnight(APRIL), 99_980), (SWAP, 12))
    town.reads(new, (SWAP, 3), (midnight(MAY), 20))
    town.ask(
        "INSERT INTO rates.index_series (series, from_at, to_at, price, unit) VALUES ('gas-heat-content', '2026-01-01', '2027-01-01', 1.0, 'therm/ccf') RETURNING 1"
    )

    town.bills(APRIL, MAY)

    # 32 ccf and 17 ccf x 1.0 = 49 therm x 0.85 = 41.65; and 9.00
    assert town.bill_of(account, APRIL)[1] == Decimal("50.65")
    is_made_again(town)


def test_a_dial_exchanged_for_a_meter_with_intervals_bills_one_total(flat_town: Town):
    point = flat_town.service_point()
    dial = flat_town.meter(point, until=SWAP, interval_s=None, unit="kWh", register="dial")
    smart = flat_town.meter(point, since=SWAP)
    account = flat_town.moves_in(rate="flat", point=point)
    flat_town.reads(dial, (midnight(APRIL), 1000), (SWAP, 1400))
    measures(flat_town, smart, 900, np.full((16, 96), 250), first=date(2026, 4, 16))

    assert flat_town.bills(APRIL, MAY).exceptions == 0
    assert flat_town.ask("SELECT usage_kwh, peak_kw FROM billing.bills WHERE account_id = %s", account) == [(400 + Decimal(720 - BEFORE_SWAP), None)]
    is_made_again(flat_town)


def test_a_time_of_use_that_the_dial_cannot_tell_is_held_by_name(town: Town):
    point = town.service_point()
    dial = town.meter(point, until=SWAP, interval_s=None, unit="kWh", register="dial")
    smart = town.meter(point, since=SWAP)
    account = town.moves_in(rate="shop", point=point)
    town.reads(dial, (midnight(APRIL), 1000), (SWAP, 1400))
    measures(town, smart, 900, 250)

    town.bills(APRIL, MAY)

    assert town.held(account) == ["rate-cannot-be-priced"]


def test_a_day_of_another_length_holds_its_own_bill_and_no_other(flat_town: Town):
    account, channel = flat_town.home(rate="flat")
    other, good = flat_town.home(rate="flat")
    measures(flat_town, channel, 900, np.full((20, 96), 250))
    measures(flat_town, channel, 1800, np.full((12, 48), 500), first=date(2026, 4, 20))
    measures(flat_town, good, 900, 250)

    report = flat_town.bills(APRIL, MAY)

    assert (report.bills_made, flat_town.held(account), flat_town.held(other)) == (1, ["intervals-differ"], [])
