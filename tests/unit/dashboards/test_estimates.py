"""The interval of what a lot decided: against a bootstrap, and silent where there is too little."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from dashboards.estimates import Estimate, difference


def rows(seed: int, gain: int, customers: int = 150) -> list[dict[str, Any]]:
    """Two invoices of each customer, each in an arm by lot; a good and a bad payer among them."""
    lot = Random(seed)
    found: dict[tuple[str, str], list[int]] = {}
    for number in range(customers):
        worth = lot.choice([0, 40, 200])
        for _ in range(2):
            arm = lot.choice(["planned", "fixed"])
            brought = worth + lot.randint(-5, 5) + (gain if arm == "planned" else 0)
            found.setdefault((arm, f"c{number}"), []).append(brought)
    return [
        {
            "arm": arm,
            "customer_id": name,
            "invoices": len(values),
            "recovered_value": Decimal(sum(values)),
        }
        for (arm, name), values in found.items()
    ]


def bootstrap(told: list[dict[str, Any]], seed: int) -> tuple[float, float]:
    """The middle 95 % of what redrawn customers give."""
    lot = Random(seed)
    names = sorted({row["customer_id"] for row in told})
    of: dict[str, list[dict[str, Any]]] = {}
    for row in told:
        of.setdefault(row["customer_id"], []).append(row)
    gains = []
    for _ in range(1000):
        sums = {"planned": [0.0, 0], "fixed": [0.0, 0]}
        for name in lot.choices(names, k=len(names)):
            for row in of[name]:
                sums[row["arm"]][0] += float(row["recovered_value"])
                sums[row["arm"]][1] += row["invoices"]
        gains.append(sums["planned"][0] / sums["planned"][1] - sums["fixed"][0] / sums["fixed"][1])
    gains.sort()
    return gains[25], gains[974]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_interval_is_that_of_a_bootstrap_by_customer(seed: int) -> None:
    told = rows(seed, gain=30)
    found = difference(told, "planned", "fixed")
    assert isinstance(found, Estimate)
    low, high = bootstrap(told, seed)
    width = high - low
    assert abs(found.low - low) < 0.12 * width and abs(found.high - high) < 0.12 * width
    assert found.low < found.value < found.high


def test_no_gain_is_shown_where_there_is_none_and_a_large_one_is() -> None:
    none, large = (difference(rows(7, gain), "planned", "fixed") for gain in (0, 100))
    assert none is not None and not none.is_shown
    assert large is not None and large.is_shown and large.low > 0


def test_too_few_invoices_give_no_figure() -> None:
    assert difference(rows(1, gain=30, customers=40), "planned", "fixed") is None
    assert difference([], "planned", "fixed") is None
