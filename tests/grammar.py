"""The price book's grammar a second time, in exact fractions and from its words: what tests hold the models to.

Charges and meters are what the YAML of a price book says, with `Fraction` for every number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

ZERO = Fraction(0)


def written(value: Any) -> Any:
    """What the grammar wants written in YAML: every fraction as its decimal digits."""
    if isinstance(value, Fraction):
        with localcontext() as context:
            context.prec = 80
            return format((Decimal(value.numerator) / Decimal(value.denominator)).normalize(), "f")
    if isinstance(value, Mapping):
        return {key: written(one) for key, one in value.items()}
    return [written(one) for one in value] if isinstance(value, list) else value


def rounded(value: Fraction, digits: int, mode: str = "half_up") -> Fraction:
    """Away from zero (`up`), toward it (`down`), to the nearest with halves away from zero or to the even digit."""
    scaled = abs(value) * Fraction(10) ** digits
    whole, rest = divmod(scaled, 1)
    up = {
        "up": rest > 0,
        "down": False,
        "half_up": rest >= Fraction(1, 2),
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1),
    }[mode]
    result = (whole + up) / Fraction(10) ** digits
    return -result if value < 0 else result


def started(quantity: Fraction) -> Fraction:
    """Packages, the last of which need not be full."""
    return Fraction(-((-quantity) // 1))


def aggregated(meter: Mapping[str, Any], values: Sequence[Any]) -> Fraction:
    """Of the values in the order of their events; None stands for one that is missing, text for one that is no number."""
    kind = meter["aggregation"]
    numbers = []
    for value in values:
        if isinstance(value, Fraction):
            number = value * meter.get("multiply_by", Fraction(1))
            each = meter.get("round_each")
            numbers.append(rounded(number, each["digits"], each["mode"]) if each else number)
    if kind == "count":
        result = Fraction(len(values))
    elif kind == "unique_count":
        result = Fraction(len({str(value) for value in values if value is not None}))
    elif not numbers:
        result = ZERO
    elif kind == "average":
        result = rounded(sum(numbers, ZERO) / len(numbers), 10)
    else:
        result = {
            "sum": lambda all_: sum(all_, ZERO),
            "max": max,
            "min": min,
            "latest": lambda all_: all_[-1],
        }[kind](numbers)
    rounding = meter.get("round_quantity")
    return rounded(result, rounding["digits"], rounding["mode"]) if rounding else result


def priced(charge: Mapping[str, Any], quantity: Fraction) -> tuple[Fraction, Fraction]:
    """The exact amount of a quantity before discount, minimum and maximum, and what `included` took off."""
    if quantity < 0:
        return _below_zero(charge, quantity), ZERO
    included = min(quantity, charge.get("included", ZERO))
    if quantity == 0 and charge.get("charge_at_zero") is False:
        return ZERO, included
    return _amount(charge, quantity - included), included


def limited(charge: Mapping[str, Any], amount: Fraction, share: Fraction = Fraction(1)) -> Fraction:
    """Discount, then minimum, then maximum, the limits by the share of the cycle that is served."""
    if "discount" in charge:
        amount *= 1 - charge["discount"]["percent"] / 100
    amount = max(amount, charge["minimum"] * share) if "minimum" in charge else amount
    return min(amount, charge["maximum"] * share) if "maximum" in charge else amount


def percentage_fees(charge: Mapping[str, Any], amounts: Iterable[Fraction]) -> Fraction:
    """Per event: percent and fixed fee inside the clamps; what is free ends with the first limit that is reached."""
    total = ZERO
    seen = ZERO
    is_free = "free_events" in charge or "free_amount" in charge
    for number, amount in enumerate(amounts, start=1):
        billed = amount
        is_free = is_free and ("free_events" not in charge or number <= charge["free_events"])
        if is_free:
            left = charge.get("free_amount", amount + seen) - seen
            billed = max(amount - left, ZERO)
            is_free = billed == 0
        seen += amount
        if is_free:
            continue
        fee = billed * charge["percent"] / 100 + charge.get("fixed_fee", ZERO)
        fee = max(fee, charge.get("event_minimum", fee))
        total += min(fee, charge.get("event_maximum", fee))
    return total


def _amount(charge: Mapping[str, Any], billed: Fraction) -> Fraction:
    model = charge["model"]
    if model == "per_unit":
        return billed * charge["unit_price"] / charge.get("per", Fraction(1))
    if model == "package":
        return started(billed / charge["package_size"]) * charge["package_price"]
    tiers = charge["tiers"]
    if model in ("graduated", "graduated_percentage"):
        return _over_tiers(tiers, billed, _of_tier)
    tier = next(one for one in tiers if one["up_to"] is None or billed <= one["up_to"])
    return tier["amount"] if model == "stairstep" else _of_tier(tier, billed) + tier.get("flat_fee", ZERO)


def _over_tiers(
    tiers: Sequence[Mapping[str, Any]],
    billed: Fraction,
    of_tier: Callable[[Mapping[str, Any], Fraction], Fraction],
) -> Fraction:
    total, lower = ZERO, ZERO
    for number, tier in enumerate(tiers):
        if number and billed <= lower:
            break
        upper = billed if tier["up_to"] is None else min(billed, tier["up_to"])
        total += of_tier(tier, max(upper - lower, ZERO)) + tier.get("flat_fee", ZERO)
        lower = tier["up_to"]
        if lower is None:
            break
    return total


def _of_tier(tier: Mapping[str, Any], units: Fraction) -> Fraction:
    if "percent" in tier:
        return units * tier["percent"] / 100
    return (started(units / tier["package_size"]) if "package_size" in tier else units) * tier["unit_price"]


def _below_zero(charge: Mapping[str, Any], quantity: Fraction) -> Fraction:
    treatment, model = charge.get("negative", "credit"), charge["model"]
    if treatment == "mirror":
        return -_amount(charge, -quantity)
    if treatment == "zero" or model not in ("per_unit", "graduated", "graduated_percentage"):
        return ZERO
    if model == "per_unit":
        return _amount(charge, quantity)
    tier = charge["tiers"][0]
    if "package_size" not in tier:
        return _of_tier(tier, quantity)
    # Started packages are counted toward zero.
    whole = (-quantity // tier["package_size"]) * tier["package_size"]
    return -_of_tier(tier, Fraction(whole))
