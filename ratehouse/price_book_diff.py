"""Price books in words: a charge in one line, and what differs between two versions.

Belongs here: text about normalised documents for a person to read. Does not belong here: checks
(`price_book.py`), and what a difference costs anybody (a simulation of the warehouse).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ratehouse.price_book import PriceBook

_SAYS = "in words"


@dataclass(frozen=True)
class Change:
    """One difference: what happened at a key path, with the old and the new text ("" where there is none)."""

    kind: Literal["added", "removed", "changed"]
    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """Give one line for a terminal."""
        if self.kind == "changed":
            return f"~ {self.path}: {self.old} → {self.new}"
        return f"{'+' if self.kind == 'added' else '-'} {self.path}: {self.new or self.old}".rstrip(": ")


def diff(old: PriceBook, new: PriceBook) -> list[Change]:
    """List the differences between two versions; a default written out is none."""
    return list(_differences(_readable(old), _readable(new), ""))


def describe_price(price: Mapping[str, Any], unit: str | None = None) -> str:
    """Say one resolved price in a few words: "per_unit 0.005 USD", "volume, 2 tiers, EUR for region=eu"."""
    of = unit or price["currency"]
    match price["model"]:
        case "flat":
            text = f"flat {price['amount']} {of}"
        case "per_unit":
            text = f"per_unit {price['unit_price']} {of}"
        case "package":
            text = f"package {price['package_price']} {of} per {price['package_size']}"
        case "percentage":
            fee = f" + {price['fixed_fee']} {of}" if price["fixed_fee"] != "0" else ""
            text = f"percentage {price['percent']} %{fee}"
        case "dynamic":
            text = f"dynamic {price['amount_property']} {of}"
        case model:
            count = len(price["tiers"])
            text = f"{model}, {count} tier{'s' if count > 1 else ''}, {of}"
    if price["per"]:
        text += f" per {price['per']}"
    return text if price["when"] is None else f"{text} for {_when(price['when'])}"


def describe_charge(charge: Mapping[str, Any]) -> str:
    """All prices of a normalised charge in one line."""
    words = [describe_price(price, charge["in"]) for price in charge["prices"]]
    if charge["in"]:
        words = list(dict.fromkeys(words))
    if charge["included"] != "0":
        words.append(f"{charge['included']} included")
    words += [f"{name} {charge[name]}" for name in ("minimum", "maximum") if charge[name] is not None]
    if charge["discount"]:
        words.append(f"{charge['discount']['percent']} % off")
    return "; ".join(words)


def _when(when: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name}={value or 'none'}" for name, value in when.items()) or "all"


def _readable(book: PriceBook) -> dict[str, Any]:
    """The document with prices under names instead of positions, so that they compare one by one."""
    document = book.document()
    for plan in document["plans"].values():
        for charge in plan["charges"].values():
            charge[_SAYS] = describe_charge(charge)
            del charge["splits"], charge["position"]
            prices: dict[str, Any] = {}
            for price in charge.pop("prices"):
                when = price["when"]
                name = price["currency"] + ("" if when is None else f"({_when(when)})")
                prices[name] = {
                    key: value for key, value in price.items() if key not in ("position", "currency", "when")
                }
                for tier in prices[name]["tiers"] or []:
                    del tier["position"]
            charge["price"] = prices
    return document


def _differences(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        if path.endswith(".charges"):
            yield from _order(list(old), list(new), path)
        for key in dict.fromkeys((*old, *new)):
            place = f"{path}.{key}" if path else str(key)
            if key == _SAYS:
                continue
            if key not in new:
                yield Change("removed", place, _text(old[key]), "")
            elif key not in old:
                yield Change("added", place, "", _text(new[key]))
            else:
                yield from _differences(old[key], new[key], place)
    elif isinstance(old, list) and isinstance(new, list) and path.endswith("tiers"):
        yield from _differences(dict(enumerate(old)), dict(enumerate(new)), path)
    elif old != new:
        yield Change("changed", path, _text(old), _text(new))


def _order(old: list[str], new: list[str], path: str) -> Iterator[Change]:
    """The order on the invoice, if charges that both have changed places."""
    before, after = [code for code in old if code in new], [code for code in new if code in old]
    if before != after:
        yield Change("changed", f"{path} (order)", ", ".join(before), ", ".join(after))


def _text(value: Any) -> str:
    """A value in words; in a longer one, what is empty is left out."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if _SAYS in value:
            return str(value[_SAYS])
        said = value["charges"] if isinstance(value.get("charges"), dict) else value
        words = (f"{key}: {_text(item)}" for key, item in said.items() if item not in (None, {}, [], False))
        return "{" + ", ".join(words) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)
