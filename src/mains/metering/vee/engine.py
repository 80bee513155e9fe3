"""Running rules over a window: which rules with which limits for which channel, and everything they find."""

from collections.abc import Mapping
from dataclasses import dataclass

from mains.base.problems import Problem
from mains.metering.vee.model import Findings, Rows, Window


class RuleNotFound(Problem):
    """A rule table names a rule, a parameter or a profile that is not here."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules a utility runs: the rows of a profile, and the utility's own rows over them."""

    name: str
    rows: Rows

    @classmethod
    def of(cls, rows: Rows, *, profile: str = "default") -> "RuleSet":
        """A built-in profile (default, california, aemo, ontario) with rows laid over it.

        Raises:
            RuleNotFound: a row names a rule or a parameter that is not here, or there is no such profile.
        """
        raise NotImplementedError

    def parameters(self, rule_name: str, meter_class: str = "residential", commodity: str = "electric") -> Mapping[str, float | str]:
        """What holds for a rule: its parameters, and its severity as "severity"; empty where it is off."""
        raise NotImplementedError


def run(window: Window, ruleset: RuleSet) -> Findings:
    """Everything that the rules find on the due days of a window; findings may reach back into days of context.

    One pass over the values for the figures of each day, then every rule on those. With context days in the window (14 and more before what is judged) repetition, changes
    of scale, shifted clocks and swapped meters are looked for in the values; without, only in the heads.
    """
    raise NotImplementedError
