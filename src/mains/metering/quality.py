"""Quality codes of the formats: `model.Quality` to the codes of IEC 61968-9, Green Button, NEM12 and CIM/ebIX, and back. Pure; imports no database.

Each `to_` gives a code that the matching `from_` reads back to the same quality, and refuses a quality that the format has no word for; each `from_` refuses a code that it
does not know, by name. A quality says how far a reading can be trusted, not how it was found: where a format also names the method of an estimate, the method is a second
number (`METHODS`, the substitution types of the Australian metrology procedure, which IEC codes of ours carry as their index).
"""

import re

from mains.base.problems import Problem
from mains.metering.model import Quality


class UnknownQualityCode(Problem):
    """A quality code means nothing in its format."""

    status = 422


class QualityNotExpressible(Problem):
    """A format has no code for the quality of a reading."""

    status = 422


# How an estimate was found -----------------------------------------------------------------------------------------------------------------------------------

METHODS: dict[str, int] = {
    "check_meter": 11,
    "calculated": 12,
    "scada": 13,
    "like_day": 14,
    "average_like_day": 15,
    "agreed": 16,
    "linear": 17,
    "alternate": 18,
    "zero": 19,
}
"""Methods of estimating an interval by the type that NEM12 writes after E, F or S."""

_METHOD_NAMES = {number: name for name, number in METHODS.items()}
_SYNONYMS = {
    "interpolation": "linear", "reference_days": "average_like_day", "three_days": "average_like_day", "profile": "calculated", "class_profile": "calculated", "flat": "calculated",
    "average_daily_load": "calculated", "edit": "agreed", "outage": "zero", "register": "calculated", "neighbour": "alternate", "previous_day": "like_day",
}  # fmt: skip
_KNOWN_TYPES = frozenset(range(11, 20)) | frozenset(range(51, 80))


def method_type(method: str) -> int:
    """The NEM12 type of a method of estimation; methods that scale a shape to a register's total are calculated (12).

    >>> method_type("linear"), method_type("class_profile")
    (17, 12)
    """
    name = _SYNONYMS.get(method, method)
    if name not in METHODS:
        raise UnknownQualityCode(f"there is no method of estimation {method[:60]!r}", cure=f"use one of {', '.join([*METHODS, *_SYNONYMS])}")
    return METHODS[name]


def method_name(number: int) -> str:
    """The method's name by its NEM12 type; a type of basic or unmetered supply (51 to 79) is called by its number.

    >>> method_name(14), method_name(61)
    ('like_day', 'type 61')
    """
    if number in _METHOD_NAMES:
        return _METHOD_NAMES[number]
    if number not in _KNOWN_TYPES:
        raise UnknownQualityCode(f"there is no substitution type {number}", cure="types are 11 to 19, and 51 to 79 for basic and unmetered supplies")
    return f"type {number}"


# IEC 61968-9: system.category.index ----------------------------------------------------------------------------------------------------------------------------

_IEC_OF: dict[Quality, str] = {
    Quality.ACTUAL: "3.0.0",
    Quality.VALIDATED: "3.0.1",
    Quality.ESTIMATED: "3.8.0",
    Quality.SUBSTITUTED: "3.8.100",
    Quality.FINAL_SUBSTITUTE: "3.8.200",
    Quality.EDITED: "3.7.0",
    Quality.QUESTIONABLE: "3.10.0",
    Quality.FAILED_CHECK: "3.6.0",
    Quality.DERIVED: "3.11.0",
    Quality.FORECAST: "3.12.0",
    Quality.RAW: "2.0.0",
    Quality.MISSING: "3.5.259",
}
_ESTIMATES = {Quality.ESTIMATED: 0, Quality.SUBSTITUTED: 100, Quality.FINAL_SUBSTITUTE: 200}
_IEC_CODE = re.compile(r"(?P<system>\d{1,2})\.(?P<category>\d{1,2})\.(?P<index>\d{1,5})", re.ASCII)
_FIRST_RULE = 1000

_BY_CATEGORY = {5: Quality.QUESTIONABLE, 6: Quality.FAILED_CHECK, 7: Quality.EDITED, 10: Quality.QUESTIONABLE, 11: Quality.DERIVED, 12: Quality.FORECAST}
_BY_INDEX = {
    (1, 32): Quality.QUESTIONABLE,  # power fail
    (4, 1): Quality.QUESTIONABLE,  # overflow
    (4, 2): Quality.QUESTIONABLE,  # partial interval
    (4, 3): Quality.QUESTIONABLE,  # long interval
    (4, 4): Quality.QUESTIONABLE,  # skipped interval
    (4, 5): Quality.QUESTIONABLE,  # test data
    (4, 9): Quality.QUESTIONABLE,  # clock changed
    (4, 64): Quality.QUESTIONABLE,  # clock set forward
    (4, 128): Quality.QUESTIONABLE,  # clock set back
    (4, 131): Quality.ACTUAL,  # read by hand
    (4, 256): Quality.QUESTIONABLE,  # clock invalid
    (5, 256): Quality.QUESTIONABLE,  # suspect
    (5, 257): Quality.QUESTIONABLE,
    (5, 258): Quality.QUESTIONABLE,  # invalid or suspect value
    (5, 259): Quality.MISSING,  # known to be missing
}


def to_iec(quality: int, *, method: int | None = None, rule: int | None = None) -> str:
    """The code system.category.index, where 3 is us.

    An estimate's index is its NEM12 type, plus 100 where it is a substitute and 200 where it is a final one; a failed check's is its rule's number after 1000.

    >>> to_iec(Quality.ESTIMATED, method=17), to_iec(Quality.FAILED_CHECK, rule=9), to_iec(Quality.ACTUAL)
    ('3.8.17', '3.6.1009', '3.0.0')
    """
    found = Quality(quality)
    if method is not None and found in _ESTIMATES:
        method_name(method)
        return f"3.8.{_ESTIMATES[found] + method}"
    if rule is not None and found is Quality.FAILED_CHECK:
        return f"3.6.{_FIRST_RULE + rule}"
    return _IEC_OF[found]


def from_iec(code: str) -> Quality:
    """The quality that a code of a meter (1), a head-end (2), a meter data system (3) or another system (4, 5) means.

    >>> from_iec("1.4.131").name, from_iec("2.5.259").name, from_iec("3.8.117").name
    ('ACTUAL', 'MISSING', 'SUBSTITUTED')

    Raises:
        UnknownQualityCode: it has another form, or a category or index that is not known here.
    """
    found = _iec_parts(code)
    system, category, index = found
    if category == 0 and index in (0, 1):
        return Quality.VALIDATED if index else Quality.RAW if system == 2 else Quality.ACTUAL
    if category == 8 and (kind := _kind_of_estimate(index)) is not None:
        return kind
    if (category, index) in _BY_INDEX:
        return _BY_INDEX[category, index]
    if category in _BY_CATEGORY and (index == 0 or (category in (5, 6, 7) and index >= _FIRST_RULE)):
        return _BY_CATEGORY[category]
    raise _unknown("IEC 61968-9", code, "see the quality codes in docs/how-to/validate-readings.md")


def method_of_iec(code: str) -> int | None:
    """The NEM12 type of the method that an estimate's code carries; None where it carries none."""
    _, category, index = _iec_parts(code)
    return index % 100 if category == 8 and index % 100 in _KNOWN_TYPES else None


def rule_of_iec(code: str) -> int | None:
    """The number of the rule that a code of a failed check carries; None where it carries none."""
    _, category, index = _iec_parts(code)
    return index - _FIRST_RULE if category == 6 and index > _FIRST_RULE else None


def _iec_parts(code: str) -> tuple[int, int, int]:
    found = _IEC_CODE.fullmatch(code)
    if found is None or not 1 <= int(found["system"]) <= 5:
        raise _unknown("IEC 61968-9", code, "a code is system.category.index, with a system from 1 to 5, as 3.0.0")
    return int(found["system"]), int(found["category"]), int(found["index"])


def _kind_of_estimate(index: int) -> Quality | None:
    """Estimated, substituted or final by the hundreds of the index, where what is left is a method or nothing."""
    kinds = {offset: quality for quality, offset in _ESTIMATES.items()}
    return kinds.get(index - index % 100) if index % 100 == 0 or index % 100 in _KNOWN_TYPES else None


# Green Button (ESPI): QualityOfReading ------------------------------------------------------------------------------------------------------------------------

_ESPI_OF: dict[Quality, int] = {
    Quality.ACTUAL: 0,
    Quality.VALIDATED: 17,
    Quality.ESTIMATED: 8,
    Quality.SUBSTITUTED: 8,
    Quality.FINAL_SUBSTITUTE: 8,
    Quality.EDITED: 7,
    Quality.QUESTIONABLE: 10,
    Quality.FAILED_CHECK: 10,
    Quality.DERIVED: 11,
    Quality.FORECAST: 12,
    Quality.RAW: 14,
}
ESPI_QUALITIES: dict[int, Quality] = {
    0: Quality.ACTUAL,
    7: Quality.EDITED,
    8: Quality.ESTIMATED,
    9: Quality.ESTIMATED,
    10: Quality.QUESTIONABLE,
    11: Quality.DERIVED,
    12: Quality.FORECAST,
    13: Quality.ESTIMATED,
    14: Quality.RAW,
    15: Quality.DERIVED,
    16: Quality.QUESTIONABLE,
    17: Quality.VALIDATED,
    18: Quality.VALIDATED,
    19: Quality.VALIDATED,
}
"""What the numbers of ESPI mean; 13 (mixed) counts as estimated, 15 (weather-normalised) as derived, 16 (other) as questionable."""

SAME_IN_ESPI = (Quality.ACTUAL, Quality.VALIDATED, Quality.ESTIMATED, Quality.EDITED, Quality.QUESTIONABLE, Quality.DERIVED, Quality.FORECAST, Quality.RAW)
"""Qualities that come back as they went: ESPI tells no substitute from an estimate, and no failed check from a doubt."""


def to_espi(quality: int, *, method: int | None = None) -> int:
    """The number of QualityOfReading; a linear estimate is 9, every other 8.

    Raises:
        QualityNotExpressible: the reading is missing; ESPI leaves such a reading out.
    """
    found = Quality(quality)
    if found not in _ESPI_OF:
        raise _not_expressible("ESPI", found, "leave the reading out")
    return 9 if method == METHODS["linear"] and found in _ESTIMATES else _ESPI_OF[found]


def from_espi(number: int) -> Quality:
    """The quality of a number of QualityOfReading.

    Raises:
        UnknownQualityCode: ESPI has no such number.
    """
    if number not in ESPI_QUALITIES:
        raise _unknown("ESPI", str(number), f"QualityOfReading is one of {', '.join(map(str, ESPI_QUALITIES))}")
    return ESPI_QUALITIES[number]


# NEM12: a letter, and after E, F and S the type of the method -------------------------------------------------------------------------------------------------

VARIABLE = "V"
"""What a day of NEM12 says where its intervals have qualities of their own, in 400 records."""
_NEM12_LETTERS = {"E": Quality.ESTIMATED, "S": Quality.SUBSTITUTED, "F": Quality.FINAL_SUBSTITUTE}
_NEM12_OF: dict[Quality, str] = {
    Quality.ACTUAL: "A",
    Quality.VALIDATED: "A",
    Quality.ESTIMATED: "E",
    Quality.SUBSTITUTED: "S",
    Quality.FINAL_SUBSTITUTE: "F",
    Quality.EDITED: "S",
    Quality.MISSING: "N",
}


def to_nem12(quality: int, *, method: int | None = None) -> str:
    """The quality and method of a 300 or 400 record: like day (14) where an estimate's method is not known, agreed (16) for an edit.

    >>> to_nem12(Quality.ACTUAL), to_nem12(Quality.ESTIMATED, method=17), to_nem12(Quality.EDITED), to_nem12(Quality.MISSING)
    ('A', 'E17', 'S16', 'N')

    Raises:
        QualityNotExpressible: NEM12 has no letter for readings that were not validated, failed, or were never measured.
    """
    found = Quality(quality)
    if found not in _NEM12_OF:
        raise _not_expressible("NEM12", found, "validate, estimate or edit the readings first")
    letter = _NEM12_OF[found]
    if letter in ("A", "N"):
        return letter
    if method is not None:
        method_name(method)
    return f"{letter}{METHODS['agreed'] if found is Quality.EDITED else method or METHODS['like_day']}"


def from_nem12(flag: str) -> Quality:
    """The quality of a flag; S16 is an edit (agreed between the parties).

    Raises:
        UnknownQualityCode: the flag is V, whose qualities are in the 400 records, or none that NEM12 knows.
    """
    if flag == VARIABLE:
        raise _unknown("NEM12", flag, "V says that the 400 records have the qualities: read those")
    if flag in ("A", "N"):
        return Quality.ACTUAL if flag == "A" else Quality.MISSING
    method = method_of_nem12(flag)
    if method is None:
        raise _unknown("NEM12", flag, "a flag is A, N, V, or E, F or S with a type of two digits, as S14")
    return Quality.EDITED if (flag[0], method) == ("S", METHODS["agreed"]) else _NEM12_LETTERS[flag[0]]


def method_of_nem12(flag: str) -> int | None:
    """The type after E, F or S; None where the flag has none.

    >>> method_of_nem12("F17"), method_of_nem12("A")
    (17, None)
    """
    number = int(flag[1:]) if re.fullmatch(r"[EFS]\d\d", flag, re.ASCII) else None
    return number if number in _KNOWN_TYPES else None


# CIM and ebIX: the quality of a point --------------------------------------------------------------------------------------------------------------------------

CIM_QUALITIES: dict[str, Quality] = {
    "A01": Quality.EDITED,
    "A02": Quality.MISSING,
    "A03": Quality.ESTIMATED,
    "A04": Quality.ACTUAL,
    "A05": Quality.QUESTIONABLE,
    "A06": Quality.DERIVED,
}
"""What a point's quality means: A01 adjusted, A02 not available, A03 estimated, A04 as provided, A05 incomplete, A06 calculated."""
_CIM_OF: dict[Quality, str] = {
    Quality.ACTUAL: "A04",
    Quality.VALIDATED: "A04",
    Quality.RAW: "A04",
    Quality.ESTIMATED: "A03",
    Quality.SUBSTITUTED: "A03",
    Quality.FINAL_SUBSTITUTE: "A03",
    Quality.EDITED: "A01",
    Quality.QUESTIONABLE: "A05",
    Quality.DERIVED: "A06",
    Quality.MISSING: "A02",
}


def to_cim(quality: int) -> str:
    """The quality of a point, A01 to A06.

    Raises:
        QualityNotExpressible: a failed check and a forecast have no code.
    """
    found = Quality(quality)
    if found not in _CIM_OF:
        raise _not_expressible("CIM", found, "validate, estimate or edit the readings first")
    return _CIM_OF[found]


def from_cim(code: str) -> Quality:
    """The quality of a point's code; a point without one is as provided.

    Raises:
        UnknownQualityCode: there is no such code.
    """
    if code not in CIM_QUALITIES:
        raise _unknown("CIM", code, f"a point's quality is one of {', '.join(CIM_QUALITIES)}")
    return CIM_QUALITIES[code]


def _unknown(form: str, code: str, cure: str) -> UnknownQualityCode:
    return UnknownQualityCode(f"{form} has no quality code {code[:40]!r}", cure=cure)


def _not_expressible(form: str, quality: Quality, cure: str) -> QualityNotExpressible:
    return QualityNotExpressible(f"{form} has no code for a reading that is {quality.name.lower().replace('_', ' ')}", cure=cure)
