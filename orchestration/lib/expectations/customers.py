"""Customers: what a sender writes about them is a warning, since one wrong country stops nobody."""

from __future__ import annotations

import zoneinfo

from orchestration.lib.expectations.suite import Suite, columns, filled, matches, one_of

SUITES = (
    Suite(
        name="customers_shape",
        stream="customers",
        blocking=True,
        description="Customers have their columns and identity.",
        expectations=(columns("customers"), *filled("tenant_id", "customer_id", "recorded_at")),
    ),
    Suite(
        name="customers_content",
        stream="customers",
        blocking=False,
        description="Currencies, countries and time zones of customers are codes that exist.",
        expectations=(
            matches("currency", "^[A-Z]{3}$"),
            matches("country", "^[A-Z]{2}$"),
            one_of("timezone", sorted(zoneinfo.available_timezones())),
        ),
    ),
)
