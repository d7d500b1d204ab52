"""What must hold between the keys of a price book: references, fields of a model, order of steps.

Belongs here: checks that need more than one key. Does not belong here: the shape of a single key
(`price_book_model.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from ratehouse.money import CURRENCIES
from ratehouse.price_book_model import (
    MODELS,
    BillAtUsage,
    Charge,
    Coupon,
    Meter,
    Plan,
    PriceBook,
    Tier,
    has_price,
    merge_price,
    written,
)
from ratehouse.price_book_source import Path_, Source, closest

# key -> the types of charge that have it
_ONLY_FOR = {
    "meter": ("usage",),
    "window": ("usage",),
    "prorate": ("usage",),
    "prices": ("usage",),
    "negative": ("usage",),
    "on_increase": ("recurring",),
    "on_decrease": ("recurring",),
    "on_demand": ("one_time",),
    "recognise_months": ("one_time",),
    "quantity": ("recurring", "one_time"),
}


def check_book(book: PriceBook, source: Source) -> None:
    """Record everything in a well-formed book that does not fit together."""
    for code, meter in book.meters.items():
        _check_meter(meter, source, ("meters", code))
    for code, unit in book.units.items():
        for currency in unit.rates:
            _check_currency(currency, source, ("units", code, currency))
    every_charge = set(itertools.chain.from_iterable(plan.charges for plan in book.plans.values()))
    for code, plan in book.plans.items():
        path: Path_ = ("plans", code)
        for name, charge in plan.charges.items():
            check_charge(charge, book, source, (*path, "charges", name))
            _check_own_name(name, plan, source, (*path, "charges", name))
        if plan.minimum_commitment and plan.minimum_commitment.charges is not None:
            named = plan.minimum_commitment.charges
            _check_names(named, plan.charges, source, (*path, "minimum_commitment", "charges"))
        if plan.bill_at_usage:
            _check_steps(plan.bill_at_usage, source, (*path, "bill_at_usage"))
    for code, coupon in book.coupons.items():
        _check_coupon(coupon, source, ("coupons", code))
        _check_names(coupon.applies_to or [], every_charge, source, ("coupons", code, "applies_to"))


def _check_own_name(name: str, plan: Plan, source: Source, path: Path_) -> None:
    # Lines of these names would be taken for lines of the charge.
    if name in ("minimum", "overage") and plan.minimum_commitment:
        source.add("bad_value", path, f"`{name}` is the name of the lines of the plan's minimum_commitment.")
    if name == "early_termination":
        source.add("bad_value", path, "`early_termination` is the name of the line for leaving a term early.")


def _check_meter(meter: Meter, source: Source, path: Path_) -> None:
    if meter.aggregation == "unique_count" and meter.property is None:
        source.add(
            "missing_key", (*path, "property"), "unique_count needs the property whose values it counts."
        )
    if meter.aggregation != "unique_count" and meter.operation_property is not None:
        source.add("bad_value", (*path, "operation_property"), "only unique_count adds and removes.")
    if meter.aggregation != "time_weighted":
        for name, default in (("reading", "delta"), ("per", "period")):
            if getattr(meter, name) != default:
                source.add("bad_value", (*path, name), f"only time_weighted has a `{name}`.")
    if meter.over_windows is not None and meter.window is None:
        source.add("missing_key", (*path, "window"), "over_windows needs the window it goes over.")


def _check_currency(code: str, source: Source, path: Path_) -> None:
    if code not in CURRENCIES:
        source.add("unknown_key", path, "is neither `digits` nor an ISO 4217 currency code.")


def _check_names(names: Iterable[str], known: Iterable[str], source: Source, path: Path_) -> None:
    for index, name in enumerate(names):
        if name not in known:
            source.add(
                "unknown_charge", (*path, index), f"there is no charge {name!r}.", closest(name, known)
            )


def _check_steps(steps: BillAtUsage, source: Source, path: Path_) -> None:
    if not steps.thresholds and steps.recurring is None:
        source.add("missing_key", (*path, "thresholds"), "needs thresholds, recurring, or both.")
    for index, (lower, upper) in enumerate(itertools.pairwise(steps.thresholds), start=1):
        if upper <= lower:
            source.add(
                "bad_value", (*path, "thresholds", index), f"{upper} must be above the {lower} before it."
            )


def _check_coupon(coupon: Coupon, source: Source, path: Path_) -> None:
    if (coupon.percent is None) == (coupon.amount is None):
        source.add("missing_key", path, "needs either percent or amount.")
    if coupon.currency is not None and coupon.amount is None:
        source.add("bad_value", (*path, "currency"), "only an amount has a currency.")
    if (coupon.duration == "repeating") != (coupon.periods is not None):
        source.add("missing_key", (*path, "periods"), "goes with `duration: repeating`, and only with it.")


def check_charge(charge: Charge, book: PriceBook, source: Source, path: Path_) -> None:
    """Record what is wrong with one charge of a book, or with an override of one."""
    for name, types in _ONLY_FOR.items():
        value = getattr(charge, name)
        if charge.type not in types and value not in (None, [], False, Charge.model_fields[name].default):
            source.add("bad_value", (*path, name), f"a {charge.type} charge has no `{name}`.")
    if charge.type == "recurring" and charge.timing is None:
        source.add(
            "missing_key",
            (*path, "timing"),
            "a recurring charge says `timing: advance` or `timing: arrears`.",
        )
    if charge.type == "usage" and charge.timing == "advance":
        source.add("bad_value", (*path, "timing"), "usage is always billed in arrears.")
    if charge.type == "one_time" and charge.timing == "arrears":
        source.add("bad_value", (*path, "timing"), "a one_time charge is billed when it is bought.")
    if charge.minimum is not None and charge.maximum is not None and charge.minimum > charge.maximum:
        source.add(
            "bad_value", (*path, "maximum"), f"{charge.maximum} is below the minimum of {charge.minimum}."
        )
    if charge.recognise_months is not None and charge.recognise != "ratable":
        source.add("bad_value", (*path, "recognise_months"), "goes with `recognise: ratable`.")
    meter = _check_meter_of(charge, book, source, path)
    if charge.in_ is not None:
        unit = book.units.get(charge.in_)
        if unit is None:
            hint = closest(charge.in_, book.units)
            source.add("unknown_unit", (*path, "in"), f"there is no unit {charge.in_!r}.", hint)
        elif book.currency not in unit.rates:
            source.add(
                "no_price_in_currency", (*path, "in"), f"unit {charge.in_!r} has no rate in {book.currency}."
            )
    _check_prices(charge, meter, source, path)


def _check_meter_of(charge: Charge, book: PriceBook, source: Source, path: Path_) -> Meter | None:
    if charge.type != "usage":
        return None
    if charge.meter is None:
        source.add("missing_key", (*path, "meter"), "a usage charge names its meter.")
        return None
    meter = book.meters.get(charge.meter)
    if meter is None:
        _unknown_meter(charge.meter, book.meters, source, path)
    elif charge.prorate and not meter.persistent:
        source.add("bad_value", (*path, "prorate"), f"meter {charge.meter!r} is not persistent.")
    return meter


def _unknown_meter(name: str, known: Iterable[str], source: Source, path: Path_) -> None:
    source.add("unknown_meter", (*path, "meter"), f"there is no meter {name!r}.", closest(name, known))


def _check_prices(charge: Charge, meter: Meter | None, source: Source, path: Path_) -> None:
    own = written(charge)
    if has_price(own) or not (charge.prices or charge.prices_in):
        _check_price(own, charge, source, path)
    for currency, fields in charge.prices_in.items():
        _check_price(merge_price(own, written(fields)), charge, source, (*path, "prices_in", currency))
    for index, variant in enumerate(charge.prices):
        place: Path_ = (*path, "prices", index)
        for name in variant.when if meter else ():
            if meter and name not in meter.dimensions:
                hint = closest(name, meter.dimensions)
                source.add(
                    "unknown_key", (*place, "when", name), f"is no dimension of meter {charge.meter!r}.", hint
                )
        merged = merge_price(own, written(variant))
        if has_price(merged):
            _check_price(merged, charge, source, place)
        else:
            source.add("missing_key", place, "prices nothing.")
        for currency, fields in variant.prices_in.items():
            _check_price(
                merge_price(merged, written(fields)), charge, source, (*place, "prices_in", currency)
            )


def _check_price(fields: Mapping[str, Any], charge: Charge, source: Source, path: Path_) -> None:
    model = fields.get("model")
    if model is None:
        source.add("missing_key", (*path, "model"), f"needs a model: {', '.join(MODELS)}.")
        return
    needed, further, of_tiers = MODELS[model]
    if model in ("percentage", "dynamic") and charge.type != "usage":
        source.add("bad_value", (*path, "model"), f"{model} prices single events, so only usage can have it.")
    for name in sorted(needed - fields.keys()):
        source.add("missing_key", (*path, name), f"model {model} needs it.")
    if model == "percentage" and not {"percent", "fixed_fee"} & fields.keys():
        source.add("missing_key", (*path, "percent"), "model percentage needs percent, fixed_fee, or both.")
    for name in fields.keys() - needed - further - {"model"}:
        source.add("unknown_key", (*path, name), f"is no field of model {model}.")
    low, high = fields.get("event_minimum"), fields.get("event_maximum")
    if low is not None and high is not None and low > high:
        source.add("bad_value", (*path, "event_maximum"), f"{high} is below the event_minimum of {low}.")
    for index, tier in enumerate(fields.get("tiers") or []) if "tiers" in needed else ():
        place = (*path, "tiers", index)
        for name in Tier.model_fields:
            if name != "up_to" and name not in of_tiers and getattr(tier, name) is not None:
                source.add("unknown_key", (*place, name), f"is no field of a {model} tier.")
        if model == "stairstep" and tier.amount is None:
            source.add("missing_key", (*place, "amount"), "a stairstep tier has an amount.")


def check_meters_in_raw(data: Any, source: Source) -> None:
    """Unknown meters of a book whose shape is wrong too, so that one look shows both."""
    meters = data.get("meters") or {}
    plans = data.get("plans") or {}
    for code, plan in plans.items() if isinstance(plans, dict) and isinstance(meters, dict) else ():
        charges = plan.get("charges") if isinstance(plan, dict) else None
        for name, charge in charges.items() if isinstance(charges, dict) else ():
            meter = charge.get("meter") if isinstance(charge, dict) else None
            if isinstance(meter, str) and meter not in meters:
                _unknown_meter(meter, meters, source, ("plans", code, "charges", name))
