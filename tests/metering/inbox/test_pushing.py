"""Pushed lines: read within bounds, resolved as files are, refused one by one with a cure, stored once under one key."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_world import MIDNIGHT, NOW, add_channels

from mains.app import create_app
from mains.identity import operations as people
from mains.metering import inbox, push_keys, push_lines
from mains.metering.load import load
from mains.metering.pushing import Gathered, number_of, store_push
from mains.settings import Settings

BEGIN = int(MIDNIGHT.timestamp())
NDJSON = {"Content-Type": "application/x-ndjson"}


def line(meter, value=1, *, register="1", start="2026-03-01T06:00:00Z", **more):
    return json.dumps({"meter": meter, "register": register, "start": start, "value": value, **more})


def gather(*lines):
    return push_lines.gather_lines(["\n".join(lines).encode()])


@pytest.fixture
def pushed(database, staff):
    def pushed(*lines, **more):
        gathered, sha256 = gather(*lines)
        return store_push(database, staff, gathered, source="test", at=NOW, sha256=sha256, **more)

    yield pushed
    inbox.flush(database, staff, at=NOW)


@pytest.fixture
def meter(database, staff):
    def meter(number, **channel):
        return add_channels(database, staff, numbers=[number], **channel)[0]

    return meter


def waiting(database, staff, channel):
    with database.transaction(actor=staff) as conn:
        return conn.execute("SELECT extract(epoch FROM reading_at)::bigint, raw, quality FROM metering.reading_inbox WHERE channel_id = %s ORDER BY 1", [channel]).fetchall()


def test_units_and_powers_are_converted_exactly(database, staff, meter, pushed):
    channel = meter("P-1", unit="Wh", pow10=-1, multiplier=Decimal(2))
    done = pushed(
        line("P-1", 1.25, unit="kWh"),
        line("P-1", "0.2", start=BEGIN + 900, quality="estimated"),
        line("P-1", "3e1", start="2026-03-01T00:30:00-06:00"),
        line("P-1", 0.1, start=BEGIN + 2700),
    )
    assert waiting(database, staff, channel) == [(BEGIN, 6250, 0), (BEGIN + 900, 1, 2), (BEGIN + 1800, 150, 0)]
    assert (done.found, done.accepted, done.quarantined) == (4, 3, 1)
    assert [(issue.code, issue.line) for issue in done.issues] == [("finer-than-channel", 4)]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("no json", "not-json"),
        ("[1]", "not-an-object"),
        ('{"meter": "P-2"}', "member-missing"),
        (line("P-2", colour="red"), "member-unknown"),
        (line("P-2", None), "no-value"),
        (line("P-2", "a lot"), "bad-value"),
        (line("P-2", 10**19), "bad-value"),
        (line("P-2", float("nan")), "bad-value"),
        (line("P-2", float("inf")), "bad-value"),
        (line("P-2", True), "bad-value"),
        (line("P-2", [1]), "bad-value"),
        (line("P-2", start="2026-03-01T06:00:00"), "bad-start"),
        (line("P-2", start="yesterday"), "bad-start"),
        (line("P-2", start=10**12), "bad-start"),
        (line("P-2", start={}), "bad-start"),
        (line("P-2", unit="bushel"), "unknown-unit"),
        (line("P-2", unit=["kWh"]), "unknown-unit"),
        (line("P-2", quality="fine"), "unknown-quality"),
        (line("P-2", quality="missing"), "unknown-quality"),
        (line("P-2", unit="m3"), "unit-mismatch"),
        (line("P-\n"), "bad-name"),
        (line(7), "unknown-meter"),
        (line("nobody"), "unknown-meter"),
        (line("P-2", register="9"), "unknown-channel"),
        (line("P-2", start="2026-03-01T06:00:01Z"), "off-grid-of-channel"),
        (line("P-2", start=(NOW + timedelta(hours=1)).isoformat()), "future-reading"),
        (line("P-2", start="1970-01-01T00:00:00Z"), "too-old"),
        (line("P-2", start="0001-01-01T00:00:00+14:00"), "too-old"),
        (line("P-2", -5), "negative-value"),
        (line("P-2", 2_000_000_000), "absurd-value"),
        (line("P-2", "١٢"), "bad-value"),
        (line("P-2", 2**31), "beyond-channel"),
        (line("P-2", "1e99"), "beyond-channel"),
        (line("P-2", "1e-99"), "finer-than-channel"),
        (line("x" * 20_000), "line-too-long"),
        ("[" * 15_000, "not-json"),
    ],
)
def test_a_bad_line_is_named_with_its_cure_and_the_others_go_on(database, staff, meter, pushed, bad, code):
    with database.transaction(actor=staff) as conn:
        known = conn.execute("SELECT 1 FROM devices.meters WHERE meter_number = 'P-2'").fetchone()
    if not known:
        meter("P-2")
    done = pushed(line("P-2", 5), bad, "", line("P-2", 6, start=BEGIN + 900))
    assert (done.found, done.accepted, done.quarantined) == (3, 2, 1)
    assert [(issue.code, issue.line) for issue in done.issues] == [(code, 2)]
    assert done.issues[0].cure


def test_a_register_takes_a_reading_as_what_its_dial_showed(database, staff, meter, pushed):
    channel = meter("P-3", unit="kWh", interval_s=None, multiplier=Decimal(10))
    pushed(line("P-3", 12345, start=BEGIN + 17), line("P-3", 12345, start=BEGIN + 17))
    with database.transaction(actor=staff) as conn:
        assert conn.execute("SELECT raw, read_kind FROM metering.register_reads WHERE channel_id = %s", [channel]).fetchall() == [(12345, "index")]


def test_a_reading_goes_to_the_channel_of_its_time(database, staff, meter, pushed, admin):
    first = meter("P-4")
    admin.execute("SELECT set_config('app.actor', 'tests', false)")
    admin.execute("UPDATE metering.channels SET in_service = '[2026-01-01,2026-03-01 06:15+00)' WHERE channel_id = %s", [first])
    with database.transaction(actor=staff) as conn:
        then = "INSERT INTO metering.channels (meter_id, register, commodity, quantity, unit, multiplier, interval_s, utc_offset_min, in_service) "
        then += "SELECT meter_id, register, commodity, quantity, unit, 10, interval_s, utc_offset_min, '[2026-03-01 06:15+00,)' FROM metering.channels WHERE channel_id = %s"
        second = conn.execute(then + " RETURNING channel_id", [first]).fetchone()[0]
    done = pushed(line("P-4", 50), line("P-4", 50, start=BEGIN + 900), line("P-4", 50, start="2025-03-01T06:00:00Z"))
    assert waiting(database, staff, first) == [(BEGIN, 50, 0)]
    assert waiting(database, staff, second) == [(BEGIN + 900, 5, 0)]
    assert [issue.code for issue in done.issues] == ["channel-not-in-service"]


def test_the_same_key_is_answered_the_same_and_stores_once(database, staff, meter):
    channel = meter("P-5")

    def push(value, key="night-1"):
        gathered, sha256 = gather(line("P-5", value))
        return push_keys.store_once(database, staff, gathered, key=key, source="test", at=NOW, sha256=sha256)

    first = push(5)
    assert push(5) == first
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: push(6, "night-2"), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(waiting(database, staff, channel)) == 2
    with pytest.raises(push_keys.KeyOfAnotherPush):
        push(7)
    with database.transaction(actor=staff) as conn:
        assert push_keys.forget(conn, at=NOW + timedelta(days=8)) == 2
    inbox.flush(database, staff, at=NOW)


def test_a_full_inbox_takes_nothing(database, staff, meter, pushed):
    channel = meter("P-6")
    pushed(line("P-6"))
    with pytest.raises(inbox.InboxFull):
        pushed(line("P-6", start=BEGIN + 900), most_waiting=1)
    assert len(waiting(database, staff, channel)) == 1


def test_many_bad_lines_are_counted_together(pushed):
    done = pushed(*["{"] * 3000)
    assert (done.found, done.accepted, done.quarantined) == (3000, 0, 3000)
    assert len(done.issues) == 1001
    assert sum(issue.count for issue in done.issues) == 3000


def test_a_bomb_is_refused_before_it_swells():
    bomb = gzip.compress(b" " * (300 << 20), compresslevel=1)
    with pytest.raises(push_lines.PushTooLarge):
        push_lines.gather_lines([bomb], is_gzip=True)


def test_a_damaged_or_cut_gzip_is_refused():
    whole = gzip.compress(line("P-1").encode() * 50)
    for broken in (whole[:-9], b"\x1f\x8b" + b"x" * 50, whole[:30] + b"\x00\x00" + whole[32:]):
        with pytest.raises(push_lines.PushNotReadable):
            push_lines.gather_lines([broken], is_gzip=True)


def test_several_gzip_members_are_one_text_however_it_is_cut():
    text = "\n".join(line(f"P-{n}", n) for n in range(500)).encode()
    packed = gzip.compress(text[:9000]) + gzip.compress(text[9000:])
    plain, digest = push_lines.gather_lines([text])
    for size in (1, 7, 1000):
        found, same = push_lines.gather_lines([packed[at : at + size] for at in range(0, len(packed), size)], is_gzip=True)
        assert same == digest
        assert (found.found, found.digest()) == (500, plain.digest())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=8), st.booleans())
def test_no_bytes_break_the_reader(pieces, is_gzip):
    try:
        gathered, _ = push_lines.gather_lines(pieces, is_gzip=is_gzip)
    except push_lines.PushNotReadable:
        return
    lines = [each for each in b"".join(pieces).split(b"\n") if each.strip()]
    assert is_gzip or gathered.found == len(gathered) + gathered.refused.count == len(lines)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*push_lines.MEMBERS, "x"]), st.recursive(st.none() | st.booleans() | st.text() | st.integers() | st.floats(), st.lists, max_leaves=3)))
def test_any_object_is_found_once(found):
    gathered = Gathered()
    push_lines.take_object(found, 1, gathered)
    assert gathered.found == 1


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**10), max_value=10**10))
def test_numbers_keep_their_digits(value):
    mantissa, exponent = number_of(str(value))
    assert Decimal(mantissa).scaleb(exponent) == value


# By HTTP -------------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(database, staff):
    app = create_app(database, Settings())
    with database.transaction(actor=staff) as conn:
        login = f"ana{datetime.now(UTC).timestamp()}@prairie.example"
        user = people.hire_staff(conn, login=login, full_name="Ana", password="correct horse battery staple", at=datetime.now(UTC))
        key = people.make_api_key(conn, user_id=user, key_name="head-end", at=datetime.now(UTC), scopes=("read", "write")).key
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client
    inbox.flush(database, staff, at=NOW)


def test_readings_are_pushed_by_http(client, database, staff, meter):
    channel = meter("P-7")
    text = "\n".join([line("P-7", 5), "{", line("P-7", 6, start=BEGIN + 900)]).encode()
    plain = client.post("/v1/readings:push", content=text, headers=NDJSON | {"Idempotency-Key": "k-1"})
    assert plain.status_code == 200, plain.text
    assert {name: plain.json()[name] for name in ("found", "accepted", "quarantined")} == {"found": 3, "accepted": 2, "quarantined": 1}
    assert plain.json()["issues"][0]["line"] == 2
    again = client.post("/v1/readings:push", content=gzip.compress(text), headers=NDJSON | {"Idempotency-Key": "k-1", "Content-Encoding": "gzip"})
    assert again.json() == plain.json()
    other = client.post("/v1/readings:push", content=text + b"\n" + text, headers=NDJSON | {"Idempotency-Key": "k-1"})
    assert other.status_code == 409
    assert len(waiting(database, staff, channel)) == 2
    inbox.flush(database, staff, at=NOW)
    with database.transaction(actor=staff) as conn:
        assert load(conn, [channel], MIDNIGHT, MIDNIGHT + timedelta(minutes=30)).values.tolist() == [[5, 6]]


def test_what_is_no_push_is_refused_by_http(client):
    def post(content, **headers):
        return client.post("/v1/readings:push", content=content, headers=headers).status_code

    assert post(b"{}", **{"Content-Type": "text/csv"}) == 422
    assert post(b"{}", **NDJSON, **{"Content-Encoding": "br"}) == 422
    assert post(b"{}", **NDJSON, **{"Content-Encoding": "gzip"}) == 422
    assert post(gzip.compress(b" " * (300 << 20), compresslevel=1), **NDJSON, **{"Content-Encoding": "gzip"}) == 413
    assert post(b"", **NDJSON) == 200
    assert TestClient(client.app).post("/v1/readings:push", content=b"", headers=NDJSON).status_code == 401


def test_a_full_inbox_puts_a_push_off(client, database, staff, meter):
    meter("P-8")
    client.app.state.settings = Settings(inbox_limit=1)
    assert client.post("/v1/readings:push", content=line("P-8"), headers=NDJSON).status_code == 200
    later = client.post("/v1/readings:push", content=line("P-8", start=BEGIN + 900), headers=NDJSON)
    assert later.status_code == 429
    assert later.headers["Retry-After"] == "30"
    inbox.flush(database, staff, at=NOW)
