"""`mains network …`: set up a utility of your own."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import typer
from psycopg import sql

from mains.base.db import system_actor
from mains.base.ids import uuid7
from mains.base.money import MINOR_UNITS
from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.base.terminal import Json, answer
from mains.identity.acting import open_database
from mains.identity.operations import hire_staff

app = typer.Typer(name="network", help="The utilities of this installation.", no_args_is_help=True)
app.callback()(lambda: None)

_sql = Statements("mains.network", "operations.sql")


class UnableToFoundUtility(Problem):
    """The utility cannot be set up as asked."""

    status = 409


@app.command()
def found(
    code: Annotated[str, typer.Argument(help="Short name: lower-case letters, digits and hyphens.")],
    *,
    name: Annotated[str, typer.Option(help="Name as its customers know it.")],
    timezone: Annotated[str, typer.Option(help="IANA zone of its days, such as America/Chicago.")],
    staff: Annotated[str, typer.Option(help="Login of its first staff member.")],
    staff_name: Annotated[str, typer.Option(help="Name of its first staff member.")] = "First of staff",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of its money.")] = "USD",
    commodities: Annotated[str, typer.Option(help="What it supplies, by commas: electric, gas, water, sewer, telecom.")] = "electric",
    kind: Annotated[str, typer.Option(help="municipal, cooperative, investor_owned, community, retailer or other.")] = "municipal",
    as_json: Json = False,
) -> None:
    """Set up a utility with its first staff member; everything else is theirs to do."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnableToFoundUtility(f"there is no time zone {timezone!r}", cure="name an IANA zone such as America/New_York") from None
    if currency not in MINOR_UNITS:
        raise UnableToFoundUtility(f"currency {currency!r} is not known here", cure=f"use one of {', '.join(sorted(MINOR_UNITS))}")
    database, utility_id = open_database(), uuid7()
    values = {"id": utility_id, "name": name, "code": code, "kind": kind, "commodities": commodities.split(","), "currency": currency, "timezone": timezone}
    try:
        with database.administering() as conn:
            conn.execute(_sql.as_setup)
            conn.execute(sql.SQL("SET LOCAL ROLE mains_owner"))
            conn.execute(_sql.found_utility, values)
    except psycopg.errors.UniqueViolation as error:
        raise UnableToFoundUtility(f"a utility is called {code} or {name} already", cure="choose another short name and name") from error
    except psycopg.errors.CheckViolation as error:
        raise UnableToFoundUtility(f"utility {code}: {error.diag.message_primary}", cure="see mains network found --help for what each value may be") from error
    with database.transaction(actor=system_actor(utility_id, job="setup")) as conn:
        hire_staff(conn, login=staff, full_name=staff_name, at=datetime.now(UTC))
    text = f"{name} is set up; act for it with --utility {code} or MAINS_UTILITY={code}; a way in: mains link {staff} --utility {code}"
    answer({"utility_id": utility_id, "utility_code": code, "staff": staff}, as_json=as_json, text=text)
