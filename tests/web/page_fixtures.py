"""One utility as the pages see it: a household with electricity, gas and water, and bills whose lines add up.

Made by arithmetic, so the pictures are those of a real month.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import exp, sin
from uuid import UUID
from zoneinfo import ZoneInfo

from mains.web import usage_views as uv
from mains.web import views as v

ZONE = ZoneInfo("America/Chicago")
NOW = datetime(2026, 11, 23, 15, 20, tzinfo=UTC)
CENT = Decimal("0.01")


def uuid(n: int) -> UUID:
    return UUID(int=(0x0192_7000_0000_7000_8000_0000_0000_0000) + n)


CUSTOMER, ELECTRIC, GAS, WATER, BILL = (uuid(n) for n in (1, 11, 12, 13, 101))
FRAME = v.Frame(
    utility_name="Riverbend Public Power",
    currency="USD",
    timezone="America/Chicago",
    at=NOW,
    person="Ines Halloran",
    request_id="01JD8K7Q4T",
)


def wobble(n: float) -> float:
    return abs(sin(n * 12.9898) * 43758.5453) % 1


def hour_use(day: date, hour: int) -> Decimal:
    """kWh of one hour: a morning, an evening, a car twice a week, and a little chance."""
    weekend = day.weekday() >= 5
    base = (
        0.32
        + 0.5 * exp(-((hour - 7.5) ** 2) / 3) * (not weekend)
        + 1.25 * exp(-((hour - 18.6) ** 2) / 7)
        + 0.4 * weekend * exp(-((hour - 13) ** 2) / 14)
    )
    cooling = 1.1 * exp(-((hour - 16) ** 2) / 14) * max(0.0, 1 - day.day / 14) if day.month == 10 else 0.2
    car = 3.4 if day.weekday() in (1, 5) and hour in (0, 1, 2) else 0
    return Decimal(str(round((base + cooling + car) * (0.75 + 0.5 * wobble(day.toordinal() * 24 + hour)), 3)))


def tou(day: date, hour: int) -> str:
    if day.weekday() >= 5 or hour < 6 or hour >= 22:
        return "off_peak"
    return "on_peak" if 16 <= hour < 21 else "mid_peak"


START, END = date(2026, 10, 1), date(2026, 11, 1)
PERIODS = (
    ("on_peak", "weekdays 16:00 – 21:00"),
    ("mid_peak", "weekdays 6:00 – 16:00 and 21:00 – 22:00"),
    ("off_peak", "nights and weekends"),
)


def readings(start: date = START, end: date = END) -> v.Readings:
    days = [start + timedelta(days=n) for n in range((end - start).days)]
    hours = []
    for n, day in enumerate(days):
        for hour in range(24):
            quality = "estimated" if day.day == 14 and 9 <= hour < 15 else "actual"
            hours.append(v.Hour(day=n, hour=hour, quantity=hour_use(day, hour), period=tou(day, hour), quality=quality))
    sums = {name: sum((h.quantity for h in hours if h.period == name), Decimal(0)) for name, _ in PERIODS}
    totals = [sum((h.quantity for h in hours if h.day == n), Decimal(0)) for n in range(len(days))]
    return v.Readings(
        starts_on=start,
        unit="kWh",
        quantity=sum(totals, Decimal(0)),
        hours=tuple(hours),
        days=tuple(
            v.DayTotal(day=day, quantity=total, quality="mixed" if day.day == 14 else "actual")
            for day, total in zip(days, totals, strict=True)
        ),
        periods=tuple(v.PeriodTotal(period=name, hours=text, quantity=sums[name]) for name, text in PERIODS),
        estimated=sum((h.quantity for h in hours if h.quality == "estimated"), Decimal(0)),
        source="Meter RB-204417, 15-minute readings, start of interval, local hours",
    )


def money(value: Decimal) -> Decimal:
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def lines(month: v.Readings, *, days: int, season: str, prices: dict[str, str], rider: str = "0.00412") -> tuple[v.Line, ...]:
    """A time-of-use supply, a two-step delivery ladder, a customer charge by the day, a rider, a franchise fee and a tax."""
    made: list[v.Line] = []

    def add(**facts) -> None:
        made.append(v.Line(line_no=len(made) + 1, **facts))

    used = {total.period: total.quantity for total in month.periods}
    for name, _ in PERIODS:
        q, p = used[name], Decimal(prices[name])
        add(
            charge_id=f"supply-{season}",
            label="Supply",
            kind="energy",
            tags=("energy", "supply"),
            period=name,
            quantity=q,
            unit="kWh",
            price=p,
            amount=money(q * p),
            clause=f"Sheet 14, Schedule R-TOU, §3(b), {season}",
            formula="quantity × price",
        )
    first = min(month.quantity, Decimal(500))
    for tier, q, p in ((1, first, Decimal("0.04120")), (2, month.quantity - first, Decimal("0.05985"))):
        add(
            charge_id="delivery",
            label="Delivery",
            kind="energy",
            tags=("energy", "delivery"),
            tier=tier,
            quantity=q,
            unit="kWh",
            price=p,
            amount=money(q * p),
            clause="Sheet 14, Schedule R-TOU, §4",
            formula="quantity in the tier × price",
        )
    add(
        charge_id="fuel",
        label="Fuel adjustment rider",
        kind="energy",
        tags=("rider",),
        quantity=month.quantity,
        unit="kWh",
        price=Decimal(rider),
        amount=money(month.quantity * Decimal(rider)),
        clause="Sheet 31, Rider FAC",
        formula="quantity × price",
    )
    add(
        charge_id="customer",
        label="Customer charge",
        kind="fixed",
        tags=("fixed",),
        quantity=Decimal(days),
        unit="day",
        price=Decimal("0.4110"),
        amount=money(days * Decimal("0.4110")),
        clause="Sheet 14, Schedule R-TOU, §2",
        formula="days × price",
    )
    base = sum((line.amount for line in made), Decimal(0))
    numbers = tuple(line.line_no for line in made)
    add(
        charge_id="franchise",
        label="Franchise fee, City of Riverbend",
        kind="percent",
        tags=("tax",),
        share=Decimal("0.03"),
        amount=money(base * Decimal("0.03")),
        clause="Ordinance 2019-44",
        formula="3 % of lines 1 to 7",
        base_lines=numbers,
    )
    add(
        charge_id="state-tax",
        label="State sales tax",
        kind="tax",
        tags=("tax",),
        share=Decimal("0.0625"),
        amount=money((base + made[-1].amount) * Decimal("0.0625")),
        clause="State revenue code §151.05",
        formula="6.25 % of lines 1 to 8",
        base_lines=(*numbers, len(made)),
    )
    return tuple(made)


OCTOBER = readings()
SEPTEMBER = readings(date(2026, 9, 2), date(2026, 10, 1))
NOW_LINES = lines(OCTOBER, days=31, season="winter", prices={"on_peak": "0.13120", "mid_peak": "0.08410", "off_peak": "0.05230"})
OLD_LINES = lines(
    SEPTEMBER, days=29, season="winter", prices={"on_peak": "0.12600", "mid_peak": "0.08410", "off_peak": "0.05230"}, rider="0.00388"
)
TOTAL, OLD_TOTAL = (sum((line.amount for line in some), Decimal(0)) for some in (NOW_LINES, OLD_LINES))

INPUTS = v.Inputs(
    inputs_hash="41d7b0c6f9e85a2204bb1937ce60f1de85730a94",
    calculated_at=datetime(2026, 11, 2, 9, 14, tzinfo=UTC),
    calculated_by="system:billing",
    engine="mains-rates/1",
    blocks=(
        v.BlockVersion(channel="Meter RB-204417, register 1", first_day=START, last_day=date(2026, 10, 31), days=30, version=1),
        v.BlockVersion(channel="Meter RB-204417, register 1", first_day=date(2026, 10, 14), last_day=date(2026, 10, 14), days=1, version=2),
    ),
    verify_state="same",
    verified_at=datetime(2026, 11, 23, 8, 2, tzinfo=UTC),
)

PARTS = (
    v.RatePart(
        part_no=1,
        rate_schedule_name="R-TOU Residential time of use",
        version_number=4,
        version_hash="9f2c4e1ab07d3385c1d04fe2b6a7719c0e5d88a1",
        starts_on=START,
        ends_on=END,
    ),
)
BILL_PAGE = v.BillPage(
    bill_id=BILL,
    bill_number="26-10-0048213",
    revision=0,
    billing_status="issued",
    customer_id=CUSTOMER,
    customer_name="Maria Okafor-Lindqvist",
    account_id=ELECTRIC,
    account_number="4410 0238 17",
    commodity="electric",
    premise_address="218 Alder Street, Riverbend",
    meters=(v.BilledMeter(meter_number="RB-204417", from_at=datetime(2026, 10, 1, 5, tzinfo=UTC), to_at=datetime(2026, 11, 1, 5, tzinfo=UTC)),),
    parts=PARTS,
    billing_period_start=START,
    billing_period_end=END,
    issued_at=datetime(2026, 11, 2, 14, tzinfo=UTC),
    due_date=date(2026, 12, 3),
    total_amount=TOTAL,
    paid_amount=Decimal(0),
    usage_quantity=OCTOBER.quantity,
    unit="kWh",
    lines=NOW_LINES,
    inputs=INPUTS,
    readings=OCTOBER,
    previous=v.PreviousBill(
        bill_id=uuid(100),
        bill_number="26-09-0047755",
        billing_period_start=date(2026, 9, 2),
        billing_period_end=START,
        total_amount=OLD_TOTAL,
        lines=OLD_LINES,
        usage_quantity=SEPTEMBER.quantity,
        parts=PARTS,
    ),
    notes=(
        "Six hours of 14 October are estimated: the meter did not answer. They are marked in the picture.",
    ),
)

LADDER = tuple(
    v.Step(
        tier=line.tier or 0,
        starts=Decimal(0) if line.tier == 1 else Decimal(500),
        up_to=Decimal(500) if line.tier == 1 else None,
        price=line.price or Decimal(0),
        quantity=line.quantity or Decimal(0),
    )
    for line in NOW_LINES
    if line.charge_id == "delivery"
)


def line_page(line_no: int = 1) -> v.LinePage:
    line = NOW_LINES[line_no - 1]
    return v.LinePage(
        bill=BILL_PAGE,
        line=line,
        readings=BILL_PAGE.readings,
        ladder=LADDER if line.tier else (),
        base=tuple(other for other in NOW_LINES if other.line_no in line.base_lines),
    )


def months(quantities: list[float | None], *, estimated: tuple[int, ...] = ()) -> tuple[v.MonthUse, ...]:
    first = [date(2025, 10, 1) if n == 0 else date(2025 + (9 + n) // 12, (9 + n) % 12 + 1, 1) for n in range(len(quantities))]
    return tuple(
        v.MonthUse(month=month, quantity=None if q is None else Decimal(str(q)), is_estimated=n in estimated)
        for n, (month, q) in enumerate(zip(first, quantities, strict=True))
    )


USAGE = (
    v.Usage(
        account_id=ELECTRIC,
        commodity="electric",
        unit="kWh",
        has_drill=True,
        source="15-minute readings of meter RB-204417, summed by local month",
        months=months(
            [842.1, 731.9, 905.4, 988.2, 871.0, 760.3, 655.8, 702.6, 1104.9, 1318.4, 1287.0, 968.8, float(OCTOBER.quantity)], estimated=(9,)
        ),
    ),
    v.Usage(
        account_id=GAS,
        commodity="gas",
        unit="therm",
        source="Monthly dial reads of meter G-88120",
        months=months([41, 78, 121, 139, 118, 84, 46, 22, 14, 12, 12, 17, 44]),
    ),
    v.Usage(
        account_id=WATER,
        commodity="water",
        unit="m3",
        source="Daily reads of meter W-30992, summed by local month",
        months=months([11.2, 10.4, 10.9, 11.0, 9.8, 10.7, 12.9, None, 19.6, 22.3, 21.8, 15.0, 11.6]),
    ),
)


def service(account: UUID, number: str, commodity: str, rate: str, meter: str, interval: str, at: datetime) -> v.Service:
    return v.Service(
        account_id=account,
        account_number=number,
        commodity=commodity,
        premise_address="218 Alder Street, Riverbend",
        service_status="active",
        opened_on=date(2021, 6, 14),
        closed_on=None,
        rate_schedule_name=rate,
        meter_number=meter,
        last_reading_at=at,
        reading_interval=interval,
        next_bill_after=date(2026, 11, 30),
    )


def bill_row(n: int, commodity: str, month: int, total: str, status: str, quantity: str, unit: str) -> v.BillRow:
    start = date(2026, month, 1)
    end = date(2026, month + 1, 1)
    return v.BillRow(
        bill_id=BILL if n == 0 else uuid(200 + n),
        bill_number=f"26-{month:02}-00{48213 - 157 * n}",
        account_number="4410 0238 17",
        commodity=commodity,
        billing_period_start=start,
        billing_period_end=end,
        issued_at=datetime(2026, month + 1, 2, 14, tzinfo=UTC),
        due_date=date(2026, month + 1, 28),
        total_amount=Decimal(total),
        billing_status=status,
        usage_quantity=Decimal(quantity),
        unit=unit,
    )


CUSTOMER_PAGE = v.CustomerPage(
    customer_id=CUSTOMER,
    customer_number="C-100482",
    customer_name="Maria Okafor-Lindqvist",
    customer_class="residential",
    service_status="active",
    customer_since=date(2021, 6, 14),
    service_zone_name="Riverside",
    contacts=(v.Contact(kind="phone", value="+1 555 0142", is_verified=True), v.Contact(kind="email", value="maria.okafor@example.org")),
    services=(
        service(
            ELECTRIC,
            "4410 0238 17",
            "electric",
            "R-TOU Residential time of use",
            "RB-204417",
            "15 min",
            datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        ),
        service(GAS, "4410 0238 25", "gas", "G-1 Residential gas", "G-88120", "monthly", datetime(2026, 11, 1, 14, 10, tzinfo=UTC)),
        service(WATER, "4410 0238 33", "water", "W-1 Residential water", "W-30992", "daily", datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
    ),
    owed=v.Owed(
        balance=TOTAL + Decimal("96.40"),
        overdue=Decimal("38.15"),
        next_due_amount=TOTAL + Decimal("58.25"),
        next_due_date=date(2026, 12, 3),
        last_payment_amount=Decimal("151.02"),
        last_payment_date=date(2026, 11, 5),
        ageing=(
            ("not yet due", TOTAL + Decimal("58.25")),
            ("1 – 30 days", Decimal("38.15")),
            ("31 – 60 days", Decimal(0)),
            ("over 60 days", Decimal(0)),
        ),
    ),
    usage=USAGE,
    bills=(
        bill_row(0, "electric", 10, str(TOTAL), "issued", str(OCTOBER.quantity), "kWh"),
        bill_row(1, "gas", 10, "58.25", "issued", "44", "therm"),
        bill_row(2, "water", 10, "38.15", "overdue", "11.6", "m3"),
        bill_row(3, "electric", 9, "139.87", "paid", "968.8", "kWh"),
        bill_row(4, "gas", 9, "29.10", "paid", "17", "therm"),
        bill_row(5, "water", 9, "41.22", "paid", "15.0", "m3"),
        bill_row(6, "electric", 8, "191.30", "paid", "1287.0", "kWh"),
        bill_row(7, "electric", 7, "196.04", "cancelled", "1318.4", "kWh"),
    ),
    timeline=(
        v.Event(
            at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
            kind="bill",
            title="Water bill overdue",
            detail="$38.15 since 18 Nov. A reminder went by e-mail.",
            tone="alarm",
        ),
        v.Event(
            at=datetime(2026, 11, 5, 17, 41, tzinfo=UTC),
            kind="payment",
            title="Payment of $151.02",
            detail="Card ending 4471, receipt 88-20417.",
            tone="good",
        ),
        v.Event(
            at=datetime(2026, 11, 2, 14, 0, tzinfo=UTC),
            kind="bill",
            title="Bill 26-10-0048213 issued",
            detail="Electricity, 1 – 31 October.",
            href=f"/bills/{BILL}",
        ),
        v.Event(
            at=datetime(2026, 10, 14, 20, 12, tzinfo=UTC),
            kind="reading",
            title="Six hours estimated",
            detail="Meter RB-204417 did not answer from 9:00 to 15:00.",
            tone="live",
        ),
        v.Event(
            at=datetime(2026, 10, 1, 5, 0, tzinfo=UTC),
            kind="service",
            title="Rate R-TOU, new version",
            detail="On-peak supply price from $0.12600 to $0.13120 a kWh.",
        ),
        v.Event(
            at=datetime(2026, 8, 19, 18, 30, tzinfo=UTC),
            kind="contact",
            title="Called about a high July bill",
            detail="July was estimated; cancelled and billed again from readings.",
        ),
    ),
    has_more_bills=True,
)


def usage_detail(step: str = "day") -> uv.UsageDetail:
    if step == "day":
        points = tuple(
            uv.Point(
                starts_at=datetime.combine(total.day, datetime.min.time(), ZONE),
                label=f"{total.day:%a} {total.day.day}",
                quantity=total.quantity,
                last_year=None
                if total.day.day > 28
                else Decimal(str(round(float(total.quantity or 0) * (0.8 + 0.5 * wobble(total.day.day)), 2))),
                is_estimated=total.quality != "actual",
                href=f"/customers/{CUSTOMER}/usage/{ELECTRIC}?day={total.day}",
            )
            for total in OCTOBER.days
        )
        return uv.UsageDetail(
            account_id=ELECTRIC,
            customer_id=CUSTOMER,
            commodity="electric",
            unit="kWh",
            view="month",
            step="day",
            title="October 2026, by day",
            points=points,
            last_year_label="October 2025",
            source=OCTOBER.source,
            earlier_href=f"/customers/{CUSTOMER}/usage/{ELECTRIC}?month=2026-09",
        )
    day = date(2026, 10, 13)
    points = tuple(
        uv.Point(
            starts_at=datetime(2026, 10, 13, hour, tzinfo=ZONE),
            label=f"{hour}:00",
            quantity=hour_use(day, hour),
            last_year=hour_use(day - timedelta(days=364), hour),
        )
        for hour in range(24)
    )
    return uv.UsageDetail(
        account_id=ELECTRIC,
        customer_id=CUSTOMER,
        commodity="electric",
        unit="kWh",
        view="day",
        step="hour",
        title="Tuesday 13 October 2026, by hour",
        points=points,
        last_year_label="Tuesday 14 October 2025",
        source=OCTOBER.source,
    )


REASONS = (
    v.QuarantineReason(
        code="unknown-meter",
        count=2880,
        example="meter RB-999001 is installed nowhere on 3 Nov 2026",
        cure="install the meter, then release the batch",
        line=12,
    ),
    v.QuarantineReason(
        code="spike",
        count=3,
        example="8,112 kWh in 15 min is 40 times the service's rating",
        cure="edit the reading or accept it with a reason",
        line=9913,
    ),
)
IMPORTS = (
    v.ImportBatch(
        batch_id=301,
        file_name="headend-2026-11-23T0500.csv",
        file_format="CSV",
        received_at=datetime(2026, 11, 23, 11, 2, tzinfo=UTC),
        accepted=191_904, new=191_904, changed=0,
        quarantined=2883,
        status="done",
        reasons=REASONS,
    ),
    v.ImportBatch(
        batch_id=302,
        file_name="nem12-market-share.zip",
        file_format="NEM12",
        received_at=datetime(2026, 11, 22, 11, 1, tzinfo=UTC),
        accepted=192_000, new=191_998, changed=2,
        quarantined=0,
        status="done",
    ),
    v.ImportBatch(
        batch_id=303,
        file_name="headend-2026-11-22T0500.csv",
        file_format="CSV",
        received_at=datetime(2026, 11, 22, 10, 59, tzinfo=UTC),
        accepted=192_000, new=0, changed=0,
        quarantined=0,
        status="done",
    ),
)
HELD = tuple(
    v.HeldBill(
        exception_id=uuid(400 + n),
        account_id=uuid(500 + n),
        account_number=f"4410 0{310 + n} 04",
        customer_id=uuid(600 + n),
        customer_name=name,
        commodity=commodity,
        billing_period_start=START,
        billing_period_end=END,
        code=code,
        reason=reason,
        cure=cure,
        opened_at=datetime(2026, 11, 2, 9, 14, tzinfo=UTC),
    )
    for n, (name, commodity, code, reason, cure) in enumerate(
        (
            (
                "Tolliver Bakery",
                "electric",
                "missing-readings",
                "96 of 2,976 intervals are missing, 12 Oct",
                "import the day, or estimate it",
            ),
            ("J. Abernathy", "gas", "no-dial-read", "No reading at the end of the period", "enter the reading"),
            ("Fjord Cold Storage Ltd", "electric", "no-rate", "No rate is assigned from 15 Oct", "assign a rate"),
        )
    )
)
HOME_PAGE = v.HomePage(
    tiles=(
        v.Tile(label="Customers", value="2,014", note="2,391 services: 1,986 electric, 262 gas, 143 water", tone="calm", href="/search?q="),
        v.Tile(label="Readings stored", value="76.3", unit="million", note="3.9 bytes each · 13 months", tone="electric"),
        v.Tile(
            label="Readings in, today",
            value="99.3",
            unit="%",
            note="of 194,787 expected · newest 20 min old",
            tone="good",
            trend=(98.9, 99.1, 99.4, 97.2, 99.0, 99.3, 99.4, 99.3),
            href="/imports",
        ),
        v.Tile(
            label="Billed, October",
            value="$412,908",
            note="2,380 bills issued · 11 held",
            tone="good",
            trend=(388, 401, 377, 350, 342, 366, 431, 466, 458, 402, 391, 413),
        ),
        v.Tile(label="Owed to us", value="$188,240", note="$21,904 overdue by 143 customers", tone="live"),
        v.Tile(label="Bills held", value="11", note="oldest 21 days · 3 reasons", tone="alarm", href="/billing/exceptions"),
    ),
    latest_run=v.BillRun(
        run_id=uuid(700),
        cycle_name="Cycle 14",
        billing_period_start=START,
        billing_period_end=END,
        started_at=datetime(2026, 11, 2, 9, 14, tzinfo=UTC),
        finished_at=datetime(2026, 11, 2, 9, 14, 6, tzinfo=UTC),
        made=2380,
        held=11,
        existing=0,
        standing=2380,
        standing_amount=Decimal("412907.63"),
    ),
    imports=IMPORTS,
    held=HELD,
    held_count=11,
)
SEARCH_PAGE = v.SearchPage(
    asked="okafor",
    hits=(
        v.Hit(kind="customer", title="Maria Okafor-Lindqvist", detail="C-100482 · 218 Alder Street", href=f"/customers/{CUSTOMER}"),
        v.Hit(kind="bill", title="Bill 26-10-0048213", detail="Maria Okafor-Lindqvist · October 2026", href=f"/bills/{BILL}"),
    ),
)

EMPTY_CUSTOMER = replace(
    CUSTOMER_PAGE,
    customer_since=None,
    service_zone_name=None,
    contacts=(),
    services=(),
    usage=(),
    bills=(),
    timeline=(),
    has_more_bills=False,
    owed=v.Owed(
        balance=Decimal(0), overdue=Decimal(0), next_due_amount=None, next_due_date=None, last_payment_amount=None, last_payment_date=None
    ),
)
EMPTY_HOME = v.HomePage(tiles=(), latest_run=None, imports=())
GAS_BILL = replace(
    BILL_PAGE,
    commodity="gas",
    unit="therm",
    meters=(replace(BILL_PAGE.meters[0], meter_number="G-88120"),),
    previous=None,
    notes=(),
    usage_quantity=Decimal(44),
    total_amount=Decimal("58.25"),
    revision=1,
    lines=(
        v.Line(
            line_no=1,
            charge_id="gas",
            label="Gas",
            kind="energy",
            quantity=Decimal(44),
            unit="therm",
            price=Decimal("1.00"),
            amount=Decimal("44.00"),
        ),
        v.Line(
            line_no=2,
            charge_id="customer",
            label="Customer charge",
            kind="fixed",
            quantity=Decimal(1),
            unit="month",
            price=Decimal("14.25"),
            amount=Decimal("14.25"),
        ),
    ),
    readings=v.Readings(
        starts_on=START,
        unit="therm",
        quantity=Decimal(44),
        days=(),
        source="Meter G-88120, reads of the dial in ccf; the heat content is that of the month",
        dials=(
            v.Dial(
                meter_number="G-88120",
                used=Decimal(43),
                unit="ccf",
                factor=Fraction("1.0233"),
                from_value=Decimal(9980),
                to_value=Decimal(23),
                dial_end=Decimal(10000),
                from_read_at=datetime(2026, 10, 1, 14, tzinfo=UTC),
                to_read_at=datetime(2026, 11, 1, 14, tzinfo=UTC),
                to_quality="estimated",
            ),
        ),
    ),
)
