"""The bill page, gathered: billing opens the bill and works every line out again; here that becomes what a person reads."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID

from psycopg import Connection

from mains.base.problems import Problem
from mains.billing import queries as billing
from mains.billing.explaining import BillExplanation, ExplainedLine, explain_bill
from mains.billing.verifying import verify_bills
from mains.metering.queries import Channel, channels_by_id
from mains.rates.queries import versions_by_id
from mains.web import measured_facts, queries
from mains.web.format import Formats, count
from mains.web.views import BilledMeter, BillPage, BlockVersion, Inputs, Line, LinePage, PreviousBill, RatePart, Step

_SHARES = ("percent", "tax")


def bill_page(conn: Connection, bill_id: UUID, *, f: Formats) -> BillPage:
    """One bill, explained and made again; one that does not follow from its inputs is shown as issued, and said to differ.

    Raises:
        NotFound: there is no such bill here.
    """
    page, explained = _gathered(conn, bill_id, f=f)
    state, detail = _verdict(conn, bill_id, explained)
    return replace(page, inputs=replace(page.inputs, verify_state=state, verified_at=f.at, verify_detail=detail))


def line_page(conn: Connection, bill_id: UUID, line_no: int, *, f: Formats) -> LinePage:
    """One line of a bill, opened.

    Raises:
        NotFound: there is no such bill.
        BillHasNoSuchLine: it has no such line.
    """
    page, explained = _gathered(conn, bill_id, f=f)
    line = next((line for line in page.lines if line.line_no == line_no), None)
    if line is None:
        raise BillHasNoSuchLine(f"bill {page.bill_number} has {len(page.lines)} lines, not line {line_no}", cure="open the bill and choose a line")
    one = next((one for one in explained.lines if one.line.line_no == line_no), None) if explained else None
    readings = page.readings
    if explained and one and readings and line.kind == "demand":
        readings = measured_facts.of_demand(readings, explained, one.line, timezone=queries.place_of_account(conn, page.account_id).timezone)
    return LinePage(bill=page, line=line, readings=readings, ladder=_ladder(one) if one else (), base=tuple(other for other in page.lines if other.line_no in line.base_lines))


class BillHasNoSuchLine(Problem):
    """The bill is there, the line is not."""

    status = 404


def _gathered(conn: Connection, bill_id: UUID, *, f: Formats) -> tuple[BillPage, BillExplanation | None]:
    bill = billing.bill(conn, bill_id)
    explained = _explained(conn, bill_id)
    place, around = queries.place_of_account(conn, bill.account_id), queries.around_bill(conn, bill_id)
    row = billing.inputs_of_bills(conn, [bill_id])[0]
    f = replace(f, timezone=place.timezone)
    channels = {channel.channel_id: channel for channel in channels_by_id(conn, [each["channel_id"] for each in row["channels"]])}
    meters, parts = _meters(row, channels), _parts(conn, row)
    left = queries.receivable_of_bills(conn, [bill_id]).get(bill_id)
    is_issued = bill.billing_status == "issued"
    page = BillPage(
        bill_id=bill_id, bill_number=bill.bill_number, revision=bill.revision - 1, billing_status=bill.billing_status if is_issued or bill.cancelled_at else "draft",
        customer_id=bill.customer_id, customer_name=place.full_name, account_id=bill.account_id, account_number=bill.account_number, commodity=bill.commodity,
        premise_address=place.premise_address, meters=meters, parts=parts, billing_period_start=bill.billing_period_start, billing_period_end=bill.billing_period_end,
        issued_at=bill.issued_at, due_date=bill.due_date, total_amount=bill.total_amount, paid_amount=bill.total_amount - left if is_issued and left is not None else Decimal(0),
        usage_quantity=bill.usage_quantity, unit=bill.usage_unit, lines=_lines(conn, bill, explained, parts), inputs=_inputs(conn, bill, row, around, explained, channels),
        previous=_previous(conn, around.previous_id), readings=measured_facts.readings(conn, explained, channels, timezone=place.timezone) if explained else None,
        replaced_by=around.replaced_by, notes=_notes(bill, parts, meters, explained, f=f),
    )  # fmt: skip
    return page, explained


def _explained(conn: Connection, bill_id: UUID) -> BillExplanation | None:
    """The bill worked out again; None where it does not follow from its inputs, which `_verdict` then says."""
    try:
        with conn.transaction():
            return explain_bill(conn, bill_id)
    except Problem:
        return None


def _verdict(conn: Connection, bill_id: UUID, explained: BillExplanation | None) -> tuple[str, str | None]:
    """Whether making the bill again gives every byte of it, its stored lines included, and what differs."""
    try:
        with conn.transaction():
            verified = verify_bills(conn, [bill_id])
    except Problem as problem:
        return "differs", f"It cannot be made again: {problem.detail}."
    if verified.different:
        difference = verified.different[0].difference or "unknown"
        return "differs", f"{difference[:1].upper()}{difference[1:]}."
    if explained is None:
        return "differs", "Its lines do not follow from its inputs."
    return "same", "The readings were corrected since; those that stood then were used." if verified.from_old_readings else None


# ── Rates and lines ──────────────────────────────────────────────────────────


def _parts(conn: Connection, row: dict[str, Any]) -> tuple[RatePart, ...]:
    """The rate versions that the bill was frozen with, each with its local dates."""
    versions = versions_by_id(conn, {UUID(segment["rate_version_id"]) for segment in row["segments"]})
    found = []
    for number, segment in enumerate(row["segments"], start=1):
        version = versions[UUID(segment["rate_version_id"])]
        found.append(
            RatePart(
                part_no=number, rate_schedule_name=version.rate_schedule_name, version_number=version.version_number, version_hash=segment["document_sha256"],
                starts_on=date.fromisoformat(segment["from_date"]), ends_on=date.fromisoformat(segment["to_date"]), is_whole=len(row["segments"]) == 1,
            )
        )  # fmt: skip
    return tuple(found)


def _lines(conn: Connection, bill: billing.Bill, explained: BillExplanation | None, parts: tuple[RatePart, ...]) -> tuple[Line, ...]:
    """The stored lines, with their reasons where these are known."""
    whys = {one.line.line_no: one for one in explained.lines} if explained else {}
    return tuple(line_of(line, whys.get(line.line_no), parts) for line in billing.lines_of_bill(conn, bill))


def line_of(line: billing.BillLine, explained: ExplainedLine | None = None, parts: tuple[RatePart, ...] = ()) -> Line:
    """A line for the page: a share of other lines shows no quantity of its own, and a minimum neither quantity nor price, since it is what lacks."""
    why = explained.why if explained else None
    is_share, is_least = line.charge_kind in _SHARES, line.charge_kind == "minimum"
    return Line(
        line_no=line.line_no, charge_id=line.charge_id, label=line.label, kind=line.charge_kind, amount=line.amount, tags=tuple(line.tags),
        period=line.tou_period or None, tier=line.tier, quantity=None if is_share or is_least else line.quantity, unit=line.unit,
        price=None if is_share or is_least else line.price, share=line.price if is_share else None, factor=Fraction(line.factor),
        clause=(why.clause or None) if why else None, formula=why.formula if why else None, base_lines=explained.base_lines if explained else (),
        part=parts[line.segment_no - 1] if line.segment_no <= len(parts) else None,
    )  # fmt: skip


def _ladder(explained: ExplainedLine) -> tuple[Step, ...]:
    bounds = [*explained.bounds, (None, Fraction(1))]
    return tuple(
        Step(tier=step.tier, starts=step.lower, up_to=step.upper, price=step.price, quantity=step.quantity, stated=stated, scale=scale)
        for step, (stated, scale) in zip(explained.why.ladder, bounds, strict=False)
    )


def _previous(conn: Connection, bill_id: UUID | None) -> PreviousBill | None:
    if bill_id is None:
        return None
    bill = billing.bill(conn, bill_id)
    return PreviousBill(
        bill_id=bill_id, bill_number=bill.bill_number, billing_period_start=bill.billing_period_start, billing_period_end=bill.billing_period_end,
        total_amount=bill.total_amount, lines=tuple(line_of(line) for line in billing.lines_of_bill(conn, bill)), usage_quantity=bill.usage_quantity,
        parts=_parts(conn, billing.inputs_of_bills(conn, [bill_id])[0]),
    )  # fmt: skip


# ── What it was made from ────────────────────────────────────────────────────


def _meters(row: dict[str, Any], channels: dict[int, Channel]) -> tuple[BilledMeter, ...]:
    """The meters that the bill was frozen with, in the order in which they hung."""
    spans: dict[str, list[datetime]] = {}
    for each in row["channels"]:
        spans.setdefault(channels[each["channel_id"]].meter_number, []).extend(datetime.fromisoformat(each[name]) for name in ("from_at", "to_at"))
    found = (BilledMeter(meter_number=number, from_at=min(instants), to_at=max(instants)) for number, instants in spans.items())
    return tuple(sorted(found, key=lambda meter: (meter.from_at, meter.meter_number)))


def _inputs(
    conn: Connection, bill: billing.Bill, row: dict[str, Any], around: queries.Around, explained: BillExplanation | None, channels: dict[int, Channel]
) -> Inputs:
    as_of = explained.readings_as_of if explained and explained.used_old_readings else None
    blocks = [
        BlockVersion(
            channel=measured_facts.channel_name(channels[each["channel_id"]]), first_day=stored.first_day, last_day=stored.last_day, days=stored.days,
            version=stored.version,
        )
        for each in row["channels"]
        if each["interval_s"] is not None
        for stored in queries.stored_days(
            conn, each["channel_id"], from_at=datetime.fromisoformat(each["from_at"]), to_at=datetime.fromisoformat(each["to_at"]), as_of=as_of
        )
    ]
    return Inputs(
        inputs_hash=bill.input_sha256, calculated_at=bill.calculated_at, calculated_by=around.calculated_by or "unknown", engine=row["engine_version"], blocks=tuple(blocks)
    )


def _notes(
    bill: billing.Bill, parts: tuple[RatePart, ...], meters: tuple[BilledMeter, ...], explained: BillExplanation | None, *, f: Formats
) -> tuple[str, ...]:
    """What a reader should know before the lines."""
    notes = []
    for before, after in pairwise(parts):
        on = f"{after.starts_on.day} {after.starts_on:%B}"
        if before.rate_schedule_name == after.rate_schedule_name:
            notes.append(f"The price changed on {on}: {_number(len(parts))} parts, each with the price of its days.")
        else:
            notes.append(f"The rate changed on {on}, from {before.rate_schedule_name} to {after.rate_schedule_name}: {_number(len(parts))} parts.")
    for before, after in pairwise(meters):
        notes.append(f"The meter was exchanged on {f.instant(after.from_at)}: {before.meter_number} measured until then, {after.meter_number} from then on.")
    if bill.estimated_readings:
        one = bill.estimated_readings == 1
        reads = explained is not None and explained.readings is None
        where = "They are marked below." if not one else "It is marked below."
        why = "nobody could read the dial" if reads else "the meter did not answer"
        notes.append(f"{count(bill.estimated_readings)} reading{' was' if one else 's were'} estimated: {why}. {where}")
    if explained is not None and explained.used_old_readings:
        notes.append("Readings of this period were corrected after the bill was made. Shown here are those that it was made from.")
    return tuple(notes)


def _number(parts: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(parts, str(parts))
