"""Money: `Decimal` outside, integers of the minor unit inside, rounded half-up once a line, never a float."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

MINOR_UNITS = {"USD": 2, "EUR": 2, "GBP": 2, "AUD": 2, "CAD": 2, "NZD": 2, "CHF": 2, "DKK": 2, "NOK": 2, "SEK": 2, "INR": 2, "ZAR": 2, "JPY": 0, "KRW": 0, "KWD": 3}
"""Digits after the point of a currency's minor unit. Source: ISO 4217."""


def round_money(amount: Decimal, currency: str = "USD") -> Decimal:
    """An exact amount to the currency's minor unit, half away from zero.

    >>> round_money(Decimal("1.005")), round_money(Decimal("-1.005")), round_money(Decimal("2.5"), "JPY")
    (Decimal('1.01'), Decimal('-1.01'), Decimal('3'))
    """
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), rounding=ROUND_HALF_UP)


def divide_half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, halves away from zero, exactly; denominator > 0.

    >>> divide_half_up(5, 2), divide_half_up(-5, 2), divide_half_up(7, 3)
    (3, -3, 2)
    """
    quotient, rest = divmod(abs(numerator), denominator)
    quotient += 2 * rest >= denominator
    return quotient if numerator >= 0 else -quotient


def half_up(value: Fraction) -> int:
    """A fraction to the nearest integer, halves away from zero.

    >>> half_up(Fraction(5, 2)), half_up(Fraction(-5, 2))
    (3, -3)
    """
    return divide_half_up(value.numerator, value.denominator)
