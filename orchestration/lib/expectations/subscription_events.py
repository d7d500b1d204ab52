"""Subscription events. Which transitions are allowed is SQL."""

from __future__ import annotations

from orchestration.lib.expectations.suite import Suite, columns, filled, matches, one_of
from ratehouse.stream_schema import STREAMS

_TYPES = next(column.choices for column in STREAMS["subscription_events"].columns if column.name == "type")

SUITES = (
    Suite(
        name="subscription_events_shape",
        stream="subscription_events",
        blocking=True,
        description="Subscription events have their columns, identity, a known type, a JSON object as data.",
        expectations=(
            columns("subscription_events"),
            *filled("tenant_id", "event_id", "subscription_id", "type", "effective_at", "recorded_at"),
            one_of("type", sorted(_TYPES or ())),
            matches("data", r"^\{.*\}$"),
        ),
    ),
)
