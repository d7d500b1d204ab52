"""Bodies of requests as rows of usage: NDJSON, a JSON array or one object, plain or as CloudEvents.

Belongs here: what a sender may say. Does not belong here: whether an event is in order, which is `ratehouse.streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingest.files.cloudevents import usage_row
from ratehouse.canonical_json import BadJson, canonical, parse
from ratehouse.errors import RatehouseError
from ratehouse.stream_schema import STREAMS

MAX_EVENTS = 10_000
# When an event became known is for the collector to say, and whose it is for the token.
_KEYS = STREAMS["usage_events"].accepted_keys - {"recorded_at", "tenant_id"}


class BodyRefused(RatehouseError):
    """A body that holds no events: answer 400 and keep nothing."""


def rows_of(body: bytes, content_type: str) -> list[dict[str, Any]]:
    """The events of a body, each as a row for `ratehouse.streams.land`; a bad line of NDJSON is a row that says so.

    Args:
        body: the request's body.
        content_type: its media type, without parameters.

    Raises:
        BodyRefused: no JSON, no event, or too many.
    """
    read: Callable[[Any], dict[str, Any]] = _cloud_event if "cloudevents" in content_type else _plain
    if content_type.endswith("ndjson"):
        rows = [_line(line, read) for line in body.split(b"\n") if line.strip()]
    else:
        try:
            value = parse(body)
        except (BadJson, UnicodeDecodeError) as error:
            raise BodyRefused(f"The body is no JSON: {error}.", reason_code="bad_json") from error
        rows = [read(event) for event in (value if isinstance(value, list) else [value])]
    if not rows:
        raise BodyRefused("The body holds no event.", reason_code="bad_json")
    if len(rows) > MAX_EVENTS:
        raise BodyRefused(
            f"The body holds {len(rows):,} events; send at most {MAX_EVENTS:,} at a time.",
            reason_code="too_large",
        )
    return rows


def _line(line: bytes, read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    try:
        event = parse(line)
    except (BadJson, UnicodeDecodeError) as error:
        return {"_code": "bad_json", "_reason": str(error), "_raw": line.decode("utf-8", "backslashreplace")}
    return read(event)


def _plain(event: Any) -> dict[str, Any]:
    if not isinstance(event, Mapping):
        return {"_code": "bad_json", "_reason": "an event must be a JSON object", "_raw": _text(event)}
    unknown = sorted(set(event) - _KEYS)
    if unknown:
        reason = (
            f"{', '.join(map(ascii, unknown[:5]))} cannot be sent; an event has {', '.join(sorted(_KEYS))}"
        )
        return {
            "event_id": event.get("event_id"),
            "_code": "unknown_key",
            "_reason": reason,
            "_raw": _text(event),
        }
    return dict(event)


def _cloud_event(event: Any) -> dict[str, Any]:
    return usage_row(event)


def _text(value: Any) -> str:
    try:
        return canonical(value)
    except BadJson:
        return ascii(value)
