"""The pages in a real browser: no accessibility violation, no console error, no other host, one sheet of paper."""

import re
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import page_fixtures as fx
import pytest
from page_world import make_app

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium at /usr/bin/chromium")]
CUSTOMER, BILL = f"/customers/{fx.CUSTOMER}", f"/bills/{fx.BILL}"


@pytest.fixture(scope="module")
def server():
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = uvicorn.Server(uvicorn.Config(make_app(), host="127.0.0.1", port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    while not served.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    served.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-quic"])
        yield browser
        browser.close()


@contextmanager
def looking_at(chromium, address, *, width=1280, theme="light"):
    """A page that is loaded, with the list of what it complained of and of hosts other than ours that it asked."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: page.complaints.append(request.url) if not request.url.startswith(("http://127.0.0.1", "data:")) else None,
    )
    page.goto(address)
    page.wait_for_function("window.htmx && document.readyState === 'complete' || document.body.classList.contains('bare')")
    yield page
    context.close()


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"][:160] for node in rule["nodes"]][:3]) for rule in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", [CUSTOMER, BILL])
def test_the_two_pages_are_accessible_and_fit(server, chromium, path, width, theme):
    with looking_at(chromium, server + path, width=width, theme=theme) as page:
        assert violations(page) == []
        assert page.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/imports",
        "/billing/exceptions",
        "/search?q=okafor",
        "/sign-in",
        "/meters",
        "/meters/exceptions",
        "/meters/exceptions/1",
        "/meters/silent",
        f"{BILL}/lines/5",
        f"{CUSTOMER}/usage/{fx.ELECTRIC}?day=2026-10-13",
    ],
)
def test_the_other_pages_are_accessible(server, chromium, path):
    with looking_at(chromium, server + path) as page:
        assert violations(page) == []
        assert page.complaints == []


def test_a_line_opens_to_its_formula_and_its_hours(server, chromium):
    with looking_at(chromium, server + BILL) as page:
        page.click("#line-1 > summary")
        page.wait_for_selector("#line-1 .formula")
        assert "20.2702688" in page.inner_text("#line-1 .formula")
        assert page.is_checked("#line-1 input[value=on_peak]")
        assert violations(page) == []
        assert page.complaints == []


def test_a_line_can_be_linked_to(server, chromium):
    with looking_at(chromium, f"{server}{BILL}#line-5") as page:
        page.wait_for_selector("#line-5 .ladder")


def test_the_hour_under_the_pointer_is_read_out(server, chromium):
    with looking_at(chromium, server + BILL) as page:
        page.hover(".cells-box", position={"x": 3, "y": 3})
        assert re.search(r"Thu 1, 0:00 – 1:00 · off peak · [\d.]+ kWh", page.inner_text(".measured [data-readout]"))


def test_a_month_opens_to_its_days_and_a_day_to_its_hours(server, chromium):
    with looking_at(chromium, server + CUSTOMER) as page:
        page.click("svg.area a >> nth=12")
        page.wait_for_selector("#drill canvas")
        page.evaluate("document.querySelector('#drill .twin').open = true")
        page.click("#drill tr[data-x] a >> nth=12")
        page.wait_for_selector("#drill [data-live=hour] canvas")
        assert page.complaints == []


def test_search_answers_while_typing_and_by_keys(server, chromium):
    with looking_at(chromium, server + "/") as page:
        page.keyboard.press("/")
        page.keyboard.type("okaf")
        page.wait_for_selector(".hits a")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**" + CUSTOMER)


def test_the_theme_is_remembered(server, chromium):
    with looking_at(chromium, server + "/") as page:
        page.click("[data-theme-switch]")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("path", [BILL, f"/bills/{fx.uuid(3)}"])
def test_a_bill_prints_on_one_sheet(server, chromium, path):
    with looking_at(chromium, server + path) as page:
        paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 1


@pytest.mark.parametrize("path", [CUSTOMER, BILL])
def test_fingers_find_their_targets_on_a_phone(server, chromium, path):
    with looking_at(chromium, server + path, width=390) as page:
        small = page.evaluate("""() => [...document.querySelectorAll('summary, button, .side nav a, input[type=search], .picks label')]
            .map(e => [e.textContent.trim().slice(0, 30), e.getBoundingClientRect().height])
            .filter(([, height]) => height > 0 && height < 43.5)""")
        assert small == []
