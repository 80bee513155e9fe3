"""Writes of validation that are no decisions about readings: the utility's policy and its own rules, each from a date on. The caller owns the transaction."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date

from psycopg import Connection
from psycopg.types.json import Jsonb

from mains.base.problems import Problem
from mains.base.sql import Statements
from mains.metering.vee import queries
from mains.metering.vee.engine import RuleSet
from mains.metering.vee.model import SEVERITIES, RuleRow
from mains.metering.vee.queries import Policy

_sql = Statements("mains.metering.vee", "operations.sql")


class UnableToSetRules(Problem):
    """The rules cannot be set as asked."""

    status = 422


def set_policy(
    conn: Connection, *, from_date: date, profile: str | None = None, has_four_eyes: bool | None = None, is_holding_bills: bool | None = None, is_estimating: bool | None = None,
    context_days: int | None = None,
) -> Policy:  # fmt: skip
    """How the utility wants validation to work from a local date on; what is not said stays as it is on that date. Gives the policy of that date.

    Raises:
        RuleNotFound: there is no such profile.
        UnableToSetRules: days of context are none of 0 to 60.
    """
    asked = {"profile": profile, "has_four_eyes": has_four_eyes, "is_holding_bills": is_holding_bills, "is_estimating": is_estimating, "context_days": context_days}
    wanted = replace(queries.policy_on(conn, from_date), **{name: value for name, value in asked.items() if value is not None})
    RuleSet.of((), profile=wanted.profile)
    if not 0 <= wanted.context_days <= 60:
        raise UnableToSetRules(f"{wanted.context_days} days of context", cure="give 0 to 60")
    values = {name: value for name, value in asdict(wanted).items() if name not in ("from_date", "to_date")} | {"from_date": from_date}
    for statement in (_sql.end_policy, _sql.overwrite_policies, _sql.add_policy):
        conn.execute(statement, values)
    return queries.policy_on(conn, from_date)


def set_rule(
    conn: Connection, rule_name: str, *, from_date: date, meter_class: str = "all", parameters: Mapping[str, float | str] | None = None, severity: str | None = None,
    is_off: bool = False,
) -> None:  # fmt: skip
    """What the utility changes of a rule of its profile, from a local date on; it takes the place of what it had said of the rule for this class.

    Raises:
        RuleNotFound: there is no such rule or parameter, or a value is of the wrong kind.
        UnableToSetRules: the severity is none.
    """
    if severity is not None and severity not in SEVERITIES:
        raise UnableToSetRules(f"there is no severity {severity!r}", cure=f"use one of {', '.join(SEVERITIES)}")
    given = dict(parameters or {})
    RuleSet.of([RuleRow(rule_name=rule_name, meter_class=meter_class, parameters=given, severity=severity, is_off=is_off)])
    values = {
        "rule_name": rule_name, "meter_class": meter_class, "parameters": Jsonb(given), "severity": severity, "is_off": is_off, "from_date": from_date,
    }  # fmt: skip
    for statement in (_sql.end_rule, _sql.overwrite_rules, _sql.add_rule):
        conn.execute(statement, values)
