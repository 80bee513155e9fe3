"""The pages served from fixtures, for the tests and for looking at them: `python tests/web/page_world.py PORT`."""

import sys
from dataclasses import replace
from pathlib import Path

import meter_fixtures
import page_fixtures as fx
from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from mains.web import views
from mains.web.meter_pages import router as meter_router
from mains.web.pages import router
from mains.web.render import STATIC, error_page, sign_in_page
from mains.web.security import add_security_headers


class FixtureReads(meter_fixtures.MeterReads):
    """What the pages may ask, answered from fixtures."""

    def frame(self):
        return fx.FRAME

    def home(self):
        return fx.HOME_PAGE

    def search(self, asked):
        return replace(fx.SEARCH_PAGE, asked=asked) if asked.lower() in "maria okafor-lindqvist" else views.SearchPage(asked=asked, hits=())

    def customer(self, customer_id, *, all_bills=False):
        return fx.CUSTOMER_PAGE if customer_id == fx.CUSTOMER else fx.EMPTY_CUSTOMER

    def usage(self, customer_id, account_id, *, view, on, is_cost=False):
        return fx.usage_detail("hour" if view in ("day", "week") else "day")

    def bill(self, bill_id):
        return fx.BILL_PAGE if bill_id == fx.BILL else fx.GAS_BILL

    def bill_line(self, bill_id, line_no):
        return fx.line_page(line_no)

    def imports(self):
        return fx.IMPORTS

    def held_bills(self):
        return fx.HELD


def make_app():
    app = FastAPI(openapi_url=None)
    app.state.reads = lambda request: FixtureReads()
    app.include_router(router)
    app.include_router(meter_router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.middleware("http")(add_security_headers)

    @app.get("/sign-in")
    def sign_in(request: Request, wrong: bool = False):
        form = views.SignInPage(
            problem="User name and password do not match. Check both; after five tries the account rests for 15 minutes." if wrong else None
        )
        return sign_in_page(request, form, frame=replace(fx.FRAME, person=None))

    @app.get("/error/{status}")
    def error(request: Request, status: int):
        problem = views.ErrorPage(
            status=status,
            title="Not yours to see",
            detail="Bill 26-10-0048213 belongs to another utility.",
            cure="Ask its staff, or sign in there.",
        )
        return error_page(request, problem, frame=fx.FRAME)

    return app


if __name__ == "__main__":
    import uvicorn

    sys.path.insert(0, str(Path(__file__).parent))
    uvicorn.run(make_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
