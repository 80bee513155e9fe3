"""Why a bill differs from the one before: parts that add up, whatever the bills."""

from dataclasses import replace
from decimal import Decimal

import page_fixtures as fx
from hypothesis import given
from hypothesis import strategies as st

from mains.web import charts
from mains.web.change import change, reason
from mains.web.explain import arithmetic, groups, spans
from mains.web.format import Formats
from mains.web.views import Line

F = Formats(currency="USD", timezone="UTC", at=fx.NOW)
cents = st.integers(-50_000, 500_000).map(lambda n: Decimal(n) / 100)
quantities = st.one_of(st.none(), st.integers(0, 5_000_000).map(lambda n: Decimal(n) / 1000))
some_lines = st.lists(
    st.builds(
        Line,
        line_no=st.integers(1, 30),
        charge_id=st.sampled_from("abc"),
        label=st.just("x"),
        kind=st.sampled_from(["energy", "demand", "fixed", "minimum", "percent", "tax", "new"]),
        amount=cents,
        quantity=quantities,
        unit=st.just("kWh"),
        price=st.one_of(st.none(), st.integers(0, 99_999).map(lambda n: Decimal(n) / 100_000)),
        period=st.sampled_from([None, "p"]),
    ),
    max_size=8,
).map(tuple)


def bill_of(now, before, used_now, used_before):
    def total(lines):
        return sum((line.amount for line in lines), Decimal(0))

    previous = replace(fx.BILL_PAGE.previous, lines=before, total_amount=total(before), usage_quantity=used_before)
    return replace(fx.BILL_PAGE, lines=now, total_amount=total(now), usage_quantity=used_now, previous=previous)


@given(some_lines, some_lines, quantities, quantities)
def test_the_parts_add_up_to_the_difference_to_the_cent(now, before, used_now, used_before):
    difference = change(bill_of(now, before, used_now, used_before), currency="USD")

    assert sum((part.amount for part in difference.parts), Decimal(0)) == difference.amount
    for part in difference.parts:
        assert reason(part).name


@given(some_lines, some_lines)
def test_the_waterfall_ends_where_this_bill_ends_and_stays_in_the_picture(now, before):
    falls = charts.waterfall(change(bill_of(now, before, Decimal(10), Decimal(20)), currency="USD"))

    assert all(fall.left >= -0.01 and fall.left + fall.width <= 100.5 for fall in falls)
    assert falls[0].code == "before"
    assert falls[-1].code == "now"


@given(some_lines)
def test_no_line_is_lost_between_the_groups(lines):
    found = groups(lines)

    assert sorted(line.line_no for group in found for line in group.lines) == sorted(line.line_no for line in lines)
    assert sum((group.amount for group in found), Decimal(0)) == sum((line.amount for line in lines), Decimal(0))


def test_the_first_bill_has_nothing_to_be_held_against():
    assert change(fx.GAS_BILL, currency="USD") is None


def test_every_line_of_the_sample_bill_comes_out_by_hand():
    for line in fx.NOW_LINES:
        page = fx.line_page(line.line_no)
        assert arithmetic(line, page.base, F).agrees, line


def test_a_line_whose_product_is_not_its_amount_is_not_called_exact():
    off = replace(fx.NOW_LINES[0], amount=Decimal("99.99"))

    assert not arithmetic(off, (), F).agrees


def test_runs_of_line_numbers_are_drawn_together():
    assert spans([8, 1, 2, 3, 5]) == "1 – 3, 5, 8"
