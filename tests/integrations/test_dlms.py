"""Meters read over DLMS/COSEM at protocol level: registers, clock, profiles in blocks; and every way in which a meter does not answer as it should."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from dlms_cosem import cosem
from meter_world import MIDNIGHT, NOW
from simulated_meter import SimulatedMeter

from mains.cli import main
from mains.integrations.headends import pulling
from mains.integrations.headends.dlms import LOAD_PROFILE, Address, MeterNotRead, Question, instant, read_all, read_meter
from mains.metering import inbox
from mains.metering.load import load

QUARTER = timedelta(minutes=15)
LOCAL = timezone(timedelta(hours=-6))
IMPORT = cosem.Obis(1, 0, 1, 8, 0)
PROFILE = Question(profile=LOAD_PROFILE, from_at=MIDNIGHT, to_at=MIDNIGHT + timedelta(days=1))
VALUES = {MIDNIGHT + QUARTER * (n + 1): n for n in range(200)}


@pytest.fixture
def simulated():
    made = []

    def simulated(**more):
        made.append(SimulatedMeter(**({"now": NOW.astimezone(LOCAL), "values": VALUES} | more)))
        return made[-1]

    yield simulated
    for meter in made:
        meter.close()


def address(meter, **more):
    return Address(meter="D-1", host="127.0.0.1", port=meter.port, **({"timeout_s": 2.0} | more))


@pytest.mark.parametrize("takes_lists", [True, False])
def test_a_register_is_read_with_its_scaler_and_unit(simulated, takes_lists):
    read = read_meter(address(simulated(takes_lists=takes_lists)), Question(registers=[IMPORT]), at=NOW)
    assert [(each.register, each.value, each.unit) for each in read.registers] == [("1-0:1.8.0", "12345670", "Wh")]
    assert read.drift_s == 0


@pytest.mark.parametrize("more", [{}, {"block": 90}, {"block": 1024}, {"omit_times": True}, {"now": NOW}])
def test_a_day_of_a_profile_is_read_however_it_comes(simulated, more):
    read = read_meter(address(simulated(**more)), PROFILE, at=NOW)
    assert [(each.start, each.value, each.unit) for each in read.intervals] == [(MIDNIGHT + QUARTER * n, str(n * 10), "Wh") for n in range(96)]
    assert {each.quality for each in read.intervals} == {"actual"}


def test_states_become_qualities_and_gaps_no_readings(simulated):
    first, second, third = (MIDNIGHT + QUARTER * n for n in (1, 2, 3))
    meter = simulated(values=VALUES | {third: None}, status={first: 0b10000000, second: 0b100})
    read = read_meter(address(meter), PROFILE, at=NOW)
    assert [each.quality for each in read.intervals[:4]] == ["questionable", "failed_check", "actual", "actual"]
    assert len(list(read.as_sent())) == 95


def test_a_password_lets_in_and_a_wrong_one_does_not(simulated):
    meter = simulated(password=b"12345678")
    assert read_meter(address(meter, password=b"12345678"), Question(registers=[IMPORT]), at=NOW).registers
    for wrong in (b"87654321", None):
        with pytest.raises(MeterNotRead, match="associate: wrong password or key") as refused:
            read_meter(address(meter, password=wrong), Question(), at=NOW)
        assert "87654321" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"misbehave": "silent"}, "the meter did not answer within 0.3 s"),
        ({"misbehave": "close"}, "clock: the meter closed the connection"),
        ({"misbehave": "garbage"}, "clock: the answer cannot be understood"),
        ({"misbehave": "foreign"}, "associate: the answer begins with 0x4854: this is no DLMS wrapper"),
        ({"misbehave": "endless", "block": 60_000, "values": {MIDNIGHT + timedelta(seconds=n): n for n in range(60, 6000)}}, "sent more than 32 MiB"),
    ],
)
def test_a_meter_that_does_not_answer_as_it_should_says_so(simulated, more, said):
    with pytest.raises(MeterNotRead, match=said) as problem:
        read_meter(address(simulated(**more), timeout_s=0.3 if more["misbehave"] == "silent" else 10), PROFILE, at=NOW)
    assert problem.value.cure


def test_nobody_at_home_and_nothing_there(simulated):
    meter = simulated()
    with pytest.raises(MeterNotRead, match=r"register 1-0:9\.9\.9: .*OBJECT_UNDEFINED"):
        read_meter(address(meter), Question(registers=[cosem.Obis(1, 0, 9, 9, 9)]), at=NOW)
    meter.close()
    with pytest.raises(MeterNotRead, match=r"connect: .* cannot be reached"):
        read_meter(Address(meter="D-1", host="127.0.0.1", port=1, timeout_s=1), Question(), at=NOW)


def test_many_meters_are_read_a_few_at_a_time_and_a_broken_one_stops_nobody(simulated):
    meter = simulated(delay=0.02)
    addresses = [Address(meter=f"D-{n}", host="127.0.0.1", port=meter.port if n != 5 else 1, timeout_s=5) for n in range(12)]
    answers = list(read_all(addresses, Question(registers=[IMPORT]), at=NOW, at_once=3))
    assert [isinstance(each, MeterNotRead) for each in answers] == [n == 5 for n in range(12)]
    assert [each.meter for n, each in enumerate(answers) if n != 5] == [f"D-{n}" for n in range(12) if n != 5]
    assert 1 < meter.most_at_once <= 5  # one may still be closing


def test_what_was_read_is_stored_and_read_again_changes_nothing(simulated, database, staff, meter):
    profile = meter("D-1", register="1-0:1.8.0", unit="Wh", pow10=1)
    source = [address(simulated(block=200)), Address(meter="D-2", host="127.0.0.1", port=1, timeout_s=1)]
    for _ in range(2):
        done = pulling.pull(database, staff, source, PROFILE, at=NOW, at_once=2)
        assert (done.found, done.accepted, done.quarantined) == (96, 96, 0)
        assert [problem.slug() for problem in done.problems] == ["meter-not-read"]
        inbox.flush(database, staff, at=NOW)
    with database.transaction(actor=staff) as conn:
        assert load(conn, [profile], MIDNIGHT, MIDNIGHT + timedelta(days=1)).values.tolist() == [list(range(96))]
        assert conn.execute("SELECT max(version) FROM metering.interval_blocks WHERE channel_id = %s", [profile]).fetchone() == (1,)


@pytest.mark.parametrize("deviation", [0, 360, -60, -0x8000])
def test_the_deviation_is_from_local_time_to_utc(deviation):
    raw = bytes.fromhex("07ea0301ff060000ff") + deviation.to_bytes(2, "big", signed=True) + b"\x00"
    minutes = 0 if deviation == -0x8000 else deviation
    assert instant(raw, fallback=UTC) == datetime(2026, 3, 1, 6, tzinfo=UTC) + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("hdlc: true", "HDLC frames (hdlc) are not spoken yet"), ("physical: 17", "HDLC frames (physical) are not spoken yet"),
        ("key_env: K", "HLS with keys (key_env) are not spoken yet"), ("colour: blue", "'colour' says nothing of a meter"), ("port: 70000", "an address of meter D-1 is no number"),
    ],
)  # fmt: skip
def test_what_is_not_spoken_is_refused_by_name(tmp_path, capsys, said, why):
    listed = tmp_path / "meters.yaml"
    listed.write_text(f"- {{meter: D-1, host: 127.0.0.1, {said}}}\n")
    assert main(["headends", "dlms", "--meters", str(listed), "--obis", "1-0:1.8.0"]) == 1
    assert why in capsys.readouterr().err
