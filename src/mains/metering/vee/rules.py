"""The rules: for each its number, what it tests, its limits, how severe it is, and where it comes from. A plain list; nothing else is registered anywhere.

Numbers 1 to 25 are those of the utility's rule book (docs/explanation/vee.md); 26 to 28 are ours and look at what no single value shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mains.metering.vee import amounts, declared, levels, repeating, shapes
from mains.metering.vee.model import Severity
from mains.metering.vee.scene import Found, Limits, Scene

Test = Callable[[Scene, Limits], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `test` is a plain function over a whole window; `parameters` are its limits by name; `marks` says whether the readings of a failure are marked as failed."""

    number: int
    name: str
    title: str
    test: Test
    parameters: Mapping[str, float | str]
    severity: Severity
    marks: bool = False
    source: str = ""


def _rule(number: int, name: str, title: str, test: Test, severity: Severity, source: str = "", *, marks: bool = False, **parameters: float | str) -> Rule:
    return Rule(number=number, name=name, title=title, test=test, parameters=parameters, severity=severity, marks=marks, source=source)


RULES: tuple[Rule, ...] = (
    _rule(1, "time-tolerance", "Clock of meter or head-end against UTC", declared.time_tolerance, "warning", "California, remembered", tolerance_s=180),
    _rule(2, "meter-identity", "The device is the one installed", declared.meter_identity, "failure", "exact"),
    _rule(3, "interval-size", "Length of the interval as configured", declared.interval_size, "failure", "exact"),
    _rule(4, "unit-multiplier", "Unit and multiplier as configured", declared.unit_and_multiplier, "failure", "exact"),
    _rule(5, "gap", "Intervals that are missing", amounts.gap, "failure", "exact", missing=0),
    _rule(6, "repetition", "Readings delivered twice under another time", repeating.repetition, "failure", "ours", marks=True, intervals=24, chance=1e-6, head_chance=3e-6),
    _rule(7, "register-sum", "Sum of intervals against the register", declared.register_sum, "failure", "California, remembered", marks=True, dial_steps=2, share=0.0),
    _rule(8, "tou-sum", "Time-of-use registers against the total", declared.tou_sum, "failure", "as 7", dial_steps=2),
    _rule(9, "spike", "Highest against third highest interval of the cycle", amounts.spike, "failure", "California; floor ours", marks=True, ratio=1.8, floor_kwh_per_hour=5.0),
    _rule(10, "physical-maximum", "More than the connection lets through", amounts.physical_maximum, "warning", "physics", marks=True, share=1.0, fail_share=1.2),
    _rule(11, "jump", "Change between neighbouring intervals", amounts.jump, "info", "by class; ours", share=2.5, floor_kwh_per_hour=5.0),
    _rule(12, "high-low", "Use of the period against last month and last year", amounts.high_low, "warning", "common practice", share=0.5, floor_kwh_per_day=5.0, spreads=5.0),
    _rule(13, "historical-maximum", "Peak against the period before", amounts.historical_maximum, "warning", "common practice", share=2.0, floor_kwh_per_hour=5.0),
    _rule(14, "zero", "Nothing used for long", amounts.zero, "warning", "common practice", hours=24, received_hours=1440),
    _rule(15, "stuck", "One value again and again", amounts.stuck, "warning", "common practice; chance is ours", times=8, chance=1e-4, least_steps=2, idle_hours=48),
    _rule(16, "negative", "Less than nothing", amounts.negative, "failure", "exact", marks=True, raw=0),
    _rule(17, "register-decrease", "A dial that runs back", declared.register_decrease, "failure", "exact"),
    _rule(18, "reactive", "Power factor too low to be true", declared.reactive, "warning", "common practice", least_factor=0.5, hours=4),
    _rule(19, "inactive-use", "Use where there should be none", declared.inactive_consumption, "failure", "ours", kwh_per_day=0.1),
    _rule(20, "event-flag", "Flags of the meter", declared.event_flags, "warning", "common practice", flags=declared.ALL_FLAGS),
    _rule(21, "prolonged-estimation", "Estimated for long", declared.prolonged_estimation, "warning", "common practice", days=3, bills=2),
    _rule(22, "dynamic", "A formula of the utility", amounts.dynamic, "warning", "the utility", formula=""),
    _rule(23, "siblings", "Channels of the device that are absent", declared.siblings, "warning", "exact"),
    _rule(24, "balance", "Meters of a transformer or feeder against it", declared.balance, "warning", "ours", share=0.10),
    _rule(25, "future-stale", "Readings of the future, or too old", declared.future_or_stale, "failure", "ours", ahead_s=600, days=400),
    _rule(26, "scale-change", "Everything higher or lower by a factor", levels.scale_change, "failure", "ours", marks=True, factor=4.0),
    _rule(27, "clock-shift", "A day's shape moved by hours", shapes.clock_shift, "warning", "ours", days=8, score=6.2, change_score=0.0),
    _rule(28, "swapped-meters", "Two meters' readings exchanged", levels.swapped_meters, "warning", "ours", days=7, own=0.4, score=0.75, drift=0.05),
)  # fmt: skip

BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
BY_NUMBER: Mapping[int, Rule] = {rule.number: rule for rule in RULES}
