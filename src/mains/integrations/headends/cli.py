"""`mains headends …`: listen to an MQTT broker, read meters over DLMS/COSEM."""

import asyncio
import os
import signal
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import yaml

from mains.base.log import configure_log
from mains.base.problems import Problem
from mains.base.terminal import PROBLEM, Json, answer, note
from mains.identity.acting import Utility, acting
from mains.settings import settings

app = typer.Typer(name="headends", help="Head-ends: readings from brokers and straight from meters.", no_args_is_help=True)
log = structlog.get_logger("mains.headends")


class HeadEndNotUnderstood(Problem):
    """An option, or a file of meters, says something that cannot be followed."""


@app.command()
def mqtt(
    *,
    host: Annotated[str, typer.Option(help="Address of the broker.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port; 8883 is usual with --tls.")] = 1883,
    topic: Annotated[list[str], typer.Option(help="Topic filter; for json it may name {meter} and {register} levels. May be given more than once for sparkplug.")],
    format: Annotated[str, typer.Option(help="json or sparkplug.")] = "json",  # noqa: A002 - the option's name
    register: Annotated[list[str] | None, typer.Option(help="sparkplug: METRIC=REGISTER; with any of these, other metrics are no readings.")] = None,
    client_id: Annotated[str, typer.Option(help="Name of this consumer's session; each consumer has its own.")] = "mains",
    host_id: Annotated[str | None, typer.Option(help="sparkplug: be this primary host, so that nodes keep readings while it is away.")] = None,
    user: Annotated[str | None, typer.Option(help="User name; the password is read from MAINS_MQTT_PASSWORD.")] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS.")] = False,
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust instead of the system's.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=20_000, help="Most messages in one transaction.")] = 1000,
    within_ms: Annotated[int, typer.Option(min=1, max=60_000, help="Longest that a message waits for others.")] = 50,
    flush_every: Annotated[float, typer.Option(min=1, help="Seconds between flushes of the inbox.")] = 4 * 3600,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Listen to a broker until interrupted; messages are acknowledged when they are stored."""
    from mains.integrations.headends import mqtt as listening  # aiomqtt is read only where it is used
    from mains.integrations.headends.messages import Format, JsonFormat
    from mains.integrations.headends.sparkplug import SparkplugFormat
    from mains.integrations.headends.storing import Store, known_births

    configure_log(settings().log_level)
    who = acting(utility)
    if format not in ("json", "sparkplug") or (format == "json" and len(topic) > 1):
        raise HeadEndNotUnderstood("--format is json, with one --topic, or sparkplug", cure="see mains headends mqtt --help")
    form: Format
    if format == "sparkplug":
        with who.database.transaction(actor=who.actor) as conn:
            births = known_births(conn)
        form, topics = SparkplugFormat(registers=_pairs(register or []), births=births), topic
    else:
        named = JsonFormat(topic=topic[0])
        form, topics = named, [named.subscription]
    consumer = listening.Consumer(
        broker=listening.Broker(
            host=host, port=port, client_id=client_id, user_name=user, password=os.environ.get("MAINS_MQTT_PASSWORD"),
            tls=ssl.create_default_context(cafile=ca_file) if tls or ca_file else None,
        ),
        topics=topics, format=form, clock=lambda: datetime.now(UTC), is_host=host_id,
        store=Store(database=who.database, actor=who.actor, source=f"mqtt {host}:{port}", most_waiting=settings().inbox_limit),
        pace=listening.Pace(most=batch, within_s=within_ms / 1000, most_in_flight=min(65_535, 4 * batch), flush_every_s=flush_every),
    )  # fmt: skip
    done = asyncio.run(_until_interrupted(consumer))
    text = f"{done.messages:,} messages: {done.accepted:,} readings accepted, {done.quarantined:,} refused"
    answer(done, as_json=as_json, text=text)


async def _until_interrupted(consumer: Any) -> Any:
    """Run a consumer until SIGINT or SIGTERM; what it has in hand is finished first."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await consumer.run(stop)


@app.command()
def dlms(
    *,
    host: Annotated[str | None, typer.Option(help="Address of one meter.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 4059,
    meter: Annotated[str | None, typer.Option(help="Number of the meter at that address.")] = None,
    meters: Annotated[Path | None, typer.Option(help="YAML list of meters: meter, host, port, client, server, password_env.")] = None,
    client: Annotated[int, typer.Option(min=0, max=65535, help="Client address; 16 is the public client.")] = 16,
    server: Annotated[int, typer.Option(min=0, max=65535, help="Logical device; 1 is the management device.")] = 1,
    password_env: Annotated[str | None, typer.Option(help="Environment variable that holds the password.")] = None,
    obis: Annotated[list[str] | None, typer.Option(help="Register to read, such as 1-0:1.8.0.")] = None,
    profile: Annotated[str | None, typer.Option(help="Load profile to read, such as 1-0:99.1.0.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=24 * 400, help="How far back the profile is read.")] = 24,
    starts: Annotated[bool, typer.Option("--starts", help="The meter stamps intervals with their start, not their end.")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Meters that are read at the same time.")] = 16,
    every: Annotated[float | None, typer.Option(min=1, help="Read again every so many seconds, until interrupted.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds that a meter may take for an answer.")] = 10.0,
    utility: Utility = None,
    as_json: Json = False,
) -> None:
    """Read meters: registers as they stand, and a stretch of their load profile. Exit code 1 where no meter answered."""
    from mains.integrations.headends import dlms as asking
    from mains.integrations.headends.pulling import pull

    configure_log(settings().log_level)
    common = {"client": client, "server": server, "password_env": password_env, "port": port}
    listed: list[dict[str, Any]] = _listed(meters) if meters else [{"meter": meter, "host": host}]
    addresses = [_address(asking.Address, common | each, timeout_s=timeout) for each in listed]
    if not obis and not profile:
        raise HeadEndNotUnderstood("there is nothing to ask", cure="name registers with --obis, or a load profile with --profile")
    who = acting(utility)
    while True:
        now = datetime.now(UTC)
        question = asking.Question(
            registers=[_code(each) for each in obis or []], profile=_code(profile) if profile else None, from_at=now - timedelta(hours=hours), to_at=now, ends=not starts
        )
        done = pull(who.database, who.actor, addresses, question, at=now, at_once=at_once)
        text = f"{done.answered:,} of {len(addresses):,} meters answered: {done.accepted:,} readings accepted, {done.quarantined:,} refused"
        answer(done.as_json(), as_json=as_json, text=text)
        for problem in done.problems if not as_json else ():
            note(f"{problem.detail}; {problem.cure}")
        if every is None:
            break
        _sleep(now + timedelta(seconds=every))
    if not done.answered:
        raise typer.Exit(PROBLEM)


def _sleep(until: datetime) -> None:
    """Wait for the next round; one that took longer than its time is followed at once."""
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))


def _pairs(words: list[str]) -> dict[str, str]:
    """METRIC=REGISTER words as a map."""
    found = {}
    for word in words:
        metric, _, name = word.rpartition("=")
        if not metric or not name:
            raise HeadEndNotUnderstood(f"--register is {word!r}", cure="write METRIC=REGISTER")
        found[metric] = name
    return found


def _listed(path: Path) -> list[dict[str, Any]]:
    """The meters of a YAML file."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HeadEndNotUnderstood(f"{path} is no YAML: {str(error).splitlines()[0]}", cure="write a list of meters, each with meter and host") from error
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise HeadEndNotUnderstood(f"{path} is no list of meters", cure="write a list of meters, each with meter and host")
    return found


_KNOWN = {"meter", "host", "port", "client", "server", "password_env"}
_NOT_SPOKEN = {"hdlc": "HDLC frames", "physical": "HDLC frames", "key_env": "HLS with keys", "authentication_key_env": "HLS with keys", "invocation_counter": "HLS with keys"}


def _address(address: Any, said: dict[str, Any], *, timeout_s: float) -> Any:
    """A meter and the way to it; the password comes from the environment."""
    if asked := sorted(said.keys() & _NOT_SPOKEN.keys()):
        raise HeadEndNotUnderstood(f"{_NOT_SPOKEN[asked[0]]} ({asked[0]}) are not spoken yet", cure="read it through the TCP wrapper, by a client with a password or without")
    if wrong := sorted(said.keys() - _KNOWN):
        raise HeadEndNotUnderstood(f"{wrong[0]!r} says nothing of a meter", cure=f"use {', '.join(sorted(_KNOWN))}")
    if not isinstance(said.get("meter"), str) or not isinstance(said.get("host"), str):
        raise HeadEndNotUnderstood("a meter needs its number, as text, and its host", cure="give --host and --meter, or a file with --meters")
    password = _secret(said["password_env"]) if said.get("password_env") else None
    numbers = {name: said[name] for name in ("port", "client", "server") if said.get(name) is not None}
    if not all(isinstance(value, int) and 0 <= value < 2**16 for value in numbers.values()):
        raise HeadEndNotUnderstood(f"an address of meter {said['meter']} is no number", cure="write port, client and server as whole numbers below 65536")
    return address(meter=said["meter"], host=said["host"], timeout_s=timeout_s, password=password, **numbers)


def _secret(name: object) -> bytes:
    value = os.environ.get(str(name))
    if not value:
        raise HeadEndNotUnderstood(f"the environment has no {name}", cure="set it to the secret before the command is started")
    return value.encode()


def _code(text: str) -> Any:
    """A logical name as people write it: 1-0:1.8.0, or with its sixth part."""
    from dlms_cosem.cosem import Obis

    parts = text.replace("-", ".").replace(":", ".").replace("*", ".").split(".")
    if len(parts) not in (5, 6) or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        raise HeadEndNotUnderstood(f"{text!r} is no OBIS code", cure="write it like 1-0:1.8.0")
    return Obis(*map(int, parts))
