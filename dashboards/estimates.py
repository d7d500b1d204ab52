"""Averages with intervals from what a lot decided. Statistics, never booked amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Any

# With fewer failed invoices an interval says more about the method than about the money.
LEAST_INVOICES = 100
# Of the normal distribution: 95 % lie within so many standard errors.
_WIDTH = 1.959964


@dataclass(frozen=True)
class Estimate:
    """An average per failed invoice, or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def difference(rows: Sequence[Mapping[str, Any]], arm: str, other: str) -> Estimate | None:
    """How much more an arm brought per failed invoice than another; None with too few invoices in one of them.

    The interval takes a customer's invoices as one draw, in whichever arm each of them is (a linearised ratio, clustered
    by customer).

    Args:
        rows: arm, customer_id, invoices and recovered_value; one per arm and customer.
        arm: whose gain.
        other: compared with what.
    """
    sides = {name: [row for row in rows if row["arm"] == name] for name in (arm, other)}
    counts = {name: sum(row["invoices"] for row in side) for name, side in sides.items()}
    if min(counts.values()) < LEAST_INVOICES:
        return None
    means = {
        name: float(sum((row["recovered_value"] for row in side), Decimal(0))) / counts[name]
        for name, side in sides.items()
    }
    pulls: dict[str, float] = {}
    for name, sign in ((arm, 1), (other, -1)):
        for row in sides[name]:
            off = (float(row["recovered_value"]) - means[name] * row["invoices"]) / counts[name]
            pulls[row["customer_id"]] = pulls.get(row["customer_id"], 0.0) + sign * off
    customers = len(pulls)
    if customers < 2:
        return None
    error = sqrt(sum(pull * pull for pull in pulls.values()) * customers / (customers - 1))
    gain = means[arm] - means[other]
    return Estimate(gain, gain - _WIDTH * error, gain + _WIDTH * error)
