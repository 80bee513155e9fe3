"""A rate version as a JSON document and back, without loss, and its fingerprint.

Prices are decimal text, dates ISO, members that hold their default are left out, so that a field added later changes no fingerprint.
"""

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mains.base.problems import Problem
from mains.rates.model import AnyCharge, Demand, Energy, Fixed, Minimum, Percent, RateVersion

FORMAT = "mains-rate/1"
_CHARGES: dict[str, type] = {kind.__name__.lower(): kind for kind in (Fixed, Energy, Demand, Minimum, Percent)}


class UnableToReadRate(Problem):
    """The document is not a rate as it is written here."""

    status = 422


def to_document(version: RateVersion) -> dict[str, Any]:
    """The version as plain JSON values, canonical: the same version always gives the same document."""
    return {"format": FORMAT, **_plain(version)}


def from_document(document: Mapping[str, Any]) -> RateVersion:
    """The version that a document describes; its soundness is the business of `checks.check_version`.

    Raises:
        UnableToReadRate: a member is missing, unknown or of the wrong kind; the message names its place.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise UnableToReadRate(
            "the document is not a rate of this format", cure=f'give a JSON object with "format": "{FORMAT}"', field="format"
        )
    return _build(RateVersion, {key: value for key, value in document.items() if key != "format"}, "")


@lru_cache(maxsize=1024)
def content_hash(version: RateVersion) -> str:
    """sha256 of the canonical JSON of the version, as hexadecimal."""
    return sha256_of(to_document(version))


def sha256_of(value: object) -> str:
    """sha256 of a JSON value written with sorted keys and no spaces; decimals as their digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def decimal_text(value: Decimal) -> str:
    """A decimal in plain digits without trailing zeros, so that equal numbers read equal.

    >>> decimal_text(Decimal("11.30")), decimal_text(Decimal("1E+2"))
    ('11.3', '100')
    """
    return format(value.normalize() if value else Decimal(0), "f")


def _default(member: Field[Any]) -> object:
    if member.default is not MISSING:
        return member.default
    return member.default_factory() if member.default_factory is not MISSING else MISSING


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kind = next((name for name, charge in _CHARGES.items() if type(value) is charge), None)
        members = {m.name: getattr(value, m.name) for m in fields(value)}
        kept = {m.name: _plain(members[m.name]) for m in fields(value) if members[m.name] != _default(m)}
        return {"type": kind, **kept} if kind else kept
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return decimal_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _wrong(place: str, wanted: str, value: object) -> UnableToReadRate:
    shown = repr(value)[:60]
    return UnableToReadRate(
        f"{place or 'the document'} should be {wanted}, not {shown}", cure=f"write {place or 'it'} as {wanted}", field=place
    )


def _build(kind: type, value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(place, "an object", value)
    hints = _hints(kind)
    known = {member.name: member for member in fields(kind)}
    unknown = [key for key in value if key not in known and key != "type"]
    if unknown:
        at = f"{place}.{unknown[0]}".lstrip(".")
        raise UnableToReadRate(f"{at} is not known here", cure=f"use one of {', '.join(known)}", field=at)
    built = {}
    for name, member in known.items():
        at = f"{place}.{name}".lstrip(".")
        if name in value:
            built[name] = _value(hints[name], value[name], at)
        elif _default(member) is MISSING:
            raise UnableToReadRate(f"{at} is missing", cure=f"give {at}", field=at)
    return kind(**built)


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any, place: str) -> Any:
    if hint == AnyCharge:
        name = value.get("type") if isinstance(value, Mapping) else None
        if name not in _CHARGES:
            raise _wrong(f"{place}.type", f"one of {', '.join(_CHARGES)}", name)
        return _build(_CHARGES[name], value, place)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        return _value(next(part for part in get_args(hint) if part is not type(None)), value, place)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong(place, "a list", value)
        return tuple(_value(get_args(hint)[0], item, f"{place}[{number}]") for number, item in enumerate(value))
    if origin is Literal:
        if value not in get_args(hint):
            raise _wrong(place, f"one of {', '.join(map(str, get_args(hint)))}", value)
        return value
    return _build(hint, value, place) if isinstance(hint, type) and is_dataclass(hint) else _scalar(hint, value, place)


def _scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise _wrong(place, "a decimal number in quotes", value)
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise _wrong(place, "a decimal number in quotes", value)
        return number
    if hint is date:
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise _wrong(place, "a date as YYYY-MM-DD", value) from None
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong(place, {str: "text", int: "a whole number"}.get(hint, str(hint)), value)
    return value
