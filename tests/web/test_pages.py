"""The pages as a browser gets them: whole, escaped, without inline code, each chart with its table."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import page_fixtures as fx
import pytest
from lxml import html
from page_world import make_app
from starlette.testclient import TestClient

from mains.web import render
from mains.web.security import CONTENT_SECURITY_POLICY
from mains.web.views import ErrorPage

WEB = Path(render.__file__).parent
OURS = [path for folder in ("templates", "static") for path in sorted((WEB / folder).iterdir()) if path.is_file()]
CUSTOMER, BILL = f"/customers/{fx.CUSTOMER}", f"/bills/{fx.BILL}"
PAGES = [
    "/",
    CUSTOMER,
    f"/customers/{fx.uuid(2)}",
    BILL,
    f"/bills/{fx.uuid(3)}",
    f"{BILL}/lines/1",
    f"{BILL}/lines/5",
    f"{BILL}/lines/9",
    "/imports",
    "/billing/exceptions",
    "/search",
    "/search?q=okafor",
    "/search?q=nobody",
    "/sign-in",
    "/meters",
    "/meters/exceptions",
    "/meters/exceptions/1",
    "/meters/silent",
    f"{CUSTOMER}/usage/{fx.ELECTRIC}?month=2026-10",
    f"{CUSTOMER}/usage/{fx.ELECTRIC}?day=2026-10-13",
]


@pytest.fixture(scope="module")
def browser():
    with TestClient(make_app()) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_carries_the_policy(browser, path):
    answer = browser.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-store"
    page = html.fromstring(answer.text)
    assert len(page.xpath("//h1")) == 1
    assert page.xpath("//title/text()")[0].strip(" ·")
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_code_and_asks_this_host_alone(browser, path):
    page = html.fromstring(browser.get(path).text)

    assert page.xpath("//*[@style]") == []
    assert page.xpath("//style") == []
    assert page.xpath("//script[not(@src)]") == []
    assert page.xpath("//*[@*[starts-with(name(), 'on') or starts-with(name(), 'hx-on')]]") == []
    for address in page.xpath("//@href | //@src | //@action | //@hx-get"):
        assert address.startswith(("/", "#", "mailto:", "tel:")), address


@pytest.mark.parametrize("path", PAGES)
def test_each_chart_has_a_name_a_source_and_a_table(browser, path):
    for chart in html.fromstring(browser.get(path).text).xpath("//figure"):
        assert chart.xpath(".//figcaption")
        assert chart.xpath(".//*[contains(@class, 'source')]")
        assert chart.xpath(".//details//table//tbody/tr") or "Nothing was read" in chart.text_content()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_files_hold_no_inline_code_and_no_foreign_address(path):
    if path.suffix not in (".html", ".css", ".js", ".svg"):
        return
    text = path.read_text()
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}", text.replace("http://www.w3.org/2000/svg", ""))
    if path.suffix == ".html":
        assert not re.search(r"\sstyle\s*=|\son[a-z]+\s*=|<style|javascript:|\|\s*safe", text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)


def test_a_piece_is_served_where_the_page_asks_for_one(browser):
    piece = browser.get(f"{BILL}/lines/1", headers={"HX-Request": "true"}).text

    assert "<html" not in piece
    assert "154.499" in piece
    assert "Sheet 14" in piece
    assert browser.get(f"{BILL}/lines/1").text.startswith("<!doctype html>")


def test_the_bill_says_what_is_due_before_anything_else(browser):
    page = html.fromstring(browser.get(BILL).text)

    assert "$100.22" in page.xpath("//h1")[0].text_content()
    text = " ".join(page.xpath("//main")[0].text_content().split()).replace("\xa0", " ")
    assert (
        text.index("Due 3 Dec 2026")
        < text.index("less than the last bill")
        < text.index("The lines")
        < text.index("What the meter measured")
        < text.index("Frozen with this bill")
    )


def test_names_from_outside_are_escaped():
    nasty = replace(fx.CUSTOMER_PAGE, customer_name="<img src=x onerror=alert(1)>\"'&")
    text = render.markup("customer.html", frame=fx.FRAME, customer=nasty)

    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_long_and_odd_values_still_make_a_page():
    odd = "Ünïcödé " * 40
    services = tuple(
        replace(service, premise_address=odd, rate_schedule_name=None, meter_number=None, last_reading_at=None, closed_on=date(2026, 1, 1))
        for service in fx.CUSTOMER_PAGE.services
    )
    page = replace(
        fx.CUSTOMER_PAGE,
        customer_name=odd,
        services=services,
        owed=replace(fx.CUSTOMER_PAGE.owed, balance=Decimal(-5), overdue=Decimal(0)),
        usage=tuple(replace(usage, months=tuple(replace(month, quantity=None) for month in usage.months)) for usage in fx.USAGE),
    )
    text = render.markup("customer.html", frame=replace(fx.FRAME, person=None, request_id=None), customer=page)

    assert "In credit" in text
    assert "No rate is assigned" in text


@pytest.mark.parametrize(
    "facts",
    [
        {"billing_status": "cancelled", "replaced_by": fx.uuid(5)},
        {"paid_amount": Decimal(40)},
        {"paid_amount": fx.TOTAL},
        {"total_amount": Decimal(-12)},
        {"due_date": date(2026, 1, 1)},
        {"lines": ()},
        {"readings": None},
        {"billing_status": "draft", "issued_at": None},
        {"readings": replace(fx.OCTOBER, hours=())},
        {"inputs": replace(fx.INPUTS, verify_state="differs", verify_detail="Line 3 differs.")},
        {"inputs": replace(fx.INPUTS, verify_state="unchecked", blocks=())},
        {"usage_quantity": None},
        {"commodity": "heat", "unit": "GJ"},
    ],
    ids=",".join,
)
def test_a_bill_in_any_state_makes_a_page(facts):
    assert "</html>" in render.markup("bill.html", frame=fx.FRAME, bill=replace(fx.BILL_PAGE, **facts))


def test_empty_pages_say_how_to_fill_them():
    assert "mains demo" in render.markup("home.html", frame=fx.FRAME, home=fx.EMPTY_HOME)
    assert "mains readings import" in render.markup("imports.html", frame=fx.FRAME, batches=())
    assert "No bill is held" in render.markup("held.html", frame=fx.FRAME, held=())


def test_a_problem_is_a_page_with_its_cure_and_the_request(browser):
    answer = browser.get("/error/403")

    assert answer.status_code == 403
    for words in ("Not yours to see", "What to do", fx.FRAME.request_id):
        assert words in answer.text
    piece = render.markup("_error.html", frame=fx.FRAME, problem=ErrorPage(status=404, title="T", detail="D"))
    assert "What to do" not in piece


def test_static_files_are_kept_for_a_year_under_their_hash(browser):
    answer = browser.get(render.asset("page.css"))

    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/page.css").headers["cache-control"] == "no-store"


def test_a_month_that_is_none_is_refused(browser):
    assert browser.get(f"{CUSTOMER}/usage/{fx.ELECTRIC}?month=2026-13").status_code == 422


def test_the_vendored_files_are_those_of_the_lock():
    import json
    from hashlib import sha256

    vendor = WEB / "static/vendor"
    locked = {entry["file"]: entry for entry in json.loads((vendor / "vendor.lock").read_text())}
    there = {path.name for path in vendor.iterdir()} - {"vendor.lock"}
    assert locked.keys() == there
    for name, entry in locked.items():
        assert sha256((vendor / name).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["version"]
        assert entry["licence"]
