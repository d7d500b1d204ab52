"""Reading what is new from Braintree, resource by resource and window by window, from the cursor of the last pull.

A transaction changes after it was made, and Braintree searches by the instant of each change: so it is asked for what was made,
settled, voided and disbursed since, and for disputes by the day they came. A window is read to its end before the cursor moves
behind it, so a pull that was killed starts again at the window where it ended. A pull starts some days before the cursor,
because what is new is found with a delay; what was landed already lands no second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from braintree import DisputeSearch, TransactionSearch

from ingest.braintree.landing import Object, dispute, land_objects, transaction
from ingest.stripe.landing import Landing
from ratehouse.lake import Lake
from ratehouse.streams import land

_FIELDS = {
    "transactions": TransactionSearch.created_at,
    "settlements": TransactionSearch.settled_at,
    "voids": TransactionSearch.voided_at,
    "disbursements": TransactionSearch.disbursement_date,
}
RESOURCES = (*_FIELDS, "disputes")
OVERLAP = timedelta(days=2)
# A search gives no more than 50,000 transactions.
WINDOW = timedelta(days=7)
FIRST = timedelta(days=90)


def pull(
    lake: Lake,
    gateway: Any,
    *,
    tenant_id: str,
    resources: Sequence[str] = RESOURCES,
    since: datetime | None = None,
    received_at: datetime | None = None,
) -> dict[str, Landing]:
    """Land what is new of the resources, each from its own cursor.

    Args:
        lake: where to.
        gateway: the SDK's gateway of the account.
        tenant_id: whose account it is.
        resources: which of RESOURCES.
        since: where the first pull starts (UTC; default 90 days ago).
        received_at: when they arrived (UTC; default now).

    Returns:
        What became of each resource.
    """
    now = received_at or datetime.now(UTC)
    landings = {}
    for resource in resources:
        cursor = cursor_of(lake, tenant_id, resource)
        start = cursor - OVERLAP if cursor else since or now - FIRST
        total = Landing()
        for begin, end in _windows(start, now):
            objects = list(_objects(gateway, resource, begin, end))
            landed = land_objects(
                lake, objects, tenant_id=tenant_id, source="braintree-pull", received_at=now
            )
            total.landed += landed.landed
            total.known += landed.known
            total.quarantined += landed.quarantined
            total.rows += landed.rows
            _move(lake, tenant_id, resource, end, now)
        landings[resource] = total
    return landings


def cursor_of(lake: Lake, tenant_id: str, resource: str) -> datetime | None:
    """Up to when a resource was read to the end."""
    table = lake.read("raw/braintree_cursors")
    rows = [] if table is None else table.to_pylist()
    seen = [row["seen_until"] for row in rows if (row["tenant_id"], row["resource"]) == (tenant_id, resource)]
    return max(seen, default=None)


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + WINDOW, end)
        start += WINDOW


def _objects(gateway: Any, resource: str, begin: datetime, end: datetime) -> Iterator[Object]:
    if resource == "disputes":
        found = gateway.dispute.search(DisputeSearch.received_date.between(begin.date(), end.date()))
        for read in found.disputes.items:
            yield dispute(read)
        return
    # The SDK writes instants as they are given, and Braintree takes them for UTC.
    span = _FIELDS[resource].between(begin.replace(tzinfo=None), end.replace(tzinfo=None))
    for read in gateway.transaction.search(span).items:
        refunded = getattr(read, "refunded_transaction_id", None)
        yield transaction(read, gateway.transaction.find(refunded) if refunded else None)


def _move(lake: Lake, tenant_id: str, resource: str, until: datetime, now: datetime) -> None:
    land(
        lake,
        "braintree_cursors",
        [{"resource": resource, "seen_until": until}],
        tenant_id=tenant_id,
        source="braintree-pull",
        batch_id=f"braintree-cursor-{tenant_id}-{resource}-{until:%Y%m%dT%H%M%S%f}",
        received_at=now,
    )
