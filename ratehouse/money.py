"""Exact money: minor units, rounding, division and splitting. SQL twins: `dbt_project/macros/money.sql`.

Belongs here: arithmetic on decimals and integers that has one right answer. Does not belong here: any rule
about who pays what (that is SQL), formatting for people, and floats, which nothing here accepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ratehouse.errors import RatehouseError

Mode = Literal["half_up", "half_even", "up", "down"]

# ISO 4217; not CLDR, whose digits are for display and differ. A few withdrawn codes stay for old documents.
_OTHER_DIGITS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD
HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED
VES WST XCD XCG YER ZAR ZMW ZWG ZWL
"""
CURRENCIES: dict[str, int] = {**dict.fromkeys(_TWO_DIGITS.split(), 2), **_OTHER_DIGITS}
"""ISO 4217 code -> digits after the point of its minor unit."""


def minor_units(currency: str) -> int:
    """Digits after the point of a currency's smallest unit: USD 2, JPY 0, KWD 3, CLF 4.

    Raises:
        RatehouseError: the code is no ISO 4217 currency (bad_currency).
    """
    try:
        return CURRENCIES[currency]
    except KeyError:
        raise RatehouseError(
            f"{currency!r} is no ISO 4217 currency code.", reason_code="bad_currency"
        ) from None


def round_money(amount: Decimal, currency: str, mode: Mode = "half_up") -> Decimal:
    """An exact amount in major units, rounded once to the currency's minor unit.

    Args:
        amount: any finite decimal.
        currency: ISO 4217 code.
        mode: half_up (half away from zero), half_even, up (away from zero) or down (toward zero).
    """
    return round_to(amount, minor_units(currency), mode)


def round_to(value: Decimal, digits: int, mode: Mode = "half_up") -> Decimal:
    """Round to `digits` after the point; negative digits round to tens, hundreds, thousands.

    Exact for any size of number: it counts in integers and never through a decimal context.
    """
    return _from_scaled(_rounded(Fraction(value) * Fraction(10) ** digits, mode), digits)


def in_minor_units(amount: Decimal, currency: str) -> int:
    """A rounded amount as a count of the currency's smallest units: 12.50 USD is 1250.

    Raises:
        RatehouseError: the currency is unknown, or the amount has more digits than its unit.
    """
    count = Fraction(amount) * 10 ** minor_units(currency)
    if count.denominator != 1:
        raise RatehouseError(f"{amount} {currency} is no whole number of its smallest unit.")
    return count.numerator


def divide(numerator: Decimal, denominator: Decimal, scale: int = 12) -> Decimal:
    """Exact quotient with `scale` digits after the point, rounded once, half away from zero.

    Raises:
        ZeroDivisionError: the denominator is zero.
    """
    return _from_scaled(_rounded(Fraction(numerator) / Fraction(denominator) * 10**scale, "half_up"), scale)


def split_by_weight(total_minor: int, weights: Mapping[str, Decimal | int]) -> dict[str, int]:
    """Split a total among siblings by largest remainder; the parts always add up to it.

    Args:
        total_minor: the total in minor units, of either sign.
        weights: stable id -> weight >= 0. Ties of the remainder go to the smaller id; zero gets nothing.

    Raises:
        ValueError: a negative weight, or a non-zero total with nothing to split it over.
    """
    exact = {key: Fraction(weight) for key, weight in weights.items()}
    if any(weight < 0 for weight in exact.values()):
        raise ValueError("weights must not be negative")
    whole = sum(exact.values(), Fraction(0))
    if whole == 0:
        if total_minor:
            raise ValueError("a total cannot be split over weights that are all zero")
        return dict.fromkeys(weights, 0)
    sign = -1 if total_minor < 0 else 1
    shares = {key: abs(total_minor) * weight / whole for key, weight in exact.items()}
    parts = {key: int(share) for key, share in shares.items()}
    left = abs(total_minor) - sum(parts.values())
    for key in sorted(shares, key=lambda key: (parts[key] - shares[key], key))[:left]:
        parts[key] += 1
    return {key: sign * parts[key] for key in weights}


def split_over_time(total_minor: int, days: Sequence[int]) -> list[int]:
    """Split a total over consecutive stretches of time by cumulative difference.

    R(t) = round half away(total · days to t ÷ all days); a part is R at its end less R at its start. Any part
    can be computed alone, no cut-off is off by more than half a minor unit, the parts add up to the total.

    Raises:
        ValueError: negative days, or no days at all for a non-zero total.
    """
    if any(count < 0 for count in days):
        raise ValueError("days must not be negative")
    whole = sum(days)
    if whole == 0:
        if total_minor:
            raise ValueError("a total cannot be spread over no days")
        return [0] * len(days)
    parts, passed, before = [], 0, 0
    for count in days:
        passed += count
        until = _rounded(Fraction(total_minor * passed, whole), "half_up")
        parts.append(until - before)
        before = until
    return parts


def _rounded(value: Fraction, mode: Mode) -> int:
    sign = -1 if value < 0 else 1
    whole, rest = divmod(abs(value.numerator), value.denominator)
    twice = 2 * rest
    if mode == "up":
        bump = rest > 0
    elif mode == "down":
        bump = False
    elif mode == "half_up":
        bump = twice >= value.denominator
    elif mode == "half_even":
        bump = twice > value.denominator or (twice == value.denominator and whole % 2 == 1)
    else:
        raise ValueError(f"unknown rounding mode {mode!r}")
    return sign * (whole + bump)


def _from_scaled(count: int, digits: int) -> Decimal:
    """Give count · 10^-digits without a decimal context, which would round beyond its precision."""
    if digits < 0:
        count, digits = count * 10**-digits, 0
    return Decimal((1 if count < 0 else 0, tuple(map(int, str(abs(count)))), -digits))
