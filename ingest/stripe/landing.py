"""Landing of Stripe's payloads: the object verbatim, and the facts it tells. The same payload twice changes nothing.

A payload that cannot be read is quarantined as a reject of `stripe_objects`, with the reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingest.stripe.amounts import BadAmount
from ingest.stripe.facts import Unusable, facts, instant
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.streams import land

_SECRETS = frozenset({"client_secret", "secret"})


@dataclass
class Landing:
    """What became of payloads.

    Attributes:
        landed: payloads that were kept.
        quarantined: payloads that were refused, by reason code.
        known: payloads that were in the lake before.
        rows: facts by stream.
    """

    landed: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    known: int = 0
    rows: Counter[str] = field(default_factory=Counter)


def land_payloads(
    lake: Lake,
    payloads: Iterable[Any],
    *,
    tenant_id: str,
    source: str = "stripe",
    account: str | None = None,
    received_at: datetime | None = None,
) -> Landing:
    """Land payloads one by one, each a batch of its own: an event, or an object.

    An event is known by its id, and a second one with other content is quarantined; an object is known by its content.

    Args:
        lake: where to.
        payloads: what Stripe sent, as parsed JSON.
        tenant_id: whose account it is.
        source: the `source` of the rows.
        account: the tenant's account; an event that names another one is not about the tenant's money.
        received_at: when they arrived (UTC; default now).

    Raises:
        LakeNotWritable: the lake takes no files; land them again once it does.
    """
    result = Landing()
    for payload in payloads:
        _land_one(lake, payload, tenant_id, source, account, received_at, result)
    return result


def _land_one(
    lake: Lake,
    payload: Any,
    tenant_id: str,
    source: str,
    account: str | None,
    received_at: datetime | None,
    result: Landing,
) -> None:
    clean = without_secrets(payload)
    is_event = isinstance(clean, Mapping) and clean.get("object") == "event"
    told = [tenant_id, "event", clean.get("id")] if is_event and clean.get("id") else [tenant_id, clean]
    batch_id = "stripe-" + hashlib.sha256(canonical(told).encode()).hexdigest()[:32]
    try:
        row, rows = _read(clean)
    except (Unusable, BadAmount) as error:
        row, rows = {"_code": "bad_json", "_reason": str(error), "_raw": canonical(clean)}, []
    if is_event and (told_of := clean.get("account")) is not None and told_of != account:
        reason = f"the event is about the account {told_of}, not about {account or 'the one it was sent for'}"
        row, rows = {"_code": "unknown_account", "_reason": reason, "_raw": canonical(clean)}, []
        # A batch of its own: told again after the account was named, the event lands.
        batch_id += "-elsewhere"
    options: dict[str, Any] = {
        "tenant_id": tenant_id, "source": source, "batch_id": batch_id, "received_at": received_at
    }  # fmt: skip
    landed = land(lake, "stripe_objects", [row], **options)
    if landed.rejected:
        result.quarantined += landed.reasons
        return
    if landed.already_landed and is_event and _differs(lake, batch_id, row):
        reason = f"the event {clean['id']} is known with other content; the first copy counts"
        conflict = {"_code": "duplicate_conflict", "_reason": reason, "_raw": canonical(clean)}
        digest = hashlib.sha256(canonical([tenant_id, clean]).encode()).hexdigest()[:32]
        land(lake, "stripe_objects", [conflict], **options | {"batch_id": f"stripe-conflict-{digest}"})
        result.quarantined["duplicate_conflict"] += 1
        return
    if landed.already_landed:
        result.known += 1
    else:
        result.landed += 1
    by_stream: dict[str, list[dict[str, Any]]] = {}
    for stream, fact in rows:
        by_stream.setdefault(stream, []).append(fact)
    for stream, stream_rows in sorted(by_stream.items()):
        stated = land(lake, stream, stream_rows, **options)
        if not stated.already_landed:
            result.rows[stream] += stated.accepted


def _differs(lake: Lake, batch_id: str, row: Mapping[str, Any]) -> bool:
    """Whether the event that landed under this name held something else."""
    path = lake.path("raw/stripe_objects", batch_id)
    return bool(lake.read_file(path).column("payload").to_pylist() != [row.get("payload")])


def _read(payload: Any) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The row that keeps the object, and the facts it tells."""
    if not isinstance(payload, Mapping):
        raise Unusable("a payload is a JSON object")
    event: Mapping[str, Any] = payload if payload.get("object") == "event" else {}
    thing = (payload.get("data") or {}).get("object") if event else payload
    if not isinstance(thing, Mapping):
        raise Unusable("an event holds its object in data.object")
    told_at = instant(event.get("created")) if event else None
    row = {
        # Some objects are not stored by Stripe and have no id; the event then names what was told.
        "object_id": thing.get("id") or event.get("id"),
        "object": thing.get("object") or (str(event.get("type")).split(".")[0] if event else None),
        "event_id": event.get("id"),
        "event_type": event.get("type"),
        "api_version": event.get("api_version"),
        "created_at": instant(thing.get("created")) if isinstance(thing.get("created"), int) else None,
        "payload": canonical(thing),
    }
    if told_at is not None:
        row["recorded_at"] = told_at
    return row, list(facts(thing, told_at))


def without_secrets(value: Any) -> Any:
    """The payload without the fields that let somebody act on it."""
    if isinstance(value, Mapping):
        return {key: without_secrets(item) for key, item in value.items() if key not in _SECRETS}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value
