"""Numbers, dates and money read the same way everywhere."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mains.web import format as say

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
dates = st.dates(date(1990, 1, 1), date(2100, 1, 1))


def formats(currency="USD", timezone="America/Chicago"):
    return say.Formats(currency=currency, timezone=timezone, at=datetime(2026, 11, 23, 15, tzinfo=UTC))


def read_back(text):
    return Decimal(text.replace(",", "").replace(say.MINUS, "-").replace("+", ""))


@given(decimals)
def test_a_number_reads_back_as_itself(value):
    assert read_back(say.number(value)) == value


@given(decimals, st.integers(0, 4))
def test_a_rounded_number_lies_within_half_a_step_and_never_says_minus_zero(value, digits):
    text = say.number(value, digits=digits, signed=True)

    assert abs(read_back(text) - value) <= Decimal(1).scaleb(-digits) / 2
    assert not (text[0] in "−+" and not text.strip("−+0.,"))


@given(decimals)
def test_money_never_parts_from_its_sign_and_symbol(value):
    text = formats().money(value)

    assert "$" in text
    assert " " not in text
    assert text.startswith("−$") == (read_back(text.replace("$", "")) < 0)


@given(st.decimals(min_value=0, max_value=1000, places=8, allow_nan=False))
def test_a_price_keeps_every_digit(price):
    assert read_back(formats().price(price, "kWh").removeprefix("$").removesuffix(" / kWh")) == price


@given(dates, st.integers(1, 800))
def test_a_period_names_its_first_and_last_day(starts, days):
    text = say.period(starts, starts + timedelta(days=days)).replace(say.NBSP, " ")
    last = starts + timedelta(days=days - 1)

    assert text.startswith(str(starts.day))
    assert text.endswith(f"{last.day} {last:%b} {last.year}")


@given(dates.map(lambda day: datetime(day.year, day.month, day.day, 7, 31, tzinfo=UTC)))
def test_an_age_is_one_short_phrase(instant):
    assert 4 <= len(formats().age(instant)) <= 20


@pytest.mark.parametrize(
    ("currency", "shown"), [("USD", "$1,234.50"), ("JPY", "¥1,235"), ("KWD", "KWD\xa01,234.500"), ("SEK", "SEK\xa01,234.50")]
)
def test_an_amount_has_its_currencys_digits(currency, shown):
    assert formats(currency).money(Decimal("1234.5")) == shown


def test_an_instant_reads_on_the_utilitys_clock_with_the_zone_named():
    assert (
        formats(timezone="Australia/Brisbane").instant(datetime(2026, 11, 23, 15, tzinfo=UTC)).replace(say.NBSP, " ")
        == "24 Nov 2026, 01:00 AEST"
    )


def test_what_is_not_known_says_so():
    f = formats()
    assert {
        f.money(None),
        f.price(None, "kWh"),
        say.quantity(None, "kWh"),
        say.day(None),
        say.percent(None),
        say.count(None),
        f.instant(None),
    } == {"unknown"}
    assert f.age(None) == "never"
