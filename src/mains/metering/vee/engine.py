"""Running rules over a window: which rules with which limits for which channel, and everything they find."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mains.base.problems import Problem
from mains.metering.vee import profiles
from mains.metering.vee.amounts import understood
from mains.metering.vee.figures import day_figures, mask_of
from mains.metering.vee.history import history_of, reference_of
from mains.metering.vee.model import SEVERITIES, CommodityCode, Findings, Rows, RuleRow, Window
from mains.metering.vee.rules import BY_NAME, RULES, Rule
from mains.metering.vee.scene import Found, Limits, Scene

COMMODITIES = tuple(each.name.lower() for each in CommodityCode)


class RuleNotFound(Problem):
    """A rule table names a rule, a parameter or a profile that is not here."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules a utility runs: the rows of a profile, and the utility's own rows over them."""

    name: str
    rows: Rows

    @classmethod
    def of(cls, rows: Rows = (), *, profile: str = "default") -> "RuleSet":
        """A built-in profile (default, california, aemo, ontario) with rows laid over it.

        Raises:
            RuleNotFound: a row names a rule or a parameter that is not here, or there is no such profile.
            FormulaNotUnderstood: the formula of a dynamic comparison cannot be read.
        """
        if profile not in profiles.PROFILES:
            raise RuleNotFound(f"there is no profile {profile}", cure="take one of " + ", ".join(profiles.PROFILES))
        laid = (*profiles.PROFILES[profile].rows, *rows)
        for row in laid:
            _check(row)
        return cls(name=profile, rows=laid)

    def parameters(self, rule_name: str, meter_class: str = "residential", commodity: str = "electric") -> Mapping[str, float | str]:
        """What holds for a rule: its parameters, and its severity as "severity"; empty where it is off."""
        rule = BY_NAME[rule_name]
        held: dict[str, float | str] = dict(rule.parameters) | {"severity": rule.severity}
        is_off = False
        for scope in ("all", commodity, meter_class):
            for row in self.rows:
                if row.rule_name == rule_name and row.meter_class == scope:
                    held |= dict(row.parameters)
                    held["severity"] = row.severity or held["severity"]
                    is_off = row.is_off
        return {} if is_off else held


def _check(row: RuleRow) -> None:
    """That the row names what is there, with values of the right kind."""
    rule = BY_NAME.get(row.rule_name)
    if rule is None:
        raise RuleNotFound(f"there is no rule {row.rule_name}", cure="take one of " + ", ".join(BY_NAME))
    for name, value in row.parameters.items():
        if name not in rule.parameters:
            raise RuleNotFound(f"rule {rule.name} has no parameter {name}", cure="it has " + (", ".join(rule.parameters) or "none"))
        if isinstance(value, str) != isinstance(rule.parameters[name], str) or (not isinstance(value, str) and not np.isfinite(value)):
            raise RuleNotFound(f"{value!r} is no value for {name} of rule {rule.name}", cure=f"give a value like {rule.parameters[name]!r}")
        if name == "formula" and value:
            understood(str(value))


def run(window: Window, ruleset: RuleSet) -> Findings:
    """Everything that the rules find on the due days of a window; findings may reach back into days of context.

    One pass over the values for the figures of each day, then every rule on those. With context days in the window repetitions (1 day), changes of scale (10), swapped meters (10
    before and 7 after) and shifted clocks (12 before and 12 after) are looked for in the values; without, only in the heads.
    """
    mask = mask_of(window)
    figures = day_figures(window, mask)
    history = history_of(window, figures)
    spike = _limits(window, ruleset, BY_NAME["spike"])[0]
    floor = spike["floor_kwh_per_hour"] * 1000 * window.interval_s / 3600 / window.facts.step
    reference = reference_of(window, figures, history, ratio=1 + spike["ratio"], floor=floor)
    scene = Scene(window=window, figures=figures, mask=mask, history=history, reference=reference)
    parts: list[tuple[Rule, Found, NDArray[np.int8]]] = []
    for rule in RULES:
        limits, severity, is_on = _limits(window, ruleset, rule)
        if not is_on.any():
            continue
        found = rule.test(scene, limits)
        if len(found):
            chosen = is_on[found.row] & _touches_due(window, found)
            found = Found(**{name: getattr(found, name)[chosen] for name in Found.__slots__})
            parts.append((rule, found, np.where(found.severity < 0, severity[found.row], found.severity).astype(np.int8)))
    return _joined(parts)


def _limits(window: Window, ruleset: RuleSet, rule: Rule) -> tuple[Limits, NDArray[np.int8], NDArray[np.bool_]]:
    """A rule's limits, severity and whether it is on, for each channel of a window."""
    classes = len(window.classes)
    held = [ruleset.parameters(rule.name, name, commodity) for commodity in COMMODITIES for name in window.classes]
    kind = window.facts.commodity.astype(np.intp) * classes + window.facts.meter_class
    is_on = np.array([bool(each) for each in held])
    severity = np.array([SEVERITIES.index(each.get("severity", rule.severity)) for each in held], dtype=np.int8)
    limits = {name: np.array([each.get(name, value) for each in held])[kind] for name, value in rule.parameters.items()}
    return {name: each if each.dtype.kind == "U" else each.astype(np.float64) for name, each in limits.items()}, severity[kind], is_on[kind]


def _touches_due(window: Window, found: Found) -> NDArray[np.bool_]:
    """Whether a due day lies in [first, last) of each finding; of stretches that outgrow the window, its days."""
    passed = np.zeros((window.channels, window.days + 1), dtype=np.int32)
    np.cumsum(window.is_due, axis=1, out=passed[:, 1:])
    first = np.clip(found.first // window.slots, 0, window.days - 1)
    last = np.clip((found.last - 1) // window.slots + 1, first + 1, window.days)
    return passed[found.row, last] > passed[found.row, first]


def _joined(parts: list[tuple[Rule, Found, NDArray[np.int8]]]) -> Findings:
    """All as one, in the order of row, place and rule."""
    sizes = [len(found) for _, found, _ in parts]
    rule = np.repeat(np.array([rule.number for rule, _, _ in parts], dtype=np.uint8), sizes)
    marks = np.repeat(np.array([rule.marks for rule, _, _ in parts], dtype=bool), sizes)

    def column(name: str, kind: type) -> NDArray:
        return np.concatenate([np.asarray(getattr(found, name), dtype=kind) for _, found, _ in parts]) if parts else np.zeros(0, dtype=kind)

    severity = np.concatenate([each for _, _, each in parts]).astype(np.uint8) if parts else np.zeros(0, np.uint8)
    out = Findings(
        rule=rule, row=column("row", np.int32), first=column("first", np.int32), last=column("last", np.int32), severity=severity,
        measured=column("measured", np.float64), limit=column("limit", np.float64), subject=column("subject", np.int32),
        marks=marks & (severity == SEVERITIES.index("failure")),
    )  # fmt: skip
    return out.where(np.lexsort((out.rule, out.first, out.row)))
