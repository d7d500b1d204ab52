"""CloudEvents 1.0 (JSON format) as usage events.

id -> event_id, type -> event_type, subject -> customer_id, time -> occurred_at, data -> properties, source ->
source. Other attributes and extensions say nothing about usage and are not kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ratehouse.canonical_json import BadJson, canonical, parse


def usage_row(event: Any) -> dict[str, Any]:
    """One event as a row for `ratehouse.streams.land`; what is no CloudEvent becomes a row that is rejected.

    Args:
        event: the decoded JSON object. Its numbers should come from `canonical_json.parse`, which keeps them
        exact.
    """
    if not isinstance(event, Mapping):
        return _refused("bad_json", "an event must be a JSON object", event)
    version = event.get("specversion")
    if version != "1.0":
        reason = (
            f"specversion is {version!r}; only CloudEvents 1.0 are read"
            if version
            else "specversion is missing"
        )
        return _refused("unknown_key", reason, event)
    row: dict[str, Any] = {
        "event_id": event.get("id"),
        "event_type": event.get("type"),
        "customer_id": event.get("subject"),
        "occurred_at": event.get("time"),
        "source": event.get("source"),
    }
    try:
        properties = _data(event)
    except BadJson as error:
        return row | {"_code": error.reason_code, "_field": "properties", "_reason": str(error)} | _raw(event)
    return row if properties is None else row | {"properties": properties}


def _data(event: Mapping[str, Any]) -> Any:
    if event.get("data") is not None:
        if not isinstance(event["data"], Mapping):
            raise BadJson("data must be a JSON object to become properties")
        return event["data"]
    encoded = event.get("data_base64")
    if encoded is None:
        return None
    try:
        return parse(base64.b64decode(encoded, validate=True).decode("utf-8"))
    except (binascii.Error, UnicodeDecodeError, TypeError, BadJson) as error:
        raise BadJson("data_base64 holds no JSON object") from error


def _refused(code: str, reason: str, event: Any) -> dict[str, Any]:
    return {"_code": code, "_reason": reason} | _raw(event)


def _raw(event: Any) -> dict[str, Any]:
    try:
        return {"_raw": canonical(event)}
    except BadJson:
        return {"_raw": ascii(event)}
