"""Usage events. Copies of an event are no fault: sending twice is allowed, and SQL decides what counts."""

from __future__ import annotations

from orchestration.lib.expectations.suite import Expect, Suite, columns, filled, matches, some_rows

SUITES = (
    Suite(
        name="usage_events_shape",
        stream="usage_events",
        blocking=True,
        description="Usage events have their columns, identity, instants, a quantity, and JSON properties.",
        expectations=(
            columns("usage_events"),
            *filled(
                "tenant_id", "event_id", "event_type", "occurred_at", "quantity", "recorded_at", "received_on"
            ),
            matches("properties", r"^\{.*\}$"),
        ),
    ),
    Suite(
        name="usage_events_volume",
        stream="usage_events",
        blocking=False,
        description="The newest batches hold events, with quantities that a product could mean.",
        expectations=(
            some_rows(),
            Expect(
                "ExpectColumnValuesToBeBetween",
                {"column": "quantity", "min_value": -1e12, "max_value": 1e12, "mostly": 0.999},
            ),
        ),
    ),
)
