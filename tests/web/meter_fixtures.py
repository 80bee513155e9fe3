"""Made-up meter operations for looking at the pages and testing them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from mains.web import meter_views as v
from mains.web.views import Tile

ZONE = ZoneInfo("America/Chicago")
AT = datetime(2026, 11, 22, 18, 42, tzinfo=ZONE)
FROM = datetime(2026, 11, 20, 13, tzinfo=ZONE)
ROWS = tuple(
    v.ExceptionRow(
        exception_id=n, meter_number=f"M-{4700 + n}", register="delivered", from_at=FROM, to_at=FROM + timedelta(hours=n), rule_name=rule, severity=severity,
        finding=f"Finding number {n} <b>as the rule says it</b>", status="re_read" if n == 2 else "open", found_at=AT,
    )
    for n, (rule, severity) in enumerate((("gap", "failure"), ("spike", "failure"), ("zero", "warning"), ("high-low", "info")), start=1)
)  # fmt: skip
METERS = v.MetersPage(
    tiles=(
        Tile(label="Arrived of 21 Nov", value="99.8 %", note="41,184 of 41,260 readings that were due", tone="good", trend=(1.0, 2.0, 1.5)),
        Tile(label="Exceptions", value="4", note="readings that a rule questions", tone="live", href="/meters/exceptions"),
    ),
    days=tuple(v.ArrivalDay(day=date(2026, 10, 25) + timedelta(days=n), due=9600, read=9600 - (n * 37) % 410, estimated=(n * 11) % 90) for n in range(28)),
    lateness=(
        v.Lateness(name="within 6 hours", readings=268_000, deliveries=28, share=Decimal("0.997")),
        v.Lateness(name="later", readings=800, deliveries=3, share=Decimal("0.003")),
    ),
    rules=tuple(
        v.RuleCount(rule_name=row.rule_name, severity=row.severity, exceptions=1, channels=1, first_at=FROM, href=f"/meters/exceptions?rule={row.rule_name}") for row in ROWS
    ),
    latest=ROWS, waits=0, pushed=3,
)  # fmt: skip
EXCEPTIONS = v.ExceptionsPage(
    rows=ROWS, rules=(v.Choice(name="all rules", href="/meters/exceptions", is_chosen=True), v.Choice(name="Gap", href="/meters/exceptions?rule=gap")),
    severities=tuple(v.Choice(name=name, href=f"/meters/exceptions?severity={name}", is_chosen=name == "all") for name in ("all", "failure", "info")),
    done="1 exception accepted; 4 readings count again.", older_href="/meters/exceptions?before=1",
)  # fmt: skip
EXCEPTION = v.ExceptionPage(
    row=ROWS[0], rule_title="Intervals that are missing", rule_number=5, unit="Wh", step=Decimal(1), can_decide=True, can_edit=True, is_marked=True, settled=None,
    customer_href="/customers/x",
    intervals=tuple(
        v.Interval(
            number=n, starts_at=FROM + timedelta(minutes=15 * (n - 8)), value=None if 8 <= n < 12 else Decimal(100 + n * 7), quality="Missing" if 8 <= n < 12 else "Actual",
            before=Decimal(90) if n == 3 else None, is_meant=8 <= n < 12,
        )
        for n in range(24)
    ),
    edits=(v.EditRow(kind="edit", method="typed", status="proposed", reason="read on site", proposed_by="Ada Clerk", proposed_at=AT, approved_by=None),),
)  # fmt: skip
SILENT = v.SilentPage(
    day=date(2026, 11, 21), is_cut=False,
    meters=(v.SilentMeter(meter_number="M-1", register="delivered", address="1 Main St", customer_href=None, last_at=None),
            v.SilentMeter(meter_number="M-2", register="delivered", address=None, customer_href="/customers/x", last_at=FROM)),
)  # fmt: skip


class MeterReads:
    """What the pages of meter operations may ask, answered from here."""

    def meters(self):
        return METERS

    def exceptions(self, **_):
        return EXCEPTIONS

    def exception(self, exception_id):
        return EXCEPTION

    def silent(self, day):
        return SILENT
