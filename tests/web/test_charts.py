"""The pictures tell what the values say."""

from dataclasses import replace
from decimal import Decimal

import page_fixtures as fx
from hypothesis import given
from hypothesis import strategies as st

from mains.web import charts
from mains.web.views import Readings, Step

values = st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=40)


@given(values)
def test_an_axis_holds_zero_and_every_value_between_round_ticks(numbers):
    scale = charts.axis(numbers)

    assert scale.low <= 0 <= scale.high
    assert all(-0.01 <= scale.down(value) <= 100.01 for value in numbers)
    assert scale.ticks[0].at == 100
    assert scale.ticks[-1].at == 0
    assert len({tick.label for tick in scale.ticks}) == len(scale.ticks) <= 12


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6).map(Decimal)), min_size=1, max_size=40))
def test_bars_stand_on_zero_inside_the_plot(quantities):
    scale = charts.axis([float(q) for q in quantities if q is not None])

    for bar in charts.columns(quantities, scale=scale):
        assert bar.left >= 0
        assert bar.left + bar.width <= 100.01
        assert bar.height >= 0
        assert bar.top + bar.height <= 100.01


def test_the_heat_map_draws_every_hour_once():
    picture = charts.heat(fx.OCTOBER)

    cells = [cell for layer in picture.layers for cell in layer.path.split("z") if cell]
    assert len(cells) == len(set(cells)) == 31 * 24
    assert picture.estimated.count("M") == 6


def test_a_missing_hour_is_marked_and_not_drawn_as_nothing():
    hours = tuple(replace(hour, quantity=None) if hour.day == 3 else hour for hour in fx.OCTOBER.hours)
    picture = charts.heat(replace(fx.OCTOBER, hours=hours))

    assert picture.missing.count("M") == 24
    assert not any("M3 " in layer.path for layer in picture.layers)


def test_no_readings_make_an_empty_picture():
    nothing = Readings(starts_on=fx.START, unit="kWh", quantity=Decimal(0), days=(), source="none")

    assert charts.heat(nothing).layers == ()
    assert charts.day_columns(nothing)[1] == ()


def test_the_totals_of_periods_and_days_add_to_the_quantity():
    assert (
        sum(total.quantity for total in fx.OCTOBER.periods)
        == sum(day.quantity for day in fx.OCTOBER.days)
        == fx.OCTOBER.quantity
        == fx.BILL_PAGE.usage_quantity
    )


def test_the_ladder_is_filled_as_far_as_it_was_climbed():
    rungs, scale, marks = charts.ladder(fx.LADDER)

    assert rungs[0].filled == rungs[0].width
    assert 0 < rungs[1].filled < rungs[1].width
    assert scale.high >= float(fx.LADDER[1].price)
    assert [mark.label for mark in marks] == ["0", "500"]


def test_an_untouched_ladder_is_empty():
    rungs, _, _ = charts.ladder((Step(tier=1, starts=Decimal(0), up_to=None, price=Decimal("0.1"), quantity=Decimal(0)),))

    assert rungs[0].filled == 0


@given(st.lists(st.integers(-100, 10_000).map(Decimal), max_size=6))
def test_shares_fill_the_strip_and_never_more(amounts):
    places = charts.shares(amounts)

    assert sum(width for _, width in places) <= 100.01
    assert all(width >= 0 for _, width in places)
