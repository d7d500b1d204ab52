"""The Great Expectations suites of what lands, one module per stream.

Who owns which assertion: the shape of what arrives is here; rules and identities are dbt tests. Landing has
refused malformed rows already, so a broken shape here means that a writer got around it or is broken itself,
which is an error and stops the run. What a sender may do wrong is a warning: one sender's fault must not stop
the night of all tenants.
"""

from __future__ import annotations

from orchestration.lib.expectations import customers, price_books, rejected, subscription_events, usage_events
from orchestration.lib.expectations.suite import Suite

SUITES: tuple[Suite, ...] = (
    *usage_events.SUITES,
    *customers.SUITES,
    *subscription_events.SUITES,
    *price_books.SUITES,
    *rejected.SUITES,
)

__all__ = ["SUITES", "Suite"]
