"""Reading what is new from Stripe, resource by resource, from the cursor of the last pull.

The cursor is the youngest `created` that a completed pull has seen; a pull starts a day before it, because Stripe's lists are
not ordered to the second, and what was landed already lands no second time. It moves only when a resource was read to its end,
so a pull that was killed starts again where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from ingest.stripe.landing import Landing, land_payloads
from ratehouse.lake import Lake
from ratehouse.streams import land

RESOURCES = (
    "customers",
    "payment_intents",
    "charges",
    "refunds",
    "disputes",
    "payouts",
    "balance_transactions",
    "invoices",
    "subscriptions",
)
OVERLAP_SECONDS = 24 * 3600
PAGE = 100
# The client waits and asks again, slower each time, when it is told to slow down or gets no answer.
RETRIES = 5

# (resource, parameters) → a page: {"data": [objects, youngest first], "has_more": bool}
Lister = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def lister(api_key: str) -> Lister:
    """Pages of the account that a key opens."""
    client = stripe.StripeClient(api_key, max_network_retries=RETRIES)

    def pages(resource: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        listed = getattr(client.v1, resource).list(dict(parameters))
        page: Mapping[str, Any] = listed.to_dict()
        return page

    return pages


def pull(
    lake: Lake,
    pages: Lister,
    *,
    tenant_id: str,
    resources: Sequence[str] = RESOURCES,
    received_at: datetime | None = None,
) -> dict[str, Landing]:
    """Land what is new of the resources, each from its own cursor.

    Args:
        lake: where to.
        pages: how a page is asked for; `lister(key)` asks Stripe.
        tenant_id: whose account it is.
        resources: which of RESOURCES.
        received_at: when they arrived (UTC; default now).

    Returns:
        What became of each resource.
    """
    now = received_at or datetime.now(UTC)
    landings = {}
    for resource in resources:
        cursor = cursor_of(lake, tenant_id, resource)
        parameters: dict[str, Any] = {"limit": PAGE}
        if cursor is not None:
            parameters["created"] = {"gte": max(cursor - OVERLAP_SECONDS, 0)}
        objects = list(_all(pages, resource, parameters))
        # Oldest first, so that of several tellings of one thing the youngest is landed last.
        landings[resource] = land_payloads(
            lake, reversed(objects), tenant_id=tenant_id, source="stripe-pull", received_at=now
        )
        seen = [thing["created"] for thing in objects if isinstance(thing.get("created"), int)]
        if resource == "payouts":
            landings[resource].rows += _paid_out(lake, pages, objects, tenant_id, now).rows
        if seen and max(seen) > (cursor or 0):
            land(
                lake,
                "stripe_cursors",
                [{"resource": resource, "seen_until": max(seen)}],
                tenant_id=tenant_id,
                source="stripe-pull",
                batch_id=f"stripe-cursor-{tenant_id}-{resource}-{max(seen)}",
                received_at=now,
            )
    return landings


def cursor_of(lake: Lake, tenant_id: str, resource: str) -> int | None:
    """The youngest `created` (seconds since 1970) that a completed pull of a resource has seen."""
    table = lake.read("raw/stripe_cursors")
    rows = [] if table is None else table.to_pylist()
    seen = [row["seen_until"] for row in rows if (row["tenant_id"], row["resource"]) == (tenant_id, resource)]
    return max(seen, default=None)


def _all(pages: Lister, resource: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked = dict(parameters)
    while True:
        page = pages(resource, asked)
        data = [dict(thing) for thing in page["data"]]
        yield from data
        if not page.get("has_more") or not data:
            return
        asked["starting_after"] = data[-1]["id"]


def _paid_out(
    lake: Lake, pages: Lister, payouts: list[dict[str, Any]], tenant_id: str, now: datetime
) -> Landing:
    """The movements of automatic payouts, which only a list by payout tells."""
    movements = [
        {**movement, "payout": payout["id"]}
        for payout in reversed(payouts)
        if payout.get("automatic")
        for movement in _all(pages, "balance_transactions", {"limit": PAGE, "payout": payout["id"]})
    ]
    return land_payloads(lake, movements, tenant_id=tenant_id, source="stripe-pull", received_at=now)
