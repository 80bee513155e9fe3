"""Every sum that a page of a bill prints is true: the demo's stories billed, rendered, and calculated again from the words alone."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from lxml import html

from mains.base.db import system_actor
from mains.billing import queries as billing
from mains.billing import runs
from mains.demo import building
from mains.demo.generate import DEFAULT_SEED
from mains.demo.loading import Chosen, planned
from mains.demo.steps import Steps
from mains.demo.stories import STORIES
from mains.web import render
from mains.web.change import change, reason
from mains.web.reads import PageReads

pytestmark = pytest.mark.xdist_group("sums")
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHOSEN = Chosen(customers=41, seed=DEFAULT_SEED)
MONTHS = {"2026-02-01", "2026-03-01", "2026-05-01"}
"""Months in which most is planted."""
NUMBER = r"(?P<sign>−)?[$]?(?P<digits>\d[\d,]*(?:\.\d+)?)(?:/(?P<below>\d+))?(?P<open>…)?(?P<percent>\s?%)?"
DEMO_LINES = 12


def value_of(text):
    """(value, digits after the point, None for a fraction; whether it is cut) of the first number in some words."""
    found = re.search(NUMBER, text)
    assert found, f"no number in {text!r}"
    value = Fraction(found["digits"].replace(",", "")) / int(found["below"] or 1) * (-1 if found["sign"] else 1)
    digits = None if found["below"] else len(found["digits"].partition(".")[2])
    return value / 100 if found["percent"] else value, digits, bool(found["open"])


def result_of(text):
    """What an expression like `a + b × c` comes to, from left to right, each term being the first number of its words."""
    first, *rest = re.split(r" ([+−×÷]) ", text.replace("(", " ").replace(")", " ").replace(", less ", " − ").replace(" % of ", " % × ").strip())
    total = value_of(first)[0]
    for sign, term in zip(rest[::2], rest[1::2], strict=True):
        value = value_of(term)[0]
        total = {"+": total + value, "−": total - value, "×": total * value, "÷": total / value if value else total}[sign]
    return total


def false_sums(text):
    """The equations in a block of text that do not come out to the digits that they print."""
    parts = [part.strip() for part in text.split("=")]
    found = []
    for before, right in pairwise(parts):
        left = before.rsplit(" · ", 1)[-1].rsplit(": ", 1)[-1].rsplit("ends at ", 1)[-1].rsplit("; ", 1)[-1].lstrip("÷ ")
        told, digits, is_cut = value_of(right)
        off = abs(result_of(re.split(" → ", left)[0]) - told)
        if off > (0 if digits is None else Fraction(1, 10**digits) if is_cut else Fraction(1, 2 * 10**digits)):
            found.append(f"{left} = {right}")
    for before, after in re.findall(r"= ([^=→]+) → ([^=→]+)", text):
        if abs(value_of(before)[0] - value_of(after)[0]) > Fraction(51, 10_000):
            found.append(f"{before} → {after}")
    return found


def test_a_false_sum_is_found_and_a_true_one_is_not():
    for true in (
        "146.423 winter on + 595.244 winter off + 361.575 1 – 10 Mar, Residential Service = 1,103.242 kWh",
        "Meter G1: (100,000 − 99,980) + 83 = 103 ccf × 1.039 therm a ccf = 107.017 therms",
        "1 month × 12.00 USD × 10/31 = 120/31, rounded 3.87 USD",
        "$41.25 lines 1 – 4 × 3 % share = 1.2375 exactly → $1.24",
        "ends at 600 kWh × 10/31 = 193.548 kWh, for 1 – 10 Mar",
    ):
        assert false_sums(true) == []
    for false in ("146.423 winter on + 595.244 winter off = 1,103.242 kWh", "3 kWh × $0.10 / kWh = 0.31 → $0.31", "9 × 2 = 18 → $18.02"):
        assert false_sums(false)


@pytest.fixture(scope="module")
def pages(database):
    with Steps(is_quiet=True) as steps:
        building.build(database, chosen=CHOSEN, at=AT, steps=steps)
    utility = planned(CHOSEN).utilities[0]
    return PageReads(database=database, actor=system_actor(utility.key, job="tests"), at=AT, person="Ada Clerk")


@pytest.fixture(scope="module")
def bills(pages):
    """The stories' bills of some months, and those of July with a large demand."""
    with pages.database.transaction(actor=pages.actor) as conn:
        every = billing.bills_after(conn, limit=10_000)
    assert {int(bill.account_number[:6]) for bill in every} >= set(STORIES)
    return [
        bill
        for bill in every
        if (int(bill.account_number[:6]) in STORIES and str(bill.billing_period_start)[:8] + "01" in MONTHS) or is_large(bill)
    ]


def is_large(bill):
    return (bill.peak_kw or 0) > 50 and str(bill.billing_period_start) == "2026-07-01"


def shown(pages, template, **values):
    return html.fromstring(render.markup(template, frame=pages.frame(), **values))


def words(element):
    return " ".join(" ".join(element.itertext()).replace("\xa0", " ").split())


def money(text):
    value, _, _ = value_of(text)
    return Decimal(value.numerator) / Decimal(value.denominator)


def falsehoods(page):
    blocks = [words(block) for block in page.xpath("//main//*[self::p or self::dd or self::td or self::figcaption or self::h2]")]
    return [wrong for block in blocks if "=" in block and re.search(r"\d", block) for wrong in false_sums(block)]


def test_every_sum_of_every_bill_is_true(pages, bills):
    wrong = []
    for bill in bills:
        page = shown(pages, "bill.html", bill=pages.bill(bill.bill_id))
        wrong += [(bill.bill_number, told) for told in falsehoods(page)]
        groups = [money(words(group.xpath("./h3/span")[0])) for group in page.xpath("//section[@class='group']")]
        lines = [money(words(line)) for line in page.xpath("//details[contains(@class, 'line')]/summary/span[@class='amount']")]
        total = money(words(page.xpath("//p[@class='grand']/b")[0]))
        if not sum(groups) == sum(lines) == total == bill.total_amount:
            wrong.append((bill.bill_number, groups, lines, total))
        falls = [money(words(cell)) for cell in page.xpath("//table[@class='falls']//td[@class='n']")]
        if falls and sum(falls[:-1]) != falls[-1]:
            wrong.append((bill.bill_number, falls))
    assert len(bills) > 80
    assert wrong == []


def test_every_sum_of_every_kind_of_line_is_true(pages, bills):
    wrong, seen = [], {}
    for bill in bills:
        with pages.database.transaction(actor=pages.actor) as conn:
            lines = billing.lines_of_bill(conn, bill)
        for line in lines:
            kind = line.rate_version_id, line.charge_id, line.tou_period, line.tier, line.factor
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] == 1:
                page = shown(pages, "line.html", opened=pages.bill_line(bill.bill_id, line.line_no))
                wrong += [(bill.bill_number, line.line_no, told) for told in falsehoods(page)]
    assert len(seen) > DEMO_LINES
    assert wrong == []


def test_a_demand_shows_its_own_windows_and_the_quarter_hour_that_was_billed(pages, bills):
    seen = 0
    for bill in bills:
        if not is_large(bill):
            continue
        for line in (line for line in pages.bill(bill.bill_id).lines if line.kind == "demand"):
            opened = pages.bill_line(bill.bill_id, line.line_no)
            peak = opened.readings.peak
            assert peak.kilowatts == line.quantity
            assert line.period is None or next(total for total in opened.readings.periods if total.period == line.period).quantity == line.quantity
            assert peak.kilowatts.normalize() == (peak.energy * 4).normalize()
            seen += 1
    assert seen


def test_a_held_bill_is_on_its_customers_page_with_what_releases_it(pages):
    held = pages.held_bills()[0]
    page = pages.customer(held.customer_id)
    text = words(shown(pages, "customer.html", customer=page))

    assert held in page.held
    assert "A bill is held" in text
    assert f"What releases it: {held.cure[0].lower()}{held.cure[1:]}" in text
    assert len(page.bills) == 12
    assert not pages.customer(held.customer_id, all_bills=True).has_more_bills
    assert len(pages.customer(held.customer_id, all_bills=True).bills) > 12


def test_a_run_of_what_is_billed_already_does_not_hide_what_stands(pages):
    before = pages.home().latest_run
    period = before.billing_period_start, before.billing_period_end
    runs.run_cycle(pages.database, actor=pages.actor, cycle_code="monthly", period=period, at=AT)
    after = pages.home().latest_run

    assert after.run_id != before.run_id
    assert (after.made, after.standing, after.standing_amount) == (0, before.standing, before.standing_amount)
    assert after.standing_amount > 0


def reasons(pages, bill):
    difference = change(pages.bill(bill.bill_id), currency="USD")
    assert difference is not None
    return [reason(part) for part in difference.parts]


def test_a_change_of_rate_is_called_that_and_a_season_is_not_a_change_of_prices(pages, bills):
    switched = next(bill for bill in bills if bill.bill_number == "000030-E1-20260301")
    told = reasons(pages, switched)
    assert ["Residential Service" in one.text and "11 March" in one.text for one in told if one.name == "Rate changed"] == [True]
    with pages.database.transaction(actor=pages.actor) as conn:
        june = [bill for bill in billing.bills_after(conn, limit=10_000) if bill.bill_number in ("000025-E1-20260601", "000037-E1-20260601", "000037-G1-20260601")]
    names = {bill.bill_number[7]: {one.name for one in reasons(pages, bill)} for bill in june}
    assert "Season" in names["E"]
    assert "Prices changed" not in names["E"] | names["G"]
    assert "When it was used" not in names["G"]
